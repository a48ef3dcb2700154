import type { DriverContext } from '#drivers/driver.ts';
import { fixedCredentials } from '#drivers/s3/credentials.ts';
import { openS3 } from '#drivers/s3/driver.ts';
import { parseSettings } from '#drivers/s3/settings.ts';
import { encodeKey } from '#model/key.ts';
import type { TemporaryUrl } from '#model/temporary-url.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { plainConnector } from '#testing/plain-connector.ts';
import { contentOf } from '#testing/s3-bucket.ts';
import { openS3Server, testKeys } from '#testing/s3-server.ts';
import { type FetchAnswer, type FetchInit, type TestSubject, testDriver } from '#testing/test-driver.ts';
import { TestUrlSigner } from '#testing/url-server.ts';

const awkward = ['a b+c#d%e=f[1]@é日😀.txt', '\n\t\u001b[2J', '\udcff\udc80raw', 'a\'(b)*!&<>"', 'a%20b'];

async function s3Subject(versioning: 'Enabled' | undefined, byFolder = false): Promise<TestSubject> {
  const clock = fakeClock();
  const name = byFolder ? 'SeaweedFS 1' : 'Canned';
  const server = await openS3Server({ clock: clock.now, region: 'eu-test-1', digitTokens: true, byFolder, server: name });
  const bucket = server.bucket('kept');
  bucket.versioning = versioning;
  const connector = plainConnector();
  const context: DriverContext = { source: 's3', clock: clock.now, connector, signer: new TestUrlSigner(clock.now) };
  const settings = parseSettings({
    bucket: 'kept',
    endpoint: server.endpoint,
    region: 'eu-test-1',
    provider: byFolder ? 'other' : 'aws',
    writable: true,
  });
  const driver = await openS3(settings, fixedCredentials(testKeys, clock.now), context);
  return {
    driver,
    put: async (key, bytes) => void bucket.put(encodeKey(key).toString('latin1'), contentOf(Buffer.from(bytes)), clock.now()),
    awkwardKeys: byFolder ? awkward : [...awkward, 'x//y', 'x/', './..', '/lead'],
    unlinkable: byFolder ? [] : ['./..'],
    longestKey: 1024,
    stated: ['md5'],
    fetchUrl: fetchRaw,
    passSeconds: async (seconds) => clock.advance(seconds * 1000),
    close: async () => {
      await connector.close();
      await server.close();
    },
  };
}

/** By the raw target: an ordinary client folds dot segments before it sends. */
async function fetchRaw(url: TemporaryUrl, init: FetchInit = {}): Promise<FetchAnswer> {
  const connector = plainConnector();
  const [, origin = '', target = '/'] = /^(https?:\/\/[^/]+)(.*)$/s.exec(url.url) ?? [];
  const answer = await connector.request({
    method: init.method ?? url.method,
    url: new URL(origin),
    target,
    headers: { ...url.headers, ...init.headers },
    ...(init.body && { body: init.body }),
  });
  const chunks: Buffer[] = [];
  for await (const chunk of answer.body) chunks.push(chunk as Buffer);
  await connector.close();
  return { status: answer.status, headers: new Headers(answer.headers), bytes: Buffer.concat(chunks) };
}

testDriver('s3 on a canned store', () => s3Subject('Enabled'));
testDriver('s3 on a canned store without versions', () => s3Subject(undefined));
testDriver('s3 on a canned store that lists by folder', () => s3Subject(undefined, true));
