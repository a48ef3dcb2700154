import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Driver, DriverOptions } from '#drivers/driver.ts';
import { fixedCredentials } from '#drivers/s3/credentials.ts';
import { openS3 } from '#drivers/s3/driver.ts';
import { parseSettings } from '#drivers/s3/settings.ts';
import type { Credentials } from '#drivers/s3/sign.ts';
import { PackageRError } from '#errors/error.ts';
import { bytesOf, expectError, key } from '#testing/driver-subject.ts';
import { type FakeClock, fakeClock } from '#testing/fake-clock.ts';
import { plainConnector } from '#testing/plain-connector.ts';
import { contentOf } from '#testing/s3-bucket.ts';
import { faults, refusing } from '#testing/s3-faults.ts';
import { openS3Server, refuse, type S3Server, testKeys } from '#testing/s3-server.ts';
import { TestUrlSigner } from '#testing/url-server.ts';

let server: S3Server;
let clock: FakeClock;
const connector = plainConnector();

beforeEach(async () => {
  clock = fakeClock();
  server = await openS3Server({ clock: clock.now, region: 'eu-test-1' });
  server.bucket('kept').put('a', contentOf(Buffer.from('hello')), clock.now());
});
afterEach(() => server.close());

function open(options: DriverOptions['options'] = {}, credentials: Credentials | undefined = testKeys, now = clock.now): Promise<Driver> {
  const settings = parseSettings({ bucket: 'kept', endpoint: server.endpoint, region: 'eu-test-1', provider: 'aws', ...options });
  const context = { source: 's3', clock: now, connector, signer: new TestUrlSigner(now) };
  return openS3(settings, fixedCredentials(credentials, now), context);
}

async function failure(work: Promise<unknown>): Promise<PackageRError> {
  const error = await work.catch((reason: unknown) => reason);
  if (error instanceof PackageRError) return error;
  throw new Error(`no error of ours: ${String(error)}`);
}

describe('regions', () => {
  it('learns the region that the store names, once, and signs URLs for it', async () => {
    const driver = await open({ region: 'us-east-1' });
    expect((await driver.stat(key('a'))).size).toBe(5);
    expect(server.seen.filter((line) => line.includes('versioning'))).toHaveLength(2);
    const { url } = await driver.presign({ method: 'GET', key: key('a'), expiresIn: 60 });
    expect(url).toContain('eu-test-1');
  });

  it('learns it from a redirect, which it does not follow', async () => {
    const driver = await open();
    server.fault = (request) =>
      request.headers['authorization']?.includes('/eu-west-9/')
        ? { status: 200, headers: { 'content-length': '3' } }
        : { status: 301, headers: { 'x-amz-bucket-region': 'eu-west-9', location: 'http://127.0.0.1:1/elsewhere' } };
    expect((await driver.stat(key('a'))).size).toBe(3);
  });

  it('gives up where the store names one region after the other, or none', async () => {
    const driver = await open();
    let count = 0;
    server.fault = () => refuse(400, 'AuthorizationHeaderMalformed', `<Region>eu-west-${++count}</Region>`);
    await expectError(driver.list({ prefix: '' }), 'source_broken');
    expect(count).toBe(2);
    server.fault = () => ({ status: 307, headers: { location: 'http://127.0.0.1:1/elsewhere' } });
    await expectError(driver.list({ prefix: '' }), 'source_unavailable');
    server.fault = () => refuse(301, 'PermanentRedirect', '<Region>http://evil/</Region>');
    await expectError(driver.list({ prefix: '' }), 'source_broken');
  });
});

