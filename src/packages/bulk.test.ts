/** Edits in bulk: the look at a whole batch at once, what is on its way, and jobs that are stopped or cancelled between batches. */
import fc from 'fast-check';
import { Type } from 'typebox';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '#access/access.ts';
import { asError, PackageRError } from '#errors/error.ts';
import { Events } from '#events/events.ts';
import type { JobView } from '#jobs/job.ts';
import { Jobs } from '#jobs/jobs.ts';
import { randomId } from '#model/clock.ts';
import type { Entry } from '#model/entry.ts';
import type { Key } from '#model/key.ts';
import { parseName } from '#model/name.ts';
import { compareBytes, type Path, parsePath } from '#model/path.ts';
import { rowPathOf } from '#packages/draft-batch.ts';
import { DraftStep, type Tally } from '#packages/draft-step.ts';
import type { EditOutcome } from '#packages/drafts.ts';
import { abandonStep, claimStep } from '#packages/open-step.ts';
import { type OnConflict, type PackageReference, parseReference } from '#packages/package.ts';
import { Packages } from '#packages/packages.ts';
import { Sources } from '#sources/sources.ts';
import type { State, Write } from '#state/state.ts';
import { Vault } from '#state/vault.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

const clock = fakeClock();
const adm = { kind: 'system', name: 'test' } as const;
const p = parsePath;
const inline = { extensions: ['.md'], maxBytes: 1000 };
const objects = 2600;

let temporary: TemporaryState;
let access: Access;
let sources: Sources;
let events: Events;
let jobs: Jobs;
let packages: Packages;
/** Told of each unit before it is written. */
let onWrite: (unit: readonly Write[]) => void;

const infoOf = (index: number) => ({ key: `s/${String(index).padStart(5, '0')}` as Key, size: index, etag: `e${index}` });
type Definition = ConstructorParameters<typeof Sources>[0]['drivers'][number];

const driver: Definition = {
  kind: 'counted',
  title: 'Objects that are numbered',
  options: Type.Object({}, { additionalProperties: false }),
  secrets: [],
  open: () =>
    ({
      kind: 'counted',
      capabilities: { ordered: true, versions: false, presign: 'no' },
      list: async ({ cursor, startAfter = '' }: { cursor?: string; startAfter?: string }) => {
        const all = Array.from({ length: objects }, (_, index) => infoOf(index));
        const from = cursor === undefined ? all.findIndex(({ key }) => key > startAfter) : Number(cursor);
        const page = { objects: from < 0 ? [] : all.slice(from, from + 700), prefixes: [] };
        return from < 0 || from + 700 >= objects ? page : { ...page, cursor: String(from + 700) };
      },
      stat: () => Promise.reject(new PackageRError('object_not_found')),
    }) as unknown as ReturnType<Definition['open']>,
};

/** A process of packageR on the state. */
function start(): void {
  const { state } = temporary;
  const write: State['write'] = (...unit) => {
    onWrite(unit);
    return state.write(...unit);
  };
  const watched = new Proxy(state, {
    get(target, name) {
      const value: unknown = name === 'write' ? write : Reflect.get(target, name, target);
      return typeof value === 'function' && name !== 'write' ? value.bind(target) : value;
    },
  });
  jobs = new Jobs({ state: watched, clock: clock.now, makeId: randomId });
  const stat = () => Promise.reject(new PackageRError('object_not_found'));
  const common = { access, sources, jobs, events, clock: clock.now, makeId: randomId, inline, stat };
  packages = new Packages({ ...common, state: watched, limits: { jobEntries: 0 } });
}

beforeEach(async () => {
  onWrite = () => undefined;
  temporary = await temporaryState();
  const { state } = temporary;
  events = new Events({ state, clock: clock.now });
  access = new Access({ state, clock: clock.now, makeId: randomId, events });
  const connector = { request: () => Promise.reject(new PackageRError('endpoint_refused')), close: async () => undefined };
  const signer = { sign: () => 'http://127.0.0.1/signed' };
  const vault = await Vault.open({ state, folder: temporary.folder });
  sources = new Sources({ state, access, events, vault, drivers: [driver], connector, signer, clock: clock.now, inline });
  await sources.add(adm, { name: parseName('src'), driver: 'counted' });
  start();
  await access.users.create(adm, { name: 'alice' });
});
afterEach(async () => {
  await jobs.close();
  await sources.close();
  await events.close();
  await temporary.close();
});

