import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Leaf } from '#model/entry.ts';
import type { Key } from '#model/key.ts';
import { parsePath } from '#model/path.ts';
import { type Change, type DiffRequest, diffSteps } from '#packages/diff.ts';
import { entryColumns, toValues } from '#packages/entry-row.ts';
import { mostDifferences } from '#packages/folder-compare.ts';
import { folderLimits } from '#packages/moved-folders.ts';
import { countTouched, touchedPaths } from '#packages/touched.ts';
import { insertRows } from '#state/insert.ts';
import { openStep } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

let temporary: TemporaryState;
let state: State;
let head = 0;
beforeEach(async () => {
  temporary = await temporaryState();
  state = temporary.state;
  head = 0;
  const row = { namespace_id: 'n', name: 'a', head: 0, top: 0, frozen: 0, generation: 1, created_at: 0 };
  await state.write({ query: state.db.insertInto('package').values(row) });
});
afterEach(() => temporary.close());

function leaf(path: string, content: string): Leaf {
  return { kind: 'pointer', path: parsePath(path), source: '1', key: content as Key, size: 1, checksums: [], inline: false };
}

/** One step, which may leave numbers out; what is put at a path replaces what is there. */
async function edit(put: readonly Leaf[], gone: readonly string[] = [], width = 1): Promise<number> {
  head += width;
  const ended = [...gone, ...put.map(({ path }) => path)];
  for (let at = 0; at < ended.length; at += 500) {
    const rows = state.db.updateTable('entry').set({ to_step: head }).where('to_step', '=', openStep).where('from_step', '<', head);
    await state.write({ query: rows.where('path', 'in', ended.slice(at, at + 500)) });
  }
  for (let at = 0; at < put.length; at += 2000)
    await state.write(
      insertRows(
        state,
        'entry',
        entryColumns,
        put.slice(at, at + 2000).map((one) => toValues(1, head, one)),
      ),
    );
  const row = { package: 1, step: head, operation: 'put', summary: '', actor: 'x', at: 0, added: put.length, removed: gone.length };
  await state.write({ query: state.db.insertInto('step').values(row) });
  return head;
}

const name = (index: number): string => String(index).padStart(5, '0');
const inFolder = (folder: string, count: number): Leaf[] =>
  Array.from({ length: count }, (_, index) => leaf(`${folder}/${name(index)}`, `content ${index}`));
const pathsIn = (folder: string, count: number): string[] => inFolder(folder, count).map(({ path }) => path);

async function diff(from: number, to: number, request: DiffRequest = {}): Promise<string[]> {
  const told: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await diffSteps(state, { package: 1, from, to }, { ...request, cursor }, request.limit);
    expect(page.changes.length).toBeLessThanOrEqual(request.limit ?? 200);
    told.push(...page.changes.map(tell));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return told;
}

function tell(change: Change): string {
  const mark = { added: '+', removed: '-', changed: '~', moved: '>' }[change.kind];
  if (change.kind !== 'moved') return `${mark} ${change.path}`;
  return `${mark} ${change.from} ${change.path}${change.entries === undefined ? '' : ` ${change.entries}`}`;
}

