/**
 * The database goes away, or takes no writes, while packageR works: what is refused says so, what was told is kept, and a job that was under
 * way comes to its end, or leaves nothing and can be begun again.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Type } from 'typebox';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '#access/access.ts';
import type { Driver } from '#drivers/driver.ts';
import { openMemory } from '#drivers/memory/driver.ts';
import { isError } from '#errors/error.ts';
import { Events } from '#events/events.ts';
import { Jobs } from '#jobs/jobs.ts';
import { randomId } from '#model/clock.ts';
import type { Key } from '#model/key.ts';
import { parseName } from '#model/name.ts';
import { parsePath, root } from '#model/path.ts';
import { type PackageReference, parseReference } from '#packages/package.ts';
import { Packages } from '#packages/packages.ts';
import { Sources } from '#sources/sources.ts';
import { openPostgresState } from '#state/postgres/postgres-state.ts';
import type { State } from '#state/state.ts';
import { Vault } from '#state/vault.ts';
import { bodyOf } from '#testing/driver-subject.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { hasPostgres, makeSchema, type PostgresServer, startPostgres, type TemporarySchema } from '#testing/postgres.ts';

const admin = { kind: 'system', name: 'test' } as const;
const inline = { extensions: [], maxBytes: 0 };
const objects = 2600;
const pageSize = 200;

/** A packageR on the state whose store can be listened to: `onList` is told of each page, before it is given. */
async function openWorld(state: State, folder: string, store: Driver) {
  const clock = fakeClock();
  const events = new Events({ state, clock: clock.now });
  const access = new Access({ state, clock: clock.now, makeId: randomId, events });
  const vault = await Vault.open({ state, folder });
  const connector = { request: () => Promise.reject(new Error('offline')), close: async () => undefined };
  const signer = { sign: () => 'http://127.0.0.1/signed' };
  const told = { onList: async (_page: number): Promise<void> => undefined, pages: 0 };
  const kept = {
    kind: 'kept',
    title: 'A memory that outlives its driver',
    options: Type.Object({}, { additionalProperties: false }),
    secrets: [],
    open: (): Driver => ({
      ...store,
      async list(request) {
        await told.onList(told.pages++);
        return store.list({ ...request, limit: Math.min(request.limit ?? pageSize, pageSize) });
      },
      close: async () => undefined,
    }),
  };
  const sources = new Sources({ state, access, events, vault, drivers: [kept], connector, signer, clock: clock.now, inline });
  const jobs = new Jobs({ state, clock: clock.now, makeId: randomId });
  const stat = () => Promise.reject(new Error('no object is asked for'));
  const packages = new Packages({ state, access, sources, jobs, events, clock: clock.now, makeId: randomId, inline, stat });
  return {
    access,
    sources,
    jobs,
    packages,
    told,
    async close() {
      await jobs.close();
      await sources.close();
      await events.close();
      await state.close();
    },
  };
}

