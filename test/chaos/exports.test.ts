/**
 * What is taken from a live share while the share ends, its objects change, or its store fails. Whatever comes to its end is the whole
 * truth of one instant; all else ends so that a client sees it: by a status, or by a connection that breaks before its end.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as ask } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openApp } from '#app.ts';
import { builtinExports } from '#builtin.ts';
import { localClient } from '#cli/run.ts';
import type { Client } from '#client/client.ts';
import { loadConfig } from '#config/config.ts';
import { faults as listFaults } from '#testing/s3-faults.ts';
import { type Fault, openS3Server, refuse, type S3Server, testKeys } from '#testing/s3-server.ts';
import { freePort } from '../support/free-port.ts';
import { runsOf } from '../support/races.ts';

const objects = 1500;
const textEvery = 150;
const bucketName = 'archive';

interface Share {
  readonly number: number;
  readonly id: string;
  readonly source: string;
}

interface Taken {
  readonly status: number;
  readonly body: Buffer;
  /** It came to the end that its head promised. */
  readonly isWhole: boolean;
}

let folder: string;
let server: S3Server;
let app: Awaited<ReturnType<typeof openApp>>;
let client: Client;
let port: number;
let made = 0;
const warnings: string[] = [];
const warn = ({ name, message }: Error): void => void warnings.push(`${name}: ${message}`);

const keyOf = (index: number): string => `data/${index % 7}/${String(index).padStart(5, '0')}.${index % textEvery === 0 ? 'txt' : 'bin'}`;

function put(key: string, text: string, bucket = bucketName): void {
  const bytes = Buffer.from(text);
  const etag = createHash('md5').update(bytes).digest('hex');
  server.bucket(bucket).put(key, { size: bytes.length, bytes, etag, headers: {} }, 1e12);
}

beforeAll(async () => {
  process.on('warning', warn);
  folder = await mkdtemp(join(tmpdir(), 'package-r-chaos-'));
  server = await openS3Server();
  for (let index = 0; index < objects; index++) put(keyOf(index), `bytes of ${index}`.repeat(3));
  for (let index = 0; index < objects; index++) put(keyOf(index).replace('data/', 'data/other-'), `other ${index}`, 'other');
  port = await freePort();
  const env = {
    PACKAGE_R_DATA_DIR: folder,
    PACKAGE_R_PUBLIC_URL: `http://127.0.0.1:${port}`,
    PACKAGE_R_ENDPOINTS_ALLOW: '127.0.0.1',
    PACKAGE_R_LIMITS_UPSTREAM_RETRIES: '1',
    PACKAGE_R_LIMITS_UPSTREAM_FAILURES: '5',
    PACKAGE_R_LIMITS_UPSTREAM_PROBE_IN: '1000',
    PACKAGE_R_LIMITS_HTTP_RATES_PEER_PER_MINUTE: '60000',
    PACKAGE_R_SHARE_CREATED_PER_HOUR: '10000',
    PACKAGE_R_SHARE_PER_OWNER: '100000',
  };
  app = await openApp(loadConfig({ env, cwd: folder }), 'silent');
  await app.server.listen({ host: '127.0.0.1', port });
  client = localClient(app.socketPath);
});
afterEach(() => {
  expect(warnings.filter((one) => one.startsWith('MaxListeners'))).toEqual([]);
  server.before = undefined;
  server.fault = undefined;
});
afterAll(async () => {
  process.off('warning', warn);
  await app.close();
  await server.close();
  await rm(folder, { recursive: true });
});

async function share(): Promise<Share> {
  const source = `store-${++made}`;
  const options = { bucket: bucketName, region: server.region, endpoint: server.endpoint, versions: 'off' };
  const secrets = { AWS_ACCESS_KEY_ID: testKeys.accessKeyId, AWS_SECRET_ACCESS_KEY: testKeys.secretAccessKey };
  await client.post('api/v1/sources', { name: source, driver: 's3', options, secrets });
  const { number, id } = await client.post<Share>('api/v1/shares', { target: `source:${source}/data` });
  return { number, id, source };
}