describe('a diff', () => {
  it('tells a large folder that was moved in one line, and what else changed in it behind', async () => {
    const count = folderLimits.entries + 200;
    const first = await edit([...inFolder('all', count), leaf('z', 'z')]);
    const second = await edit(
      [
        ...inFolder('new/big', count).filter((_, index) => index !== 7 && index !== 9),
        leaf('new/big/00007', 'other'),
        leaf('new/big/more', 'more'),
        leaf('y', 'z'),
      ],
      [...pathsIn('all', count), 'z'],
      3,
    );
    const lines = [`- all/00009`, `> all new/big ${count - 2}`, '~ new/big/00007', '+ new/big/more', '> z y'];
    for (const limit of [1, 2, 3, 200]) expect(await diff(first, second, { limit })).toEqual(lines);
    expect(await diff(second, first)).toEqual([`> new/big all ${count - 2}`, '~ all/00007', '+ all/00009', '- new/big/more', '> y z']);
    expect(await diff(second, second)).toEqual([]);
  });

  it('follows folders that were moved with what is above them, and several at once', async () => {
    const count = folderLimits.entries;
    const one = inFolder('a/deep', count);
    const two = Array.from({ length: count }, (_, index) => leaf(`b/${name(index)}`, `b ${index}`));
    const first = await edit([...one, ...two, leaf('keep', 'k')]);
    const second = await edit(
      [...inFolder('q/a2/deep', count), ...two.map((entry, index) => ({ ...entry, path: parsePath(`c/${name(index)}`) }))],
      [...one, ...two].map(({ path }) => path),
    );
    expect(await diff(first, second)).toEqual([`> b c ${count}`, `> a q/a2 ${count}`]);
  });

  it('tells entry by entry just below the limit of a folder, and as a folder at and above it', async () => {
    for (const count of [folderLimits.entries - 1, folderLimits.entries, folderLimits.entries + 1]) {
      const folder = `f${count}`;
      const first = await edit(inFolder(folder, count));
      const second = await edit(inFolder(`g${count}`, count), pathsIn(folder, count));
      const lines = await diff(first, second, { limit: 1000 });
      expect(lines).toHaveLength(count < folderLimits.entries ? count : 1);
      expect(lines[0]).toBe(count < folderLimits.entries ? `> ${folder}/00000 g${count}/00000` : `> ${folder} g${count} ${count}`);
    }
  });

  it('tells a folder with too many differences entry by entry', async () => {
    const count = 2 * mostDifferences + 200;
    for (const changed of [mostDifferences, mostDifferences + 1]) {
      const first = await edit(inFolder(`f${changed}`, count));
      const put = inFolder(`g${changed}`, count).map((one, index) => (index < count - changed ? one : leaf(one.path, `new ${index}`)));
      const second = await edit(put, pathsIn(`f${changed}`, count));
      const lines = await diff(first, second, { limit: 1000 });
      expect(lines.filter((line) => line.endsWith(` ${count - changed}`))).toHaveLength(changed === mostDifferences ? 1 : 0);
      expect(lines).toHaveLength(changed === mostDifferences ? 1 + changed : count + changed);
    }
  });

  it('takes no folder for moved that was there before, or is still there', async () => {
    const count = folderLimits.entries;
    const first = await edit([...inFolder('a', count), leaf('b/old', 'x'), leaf('c/1', 'y')]);
    const second = await edit(inFolder('b', count), pathsIn('a', count));
    expect(await diff(first, second, { limit: 1000 })).toHaveLength(count);
    const third = await edit(inFolder('d', count));
    expect((await diff(second, third, { limit: 1000 })).every((line) => line.startsWith('+ d/'))).toBe(true);
  });

  it('forgets what it knew of moves when the generation is another', async () => {
    const first = await edit([leaf('a', '1')]);
    const second = await edit([leaf('b', '1')], ['a']);
    const between = { package: 1, from: first, to: second };
    expect((await diffSteps(state, between, {}, 1)).changes.map(tell)).toEqual(['> a b']);
    await state.write({ query: state.db.updateTable('entry').set({ key: '2' }).where('path', '=', 'b') });
    expect((await diffSteps(state, between, {}, 2)).changes.map(tell)).toEqual(['- a', '+ b']);
  });
});

describe('touched paths', () => {
  it('are found in large steps and in many small ones, with and without numbers left out', async () => {
    await edit(inFolder('a', 6000), [], 5);
    const from = head;
    for (let index = 0; index < 40; index++)
      await edit([leaf(`s/${name(index)}`, 'x')], index % 3 === 0 ? [`a/${name(index)}`] : [], 1 + (index % 4));
    await edit(inFolder('b', 6000), pathsIn('a', 5000).slice(100), 9);
    await edit([], pathsIn('b', 5500));
    const found: string[] = [];
    for await (const path of touchedPaths(state, { package: 1, from, to: head })) found.push(path);
    const expected = [
      ...Array.from({ length: 14 }, (_, index) => `a/${name(index * 3)}`),
      ...pathsIn('a', 5000).slice(100),
      ...pathsIn('b', 6000).slice(5500),
      ...Array.from({ length: 40 }, (_, index) => `s/${name(index)}`),
    ];
    expect(found).toEqual(expected);
    const later: string[] = [];
    for await (const path of touchedPaths(state, { package: 1, from, to: head }, 'b/05998')) later.push(path);
    expect(later).toEqual(expected.slice(-42));
    expect(await countTouched(state, { package: 1, from, to: head })).toBe(40 + 14 + 6000 + 4900 + 5500);
  });
});
