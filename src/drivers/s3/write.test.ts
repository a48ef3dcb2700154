import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Driver, DriverOptions } from '#drivers/driver.ts';
import { fixedCredentials } from '#drivers/s3/credentials.ts';
import { openS3 } from '#drivers/s3/driver.ts';
import { parseSettings } from '#drivers/s3/settings.ts';
import { bodyOf, bytesOf, expectError, key } from '#testing/driver-subject.ts';
import { plainConnector } from '#testing/plain-connector.ts';
import { contentOf } from '#testing/s3-bucket.ts';
import { refusing } from '#testing/s3-faults.ts';
import { openS3Server, refuse, type S3Server, testKeys } from '#testing/s3-server.ts';
import { TestUrlSigner } from '#testing/url-server.ts';

type Writing = Driver & Required<Pick<Driver, 'write' | 'copy' | 'delete' | 'multipart' | 'cors' | 'inspect'>>;

const mebibyte = 2 ** 20;
const now = Date.now;
let server: S3Server;

beforeEach(async () => {
  server = await openS3Server({ region: 'eu-test-1' });
  server.bucket('kept').put('a b', contentOf(Buffer.from('hello'), { 'x-amz-meta-note': 'n' }), now());
});
afterEach(() => server.close());

async function open(options: DriverOptions['options'] = {}): Promise<Writing> {
  const settings = parseSettings({
    bucket: 'kept',
    endpoint: server.endpoint,
    region: 'eu-test-1',
    provider: 'aws',
    writable: true,
    ...options,
  });
  const context = { source: 's3', clock: now, connector: plainConnector(), signer: new TestUrlSigner(now) };
  return (await openS3(settings, fixedCredentials(testKeys, now), context)) as Writing;
}

async function* chunks(count: number, size: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield Buffer.alloc(size, i + 1);
}

const seenOf = (method: string): string[] => server.seen.filter((line) => line.startsWith(`${method} /kept/`));

describe('write', () => {
  it('sends a small body in one piece, whatever its chunks', async () => {
    const info = await (await open()).write(key('one'), chunks(160, 100_000));
    expect(info).toMatchObject({ size: 16_000_000, checksums: [{ algorithm: 'md5', evidence: 'stored', value: info.etag }] });
    expect(seenOf('PUT')).toHaveLength(1);
  });

  it.each([undefined, 20 * mebibyte + 5])('sends a larger one in parts (size %s)', async (size) => {
    const driver = await open();
    const hash = createHash('sha256');
    const body = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunks(20, mebibyte)) yield* [chunk.subarray(0, 7), chunk.subarray(7)];
      yield Buffer.from('12345');
    };
    for await (const chunk of body()) hash.update(chunk);
    const info = await driver.write(key('many'), body(), { size });
    expect(info).toMatchObject({ size: 20 * mebibyte + 5, etag: expect.stringMatching(/-3$/) });
    expect(info).not.toHaveProperty('checksums');
    const read = createHash('sha256')
      .update(await bytesOf(driver.read(key('many'))))
      .digest('hex');
    expect(read).toBe(hash.digest('hex'));
  });

  it('leaves neither object nor upload where a part fails, or the body in the middle', async () => {
    const driver = await open();
    server.fault = (request) => (request.query.get('partNumber') === '2' ? refuse(500, 'InternalError') : undefined);
    await expectError(driver.write(key('broken'), chunks(30, mebibyte)), 'source_unavailable');
    server.fault = undefined;
    await expectError(driver.write(key('short'), chunks(30, mebibyte), { size: 31 * mebibyte }), 'request_invalid');
    expect(server.bucket('kept').keys).toEqual(['a b']);
    expect(server.bucket('kept').uploads.size).toBe(0);
  });

  it('creates once also where the store forgets the condition for object versions, and takes back what came second', async () => {
    const bucket = server.bucket('kept');
    bucket.versioning = 'Enabled';
    const driver = await open({ provider: 'ceph' });
    server.fault = (request, answer) => {
      const { 'if-none-match': condition, ...headers } = request.headers;
      if (condition === undefined) return undefined;
      // Another writer is quicker; the signature was made with the header, so the store is stood in for.
      if (request.key === 'race') bucket.put('race', contentOf(Buffer.from('first')), now());
      const { id } = bucket.put(request.key ?? '', contentOf(request.body, headers), now());
      return { ...answer(), status: 200, headers: { etag: '"x"', 'x-amz-version-id': id } };
    };
    await driver.write(key('alone'), bodyOf('x'), { ifAbsent: true });
    await expectError(driver.write(key('alone'), bodyOf('y'), { ifAbsent: true }), 'exists');
    await expectError(driver.write(key('race'), bodyOf('second'), { ifAbsent: true }), 'exists');
    expect(bucket.versionsOf('race').map((one) => one.content?.bytes?.toString())).toEqual(['first']);
    expect(bucket.versionsOf('alone')).toHaveLength(1);
  });
});

describe('copy', () => {
  it('takes more than 5 GiB in parts of the object that was looked at', async () => {
    const size = 11 * 2 ** 30 + 7;
    server.bucket('kept').put('huge/é+', { size, etag: 'e'.repeat(32), headers: {} }, now());
    server.bucket('kept').put('huge/\u00c3\u00a9+', { size, etag: 'e'.repeat(32), headers: {} }, now());
    const info = await (await open()).copy(key('huge/é+'), key('huge/copy'));
    expect(info).toMatchObject({ key: 'huge/copy', size, etag: expect.stringMatching(/-12$/) });
    expect(seenOf('PUT')).toHaveLength(12);
    expect(server.bucket('kept').uploads.size).toBe(0);
  });

  it('copies an old object version, and from itself nothing', async () => {
    const bucket = server.bucket('kept');
    bucket.versioning = 'Enabled';
    const old = bucket.put('v', contentOf(Buffer.from('old')), now());
    bucket.put('v', contentOf(Buffer.from('newer')), now());
    const driver = await open();
    await driver.copy(key('v'), key('w'), { version: old.id });
    expect((await bytesOf(driver.read(key('w')))).toString()).toBe('old');
    await driver.copy(key('v'), key('v'));
    expect(bucket.versionsOf('v')).toHaveLength(2);
  });
});