function take({ id }: Share, name: string): Promise<Taken> {
  return new Promise((resolve, reject) => {
    const sent = ask({ port, path: `/s/${id}/${name}`, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', () => undefined);
      answer.on('close', () =>
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks), isWhole: answer.complete && !answer.errored }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** Members by name, as what reads a ZIP from its end finds them. Errors: where it is no whole one. */
function membersOf(zip: Buffer): Map<string, string> {
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  expect(end).toBe(zip.length - 22);
  const members = new Map<string, string>();
  for (let at = zip.readUInt32LE(end + 16); at < end; ) {
    expect(zip.readUInt32LE(at)).toBe(0x02014b50);
    const [crc, size, offset] = [zip.readUInt32LE(at + 16), zip.readUInt32LE(at + 24), zip.readUInt32LE(at + 42)];
    const [name, extra, comment] = [zip.readUInt16LE(at + 28), zip.readUInt16LE(at + 30), zip.readUInt16LE(at + 32)];
    const begin = offset + 30 + zip.readUInt16LE(offset + 26) + zip.readUInt16LE(offset + 28);
    const bytes = zip.subarray(begin, begin + size);
    expect(crc32(bytes)).toBe(crc);
    members.set(zip.toString('utf8', at + 46, at + 46 + name), createHash('sha256').update(bytes).digest('hex'));
    at += 46 + name + extra + comment;
  }
  expect(members.size).toBe(zip.readUInt16LE(end + 10));
  return members;
}

/** Equal for the same truth: of a ZIP without the file that tells its instant; of all, without what names the share. */
function truthOf(name: string, { id }: Share, { body }: Taken): string {
  if (name !== 'package.zip') return body.toString().replaceAll(id, 'SHARE');
  const members = [...membersOf(body)].filter(([member]) => !/^(README-packageR|fetch-)|\.pointer$/.test(member));
  const pointers = [...membersOf(body).keys()].filter((member) => member.endsWith('.pointer'));
  return JSON.stringify([members.filter(([member]) => member.endsWith('.txt')), pointers]);
}

async function calm(name: string, from: Share): Promise<string> {
  const taken = await take(from, name);
  expect([taken.status, taken.isWhole], name).toEqual([200, true]);
  return truthOf(name, from, taken);
}

/** Those that a live share gives. */
const names = builtinExports.map(({ name }) => name).filter((name) => !name.startsWith('manifest'));

const ends = {
  revoke: ({ number }) => client.delete(`api/v1/shares/${number}`),
  pause: ({ number }) => client.post(`api/v1/shares/${number}/pause`),
  rotate: ({ number }) => client.post(`api/v1/shares/${number}/rotate`),
  'new audience': ({ number }) => client.patch(`api/v1/shares/${number}`, { audience: 'users' }),
  expiry: async ({ number }) => {
    let expiresAt = 0;
    const shorten = (left: number): Promise<unknown> => {
      expiresAt = Date.now() + left;
      const change = client.patch(`api/v1/shares/${number}`, { expiresAt: new Date(expiresAt).toISOString() });
      // On a busy machine it may have passed before it is asked for.
      return change.catch((error: unknown) => (left > 4000 ? Promise.reject(error) : shorten(left * 2)));
    };
    await shorten(50);
    await expect.poll(() => Date.now() > expiresAt, { timeout: 20_000 }).toBe(true);
  },
  'remove source': ({ source }) => client.delete(`api/v1/sources/${source}`, { force: true }),
} as const satisfies Record<string, (share: Share) => Promise<unknown>>;

const drifts = {
  'a text changes': {
    act: () => put(keyOf(5 * textEvery), 'another text'),
    back: () => put(keyOf(5 * textEvery), `bytes of 750`.repeat(3)),
  },
  'an object goes': {
    act: () => void server.bucket(bucketName).put(keyOf(701), undefined, 1e12),
    back: () => put(keyOf(701), `bytes of 701`.repeat(3)),
  },
  'an object comes': {
    act: () => put('data/3/zzz.bin', 'new'),
    back: () => void server.bucket(bucketName).put('data/3/zzz.bin', undefined, 1e12),
  },
} as const;

/** Takes it, with `act` before the answer to the request to the store of this number; false where there were fewer. */
async function takeAmid(from: Share, name: string, moment: number, act: () => unknown): Promise<[Taken, boolean]> {
  let asked = 0;
  let acting: unknown;
  server.before = async () => {
    if (asked++ === moment) acting = act();
    await acting;
  };
  const taken = await take(from, name);
  server.before = undefined;
  await acting;
  return [taken, asked > moment];
}

/** Most exports ask a store some six times, an archive reads its texts too. */
const moments = fc.oneof({ weight: 2, arbitrary: fc.nat(5) }, { weight: 1, arbitrary: fc.nat(15) });

describe('an export of a live share', () => {
  it('gives what is there, and the tests can tell', async () => {
    const from = await share();
    for (const name of names) expect(await calm(name, from), name).toBe(await calm(name, from));
    expect((await calm('urls.txt', from)).trimEnd().split('\n')).toHaveLength(objects);
    expect(JSON.parse(await calm('package.zip', from)).map((list: unknown[]) => list.length)).toEqual([10, objects - 10]);
  });

  it('is whole, or visibly broken, where the share ends in the middle', () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.constantFrom(...(Object.keys(ends) as (keyof typeof ends)[])),
        moments,
        async (name, end, moment) => {
          const from = await share();
          const truth = await calm(name, from);
          const [taken, isReached] = await takeAmid(from, name, moment, () => ends[end](from));
          if (taken.status === 200 && taken.isWhole) expect(truthOf(name, from, taken), `${name}, ${end} at ${moment}`).toBe(truth);
          else expect(isReached).toBe(true);
          if (isReached) expect((await take(from, name)).status).toBeGreaterThanOrEqual(400);
        },
      ),
      { numRuns: runsOf(50), endOnFailure: true },
    ));

  it('is what was there before a change or after it, or visibly broken', () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.constantFrom(...(Object.keys(drifts) as (keyof typeof drifts)[])),
        moments,
        async (name, drift, moment) => {
          const from = await share();
          const before = await calm(name, from);
          const { act, back } = drifts[drift];
          try {
            const [taken] = await takeAmid(from, name, moment, act);
            act();
            const after = await calm(name, from);
            if (taken.status === 200 && taken.isWhole)
              expect([before, after].includes(truthOf(name, from, taken)), `${name}, ${drift} at ${moment}`).toBe(true);
          } finally {
            back();
          }
        },
      ),
      { numRuns: runsOf(30), endOnFailure: true },
    ));

  it('is of one bucket where its source is led to another', () =>
    fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), moments, async (name, moment) => {
        const from = await share();
        const before = await calm(name, from);
        const other = () => client.patch(`api/v1/sources/${from.source}`, { options: { bucket: 'other' } });
        const [taken] = await takeAmid(from, name, moment, other);
        await other();
        const after = await calm(name, from);
        if (taken.status === 200 && taken.isWhole)
          expect([before, after].includes(truthOf(name, from, taken)), `${name} at ${moment}`).toBe(true);
      }),
      { numRuns: runsOf(25), endOnFailure: true },
    ));

  it('is whole, or visibly broken, where the store fails', async () => {
    const from = await share();
    const truths = new Map<string, string>();
    for (const name of names) truths.set(name, await calm(name, from));
    const faults: Readonly<Record<string, Fault>> = {
      truncated: listFaults.truncated,
      samePage: listFaults.samePage,
      reset: (_request, answer) => ({ ...answer(), breakAfter: Math.floor((answer().body?.length ?? 0) / 2) }),
      burst: () => ({ ...refuse(503, 'SlowDown'), headers: { 'retry-after': '0' } }),
      internal: () => refuse(500, 'InternalError'),
    };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.constantFrom(...Object.keys(faults)),
        fc.constantFrom(0.15, 0.5),
        fc.nat(),
        async (name, kind, chance, seed) => {
          let count = 0;
          server.fault = (request, answer) => {
            const draw = createHash('sha256').update(`${seed} ${count++}`).digest();
            if (draw.readUInt16BE(0) / 65_536 >= chance) return undefined;
            const isList = request.query.has('list-type');
            return !isList && (kind === 'truncated' || kind === 'samePage') ? undefined : faults[kind]?.(request, answer);
          };
          const taken = await take(from, name);
          server.fault = undefined;
          if (taken.status === 200 && taken.isWhole) expect(truthOf(name, from, taken), `${name}, ${kind}`).toBe(truths.get(name));
          else expect([200, 400, 429, 500, 502, 503, 504].includes(taken.status)).toBe(true);
        },
      ),
      { numRuns: runsOf(40), endOnFailure: true },
    );
    // A source that failed again and again is asked again after a while.
    await expect.poll(async () => (await take(from, 'urls.txt')).status, { timeout: 20_000 }).toBe(200);
    for (const name of names) expect(await calm(name, from), name).toBe(truths.get(name));
  });
});
