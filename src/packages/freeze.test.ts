import { CompiledQuery } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';
import type { Leaf } from '#model/entry.ts';
import type { Key } from '#model/key.ts';
import { endsRange, ManifestHasher } from '#model/manifest.ts';
import { type Path, parsePath, root } from '#model/path.ts';
import { verifyVersion } from '#packages/check.ts';
import { entryColumns, toValues } from '#packages/entry-row.ts';
import { type FreezeWork, freeze } from '#packages/freeze.ts';
import { PackageTree } from '#packages/package-tree.ts';
import { listRanges } from '#packages/ranges.ts';
import { insertRows } from '#state/insert.ts';
import { openStep, type VersionRow } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

let temporary: TemporaryState;
let state: State;
beforeEach(async () => {
  temporary = await temporaryState();
  state = temporary.state;
  const row = { namespace_id: 'n', name: 'a', head: 0, top: 0, frozen: 0, generation: 1, created_at: 0 };
  await state.write({ query: state.db.insertInto('package').values(row) });
});
afterEach(() => temporary.close());

const dropTrigger = (table: string, event: string) =>
  run(`drop trigger ${table}_${event}${state.dialect === 'postgres' ? ` on ${table}` : ''}`);
const run = (text: string) => state.write({ query: CompiledQuery.raw(text) });

function leaf(path: string, { source = '1', size = 10, etag = 'e' } = {}): Leaf {
  return { kind: 'pointer', path: parsePath(path), source, key: path as Key, size, etag, checksums: [], inline: false };
}

const pathOf = (index: number): string => `d${String(Math.floor(index / 100)).padStart(3, '0')}/${String(index).padStart(6, '0')}`;

let head = 0;
beforeEach(() => {
  head = 0;
});

/** One step: paths that end, and leaves that begin. */
async function edit(put: readonly Leaf[], gone: readonly string[] = []): Promise<void> {
  head += 1;
  const ended = [...gone, ...put.map(({ path }) => path)];
  for (let at = 0; at < ended.length; at += 500) {
    const rows = state.db.updateTable('entry').set({ to_step: head }).where('to_step', '=', openStep).where('from_step', '<', head);
    await state.write({ query: rows.where('path', 'in', ended.slice(at, at + 500)) });
  }
  for (let at = 0; at < put.length; at += 2000) {
    const rows = put.slice(at, at + 2000).map((one) => toValues(1, head, one));
    await state.write(insertRows(state, 'entry', entryColumns, rows));
  }
  const step = { package: 1, step: head, operation: 'put', summary: '', actor: 'x', at: 0, added: put.length, removed: gone.length };
  await state.write(
    { query: state.db.insertInto('step').values(step) },
    { query: state.db.updateTable('package').set({ head, top: head }).where('id', '=', 1) },
  );
}

const asked: [string, Path][] = [];

function freezeNow(more: Partial<FreezeWork> = {}): Promise<VersionRow> {
  asked.length = 0;
  return freeze({
    state,
    claim: { package: 1, job: 'test' },
    message: '',
    author: 'x',
    at: 0,
    authorize: async (source, path) => void asked.push([source, path]),
    placeOf: (key) => parsePath(key),
    ...more,
  });
}

async function expectWhole({ digest, entries, bytes, manifest_bytes, step, number }: VersionRow): Promise<void> {
  const hasher = new ManifestHasher();
  const found: (string | number)[][] = [];
  const note = (range: ReturnType<ManifestHasher['push']>) => {
    if (range !== undefined) found.push([range.last, range.hash, range.entries, range.bytes]);
  };
  const bySource = new Map<number, [number, number]>();
  for await (const one of new PackageTree({ state, package: 1, step, frozen: true }).walk(root)) {
    note(hasher.push(one));
    const source = one.kind === 'pointer' ? Number(one.source) : 0;
    const [count, sum] = bySource.get(source) ?? [0, 0];
    bySource.set(source, [count + 1, sum + one.size]);
  }
  const whole = hasher.finish();
  note(whole.range);
  const ranges: (string | number)[][] = [];
  for await (const row of listRanges(state, 1, step)) ranges.push([row.last_path, row.sha256, row.lines, row.bytes]);
  expect(ranges).toEqual(found);
  const sum = [...bySource.values()].reduce((all, [, size]) => all + size, 0);
  expect({ digest, entries, manifest_bytes, bytes }).toEqual({
    digest: whole.digest,
    entries: whole.entries,
    manifest_bytes: whole.bytes,
    bytes: sum,
  });
  const kept = await state.db.selectFrom('version_source').selectAll().where('number', '=', number).orderBy('source').execute();
  expect(kept.map((row) => [row.source, row.entries, row.bytes])).toEqual(
    [...bySource].sort().map(([source, total]) => [source, ...total]),
  );
}