describe.runIf(hasPostgres('a database that goes away'))('a database that goes away', () => {
  let server: PostgresServer;
  let schema: TemporarySchema;
  let folder: string;
  let state: State;
  let world: Awaited<ReturnType<typeof openWorld>>;
  let store: Driver;
  let made = 0;
  beforeAll(async () => {
    server = await startPostgres();
    const connector = { request: () => Promise.reject(new Error('offline')), close: async () => undefined };
    store = openMemory({ versions: false }, { source: '1', clock: Date.now, connector, signer: { sign: () => '' } });
    for (let at = 0; at < objects; at++) await store.write?.(`in/${at % 7}/${String(at).padStart(5, '0')}` as Key, bodyOf(`${at}`));
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    schema = await makeSchema(server.url);
    folder = await mkdtemp(join(tmpdir(), 'package-r-outage-'));
    state = await openPostgresState(schema.url);
    world = await openWorld(state, folder, store);
    await world.access.users.create(admin, { name: 'alice' });
    await world.sources.add(admin, { name: parseName('src'), driver: 'kept' });
  });
  afterEach(async () => {
    await world.close();
    await schema.remove();
    await rm(folder, { recursive: true });
  });

  const draft = async (): Promise<PackageReference> => {
    const reference = parseReference(`alice/p${++made}`);
    await world.packages.create(admin, reference);
    return reference;
  };
  const start = async (reference: PackageReference): Promise<string> => {
    const select = { folder: parsePath('in') };
    return (await world.packages.annex(admin, reference, { source: parseName('src'), to: root, select })).id;
  };
  /** How a job ends; leases are looked after as they are every twenty seconds. */
  const ended = async (id: string) => {
    const view = async () => {
      await world.jobs.tend();
      return (await world.jobs.get(admin, id).catch(() => undefined))?.state ?? 'unknown';
    };
    await expect.poll(view, { timeout: 60_000, interval: 100 }).toMatch(/done|failed/);
    return world.jobs.get(admin, id);
  };
  const count = async (reference: PackageReference): Promise<number> => {
    const { tree } = await world.packages.open(admin, 'download', reference, root);
    let leaves = 0;
    for await (const _ of tree.walk(root)) leaves++;
    return leaves;
  };
  const settled = () =>
    expect.poll(() => state.db.selectFrom('setting').select('key').execute().then(String, String), { timeout: 20_000 }).toBe('');

  const outages: Readonly<Record<string, () => Promise<void>>> = {
    'loses its sessions': async () => {
      await server.run(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'package-r' and pid <> pg_backend_pid()",
      );
    },
    'is restarted': async () => {
      await server.end('SIGINT');
      await server.start();
    },
    'is killed': async () => {
      await server.end('SIGKILL');
      await server.start();
    },
    // Longer than a write waits for it: the annex goes on, and its writes fail.
    'is away for long': async () => {
      await server.end('SIGKILL');
      const lost = { query: state.db.insertInto('setting').values({ key: 'lost', value: '1' }) };
      // One alone: a second one waits behind it, and is written when the database is there again.
      back = expect(state.write(lost))
        .rejects.toSatisfy(
          (error) => isError(error, 'state_failed') && error.retry === 'temporary' && error.message.includes('does not answer'),
        )
        .finally(() => server.start());
    },
  };
  /** When the database is there again. */
  let back: Promise<void> = Promise.resolve();

  it.each(Object.keys(outages))(
    'that %s in the middle of an annex harms nothing that was told, and nothing is half there',
    async (name) => {
      const first = await draft();
      expect((await ended(await start(first))).state).toBe('done');
      const { digest } = await world.packages.freeze(admin, first, { message: 'Before' });
      for (const page of [2, 11]) {
        const reference = await draft();
        await world.packages.put(admin, reference, parsePath('told.txt'), Buffer.from('told'));
        world.told.pages = 0;
        world.told.onList = async (at) => {
          if (at === page) await outages[name]?.();
        };
        const id = await start(reference);
        const job = await ended(id);
        await back;
        world.told.onList = async () => undefined;
        await settled();
        if (job.state === 'failed') expect(['state_failed', 'source_unavailable'], job.error?.message).toContain(job.error?.code);
        expect(await count(reference), `${job.state} at page ${page}`).toBe(job.state === 'done' ? objects + 1 : 1);
        if (job.state === 'failed') expect((await ended(await start(reference))).state).toBe('done');
        expect(await count(reference)).toBe(objects + 1);
        await world.packages.remove(admin, reference, [parsePath('told.txt')]);
        expect((await world.packages.freeze(admin, reference, { message: 'After' })).digest).toBe(digest);
      }
      const verified = await world.jobs.wait((await world.packages.verify(admin, { ...first, version: 1 })).id);
      expect(verified.state).toBe('done');
    },
    240_000,
  );

  it('that takes no writes for a while says so, is read meanwhile, and takes them again', async () => {
    const reference = await draft();
    const put = (name: string) => world.packages.put(admin, reference, parsePath(name), Buffer.from(name));
    await put('before.txt');

    await server.run('alter role owner in database postgres set default_transaction_read_only = on');
    await outages['loses its sessions']?.();
    await expect
      .poll(() => put('meanwhile.txt').then(String, (error: unknown) => (isError(error, 'state_failed') ? error.message : String(error))), {
        timeout: 20_000,
      })
      .toContain('read-only');
    expect(await count(reference)).toBe(1);
    await server.run(
      'set default_transaction_read_only = off',
      'alter role owner in database postgres reset default_transaction_read_only',
    );
    await outages['loses its sessions']?.();
    await expect.poll(() => put('after.txt').then(() => 'put', String), { timeout: 20_000 }).toBe('put');
    expect(await count(reference)).toBe(2);
  }, 120_000);
});
