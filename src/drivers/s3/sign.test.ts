/** Vectors published by AWS, and what they leave open. */
import { describe, expect, it } from 'vitest';
import { type AuthorizeInput, encodeKeyPath, encodeQuery, Signer } from '#drivers/s3/sign.ts';
import { decodeKey, type Key } from '#model/key.ts';

const credentials = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const at = Date.UTC(2013, 4, 24);
const host = 'examplebucket.s3.amazonaws.com';
const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const signer = new Signer({ credentials, region: 'us-east-1' });

/** Source: Amazon S3 API reference, “Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk”. */
const published: readonly (readonly [string, Partial<AuthorizeInput>, string])[] = [
  [
    'GET of a range',
    { path: '/test.txt', headers: { range: 'bytes=0-9' } },
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  ],
  [
    'PUT',
    {
      method: 'PUT',
      path: `/${encodeKeyPath('test$file.text' as Key)}`,
      headers: { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
      payload: '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    },
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  ],
  ['GET of ?lifecycle', { query: [['lifecycle', '']] }, 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
  [
    'GET of a listing',
    {
      query: [
        ['prefix', 'J'],
        ['max-keys', '2'],
      ],
    },
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  ],
];

describe('authorize', () => {
  const authorize = (input: Partial<AuthorizeInput>): Record<string, string> =>
    signer.authorize({ method: 'GET', host, path: '/', query: [], headers: {}, payload: empty, at, ...input });

  it.each(published)('gives the published signature: %s', (_, input, signature) => {
    expect(authorize(input)['authorization']).toMatch(new RegExp(`Signature=${signature}$`));
  });

  it('sends what it signs, the token included, and adds nothing else', () => {
    const temporary = new Signer({ credentials: { ...credentials, sessionToken: 'token' }, region: 'us-east-1' });
    const sent = temporary.authorize({ method: 'GET', host, path: '/', query: [], headers: { range: 'bytes=0-1' }, payload: empty, at });
    const { authorization, ...signed } = sent;
    expect(signed).toEqual({
      host,
      range: 'bytes=0-1',
      'x-amz-content-sha256': empty,
      'x-amz-date': '20130524T000000Z',
      'x-amz-security-token': 'token',
    });
    expect(authorization).toContain(`SignedHeaders=${Object.keys(signed).sort().join(';')},`);
  });

  it('folds white space in values as the canonical form has it', () => {
    const folded = authorize({ headers: { 'x-amz-meta-a': 'one two' } })['authorization'];
    expect(authorize({ headers: { 'x-amz-meta-a': '  one   two ' } })['authorization']).toBe(folded);
    expect(authorize({ headers: { 'x-amz-meta-a': 'onetwo' } })['authorization']).not.toBe(folded);
  });

  it('orders parameters by name and then by value, not by the text of both', () => {
    const pairs = [
      ['a-b', '1'],
      ['a', '2'],
      ['a', '1'],
    ] as const;
    const { authorization } = authorize({ query: pairs });
    expect(authorize({ query: [...pairs].reverse() })['authorization']).toBe(authorization);
  });
});

describe('presign', () => {
  /** Source: Amazon S3 API reference, “Authenticating Requests: Using Query Parameters”. */
  it('gives the published URL', () => {
    const query = signer.presign({ method: 'GET', host, path: '/test.txt', query: [], expiresIn: 86_400, at });
    expect(query).toBe(
      'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
        '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400' +
        '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404&X-Amz-SignedHeaders=host',
    );
  });

  it('is a pure function: what was signed before leaves no trace', () => {
    const input = { method: 'GET', host, path: '/a', query: [], expiresIn: 60, at } as const;
    const alone = new Signer({ credentials, region: 'us-east-1' }).presign(input);
    const others = [
      { at: at + 999, same: true },
      { at: at + 1000 },
      { at: at + 86_400_000 },
      { host: 'other.example' },
      { path: '/b' },
      { method: 'HEAD' },
      { expiresIn: 61 },
      { query: [['versionId', '1']] as const },
      { headers: { 'x-amz-meta-a': '1' } },
    ];
    for (const { same = false, ...other } of others) {
      const changed = { ...input, ...other };
      const query = signer.presign(changed);
      expect(query === alone).toBe(same);
      expect(query).toBe(new Signer({ credentials, region: 'us-east-1' }).presign(changed));
      expect(signer.presign(input)).toBe(alone);
    }
  });

  it('takes secrets of any length and letters', () => {
    const of = (secretAccessKey: string): string =>
      new Signer({ credentials: { ...credentials, secretAccessKey }, region: 'us-east-1' }).presign({
        method: 'GET',
        host,
        path: '/test.txt',
        query: [],
        expiresIn: 86_400,
        at,
      });
    expect(new Set(['x', 'é', 'x'.repeat(60), 'x'.repeat(61), 'x'.repeat(200)].map(of)).size).toBe(5);
  });

  it('refuses parameters that would stand before its own', () => {
    for (const name of ['X-Amz-Expires', 'A', '']) {
      expect(() => signer.presign({ method: 'GET', host, path: '/', query: [[name, '1']], expiresIn: 60, at })).toThrow('lower case');
    }
  });
});

describe('encoding', () => {
  it('keeps the unreserved and the slashes of a key, and nothing else', () => {
    const all = decodeKey(Uint8Array.from({ length: 255 }, (_, index) => index + 1));
    const encoded = encodeKeyPath(all);
    expect(encoded.replace(/%[0-9A-F]{2}/g, '')).toBe('-./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~');
    expect(encodeQuery('a/b=c&d e+f')).toBe('a%2Fb%3Dc%26d%20e%2Bf');
  });

  it('encodes keys that are no UTF-8 by their bytes', () => {
    const key = decodeKey(Uint8Array.of(0x61, 0xff, 0x2f, 0xc3, 0xa9, 0xe2, 0x82));
    expect(encodeKeyPath(key)).toBe('a%FF/%C3%A9%E2%82');
    expect(encodeQuery(key)).toBe('a%FF%2F%C3%A9%E2%82');
  });
});
