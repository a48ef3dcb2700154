/** Our temporary URLs beside those of the AWS SDK, byte by byte, and what each of them grants. */
import { createHash, createHmac } from 'node:crypto';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PresignRequest } from '#drivers/driver.ts';
import { fixedCredentials } from '#drivers/s3/credentials.ts';
import { makePresigner, presignMaxSeconds } from '#drivers/s3/presign.ts';
import { parseSettings } from '#drivers/s3/settings.ts';
import type { Credentials } from '#drivers/s3/sign.ts';
import { PackageRError } from '#errors/error.ts';
import { decodeKey, encodeKey, type Key, parseKey } from '#model/key.ts';
import type { TemporaryUrl } from '#model/temporary-url.ts';

const now = Date.UTC(2026, 10, 23, 10, 10, 10, 789);
const clock = () => now;
const keys: Credentials = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const temporary: Credentials = { ...keys, sessionToken: 'FwoGZXIvYXdzE/+==é' };
const get = { method: 'GET', expiresIn: 900 } as const;

function presigner(options: Record<string, string | boolean> = {}, credentials: Credentials | undefined = keys) {
  const settings = { ...parseSettings({ bucket: 'bucket', region: 'eu-central-1', writable: true, ...options }), region: 'eu-central-1' };
  const source = fixedCredentials(credentials, clock);
  const presign = makePresigner(settings, source, clock);
  return (request: PresignRequest): TemporaryUrl => presign(request) as TemporaryUrl;
}

const anonymous = () => {
  const settings = { ...parseSettings({ bucket: 'bucket', region: 'eu-central-1', writable: true }), region: 'eu-central-1' };
  return makePresigner(settings, fixedCredentials(undefined, clock), clock) as (request: PresignRequest) => TemporaryUrl;
};

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return error instanceof PackageRError ? error.code : String(error);
  }
  return 'none';
};

const alphabet = [...' +#%=[]:@é日/aZ09-._~!\'()*&?;,$"<>\\^`{|}\t\u007f', '😀', 'e\u0301', '//', '..x', '%2F', '\u{10FFFF}', '\u0085'];
const hasDots = (key: string): boolean => key.split('/').some((segment) => segment === '.' || segment === '..');

/** The same keys in every run; some of 1,024 bytes, some that begin with a slash. */
function randomKeys(count: number): Key[] {
  let state = 1;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const found: Key[] = ['a b+c#d%e=f[1]é日.txt', 'x//y', '/lead', '..x', 'x'.repeat(1024), 'é'.repeat(512), '//', 'dir/'].map(parseKey);
  while (found.length < count) {
    let key = next(20) === 0 ? '/' : '';
    for (let length = 1 + next(40); length > 0; length--) key += alphabet[next(alphabet.length)];
    if (next(50) === 0) key = key.repeat(100);
    while (Buffer.byteLength(key) > 1024) key = key.slice(0, -1);
    if (key !== '' && key.isWellFormed() && !hasDots(key)) found.push(parseKey(key));
  }
  return found;
}

const disposition = `attachment; filename="d_.txt"; filename*=UTF-8''d%C3%A9%20!'().txt`;
type Make = (Bucket: string, Key: string) => ConstructorParameters<typeof GetObjectCommand>[0];
const object: Make = (Bucket, Key) => ({ Bucket, Key });
const requests = [
  [{ method: 'GET' }, (b: string, k: string) => new GetObjectCommand({ ...object(b, k) })],
  [{ method: 'HEAD' }, (b: string, k: string) => new HeadObjectCommand({ ...object(b, k) })],
  [{ method: 'PUT' }, (b: string, k: string) => new PutObjectCommand({ ...object(b, k) })],
  [
    { method: 'PUT', part: { upload: '2~a/b+c=', number: 10_000 } },
    (b: string, k: string) => new UploadPartCommand({ ...object(b, k), UploadId: '2~a/b+c=', PartNumber: 10_000 }),
  ],
  [{ method: 'GET', version: 'v.1/+= é' }, (b: string, k: string) => new GetObjectCommand({ ...object(b, k), VersionId: 'v.1/+= é' })],
  [{ method: 'HEAD', version: 'null' }, (b: string, k: string) => new HeadObjectCommand({ ...object(b, k), VersionId: 'null' })],
  [
    {
      method: 'GET',
      version: '3',
      responseHeaders: { contentType: 'text/plain; charset=utf-8', contentDisposition: disposition, cacheControl: 'no-store' },
    },
    (b: string, k: string) =>
      new GetObjectCommand({
        ...object(b, k),
        VersionId: '3',
        ResponseContentType: 'text/plain; charset=utf-8',
        ResponseContentDisposition: disposition,
        ResponseCacheControl: 'no-store',
      }),
  ],
] as const satisfies readonly (readonly [Omit<PresignRequest, 'key' | 'expiresIn'>, unknown])[];