async function makePackage(name: string): Promise<{ reference: PackageReference; id: number }> {
  const reference = parseReference(`alice/${name}`);
  return { reference, id: (await packages.create(adm, reference)).id };
}

/** What a step shows, without its number. */
async function rowsOf(packageId: number, step: number): Promise<unknown[]> {
  const rows = temporary.state.db.selectFrom('entry').selectAll().where('package', '=', packageId);
  const visible = await rows.where('from_step', '<=', step).where('to_step', '>', step).orderBy('path').execute();
  return visible.map(({ package: _package, from_step: _from, to_step: _to, ...row }) => row);
}

async function begin(packageId: number, job: string): Promise<DraftStep> {
  const { state } = temporary;
  await state.write(claimStep(state, { package: packageId, job }));
  return DraftStep.open(state, { package: packageId, job });
}

const note = { operation: 'annex', summary: '', actor: 'system:test', at: 0 } as const;

describe('a batch in byte order', () => {
  const segment = fc.constantFrom('a', 'a!', 'a-b', 'a0', 'b', 'b.txt', 'é', '\uffee', '😀');
  const entry = fc
    .record({ path: fc.array(segment, { minLength: 1, maxLength: 3 }), etag: fc.constantFrom('x', 'y'), isFolder: fc.nat(9) })
    .map(({ path, etag, isFolder }): Entry => {
      const at = p(path.join('/'));
      if (isFolder === 0) return { kind: 'folder', path: at };
      return { kind: 'pointer', path: at, source: '1', key: at as string as Key, size: 1, etag, checksums: [], inline: false };
    });
  const entries = (minLength: number) => fc.uniqueArray(entry, { minLength, maxLength: 70, selector: rowPathOf });
  const policies = fc.constantFrom<OnConflict>('refuse', 'skip', 'replace', 'keep');

  /** All of them in one step, so many at once; what became of each, up to the first that was refused. */
  async function putAll(id: number, list: readonly Entry[], policy: OnConflict, size: number): Promise<{ told: unknown[]; tally?: Tally }> {
    const step = await begin(id, 'test');
    const told: unknown[] = [];
    try {
      for (let at = 0; at < list.length; at += size) told.push(...(await step.put(list.slice(at, at + size), policy)));
      await step.flush();
      return { told, tally: { ...step.tally } };
    } catch (error) {
      await step.settle();
      const { code, message } = asError(error);
      return { told: [code, message] };
    }
  }

  it('is put as if one entry was put after the other', async () => {
    let made = 0;
    await fc.assert(
      fc.asyncProperty(entries(0), entries(16), policies, fc.integer({ min: 16, max: 40 }), async (there, put, policy, size) => {
        const ordered = put.toSorted((a, b) => compareBytes(rowPathOf(a), rowPathOf(b)));
        const results = [];
        for (const atOnce of [1, size]) {
          const { id } = await makePackage(`p${made++}`);
          await putAll(id, there, 'skip', 1);
          const { state } = temporary;
          const first = await DraftStep.open(state, { package: id, job: 'test' });
          first.tally.added = 1;
          await first.commit(note);
          const { told, tally } = await putAll(id, ordered, policy, atOnce);
          results.push({ told, tally, rows: tally === undefined ? [] : await rowsOf(id, 2) });
          await abandonStep(state, { package: id, job: 'test' });
          expect(await rowsOf(id, 2)).toEqual(await rowsOf(id, 1));
        }
        expect(results[1]).toEqual(results[0]);
      }),
      { numRuns: 25 },
    );
  }, 120_000);

  const pointer = (path: string): Entry => ({
    ...{ kind: 'pointer', path: p(path), source: '1', key: path as Key, size: 1, checksums: [], inline: false },
  });
  const many = (folder: string) => Array.from({ length: 20 }, (_, index) => pointer(`${folder}/${String(index).padStart(2, '0')}`));
  const numbered = (letter: string) => Array.from({ length: 20 }, (_, index) => pointer(`${letter}${10 + index}`));

  it('sees what is on its way: a file that its folder would replace, and a row that is moved away', async () => {
    const { id } = await makePackage('moving');
    const step = await begin(id, 'test');
    await step.put([...numbered('k'), pointer('m')], 'refuse');
    await expect(step.put(many('m'), 'refuse')).rejects.toMatchObject({ code: 'path_conflict' });
    await step.put(many('n'), 'refuse');
    await step.flush();
    await step.commit(note);
    const next = await begin(id, 'test');
    const rows = [...(await next.before.find(many('n').map((one) => one.path))).values()];
    await next.put(
      many('o').map((one, index) => ({ ...one, path: `o/${10 + index}` as Path })),
      'refuse',
      { moved: rows },
    );
    await next.put([...numbered('j'), pointer('n')], 'refuse');
    expect(await next.commit(note)).toMatchObject({ added: 41, removed: 20 });
    expect((await next.now.find(['n', 'n/00', 'o/10'])).size).toBe(2);
  });

  it('finds what lies below an entry though the last one sorts before that', async () => {
    const { id } = await makePackage('below');
    const step = await begin(id, 'test');
    await step.put([pointer('x/y')], 'refuse');
    await step.flush();
    await expect(step.put([...numbered('k'), pointer('x'), pointer('x!')], 'refuse')).rejects.toMatchObject({ code: 'path_conflict' });
  });

  it('forgets that there was no file where it puts one', async () => {
    const { id } = await makePackage('again');
    const step = await begin(id, 'test');
    await step.put(many('f'), 'refuse');
    await step.flush();
    await step.remove([...(await step.now.find(many('f').map((one) => one.path))).values()]);
    await step.put([...numbered('e'), pointer('f')], 'refuse');
    await step.flush();
    await expect(step.put(many('f'), 'refuse')).rejects.toMatchObject({ code: 'path_conflict' });
  });
});