const fails = (promise: Promise<unknown>, code: ErrorCode) => expect(promise).rejects.toMatchObject({ code });
const many = (count: number, from = 0) => Array.from({ length: count }, (_, index) => leaf(pathOf(from + index)));

describe('a freeze', () => {
  it('gives the ranges, digest and totals of the whole, whether little or much was touched, here or in threads', async () => {
    const count = 12_000;
    await edit(many(count));
    await expectWhole(await freezeNow());
    const borders = Array.from({ length: count }, (_, index) => pathOf(index)).filter((path) => endsRange(path as Path));
    expect(borders.length).toBeGreaterThan(32);
    await edit([leaf(pathOf(5), { etag: 'new', size: 77 })], [borders[3] as string, borders[4] as string, pathOf(count - 1)]);
    await expectWhole(await freezeNow());
    await edit([leaf(borders[4] as string, { source: '2' }), leaf('zz'), leaf('a')]);
    await expectWhole(await freezeNow());
    await edit(Array.from({ length: 110 }, (_, index) => leaf(pathOf(index * 109), { etag: `scattered ${index}` })));
    await expectWhole(await freezeNow());
    await edit(
      many(count, count),
      many(6000).map(({ path }) => path),
    );
    await expectWhole(await freezeNow());
    await edit([], ['zz', 'a']);
    await expectWhole(await freezeNow());
    const versions = await state.db.selectFrom('version').selectAll().execute();
    for (const version of versions)
      await verifyVersion({ state, version, signal: new AbortController().signal, progress: () => undefined });
  }, 60_000);

  it('reads nothing again that was not touched', async () => {
    await edit(many(3000));
    await freezeNow();
    await edit([leaf(pathOf(7), { etag: 'other' })]);
    const before = await state.db.selectFrom('manifest_range').select('last_path').execute();
    await freezeNow();
    expect(await state.db.selectFrom('manifest_range').select('last_path').execute()).toHaveLength(before.length + 1);
  });

  it('asks for every source that is pointed to, also by what did not change', async () => {
    await edit([leaf('a', { source: '1' }), leaf('b', { source: '2' }), leaf('c', { source: '3' })]);
    await freezeNow();
    await edit([leaf('d', { source: '4' })], ['c']);
    const refuse = async (source: string) => {
      if (source === '2') throw new PackageRError('forbidden');
    };
    await fails(freezeNow({ authorize: refuse }), 'forbidden');
    expect(await state.db.selectFrom('version').selectAll().execute()).toHaveLength(1);
    expect(await state.db.selectFrom('package').select('open_job').executeTakeFirst()).toEqual({ open_job: null });
    await freezeNow();
    expect(asked).toEqual([
      ['1', ''],
      ['2', ''],
      ['4', ''],
    ]);
  });

  it('asks for each pointer where the whole source is not granted, also for what did not change', async () => {
    await edit([leaf('open/a'), leaf('shut/b'), leaf('shut/c')]);
    await freezeNow();
    await edit([leaf('open/d')]);
    const only = (open: readonly string[]) => async (_: string, path: Path) => {
      if (!open.some((one) => path === one)) throw new PackageRError('not_found');
    };
    await fails(freezeNow({ authorize: only(['open', 'shut/b']) }), 'forbidden');
    await freezeNow({ authorize: only(['open', 'shut/b', 'shut/c']) });
  });

  it('counts everything anew where the version before kept no sources, or wrong ones', async () => {
    await edit([leaf('a', { source: '1' }), leaf('b', { source: '2' })]);
    await freezeNow();
    await dropTrigger('version_source', 'delete');
    await run('delete from version_source where source = 2');
    await edit([leaf('c', { source: '3' })]);
    await expectWhole(await freezeNow());
    expect(asked.map(([source]) => source)).toEqual(['1', '2', '3']);
  });

  it('is refused where nothing changed, also after much came and went', async () => {
    await edit(many(6000));
    await freezeNow();
    await edit(
      [],
      many(6000).map(({ path }) => path),
    );
    await edit(many(6000));
    await fails(freezeNow(), 'nothing_to_freeze');
    await edit([{ kind: 'text', path: parsePath('t'), size: 1, sha256: '0'.repeat(64) }]);
    await expectWhole(await freezeNow());
  });

  it('takes back what it wrote when it is cancelled', async () => {
    await edit(many(12_000));
    const controller = new AbortController();
    const authorize = async () => controller.abort();
    await expect(
      freezeNow({
        authorize: async () => {
          await authorize();
          controller.signal.throwIfAborted();
        },
        signal: controller.signal,
      }),
    ).rejects.toThrow();
    expect(await state.db.selectFrom('manifest_range').selectAll().execute()).toEqual([]);
    await fails(freezeNow({ signal: AbortSignal.abort(new PackageRError('cancelled')) }), 'cancelled');
    await expectWhole(await freezeNow());
  });

  it('keeps sources that never change and go only with their package', async () => {
    await edit([leaf('a')]);
    await freezeNow();
    for (const text of [
      'update version_source set entries = 0',
      'delete from version_source',
      'insert into version_source values (1, 1, 9, 1, 1)',
    ])
      await fails(run(text), 'state_failed');
  });
});

