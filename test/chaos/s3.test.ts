/**
 * The whole of packageR, by its API, on an S3 whose network and answers fail: broken bodies, cut documents, pages once more, bursts of
 * refusals, first bytes that come too late, wrong lengths. What is annexed is all that is there, or nothing.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openApp } from '#app.ts';
import { localClient } from '#cli/run.ts';
import type { Client } from '#client/client.ts';
import { loadConfig } from '#config/config.ts';
import { faults as listFaults } from '#testing/s3-faults.ts';
import { type Fault, openS3Server, refuse, type S3Answer, type S3Server, testKeys } from '#testing/s3-server.ts';
import { runsOf } from '../support/races.ts';

const objects = 1300;
const timeout = 400;

const isList = (query: ReadonlyMap<string, string>): boolean => query.has('list-type') || query.has('versions');

/** The answer as it is, but for what the network does to it. */
const changed =
  (change: (answer: S3Answer) => S3Answer): Fault =>
  (_request, answer) =>
    change(answer());
const half = ({ body }: S3Answer): number => Math.floor((body?.length ?? 0) / 2);

const faults = {
  truncated: listFaults.truncated,
  samePage: listFaults.samePage,
  reset: changed((answer) => ({ ...answer, breakAfter: half(answer) })),
  burst: () => ({ ...refuse(503, 'SlowDown'), headers: { 'retry-after': '0' } }),
  internal: () => refuse(500, 'InternalError'),
  late: changed((answer) => ({ ...answer, delay: timeout * 2 })),
  longer: changed((answer) => ({
    ...answer,
    headers: { ...answer.headers, 'content-length': String((answer.body?.length ?? 0) + 10) },
    breakAfter: answer.body?.length ?? 0,
  })),
  shorter: changed((answer) => ({
    ...answer,
    headers: { ...answer.headers, 'content-length': String(half(answer)) },
    breakAfter: half(answer),
  })),
} as const satisfies Record<string, Fault>;
type Name = keyof typeof faults;

interface JobView {
  readonly id: string;
  readonly state: string;
  readonly error?: { readonly code: string; readonly message: string };
}

describe('annexing from an S3 in trouble', () => {
  let folder: string;
  let server: S3Server;
  let app: Awaited<ReturnType<typeof openApp>>;
  let client: Client;
  let truth: string;
  let made = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'package-r-chaos-'));
    server = await openS3Server();
    const bucket = server.bucket('archive');
    for (let index = 0; index < objects; index++) {
      const bytes = Buffer.from(`bytes of ${index}`.repeat(index % 100 === 0 ? 50 : 1));
      const etag = createHash('md5').update(bytes).digest('hex');
      bucket.put(`data/${index % 7}/${index}.${index % 100 === 0 ? 'txt' : 'bin'}`, { size: bytes.length, bytes, etag, headers: {} }, 1e12);
    }
    const env = {
      PACKAGE_R_DATA_DIR: folder,
      PACKAGE_R_ENDPOINTS_ALLOW: '127.0.0.1',
      PACKAGE_R_LIMITS_UPSTREAM_CALL_TIMEOUT: String(timeout),
      PACKAGE_R_LIMITS_UPSTREAM_FIRST_BYTE_TIMEOUT: String(timeout),
      PACKAGE_R_LIMITS_UPSTREAM_IDLE_TIMEOUT: String(timeout),
      PACKAGE_R_LIMITS_UPSTREAM_RETRIES: '1',
      PACKAGE_R_LIMITS_UPSTREAM_PROBE_IN: '1000',
    };
    app = await openApp(loadConfig({ env, cwd: folder }), 'silent');
    client = localClient(app.socketPath);
    const options = { bucket: 'archive', region: server.region, endpoint: server.endpoint, versions: 'off' };
    const secrets = { AWS_ACCESS_KEY_ID: testKeys.accessKeyId, AWS_SECRET_ACCESS_KEY: testKeys.secretAccessKey };
    await client.post('api/v1/sources', { name: 'store', driver: 's3', options, secrets });
    const calm = await annex('calm');
    expect(calm).toMatchObject({ state: 'done' });
    truth = await digestOf('calm');
  });
  afterAll(async () => {
    await app.close();
    await server.close();
    await rm(folder, { recursive: true });
  });

  async function annex(name: string): Promise<JobView> {
    await client.post('api/v1/packages', { reference: `admin/${name}` }).catch(() => undefined);
    const request = { source: 'store', select: { folder: 'data' }, to: '', copyTexts: true };
    let job = await client.post<JobView>(`api/v1/packages/admin/${name}/annex`, request);
    while (job.state === 'queued' || job.state === 'running') {
      await new Promise((resolve) => setTimeout(resolve, 20));
      job = await client.get<JobView>(`api/v1/jobs/${job.id}`);
    }
    return job;
  }

  async function digestOf(name: string): Promise<string> {
    const { digest, entries } = await client.post<{ digest: string; entries: number }>(`api/v1/packages/admin/${name}/versions`, {
      message: '',
    });
    expect(entries).toBe(objects);
    return digest;
  }

  /** Strikes each request with this chance, by a seed. */
  function strike(names: readonly Name[], chance: number, seed: number): Fault {
    let count = 0;
    return (request, answer) => {
      const draw = createHash('sha256').update(`${seed} ${count++}`).digest();
      if (draw.readUInt16BE(0) / 65_536 >= chance) return undefined;
      const name = names[(draw[2] ?? 0) % names.length] ?? 'reset';
      const isForLists = name === 'truncated' || name === 'samePage';
      return isForLists && !isList(request.query) ? undefined : faults[name](request, answer);
    };
  }

  it('takes all, or nothing and says why', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.constantFrom(...(Object.keys(faults) as Name[])), { minLength: 1, maxLength: 3 }),
        fc.constantFrom(0.1, 0.5, 1),
        fc.nat(),
        async (names, chance, seed) => {
          const name = `p${++made}`;
          server.fault = strike(names, chance, seed);
          const job = await annex(name);
          server.fault = undefined;
          if (job.state === 'failed') {
            expect(['store_response', 'source_unavailable', 'store_rate_limited', 'timeout', 'source_down'], job.error?.message).toContain(
              job.error?.code,
            );
            const { entries } = await client.get<{ entries: unknown[] }>(`api/v1/packages/admin/${name}/entries/`);
            expect(entries).toEqual([]);
            // A source that failed again and again is asked again after a while.
            await vi.waitUntil(async () => (await annex(name)).state === 'done', { timeout: 20_000, interval: 300 });
          } else expect(job.state).toBe('done');
          expect(await digestOf(name)).toBe(truth);
        },
      ),
      { numRuns: runsOf(10), endOnFailure: true },
    ));
});
