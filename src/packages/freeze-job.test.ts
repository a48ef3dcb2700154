/** The freeze that is a job: wherever it dies, is stopped or cancelled, it comes to the version that a freeze in one go makes, or to none. */
import { CompiledQuery } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Access } from '#access/access.ts';
import { openMemory } from '#drivers/memory/driver.ts';
import { memoryOptions } from '#drivers/memory/options.ts';
import { Events } from '#events/events.ts';
import { Jobs } from '#jobs/jobs.ts';
import { randomId } from '#model/clock.ts';
import type { Leaf } from '#model/entry.ts';
import type { Key } from '#model/key.ts';
import { parseName } from '#model/name.ts';
import { parsePath } from '#model/path.ts';
import { verifyVersion } from '#packages/check.ts';
import { entryColumns, toValues } from '#packages/entry-row.ts';
import { type PackageReference, parseReference } from '#packages/package.ts';
import { Packages } from '#packages/packages.ts';
import { Sources } from '#sources/sources.ts';
import { insertRows } from '#state/insert.ts';
import { openStep, type VersionRow } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { Vault } from '#state/vault.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

const clock = fakeClock();
const admin = { kind: 'system', name: 'test' } as const;
const inline = { extensions: [], maxBytes: 0 };
const connector = { request: () => Promise.reject(new Error('offline')), close: async () => undefined };
const signer = { sign: () => 'http://127.0.0.1/signed' };
const memory: ConstructorParameters<typeof Sources>[0]['drivers'][number] = {
  kind: 'memory',
  title: 'Nothing',
  options: memoryOptions,
  secrets: [],
  open: () => openMemory({ versions: true }, { source: '1', clock: clock.now, connector, signer }),
};

let temporary: TemporaryState;
let truth: readonly VersionRow[];
let house: Process;
let made = 0;
beforeAll(async () => {
  temporary = await temporaryState();
  house = await open(temporary.state);
  await house.access.users.create(admin, { name: 'alice' });
  await house.sources.add(admin, { name: parseName('src'), driver: 'memory', options: { versions: true } });
  const { reference, id } = await draft();
  const asked = house.packages.freeze(admin, reference, { message: 'much' });
  await expect(asked).resolves.toMatchObject({ number: 2 });
  truth = await versionsOf(id);
}, 60_000);
afterAll(async () => {
  await house.close();
  await temporary.close();
});

type Process = Awaited<ReturnType<typeof open>>;

/** A packageR on the state, for which much begins with 50 entries. */
async function open(state: State) {
  const events = new Events({ state: temporary.state, clock: clock.now });
  const access = new Access({ state: temporary.state, clock: clock.now, makeId: randomId, events });
  const vault = await Vault.open({ state: temporary.state, folder: temporary.folder });
  const shared = { access, events, clock: clock.now, makeId: randomId, inline };
  const sources = new Sources({ ...shared, state: temporary.state, vault, drivers: [memory], connector, signer });
  const jobs = new Jobs({ state, clock: clock.now, makeId: randomId });
  const stat = () => Promise.reject(new Error('no object is asked for'));
  const packages = new Packages({ ...shared, state, sources, jobs, stat, limits: { freezeEntries: 50 } });
  return {
    access,
    sources,
    jobs,
    packages,
    async close() {
      await jobs.close();
      await sources.close();
      await events.close();
    },
  };
}

const pathOf = (index: number): string => `d${index % 7}/${String(index).padStart(5, '0')}`;
const leaf = (index: number, etag: string): Leaf => {
  const path = pathOf(index);
  return { kind: 'pointer', path: parsePath(path), source: '1', key: path as Key, size: index, etag, checksums: [], inline: false };
};