describe('verify', () => {
  const verify = async (signal = new AbortController().signal) => {
    const version = (await state.db.selectFrom('version').selectAll().executeTakeFirst()) as VersionRow;
    const seen: number[] = [];
    const result = await verifyVersion({ state, version, signal, progress: (done) => void seen.push(done) });
    return { ...result, seen };
  };
  const finds = (what: string) => expect(verify()).rejects.toMatchObject({ code: 'verify_failed', message: expect.stringContaining(what) });
  const count = 12_000;

  beforeEach(async () => {
    await edit(many(count));
    await freezeNow();
    for (const table of ['entry', 'manifest_range']) for (const event of ['insert', 'update', 'delete']) await dropTrigger(table, event);
    for (const table of ['version', 'version_source']) await dropTrigger(table, 'update');
  });

  it('passes what was frozen, and tells how far it is', async () => {
    const { seen, ...result } = await verify();
    expect(result).toEqual({ entries: count, texts: 0 });
    expect(seen.at(-1)).toBe(count);
    expect(seen.length).toBeGreaterThan(1);
  });

  it.each([
    ['a changed row', `update entry set size = 11 where path = '${pathOf(9000)}'`, 'differ'],
    ['a row too many at the end', "update entry set path = 'zzz' where path = 'd119/011999'", 'differ'],
    ['a row that ended', `update entry set to_step = 1 where path = '${pathOf(4321)}'`, 'differ'],
    ['a missing range', 'delete from manifest_range where last_path = (select max(last_path) from manifest_range)', 'differ'],
    [
      'a missing range in the middle',
      'delete from manifest_range where last_path = (select last_path from manifest_range order by last_path limit 1 offset 20)',
      'differ',
    ],
    ['a wrong total of entries', 'update version set entries = entries - 1', 'its digest is not that of its entries'],
    ['a wrong total of bytes', 'update version set bytes = bytes + 1', 'totals of bytes'],
    ['a wrong digest', "update version set digest = 'sha256:00'", 'its digest is not that of its entries'],
    ['a wrong source', 'update version_source set source = 7', 'sources'],
    ['a border that is none', `update entry set ends_range = 1 - ends_range where path = '${pathOf(5000)}'`, 'ends a range'],
  ] as const)('finds %s', async (_, text, what) => {
    await run(text);
    await finds(what);
  });

  it('ends when it is told to', async () => {
    const controller = new AbortController();
    const running = verify(controller.signal);
    controller.abort(new PackageRError('cancelled'));
    await fails(running, 'cancelled');
  });
});
