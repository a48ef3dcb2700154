/** Large steps that were undone and given up: out of sight at once, cleared in the background, wherever that stops. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '#access/access.ts';
import { asError } from '#errors/error.ts';
import { Events } from '#events/events.ts';
import { Jobs } from '#jobs/jobs.ts';
import { randomId } from '#model/clock.ts';
import type { Entry, Leaf } from '#model/entry.ts';
import type { Key } from '#model/key.ts';
import { ManifestHasher } from '#model/manifest.ts';
import { compareBytes, parsePath, root } from '#model/path.ts';
import { DraftStep } from '#packages/draft-step.ts';
import { EntryReader } from '#packages/entry-reader.ts';
import { freeze } from '#packages/freeze.ts';
import { sweepGone } from '#packages/gone-steps.ts';
import { redo, undo } from '#packages/history.ts';
import { batchRows, claimStep, getPackageRow, stepRoom } from '#packages/open-step.ts';
import { parseReference } from '#packages/package.ts';
import { Packages } from '#packages/packages.ts';
import { touchedPaths } from '#packages/touched.ts';
import { verifyState } from '#packages/verify-state.ts';
import { Sources } from '#sources/sources.ts';
import type { State, Write } from '#state/state.ts';
import { Vault } from '#state/vault.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

const clock = fakeClock();
const adm = { kind: 'system', name: 'test' } as const;
const a = parseReference('alice/a');
const p = parsePath;
const signal = new AbortController().signal;

let temporary: TemporaryState;
let access: Access;
let events: Events;
let sources: Sources;
let jobs: Jobs;
let packages: Packages;
let id: number;
/** Told of each unit before it is written. */
let onWrite: (unit: readonly Write[]) => void;

/** A process of packageR on the state. */
function start(): void {
  const write: State['write'] = async (...unit) => {
    onWrite(unit);
    return temporary.state.write(...unit);
  };
  const state = Object.create(temporary.state, { write: { value: write } }) as State;
  jobs = new Jobs({ state, clock: clock.now, makeId: randomId });
  const stat = () => Promise.reject(new Error('not asked'));
  const common = { access, sources, jobs, events, clock: clock.now, makeId: randomId, inline: { extensions: [], maxBytes: 0 }, stat };
  packages = new Packages({ ...common, state });
}

beforeEach(async () => {
  onWrite = () => undefined;
  temporary = await temporaryState();
  const { state } = temporary;
  events = new Events({ state, clock: clock.now });
  access = new Access({ state, clock: clock.now, makeId: randomId, events });
  const connector = { request: () => Promise.reject(new Error('not asked')), close: async () => undefined };
  const signer = { sign: () => 'http://127.0.0.1/signed' };
  const vault = await Vault.open({ state, folder: temporary.folder });
  const inline = { extensions: [], maxBytes: 0 };
  sources = new Sources({ state, access, events, vault, drivers: [], connector, signer, clock: clock.now, inline });
  const source = { name: 'src', driver: 'none', title: '', options: '{}', generation: 1, created_at: 0, updated_at: 0, removed_at: null };
  await state.write({ query: state.db.insertInto('source').values(source) });
  start();
  await access.users.create(adm, { name: 'alice' });
  id = (await packages.create(adm, a)).id;
});
afterEach(async () => {
  await jobs.close();
  await sources.close();
  await events.close();
  await temporary.close();
});

const leaf = (path: string, etag = 'e'): Leaf => ({
  kind: 'pointer',
  path: p(path),
  source: '1',
  key: 'k' as Key,
  size: 1,
  etag,
  checksums: [],
  inline: false,
});
const many = (count: number, etag = 'e') =>
  Array.from({ length: count }, (_, index) => leaf(`all/${String(index).padStart(6, '0')}`, etag));

/** A step with these entries, and without those paths; large ones have room before them. */
async function write(entries: readonly Entry[], room: number, removed: readonly string[] = []): Promise<number> {
  const { state } = temporary;
  const claim = { package: id, job: randomId() };
  await state.write(claimStep(state, claim, { room }));
  const step = await DraftStep.open(state, claim);
  await step.remove([...(await step.before.find(removed)).values()]);
  for (let at = 0; at < entries.length; at += 1000) await step.put(entries.slice(at, at + 1000), 'replace');
  return (await step.commit({ operation: 'put', summary: '', actor: 'x', at: 0 })).step;
}