/** Always the same: a version of 900 pointers, and a draft in which a third is another, some are gone and some are new. */
async function draft(): Promise<{ reference: PackageReference; id: number }> {
  const { state } = temporary;
  const name = `p${made++}`;
  const reference = parseReference(`alice/${name}`);
  await house.packages.create(admin, reference);
  const { id } = await state.db.selectFrom('package').select('id').where('name', '=', name).executeTakeFirstOrThrow();
  const step = async (number: number, ...leaves: readonly Leaf[]): Promise<void> => {
    const at = { package: id, step: number, operation: 'annex', summary: '', actor: 'x', at: 0, added: leaves.length, removed: 0 };
    const rows = leaves.map((one) => toValues(id, number, one));
    await state.write(
      insertRows(state, 'entry', entryColumns, rows),
      { query: state.db.insertInto('step').values(at) },
      { query: state.db.updateTable('package').set({ head: number, top: number }).where('id', '=', id) },
    );
  };
  await step(1, ...Array.from({ length: 900 }, (_, index) => leaf(index, 'a')));
  await house.packages.freeze(admin, reference, { message: 'first' });
  const ended = Array.from({ length: 400 }, (_, index) => pathOf(index * 2));
  const query = state.db.updateTable('entry').set({ to_step: 2 }).where('package', '=', id).where('to_step', '=', openStep);
  for (let at = 0; at < ended.length; at += 500) await state.write({ query: query.where('path', 'in', ended.slice(at, at + 500)) });
  await step(2, ...Array.from({ length: 300 }, (_, index) => leaf(index * 2, 'b')), leaf(9000, 'c'), leaf(9001, 'c'));
  return { reference, id };
}

/** Of one packages's versions, but for what names it and its job. */
async function versionsOf(id: number): Promise<VersionRow[]> {
  const rows = await temporary.state.db.selectFrom('version').selectAll().where('package', '=', id).orderBy('number').execute();
  return rows.map((row) => ({ ...row, package: 0 }));
}

interface Point {
  /** The `at`th write from the asking on. */
  readonly at: number;
  readonly when: 'before' | 'after';
}

/** A state under a process that does something at a point of its writes: `act` may never come back. */
function watch(point: Point | undefined, act: () => Promise<void>): { state: State; writes(): number } {
  const { state } = temporary;
  let writes = 0;
  const write: State['write'] = async (...unit) => {
    const isHere = writes++ === point?.at;
    if (isHere && point?.when === 'before') await act();
    const results = await state.write(...unit);
    if (isHere && point?.when === 'after') await act();
    return results;
  };
  return {
    state: new Proxy(state, { get: (target, name) => (name === 'write' ? write : Reflect.get(target, name)) }),
    writes: () => writes,
  };
}

async function start({ packages }: Process, reference: PackageReference): Promise<string> {
  const started = await packages.startFreeze(admin, reference, { message: 'much' });
  if (!('job' in started)) throw new Error('no job was started');
  return started.job.id;
}

/** What is true at every instant: no version but the first one, or the whole second one, with the ranges that belong to it. */
async function expectSound(id: number): Promise<readonly VersionRow[]> {
  const { state } = temporary;
  const versions = await versionsOf(id);
  expect([truth.slice(0, 1), truth]).toContainEqual(versions);
  for (const version of versions)
    await verifyVersion({ state, version: { ...version, package: id }, signal: new AbortController().signal, progress: () => undefined });
  return versions;
}

async function rangesBeyond(id: number, step: number): Promise<number> {
  const sql = `select 1 from manifest_range where package = ${id} and (from_step > ${step} or (to_step > ${step} and to_step < ${openStep}))`;
  return (await temporary.state.db.executeQuery(CompiledQuery.raw(sql))).rows.length;
}

/** How many writes it takes undisturbed, the asking included. */
async function countWrites(): Promise<number> {
  const { reference, id } = await draft();
  const watched = watch(undefined, async () => undefined);
  const process = await open(watched.state);
  const job = await start(process, reference);
  expect((await process.jobs.wait(job)).state).toBe('done');
  await process.close();
  expect(await versionsOf(id)).toEqual(truth);
  return watched.writes();
}