describe('beside the AWS SDK', () => {
  const settings = [
    { options: { bucket: 'bucket' }, client: {}, credentials: keys },
    { options: { bucket: 'dotted.bucket' }, client: {}, credentials: temporary },
    {
      options: { bucket: 'bucket', endpoint: 'http://127.0.0.1:9000' },
      client: { endpoint: 'http://127.0.0.1:9000', forcePathStyle: true },
      credentials: temporary,
    },
    {
      options: { bucket: 'bucket', endpoint: 'https://store.example', style: 'virtual' },
      client: { endpoint: 'https://store.example' },
      credentials: keys,
    },
  ];

  it('is byte-equal on 10,000 keys for GET, HEAD, PUT, parts, versions, response headers and tokens', { timeout: 180_000 }, async () => {
    const sides = settings.map(({ options, client, credentials }) => ({
      bucket: options.bucket,
      ours: presigner(options, credentials),
      sdk: new S3Client({
        region: 'eu-central-1',
        credentials,
        requestChecksumCalculation: 'WHEN_REQUIRED',
        responseChecksumValidation: 'WHEN_REQUIRED',
        ...client,
      }),
    }));
    const differing: unknown[] = [];
    for (const [index, key] of randomKeys(10_000).entries()) {
      const { bucket, ours, sdk } = sides[index % sides.length] as (typeof sides)[number];
      const [request, command] = requests[index % requests.length] as (typeof requests)[number];
      const expiresIn = 1 + ((index * 7919) % presignMaxSeconds);
      const theirs = await getSignedUrl(sdk, command(bucket, key) as GetObjectCommand, { expiresIn, signingDate: new Date(now) });
      const our = ours({ ...request, key, expiresIn }).url;
      if (our !== theirs || /checksum/i.test(our)) differing.push({ our, theirs });
    }
    expect(differing).toEqual([]);
    for (const { sdk } of sides) sdk.destroy();
  });
});