describe('refusals', () => {
  it.each([
    [403, 'AccessDenied', 'forbidden', 'permanent'],
    [403, 'InvalidAccessKeyId', 'source_credentials', 'permanent'],
    [403, 'SignatureDoesNotMatch', 'source_credentials', 'permanent'],
    [400, 'ExpiredToken', 'source_credentials', 'permanent'],
    [400, 'InvalidToken', 'source_credentials', 'permanent'],
    [403, 'RequestTimeTooSkewed', 'source_credentials', 'permanent'],
    [404, 'NoSuchBucket', 'source_broken', 'permanent'],
    [503, 'SlowDown', 'store_rate_limited', 'temporary'],
    [429, 'Unheard', 'store_rate_limited', 'temporary'],
    [500, 'InternalError', 'source_unavailable', 'temporary'],
    [503, 'ServiceUnavailable', 'source_unavailable', 'temporary'],
    [501, 'NotImplemented', 'unsupported', 'permanent'],
    [403, 'InvalidObjectState', 'unsupported', 'permanent'],
    [418, 'IAmATeapot', 'store_response', 'permanent'],
    [403, 'constructor', 'forbidden', 'permanent'],
  ])('%i %s is %s', async (status, code, ours, retry) => {
    const driver = await open();
    server.fault = refusing(status, code);
    const errors = [await failure(driver.read(key('a'))), await failure(driver.stat(key('a')))];
    expect(errors[0]).toMatchObject({ code: ours, retry, context: { status, upstream: code } });
    // HEAD has no body: what the store means is asked by a GET, where it matters.
    if ([400, 403].includes(status)) expect(errors[1]).toMatchObject({ code: ours });
    for (const error of errors) expect(`${error.message} ${JSON.stringify(error.context)}`).not.toContain('upstream text');
  });

  it('passes on when to come back', async () => {
    const driver = await open();
    server.fault = faults.slowDown;
    expect(await failure(driver.list({ prefix: '' }))).toMatchObject({ code: 'store_rate_limited', retry: 'temporary', retryAfter: 7 });
  });

  it('says by how much the clocks differ', async () => {
    const driver = await open();
    server.fault = () => ({ ...refuse(403, 'RequestTimeTooSkewed'), headers: { date: new Date(clock.now() + 1_234_000).toUTCString() } });
    const error = await failure(driver.list({ prefix: '' }));
    expect(error).toMatchObject({ code: 'source_credentials', context: { skew: 1234 } });
    expect(error.message).toContain('1234 s ahead');
  });

  it('lets no code pass that is not a plain word, and reads no more than 64 KiB of it', async () => {
    const driver = await open();
    server.fault = () => ({ status: 403, body: Buffer.from('<Error><Code>http://evil/?secret=1</Code></Error>') });
    expect((await failure(driver.read(key('a')))).context).toEqual({ status: 403 });
    server.fault = () => ({ status: 403, body: Buffer.from(`<Error>${'x'.repeat(70_000)}<Code>AccessDenied</Code></Error>`) });
    expect((await failure(driver.read(key('a')))).context).toEqual({ status: 403 });
  });

  it('takes no error in a good answer for success', async () => {
    const driver = await open({ writable: true });
    server.fault = (request) => (request.headers['x-amz-copy-source'] === undefined ? undefined : { ...refuse(200, 'InternalError') });
    await expectError(driver.copy?.(key('a'), key('b')) ?? Promise.resolve(), 'source_unavailable');
  });

  it('opens nothing with wrong keys, or without a bucket', async () => {
    await expectError(open({}, { ...testKeys, secretAccessKey: 'other' }), 'source_credentials');
    await expectError(open({}, { ...testKeys, accessKeyId: 'AKIDOTHER' }), 'source_credentials');
    await expectError(open({ bucket: 'missing' }), 'source_broken');
    await expectError(
      open({}, testKeys, () => clock.now() + 3_600_000),
      'source_credentials',
    );
  });

  it('opens without the right to see whether versions are kept, and looks at an object instead', async () => {
    server.fault = (request) => (request.query.has('versioning') ? refuse(403, 'AccessDenied') : undefined);
    expect((await open()).capabilities.versions).toBe(false);
    server.bucket('kept').versioning = 'Enabled';
    server.bucket('kept').put('a', contentOf(Buffer.from('again')), clock.now());
    expect((await open()).capabilities.versions).toBe(true);
  });
});

describe('requests', () => {
  it('never names the bucket where an object was meant', async () => {
    const driver = await open({ writable: true });
    server.seen.length = 0;
    for (const work of [driver.stat(key('')), driver.read(key('')), driver.delete?.(key('')), driver.copy?.(key(''), key('b'))]) {
      await expectError(work ?? Promise.resolve(), 'key_invalid');
    }
    await expectError(driver.stat(key('a\0')), 'key_invalid');
    expect(server.seen).toEqual([]);
  });

  it('sends dot segments as they are where the store is known to keep them, and not at all where it is not', async () => {
    const driver = await open();
    await expectError(driver.stat(key('x/../a')), 'object_not_found');
    expect(server.seen.at(-1)).toBe('HEAD /kept/x/../a');
    const cautious = await open({ provider: 'other', writable: true });
    server.seen.length = 0;
    await expectError(cautious.stat(key('x/../a')), 'object_not_found');
    await expectError(cautious.copy?.(key('a'), key('../b')) ?? Promise.resolve(), 'key_invalid');
    await cautious.delete?.(key('./a'));
    expect(await cautious.list({ prefix: 'x/../' })).toEqual({ objects: [], prefixes: [] });
    expect(server.seen.filter((line) => line.includes('./'))).toEqual([]);
  });

  it('signs with a session token, and not at all for a public bucket', async () => {
    await server.close();
    const withToken = { ...testKeys, sessionToken: 'token/+=' };
    server = await openS3Server({ clock: clock.now, region: 'eu-test-1', keys: [withToken] });
    server.bucket('kept').put('a', contentOf(Buffer.from('hello')), clock.now());
    expect((await bytesOf((await open({}, withToken)).read(key('a')))).toString()).toBe('hello');
    await expectError(open({}, testKeys), 'source_credentials');
    server.bucket('kept').isPublic = true;
    const settings = { bucket: 'kept', endpoint: server.endpoint, region: 'eu-test-1', provider: 'aws', credentials: 'anonymous' };
    const context = { source: 's3', clock: clock.now, connector, signer: new TestUrlSigner(clock.now) };
    const anonymous = await openS3(parseSettings(settings), fixedCredentials(undefined, clock.now), context);
    expect((await bytesOf(anonymous.read(key('a')))).toString()).toBe('hello');
    expect(anonymous.capabilities).toMatchObject({ write: false, publicUrls: true });
  });

  it('refuses bytes of another range than was asked', async () => {
    const driver = await open();
    const range = { start: 1, end: 3 };
    server.fault = () => ({ status: 206, headers: { 'content-range': 'bytes 0-1/5' }, body: Buffer.from('he') });
    await expectError(driver.read(key('a'), { range }), 'store_response');
    server.fault = () => ({ status: 200, body: Buffer.from('hello') });
    await expectError(driver.read(key('a'), { range }), 'store_response');
    expect((await bytesOf(driver.read(key('a'), { range: { start: 0, end: 9 } }))).toString()).toBe('hello');
  });
});
