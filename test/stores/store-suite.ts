/** Everything that is tried on one real server, which is started once. */
import { paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { afterAll, describe, expect, it } from 'vitest';
import type { ObjectInfo } from '#drivers/driver.ts';
import { compareKeys, encodeKey, type Key } from '#model/key.ts';
import { fetchPlainly, type TestSubject, testDriver } from '#testing/test-driver.ts';
import { requireStore, type StoreServer, storePrograms } from '../support/stores/store-server.ts';
import { testJourneys } from './journeys.ts';
import { testMatrix } from './matrix.ts';
import { openOurs } from './ours.ts';
import { testProbe } from './probe-suite.ts';
import { sdkClient } from './sdk-client.ts';

/** What this server can hold and say. */
type StoreTraits = Required<Pick<TestSubject, 'awkwardKeys' | 'unlinkable' | 'longestKey' | 'stated'>>;

export interface StoreSuite {
  readonly name: StoreServer['name'];
  readonly traits: StoreTraits;
  start(): Promise<StoreServer>;
}

export async function testStore(suite: StoreSuite): Promise<void> {
  const { title } = storePrograms[suite.name];
  if (!requireStore(suite.name)) {
    it.skip(`needs ${title}`, () => undefined);
    return;
  }
  const server = await suite.start();
  afterAll(() => server.stop());
  testMatrix(server);
  testDriver(`s3 on ${title}`, () => openSubject(server, suite, false));
  testDriver(`s3 on ${title}, with versions`, () => openSubject(server, suite, true));
  testOracle(server);
  testProbe(server);
  testJourneys(() => server);
}

async function openSubject(server: StoreServer, { traits }: StoreSuite, versioning: boolean): Promise<TestSubject> {
  const bucket = await server.makeBucket(undefined, { versioning });
  const driver = await openOurs(server, bucket);
  return {
    driver,
    put: async (name, bytes) => void (await server.put(bucket, encodeKey(name), bytes)),
    ...traits,
    fetchUrl: fetchPlainly,
    close: async () => undefined,
  };
}

/** The SDK as oracle: an independent reading of the same listing. */
function testOracle(server: StoreServer): void {
  describe(`listing of ${server.name}, beside the AWS SDK`, () => {
    const numbered = Array.from({ length: 1300 }, (_, at) => `${at % 3}/${at % 11}/${at}`);
    const names = ['a b', 'a&b<c>', "a'(b)*!", 'é', '日本', '😀', 'z/~', ...numbered];

    it.each([false, true])('has the same objects, in byte order (versions: %s)', async (versioning) => {
      const bucket = await server.makeBucket(undefined, { versioning });
      await server.fill(bucket, names, (name) => name.slice(0, 5));
      const theirs = (await listBySdk(server, bucket)).sort((a, b) => compareKeys(a.key, b.key)).map(tell);
      const ours = (await listByOurs(server, bucket)).map(tell);
      expect(theirs).toHaveLength(names.length);
      expect(ours.filter((line, at) => line !== theirs[at]).slice(0, 3)).toEqual([]);
      expect(ours).toHaveLength(theirs.length);
    });
  });
}

type Told = Pick<ObjectInfo, 'key' | 'size' | 'etag' | 'modifiedAt'>;

/** In whole seconds, as the answer to HEAD tells them. */
const tell = ({ key, size, etag, modifiedAt = 0 }: Told): string => JSON.stringify([key, size, etag, Math.floor(modifiedAt / 1000)]);

async function listBySdk(server: StoreServer, bucket: string): Promise<Told[]> {
  const client = sdkClient(server);
  const found: Told[] = [];
  for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket })) {
    for (const { Key, Size = -1, ETag = '', LastModified } of page.Contents ?? []) {
      found.push({ key: Key as Key, size: Size, etag: ETag.replaceAll('"', ''), modifiedAt: LastModified?.getTime() ?? 0 });
    }
  }
  client.destroy();
  return found;
}

async function listByOurs(server: StoreServer, bucket: string): Promise<Told[]> {
  const driver = await openOurs(server, bucket);
  const found: Told[] = [];
  let cursor: string | undefined;
  do {
    const page = await driver.list({ prefix: '', cursor });
    found.push(...page.objects);
    cursor = page.cursor;
  } while (cursor !== undefined);
  await driver.close?.();
  return found;
}