describe('jobs in bulk', () => {
  const inFolder = p('in');
  type Run = (reference: PackageReference) => Promise<EditOutcome | { job: JobView }>;
  const annexing: Run = async (reference) => ({
    job: await packages.annex(adm, reference, { source: parseName('src'), select: {}, to: inFolder, onConflict: 'replace' }),
  });
  const operations: Record<string, Run> = {
    annex: annexing,
    move: (reference) => packages.move(adm, reference, [inFolder], p('other/place')),
    copy: (reference) => packages.copy(adm, reference, [inFolder], p('second')),
    remove: (reference) => packages.remove(adm, reference, [inFolder]),
    meta: (reference) => packages.setMeta(adm, reference, { paths: [inFolder] }, { colour: 'blue' }),
    restore: (reference) => packages.restore(adm, reference, 1),
  };

  async function finish(outcome: EditOutcome | { job: JobView }): Promise<void> {
    if (!('job' in outcome)) throw new Error('it was no job');
    expect(await jobs.wait(outcome.job.id)).toMatchObject({ state: 'done' });
  }

  /** For all but the first operation: everything annexed; for a restoration also a version and half of it gone. */
  async function prepare(name: string, operation: string): Promise<{ reference: PackageReference; id: number }> {
    const made = await makePackage(name);
    if (operation === 'annex') return made;
    await finish(await annexing(made.reference));
    if (operation !== 'restore') return made;
    await packages.freeze(adm, made.reference);
    await finish(await packages.move(adm, made.reference, [p('in/s')], p('away')));
    return made;
  }

  const headOf = async (reference: PackageReference) => (await packages.get(adm, reference)).head;

  it.each(Object.entries(operations))(
    '%s: stopped or cancelled at any batch it ends as if never disturbed',
    async (operation, run) => {
      const even = await prepare('even', operation);
      let batches = 0;
      onWrite = (unit) => {
        if (unit.some((write) => write.isBulk)) batches += 1;
      };
      await finish(await run(even.reference));
      expect(batches).toBeGreaterThan(2);
      const wanted = await rowsOf(even.id, await headOf(even.reference));

      onWrite = () => undefined;
      const odd = await prepare('odd', operation);
      const before = await rowsOf(odd.id, await headOf(odd.reference));
      for (let at = 1; at <= batches; at += 2) {
        const { id, seen } = await interrupted(run, odd.reference, at, (job) => jobs.cancel(adm, job));
        expect(seen).toBe(true);
        expect(['cancelled', 'done']).toContain((await jobs.wait(id)).state);
        if ((await jobs.wait(id)).state === 'done') await packages.undo(adm, odd.reference);
        expect(await rowsOf(odd.id, await headOf(odd.reference))).toEqual(before);
        expect((await packages.get(adm, odd.reference)).openJob).toBeUndefined();
      }
      let stopped = await interrupted(run, odd.reference, 1, () => jobs.close());
      for (let at = 1; at <= 3; at++) {
        start();
        const { id } = stopped;
        stopped = await interrupted(
          async () => {
            await jobs.recover();
            await packages.recover();
            return { job: { id } as JobView };
          },
          odd.reference,
          1,
          () => jobs.close(),
        );
      }
      start();
      await jobs.recover();
      await packages.recover();
      expect(await jobs.wait(stopped.id)).toMatchObject({ state: 'done' });
      expect(await rowsOf(odd.id, await headOf(odd.reference))).toEqual(wanted);
    },
    120_000,
  );

  it('clearing a deleted package takes bounded slices within the engine, and goes on where it stopped', async () => {
    const { reference, id } = await prepare('gone', 'restore');
    for (let at = 0; at < 30; at++) await packages.put(adm, reference, p(`${at}.md`), Buffer.from(`text ${at}`));
    const tables = ['entry', 'manifest_range', 'text', 'step', 'version', 'version_source'] as const;
    const count = async () => {
      const left: Partial<Record<(typeof tables)[number], number>> = {};
      for (const table of tables)
        left[table] = (await temporary.state.db.selectFrom(table).select('package').where('package', '=', id).execute()).length;
      return left;
    };
    const before = await count();
    expect(Math.min(...Object.values(before))).toBeGreaterThan(0);
    const units: (readonly Write[])[] = [];
    const stopped = await interrupted(
      async () => ({ job: await packages.delete(adm, reference) }),
      reference,
      3,
      () => jobs.close(),
    );
    expect((await count()).entry).toBeGreaterThan(0);
    start();
    onWrite = (unit) => void units.push(unit);
    await jobs.recover();
    expect(await jobs.wait(stopped.id)).toMatchObject({ state: 'done' });
    const bulk = units.filter((unit) => unit.some(({ isBulk }) => isBulk === true));
    expect(bulk.flat().filter(({ rows }) => rows !== undefined)).toEqual([]);
    expect(bulk.length).toBeGreaterThanOrEqual(Math.ceil((before.entry ?? 0) / 1000) - 2);
    expect(Object.values(await count())).toEqual(tables.map(() => 0));
  });

  /** Does something when the job is about to write its n-th batch; whether that came. */
  async function interrupted(run: Run, reference: PackageReference, at: number, act: (job: string) => Promise<unknown>) {
    const reached = Promise.withResolvers<boolean>();
    let left = at;
    onWrite = (unit) => {
      if (unit.some((write) => write.isBulk) && --left === 0) reached.resolve(true);
    };
    const outcome = await run(reference);
    if (!('job' in outcome)) throw new Error('it was no job');
    const { id } = outcome.job;
    const ended = jobs.wait(id).then(
      () => false,
      () => false,
    );
    const seen = await Promise.race([reached.promise, ended]);
    await act(id);
    onWrite = () => undefined;
    return { id, seen };
  }
});
