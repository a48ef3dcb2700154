import { ListObjectsV2Command, S3Client as Sdk } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Driver } from '#drivers/driver.ts';
import { fixedCredentials } from '#drivers/s3/credentials.ts';
import { openS3 } from '#drivers/s3/driver.ts';
import { PageScan } from '#drivers/s3/list-scan.ts';
import { parseSettings } from '#drivers/s3/settings.ts';
import { expectError, key, listAll } from '#testing/driver-subject.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { plainConnector } from '#testing/plain-connector.ts';
import { contentOf } from '#testing/s3-bucket.ts';
import { faults } from '#testing/s3-faults.ts';
import { openS3Server, type S3Server, testKeys } from '#testing/s3-server.ts';
import { TestUrlSigner } from '#testing/url-server.ts';

let server: S3Server;
const clock = fakeClock();
const connector = plainConnector();

beforeEach(async () => {
  server = await openS3Server({ region: 'eu-test-1' });
});
afterEach(() => server.close());

function open(): Promise<Driver> {
  const settings = parseSettings({ bucket: 'kept', endpoint: server.endpoint, region: 'eu-test-1', provider: 'aws' });
  const now = Date.now;
  return openS3(settings, fixedCredentials(testKeys, now), { source: 's3', clock: now, connector, signer: new TestUrlSigner(now) });
}

function fill(...names: readonly string[]): void {
  for (const name of names)
    server.bucket('kept').put(Buffer.from(name).toString('latin1'), contentOf(Buffer.from(name)), clock.now() + 987);
}

const names = [
  'a b+c',
  'a%20b',
  'd/é',
  'd/e\u0301',
  'd/日本',
  'd/😀',
  'd/\uffff',
  'd/\n\u0001',
  'd//e',
  'd/',
  '/lead',
  'q\'()*!&<>"',
  'year=2026/month=01/x',
];

describe('the AWS SDK as oracle', () => {
  it.each(['+', '%20'] as const)('lists the same, where a space is written %s', async (space) => {
    await server.close();
    server = await openS3Server({ region: 'eu-test-1', space });
    fill(...names.filter((name) => !name.includes('\u0001')));
    const sdk = new Sdk({ region: 'eu-test-1', endpoint: server.endpoint, forcePathStyle: true, credentials: testKeys });
    for (const delimiter of [undefined, '/'] as const) {
      const { Contents = [], CommonPrefixes = [] } = await sdk.send(new ListObjectsV2Command({ Bucket: 'kept', Delimiter: delimiter }));
      const { objects, prefixes } = await (await open()).list({ prefix: '', delimiter });
      // The server writes whole bytes, which the SDK reads as UTF-8.
      expect(objects).toEqual(
        Contents.map((one) => ({
          key: one.Key,
          size: one.Size,
          etag: one.ETag?.replaceAll('"', ''),
          modifiedAt: Math.floor((one.LastModified?.getTime() ?? 0) / 1000) * 1000,
        })),
      );
      expect(prefixes).toEqual(CommonPrefixes.map((one) => one.Prefix));
    }
    sdk.destroy();
  });
});

describe('what a store says', () => {
  const lists = async (fault: keyof typeof faults): Promise<readonly string[]> => {
    fill(...names);
    const driver = await open();
    server.fault = faults[fault];
    return (await listAll(driver, { prefix: '', limit: 5 })).keys;
  };

  it('is read in any order of elements', async () => {
    const plain = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await lists('oddOrder')).toEqual(plain);
    expect(await lists('withoutEtags')).toEqual(plain);
  });

  it('is refused where it is cut off, broken, another document, or has entities of its own', async () => {
    for (const fault of ['truncated', 'otherRoot', 'documentType', 'ownEntity', 'endless'] as const) {
      await expectError(lists(fault), 'store_response');
    }
    await expectError(lists('reset'), 'source_unavailable');
  });

  it('is refused where a page comes again, or names are out of order, outside of the prefix or not folded', async () => {
    await expectError(lists('samePage'), 'store_response');
    const driver = await open();
    const answered = async (...keys: readonly string[]): Promise<unknown> => {
      const contents = keys.map(
        (one) => `<Contents><Key>${one}</Key><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>`,
      );
      const body = `<ListBucketResult>${contents.join('')}<IsTruncated>false</IsTruncated></ListBucketResult>`;
      server.fault = () => ({ status: 200, body: Buffer.from(body) });
      return driver.list({ prefix: 'd/', delimiter: '/' });
    };
    expect(await answered('d/a', 'd/b')).toMatchObject({ objects: [{ key: 'd/a' }, { key: 'd/b' }] });
    await expectError(answered('d/b', 'd/a'), 'store_response');
    await expectError(answered('d/a', 'd/a'), 'store_response');
    await expectError(answered('d/\u{10000}', 'd/\uffff'), 'store_response');
    await expectError(answered('e/a'), 'store_response');
    await expectError(answered('d/a/b'), 'store_response');
    await expectError(answered(''), 'store_response');
  });

  it('is followed through empty pages, but not for ever', async () => {
    fill('a', 'b');
    const driver = await open();
    let pages = 0;
    const empty = (token: string): string => `<ListBucketResult><IsTruncated>true</IsTruncated>${token}</ListBucketResult>`;
    server.fault = (request, answer) => {
      if (!request.query.has('list-type') || ++pages > 3) return answer({ ...request, query: new Map([['list-type', '2']]) });
      return { status: 200, body: Buffer.from(empty('<NextContinuationToken>1</NextContinuationToken>')) };
    };
    expect((await driver.list({ prefix: '' })).objects).toHaveLength(2);
    server.fault = () => ({ status: 200, body: Buffer.from(empty('')) });
    await expectError(driver.list({ prefix: '' }), 'store_response');
    server.fault = () => ({ status: 200, body: Buffer.from(empty('<NextContinuationToken>1</NextContinuationToken>')) });
    await expectError(driver.list({ prefix: '' }), 'store_response');
  });
});