/** What a store does with a URL, written anew from the specification: the signature over what arrived. */
function verify(method: string, url: string, { secretAccessKey }: Credentials): boolean {
  const { host, pathname, search } = new URL(url);
  const pairs = search.slice(1).split('&');
  const value = (name: string): string => decodeURIComponent(pairs.find((pair) => pair.startsWith(`${name}=`))?.split('=')[1] ?? '');
  const [, day = '', region = '', service = '', end = ''] = value('X-Amz-Credential').split('/');
  const signed = pairs.filter((pair) => !pair.startsWith('X-Amz-Signature=')).sort();
  const request = [method, pathname, signed.join('&'), `host:${host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join('\n');
  const text = [
    'AWS4-HMAC-SHA256',
    value('X-Amz-Date'),
    [day, region, service, end].join('/'),
    createHash('sha256').update(request).digest('hex'),
  ];
  const key = [day, region, service, end].reduce<string | Buffer>(
    (from, part) => createHmac('sha256', from).update(part).digest(),
    `AWS4${secretAccessKey}`,
  );
  return createHmac('sha256', key).update(text.join('\n')).digest('hex') === value('X-Amz-Signature');
}

function bytesOf(encoded: string): Buffer {
  return Buffer.from(
    encoded.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}

describe('what a URL grants', () => {
  const anyKey = fc
    .uint8Array({ minLength: 1, maxLength: 80 })
    .map((bytes) => decodeKey(bytes.map((byte) => byte || 1)))
    .filter((key) => !hasDots(key));
  const anyText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).filter((text) => text.isWellFormed());
  const anyRequest = fc.record<PresignRequest>(
    {
      method: fc.constantFrom('GET', 'HEAD'),
      key: anyKey,
      expiresIn: fc.integer({ min: 1, max: presignMaxSeconds }),
      version: anyText,
      responseHeaders: fc.record({ contentType: anyText, contentDisposition: anyText, cacheControl: anyText }),
    },
    { requiredKeys: ['method', 'key', 'expiresIn'] },
  );

  it.each([
    ['path', { endpoint: 'http://127.0.0.1:9000' }, '/bucket/'],
    ['virtual', {}, '/'],
  ])('is what was asked, byte for byte, as the client sends it (%s)', (_, options, root) => {
    const presign = presigner(options, temporary);
    fc.assert(
      fc.property(anyRequest, (request) => {
        const { url, method, expiresAt } = presign(request);
        const parsed = new URL(url);
        expect(parsed.href).toBe(url);
        expect(method).toBe(request.method);
        expect(bytesOf(parsed.pathname)).toEqual(Buffer.concat([Buffer.from(root), encodeKey(request.key)]));
        const { version, responseHeaders = {}, expiresIn } = request;
        expect(Object.fromEntries([...parsed.searchParams].filter(([name]) => !/^X-Amz-(Signature|Credential)$/.test(name)))).toEqual(
          withoutUndefined({
            'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
            'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD',
            'X-Amz-Date': '20261123T101010Z',
            'X-Amz-Expires': String(expiresIn),
            'X-Amz-Security-Token': temporary.sessionToken,
            'X-Amz-SignedHeaders': 'host',
            versionId: version,
            'response-content-type': responseHeaders.contentType,
            'response-content-disposition': responseHeaders.contentDisposition,
            'response-cache-control': responseHeaders.cacheControl,
            'x-id': method === 'GET' ? 'GetObject' : undefined,
          }),
        );
        expect(expiresAt).toBe(Math.floor(now / 1000) * 1000 + expiresIn * 1000);
        expect(verify(method, url, temporary)).toBe(true);
        expect(verify(method === 'GET' ? 'HEAD' : 'GET', url, temporary)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('is for the public endpoint, never for the one that packageR calls', () => {
    const { url } = presigner({ endpoint: 'http://10.0.0.1:9000', publicEndpoint: 'https://data.example' })({ ...get, key: 'a' as Key });
    expect(url).toMatch(/^https:\/\/data\.example\/bucket\/a\?/);
    expect(url).not.toContain('10.0.0.1');
    expect(verify('GET', url, keys)).toBe(true);
  });

  it('is the plain URL where nothing is signed', () => {
    const presign = anonymous();
    expect(presign({ ...get, key: 'a b/é' as Key, version: 'v/1', responseHeaders: { contentType: 'text/plain' } })).toEqual({
      method: 'GET',
      url: 'https://bucket.s3.eu-central-1.amazonaws.com/a%20b/%C3%A9?versionId=v%2F1',
      headers: {},
      expiresAt: undefined,
    });
    expect(codeOf(() => presign({ method: 'PUT', expiresIn: 1, key: 'a' as Key }))).toBe('unsupported');
  });
});

describe('how long', () => {
  it('ends with the credentials at the latest, and says so', () => {
    const ending = { ...temporary, expiresAt: now + 60_000 };
    const { url, expiresAt } = presigner({}, ending)({ ...get, key: 'a' as Key });
    expect(new URL(url).searchParams.get('X-Amz-Expires')).toBe('60');
    expect(expiresAt).toBeLessThanOrEqual(ending.expiresAt);
    expect(presigner({}, ending)({ ...get, expiresIn: 59, key: 'a' as Key }).expiresAt).toBe(Math.floor(now / 1000) * 1000 + 59_000);
    for (const left of [0, -1, -60_000]) {
      expect(codeOf(() => presigner({}, { ...temporary, expiresAt: now + left })({ ...get, key: 'a' as Key }))).toBe('source_credentials');
    }
  });

  it.each([0, -1, 1.5, Number.NaN, presignMaxSeconds + 1])('refuses %s seconds', (expiresIn) => {
    expect(codeOf(() => presigner()({ method: 'GET', expiresIn, key: 'a' as Key }))).toBe('request_invalid');
  });
});

describe('refusals', () => {
  it.each(['.', '..', './a', 'a/.', 'a/../b', 'a/..', '../a', 'a/./b'])('there is no URL for the key %s', (key) => {
    expect(codeOf(() => presigner()({ ...get, key: key as Key }))).toBe('unsupported');
  });

  it('gives no URL that the store would take for another object', () => {
    const seaweed = presigner({ provider: 'seaweedfs', endpoint: 'http://127.0.0.1:8333' });
    for (const key of ['a//b', '/a', 'a//']) expect(codeOf(() => seaweed({ ...get, key: key as Key }))).toBe('unsupported');
    expect(codeOf(() => seaweed({ ...get, key: 'a/b/' as Key }))).toBe('none');
  });

  it('refuses what does not fit together', () => {
    const key = 'a' as Key;
    const put = { method: 'PUT', expiresIn: 60, key } as const;
    expect(codeOf(() => presigner({ writable: false })(put))).toBe('unsupported');
    expect(codeOf(() => presigner({ versions: 'off' })({ ...get, key, version: '1' }))).toBe('unsupported');
    expect(codeOf(() => presigner()({ ...put, version: '1' }))).toBe('request_invalid');
    expect(codeOf(() => presigner()({ ...put, responseHeaders: { contentType: 'text/html' } }))).toBe('request_invalid');
    expect(codeOf(() => presigner()({ ...get, key, part: { upload: 'u', number: 1 } }))).toBe('request_invalid');
    for (const number of [0, 10_001, 1.5])
      expect(codeOf(() => presigner()({ ...put, part: { upload: 'u', number } }))).toBe('request_invalid');
  });
});

function withoutUndefined(record: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