async function eachPoint(body: (point: Point) => Promise<void>): Promise<void> {
  const writes = await countWrites();
  expect(writes).toBeGreaterThan(4);
  for (let at = 0; at < writes; at++) for (const when of ['before', 'after'] as const) await body({ at, when });
}

const never = (): Promise<never> => new Promise(() => undefined);

describe('a freeze that is a job', () => {
  it('goes on in the next process, wherever the one before it died, to the same digest', () =>
    eachPoint(async (point) => {
      const { reference, id } = await draft();
      const died = Promise.withResolvers<void>();
      const watched = watch(point, () => {
        died.resolve();
        return never();
      });
      const dead = await open(watched.state);
      await Promise.race([died.promise, start(dead, reference).then((job) => Promise.race([dead.jobs.wait(job), died.promise]))]);
      await expectSound(id);
      const next = await open(temporary.state);
      await next.jobs.recover();
      await next.packages.recover();
      const { jobs } = await next.jobs.list(admin, { subject: `package:${id}` });
      for (const job of jobs) expect((await next.jobs.wait(job.id)).state).toBe('done');
      if (jobs.length === 0) {
        await expectSound(id);
        await next.jobs.wait(await start(next, reference));
      }
      expect(await expectSound(id)).toEqual(truth);
      expect((await next.packages.get(admin, reference)).openJob).toBeUndefined();
      await next.close();
    }));

  it('goes on at the next start, wherever packageR was stopped', () =>
    eachPoint(async (point) => {
      const { reference, id } = await draft();
      const asked = { stop: async (): Promise<void> => undefined };
      let closing: Promise<void> = Promise.resolve();
      // The stopping waits for the job, and the job must not wait for the stopping.
      const watched = watch(point, async () => {
        closing = asked.stop();
        closing.catch(() => undefined);
      });
      const first = await open(watched.state);
      asked.stop = () => first.jobs.close();
      await start(first, reference).catch(() => undefined);
      await expect.poll(() => watched.writes()).toBeGreaterThan(point.at);
      await closing;
      await first.close();
      await expectSound(id);
      const next = await open(temporary.state);
      await next.jobs.recover();
      await next.packages.recover();
      const { jobs } = await next.jobs.list(admin, { subject: `package:${id}` });
      for (const job of jobs) expect((await next.jobs.wait(job.id)).state).toBe('done');
      if (jobs.length === 0) await next.jobs.wait(await start(next, reference));
      expect(await expectSound(id)).toEqual(truth);
      await next.close();
    }));

  it('leaves nothing where it is cancelled, or is done, and can be asked for again', () =>
    eachPoint(async (point) => {
      const { reference, id } = await draft();
      const asked = { cancel: async (): Promise<unknown> => undefined };
      const watched = watch(point, async () => void (await asked.cancel()));
      const process = await open(watched.state);
      asked.cancel = async () => {
        const { jobs } = await house.jobs.list(admin, { subject: `package:${id}`, state: 'running' });
        await Promise.all(jobs.map((job) => process.jobs.cancel(admin, job.id)));
      };
      const { state } = await process.jobs.wait(await start(process, reference));
      expect(['done', 'cancelled']).toContain(state);
      const versions = await expectSound(id);
      expect(versions).toHaveLength(state === 'done' ? 2 : 1);
      expect((await process.packages.get(admin, reference)).openJob).toBeUndefined();
      if (state === 'cancelled') {
        expect(await rangesBeyond(id, 1)).toBe(0);
        await process.packages.put(admin, reference, parsePath('free.txt'), Buffer.from('the draft is free'));
        await process.packages.undo(admin, reference);
        expect((await process.jobs.wait(await start(process, reference))).state).toBe('done');
      }
      expect(await versionsOf(id)).toEqual(truth);
      await process.close();
    }));
});