describe('object versions', () => {
  it('states the newest of each key, and nothing of what is deleted', async () => {
    const bucket = server.bucket('kept');
    fill('before');
    bucket.versioning = 'Enabled';
    for (let i = 0; i < 5; i++) fill('a', 'b/c', 'gone');
    bucket.delete('gone', undefined, 1);
    const driver = await open();
    for (const limit of [1, 2, 3, 1000]) {
      const found: (readonly [string, string | undefined])[] = [];
      for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
        const page = await driver.list({ prefix: '', limit, versions: true, cursor });
        found.push(...page.objects.map((one) => [one.key, one.version] as const));
        cursor = page.cursor;
      }
      expect(found).toEqual(['a', 'b/c', 'before'].map((name) => [name, bucket.versionsOf(name)[0]?.id]));
    }
    expect((await driver.list({ prefix: '', versions: true, delimiter: '/' })).prefixes).toEqual(['b/']);
    bucket.versioning = 'Suspended';
    fill('b/c');
    expect((await (await open()).list({ prefix: 'b', versions: true })).objects[0]).not.toHaveProperty('version');
  });
});

describe('a page', () => {
  const page = (entries: string): Buffer =>
    Buffer.from(`\ufeff<?xml version="1.0"?>\n<ListBucketResult xmlns="x">${entries}<EncodingType>url</EncodingType></ListBucketResult>\n`);
  const scan = (bytes: Buffer, step: number): ReturnType<PageScan['end']> => {
    const one = new PageScan(false);
    for (let at = 0; at < bytes.length; at += step) one.push(bytes.subarray(at, at + step));
    return one.end();
  };
  const entry = (name: string): string =>
    `<Contents><Key>${name}</Key><LastModified>2026-02-28T23:59:59.999Z</LastModified><ETag>&#34;e-2&#34;</ETag><Size>9007199254740991</Size><StorageClass>GLACIER</StorageClass></Contents>`;

  it('is the same wherever its chunks are cut', () => {
    const bytes = page(
      `<IsTruncated>true</IsTruncated>${entry('a%2Fb+%C3%A9&amp;')}${entry('%FF')}<CommonPrefixes><Prefix>p+q/</Prefix></CommonPrefixes>`,
    );
    const whole = scan(bytes, bytes.length);
    const facts = { size: 9007199254740991, etag: 'e-2', modifiedAt: Date.UTC(2026, 1, 28, 23, 59, 59), availability: 'archived' };
    expect(whole).toMatchObject({ isTruncated: true, prefixes: ['p q/'], lastKey: '\udcff', isAscii: false });
    expect(whole.objects).toEqual([
      { key: key('a/b é&'), ...facts },
      { key: key('\udcff'), ...facts },
    ]);
    for (let step = 1; step < 90; step++) expect(scan(bytes, step)).toEqual(whole);
  });

  it('is refused with sizes and times that are none', () => {
    const odd =
      (from: string, to: string): (() => unknown) =>
      () =>
        scan(page(entry('a').replace(from, to)), 1e6);
    expect(odd('9007199254740991', '9007199254740992')).toThrow('size');
    expect(odd('9007199254740991', '-1')).toThrow('size');
    expect(odd('<Size>9007199254740991</Size>', '')).toThrow('size');
    expect(odd('2026-02-28T23:59:59.999Z', 'yesterday')).toThrow('time');
    expect(odd('<Size>', '<![CDATA[')).toThrow();
  });

  it('of a million keys in one folder goes through, in order', async () => {
    fill('folder/x');
    const total = 1_000_000;
    const nameOf = (index: number): string => `folder/${String(index).padStart(7, '0')}.bin`;
    const driver = await open();
    server.fault = (request) => {
      if (!request.query.has('list-type')) return undefined;
      const after = request.query.get('start-after');
      const from = after === undefined ? 0 : Number(after.slice(7, 14)) + 1;
      let body = `<ListBucketResult><IsTruncated>${from + 1000 < total}</IsTruncated>`;
      for (let i = from; i < from + 1000; i++) {
        body += `<Contents><Key>${nameOf(i)}</Key><Size>${i}</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>`;
      }
      return { status: 200, body: Buffer.from(`${body}</ListBucketResult>`, 'latin1') };
    };
    let count = 0;
    let cursor: string | undefined;
    do {
      const { objects, cursor: next } = await driver.list({ prefix: 'folder/', cursor });
      for (const one of objects) if (one.key !== nameOf(count++)) throw new Error(`out of order at ${count}`);
      cursor = next;
    } while (cursor !== undefined);
    expect(count).toBe(total);
  });
});