describe('what an object is', () => {
  const statOf = async (headers: Readonly<Record<string, string>>): Promise<unknown> => {
    server.fault = undefined;
    const driver = await open();
    server.fault = () => ({ status: 200, headers: { 'content-length': '3', etag: `"${'ab'.repeat(16)}"`, ...headers } });
    const { checksums = [], availability } = await driver.stat(key('x'));
    return [checksums.map((one) => `${one.algorithm}:${one.value}`), availability];
  };
  const md5 = `md5:${'ab'.repeat(16)}`;

  it('has the checksums that the store vouches for, of the whole object only', async () => {
    const crc = { 'x-amz-checksum-crc32': 'AQIDBA==' };
    expect(await statOf({})).toEqual([[md5], undefined]);
    expect(await statOf({ ...crc, 'x-amz-checksum-type': 'FULL_OBJECT' })).toEqual([[md5, 'crc32:01020304'], undefined]);
    expect(await statOf({ ...crc, 'x-amz-checksum-type': 'COMPOSITE' })).toEqual([[md5], undefined]);
    expect(await statOf({ ...crc, etag: '"aa-2"' })).toEqual([[], undefined]);
    expect(await statOf({ ...crc, etag: '"aa-2"', 'x-amz-checksum-type': 'FULL_OBJECT' })).toEqual([['crc32:01020304'], undefined]);
    expect(await statOf({ 'x-amz-checksum-sha256': 'bm90IGEgZGlnZXN0' })).toEqual([[md5], undefined]);
    expect(await statOf({ 'x-amz-server-side-encryption': 'aws:kms' })).toEqual([[], undefined]);
    expect(await statOf({ 'x-amz-server-side-encryption-customer-algorithm': 'AES256' })).toEqual([[], undefined]);
    expect(await statOf({ 'x-amz-server-side-encryption': 'AES256' })).toEqual([[md5], undefined]);
  });

  it('is archived until it is restored', async () => {
    const archived = { 'x-amz-storage-class': 'DEEP_ARCHIVE' };
    expect(await statOf(archived)).toEqual([[md5], 'archived']);
    expect(await statOf({ ...archived, 'x-amz-restore': 'ongoing-request="true"' })).toEqual([[md5], 'archived']);
    expect(await statOf({ ...archived, 'x-amz-restore': 'ongoing-request="false", expiry-date="x"' })).toEqual([[md5], undefined]);
    expect(await statOf({ 'x-amz-storage-class': 'STANDARD_IA' })).toEqual([[md5], undefined]);
  });

  it('is refused without a length', async () => {
    const driver = await open();
    server.fault = () => ({ status: 200, headers: { 'transfer-encoding': 'chunked' } });
    await expectError(driver.stat(key('x')), 'store_response');
  });
});

describe('inspect', () => {
  it('tells of the bucket and of rights that are not needed, and changes nothing', async () => {
    server.bucket('other');
    const driver = await open({ writable: false, publicEndpoint: 'https://public.example' });
    const facts = await driver.inspect({ prefix: 'data/' });
    expect(facts).toMatchObject({
      region: { signed: 'eu-test-1', actual: 'eu-test-1' },
      versioning: 'off',
      publicEndpoint: 'public.example',
    });
    expect(facts.excessRights).toEqual(['write', 'buckets', 'outside']);
    const policy = JSON.parse(facts.leastPolicy ?? '') as { Statement: { Action: string[]; Resource: string; Condition?: unknown }[] };
    expect(policy.Statement.flatMap((one) => one.Action).some((action) => /Put|Delete/.test(action))).toBe(false);
    expect(policy.Statement[0]?.Condition).toEqual({ StringLike: { 's3:prefix': ['data/*'] } });
    expect(policy.Statement.at(-1)?.Resource).toBe('arn:aws:s3:::kept/data/*');
    expect(server.bucket('kept').keys).toEqual(['a b']);
  });

  it('leaves out what it may not see', async () => {
    const driver = await open({ writable: false });
    server.fault = refusing(403, 'AccessDenied');
    expect(await driver.inspect()).toEqual({ excessRights: [], leastPolicy: expect.any(String) });
    server.fault = refusing(503, 'ServiceUnavailable');
    await expectError(driver.inspect(), 'source_unavailable');
  });
});

describe('cors', () => {
  it('reads what it wrote', async () => {
    const { cors } = await open();
    const rules = [
      {
        origins: ['https://a.example', '*'],
        methods: ['GET', 'HEAD'],
        headers: ['*'],
        exposedHeaders: ['ETag', 'a&<b>'],
        maxAgeSeconds: 60,
      },
      { origins: ['https://b.example'], methods: ['PUT'], headers: [], exposedHeaders: [] },
    ];
    expect(await cors.get()).toEqual([]);
    await cors.set(rules);
    expect(await cors.get()).toEqual(rules);
    await cors.set([]);
    expect(await cors.get()).toEqual([]);
    server.fault = refusing(403, 'AccessDenied');
    await expectError(cors.get(), 'forbidden');
  });
});