async function leavesAt(step: number): Promise<string[]> {
  const found: string[] = [];
  const reader = new EntryReader({ state: temporary.state, package: id, step, withFolders: false });
  for await (const rows of reader.batches('')) for (const row of rows) found.push(`${row.path} ${row.etag}`);
  return found;
}

function freezeDraft() {
  const claim = { package: id, job: randomId() };
  const work = { state: temporary.state, claim, message: '', author: 'x', at: 0 };
  return freeze({ ...work, authorize: async () => undefined, placeOf: () => root });
}

async function faults(): Promise<string[]> {
  const said: string[] = [];
  for await (const line of verifyState(temporary.state, signal)) if (line.kind === 'wrong') said.push(line.says);
  return said;
}

const countRows = async () =>
  Number(
    (
      await temporary.state.db
        .selectFrom('entry')
        .select((on) => on.fn.countAll<number | string>().as('rows'))
        .where('package', '=', id)
        .executeTakeFirstOrThrow()
    ).rows,
  );

const allJobs = async () => {
  for (const { id: job } of (await jobs.list(adm)).jobs) await jobs.wait(job);
};

describe('a large step that was undone', () => {
  it('are cleared by several at once, of whom none fails', async () => {
    const put = () => packages.put(adm, a, p('a'), Buffer.from('1'));
    for (let round = 0; round < 12; round++) {
      await put();
      await packages.undo(adm, a);
      await put();
      await packages.undo(adm, a);
      await expect(packages.remove(adm, a, [p('a')])).rejects.toMatchObject({ code: 'not_found' });
      // The job that clears is under way, and each of these may have to clear too.
      for (let again = 0; again < 4; again++) await put();
      await packages.remove(adm, a, [p('a')]);
    }
    await write(many(5000), 2);
    await packages.undo(adm, a);
    await put();
    expect(await Promise.all([1, 2, 3].map(() => sweepGone(temporary.state, id)))).toHaveLength(3);
    expect(await faults()).toEqual([]);
  });

  it('costs the next edit a bounded number of rows, and is cleared by a job', async () => {
    await write([leaf('kept'), leaf('other')], 0);
    await write(many(3 * batchRows), stepRoom, ['other']);
    await packages.undo(adm, a);
    const during: string[] = [];
    onWrite = (unit) => {
      for (const { query } of unit) during.push('compile' in query ? query.compile().sql : query.sql);
    };
    await packages.put(adm, a, p('new.md'), Buffer.from('new'));
    onWrite = () => undefined;
    const request = during.slice(0, during.findIndex((text) => text.includes('insert into "step"')) + 1);
    expect(request.length).toBeGreaterThan(0);
    expect(request.filter((text) => text.startsWith('delete from entry'))).toHaveLength(1);
    const { head } = await getPackageRow(temporary.state, id);
    expect(await leavesAt(head)).toEqual(['kept e', 'new.md null', 'other e']);
    await allJobs();
    expect((await getPackageRow(temporary.state, id)).gone_from).toBeNull();
    expect(await countRows()).toBe(3);
    expect(await leavesAt(head)).toEqual(['kept e', 'new.md null', 'other e']);
    expect(await faults()).toEqual([]);
  });

  it('is not seen, told, redone, found, counted or frozen while its rows are there, and a crash anywhere only delays their end', async () => {
    const { state } = temporary;
    await write([leaf('all/000001', 'mine'), leaf('kept')], 0);
    await write(many(2 * batchRows + 10), stepRoom);
    await packages.undo(adm, a);
    let left = 4;
    onWrite = (unit) => {
      if (unit.some(({ isBulk }) => isBulk === true) && left-- <= 0) throw asError(new Error('the process ends here'));
    };
    await packages.put(adm, a, p('new.md'), Buffer.from('new'));
    await allJobs();
    onWrite = () => undefined;
    const row = await getPackageRow(state, id);
    expect(row.gone_from).not.toBeNull();
    expect(await countRows()).toBeGreaterThan(3);
    expect(await faults()).toEqual([]);
    await expect(packages.redo(adm, a)).rejects.toMatchObject({ code: 'nothing_to_undo' });
    expect((await packages.log(adm, a)).steps.map(({ operation }) => operation)).toEqual(['put', 'put']);
    const paths: string[] = [];
    for await (const path of touchedPaths(state, { package: id, from: 0, to: row.head })) paths.push(path);
    expect(paths).toEqual(['all/000001', 'kept', 'new.md']);
    const version = await freezeDraft();
    const hasher = new ManifestHasher();
    const { tree } = await packages.open(adm, 'download', a, root);
    for await (const one of tree.walk(root)) hasher.push(one);
    expect(version.digest).toBe(hasher.finish().digest);
    expect(version.entries).toBe(3);
    await jobs.close();
    start();
    await jobs.recover();
    await packages.recover();
    await allJobs();
    expect((await getPackageRow(state, id)).gone_from).toBeNull();
    expect(await countRows()).toBe(3);
    expect(await faults()).toEqual([]);
  });

  it('lets edits go on where all numbers before it are used', async () => {
    await write([leaf('kept')], 0);
    await write(many(50), 3);
    await undo(temporary.state, id);
    const gone = (await getPackageRow(temporary.state, id)).top;
    onWrite = (unit) => {
      const isSweep = unit.some(({ query }) => 'compile' in query && query.compile().sql.includes('insert into "job"'));
      if (isSweep) throw asError(new Error('no job starts'));
    };
    for (let at = 0; at < 6; at++) await packages.put(adm, a, p(`new ${at}.md`), Buffer.from('new'));
    const { head } = await getPackageRow(temporary.state, id);
    expect(head).toBeGreaterThanOrEqual(gone);
    expect(await leavesAt(head)).toHaveLength(7);
    expect(await countRows()).toBe(7);
    expect(await faults()).toEqual([]);
  });

  it('any sequence of edits, undo, redo, freeze and clearing agrees with a plain model', async () => {
    const { state } = temporary;
    const names = ['a', 'b', 'c/d', 'c/e', 'f'] as const;
    const operation = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant('edit' as const),
          put: fc.subarray([...names]),
          remove: fc.subarray([...names]),
          etag: fc.constantFrom('1', '2', '3'),
          room: fc.constantFrom(0, 0, 1, 5, 999),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constantFrom('undo' as const, 'undo' as const, 'redo' as const, 'clear' as const, 'freeze' as const),
        }),
      },
    );
    const text = (files: ReadonlyMap<string, string>) =>
      [...files].sort(([x], [y]) => compareBytes(x, y)).map(([path, etag]) => `${path} ${etag}`);
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 6, maxLength: 24 }), async (operations) => {
        id = (await packages.create(adm, parseReference(`alice/m${round++}`))).id;
        let states = [new Map<string, string>()];
        let [at, floor] = [0, 0];
        const frozen: { step: number; lines: string[] }[] = [];
        for (const one of operations) {
          const now = states[at] as Map<string, string>;
          if (one.do === 'edit') {
            const next = new Map(now);
            for (const path of one.remove) if (!one.put.includes(path)) next.delete(path);
            for (const path of one.put) next.set(path, one.etag);
            const { isFull } = await write(
              [...one.put].sort(compareBytes).map((path) => leaf(path, one.etag)),
              one.room,
              one.remove.filter((path) => !one.put.includes(path)),
            ).then(
              () => ({ isFull: false }),
              async (error: { code: string }) => {
                expect(error.code).toBe('step_open');
                await sweepGone(state, id);
                return { isFull: true };
              },
            );
            if (isFull) continue;
            states = states.slice(0, at + 1);
            if (text(next).join() !== text(now).join()) {
              states.push(next);
              at += 1;
            }
          } else if (one.do === 'undo' && at > floor) {
            await undo(state, id);
            at -= 1;
          } else if (one.do === 'redo' && at < states.length - 1) {
            await redo(state, id);
            at += 1;
          } else if (one.do === 'clear') await sweepGone(state, id);
          else if (one.do === 'freeze') {
            const row = await freezeDraft().catch(() => undefined);
            if (row === undefined) continue;
            floor = at;
            frozen.push({ step: row.step, lines: text(now) });
          }
          const { head } = await getPackageRow(state, id);
          expect(await leavesAt(head)).toEqual(text(states[at] as Map<string, string>));
        }
        for (const { step, lines } of frozen) expect(await leavesAt(step)).toEqual(lines);
        expect(await faults()).toEqual([]);
        await sweepGone(state, id);
        const { head, top } = await getPackageRow(state, id);
        expect(await leavesAt(head)).toEqual(text(states[at] as Map<string, string>));
        const beyond = state.db.selectFrom('entry').select('path').where('package', '=', id).where('from_step', '>', top);
        expect(await beyond.execute()).toEqual([]);
      }),
      { numRuns: 25 },
    );
  }, 120_000);
});
