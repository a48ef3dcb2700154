import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { guardTree, type View } from '#access/guard.ts';
import { isError } from '#errors/error.ts';
import { Events } from '#events/events.ts';
import { isWithin, type Path, parsePath, root } from '#model/path.ts';
import { rebase, type Tree } from '#model/tree.ts';
import { DraftStep } from '#packages/draft-step.ts';
import { redo, undo } from '#packages/history.ts';
import { claimStep } from '#packages/open-step.ts';
import { PackageTree } from '#packages/package-tree.ts';
import { type VerifyLine, verifyState } from '#packages/verify-state.ts';
import { type SearchEnd, searchTree } from '#sources/search.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';
import { SearchIndex, type SearchIndexLimits } from './search-index.ts';

const clock = fakeClock();
const small: Partial<SearchIndexLimits> = { build: 1, blockPaths: 2, postings: 40 };

let temporary: TemporaryState;
let events: Events;
let index: SearchIndex;
let id: number;

beforeAll(async () => {
  temporary = await temporaryState();
  const { state } = temporary;
  await state.write({ query: state.db.insertInto('namespace').values(namespace) });
});
afterAll(() => temporary.close());

const namespace = { id: 'n', name: 'n', user_id: null, upload_source: null, upload_prefix: '', created_at: 0 };
let made = 0;

beforeEach(async () => {
  events = new Events({ state: temporary.state, clock: clock.now });
  start(small);
  await makePackage();
});
afterEach(async () => {
  await index.close();
  await events.close();
});

function start(limits: Partial<SearchIndexLimits>): void {
  index = new SearchIndex({ state: temporary.state, clock: clock.now, events, limits });
}

async function makePackage(): Promise<void> {
  const { state } = temporary;
  const row = { namespace_id: 'n', name: `p${++made}`, head: 0, top: 0, frozen: 0, generation: 1, created_at: 0 };
  const [result] = await state.write({ query: state.db.insertInto('package').values(row).returning('id') });
  id = result?.rows[0]?.['id'] as number;
}

/** One step of the draft. */
async function edit(add: readonly string[], remove: readonly string[] = []): Promise<void> {
  const { state } = temporary;
  const claim = { package: id, job: `j${++made}` };
  await state.write(claimStep(state, claim));
  const step = await DraftStep.open(state, claim);
  const there = await step.before.find(remove);
  if (there.size > 0) await step.remove([...there.values()]);
  for (let at = 0; at < add.length; at += 500) {
    const texts = add.slice(at, at + 500).map((path) => ({ kind: 'text', path: parsePath(path), size: 1, sha256: `${made}` }) as const);
    await step.put(texts, 'skip');
  }
  await step.commit({ operation: 'put', summary: 'Test', actor: 'u', at: 0 });
}

async function built(): Promise<void> {
  index.refresh(id);
  await index.settled();
}

async function headOf(): Promise<number> {
  return (await temporary.state.db.selectFrom('package').select('head').where('id', '=', id).executeTakeFirstOrThrow()).head;
}

async function treeAt(step?: number | undefined, frozen = false): Promise<Tree> {
  return new PackageTree({ state: temporary.state, package: id, step: step ?? (await headOf()), frozen, search: index });
}

const segments = () => temporary.state.db.selectFrom('search_segment').selectAll().where('package', '=', id).orderBy('id').execute();

/** The same tree, which is never told what is looked for. */
function walked(tree: Tree): Tree {
  const { frozen } = tree;
  return {
    frozen,
    list: (folder, page) => tree.list(folder, page),
    find: (path) => tree.find(path),
    walk: (folder, options) => tree.walk(folder, { ...options, sieve: undefined }),
    read: (path) => tree.read(path),
  };
}

interface Found {
  readonly hits: string[];
  readonly end: SearchEnd | undefined;
  readonly error?: string;
}

async function search(tree: Tree, text: string, folder: Path = root, limit = 1000): Promise<Found> {
  const hits: string[] = [];
  let end: SearchEnd | undefined;
  const onEnd = (how: SearchEnd) => {
    end = how;
  };
  try {
    for await (const hit of searchTree(tree, folder, { text, clock: clock.now, limit, onEnd })) hits.push(`${hit.kind} ${hit.path}`);
    return { hits, end };
  } catch (error) {
    if (!isError(error, 'pattern_invalid')) throw error;
    return { hits, end, error: error.code };
  }
}

async function rowsOf(table: 'search_block' | 'search_gram'): Promise<number> {
  const ids = (await segments()).map((one) => one.id);
  return ids.length === 0 ? 0 : (await temporary.state.db.selectFrom(table).select('segment').where('segment', 'in', ids).execute()).length;
}

describe('a search by the index', () => {
  it('is what a walk finds, in trees that were edited at random', async () => {
    const sign = fc.constantFrom('a', 'B', 'b', 'İ', 'i', 'ß', 'Σ', 'σ', 'ς', '日', '本', '\u212A', 'k', '-', '.', '1', '😀', 'I');
    const name = fc
      .array(sign, { minLength: 1, maxLength: 5 })
      .map((signs) => signs.join(''))
      .filter((one) => !/^\.+$/.test(one));
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
    const paths = fc.array(path, { minLength: 1, maxLength: 12 });
    const action = fc.oneof(
      { weight: 5, arbitrary: fc.record({ add: paths, remove: fc.nat(4) }) },
      { weight: 1, arbitrary: fc.constant('undo' as const) },
      { weight: 1, arbitrary: fc.constant('redo' as const) },
      { weight: 3, arbitrary: fc.constant('build' as const) },
    );
    const wild = fc.constantFrom('*', '**', '?', '/', '**/', '[ab]', '{a,B}', '');
    const text = fc.oneof(
      { weight: 3, arbitrary: fc.array(sign, { minLength: 1, maxLength: 4 }).map((signs) => signs.join('')) },
      fc.array(fc.oneof(sign, wild), { minLength: 1, maxLength: 6 }).map((signs) => signs.join('')),
      fc.tuple(sign, wild, sign, wild, sign).map((signs) => signs.join('')),
    );
    let hits = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 1, maxLength: 9 }),
        fc.array(text, { minLength: 8, maxLength: 8 }),
        fc.array(path, { maxLength: 3 }),
        fc.nat(100),
        fc.boolean(),
        async (actions, texts, hidden, pick, isFrozen) => {
          await makePackage();
          const { state } = temporary;
          let there: string[] = [];
          for (const one of actions) {
            if (one === 'build') await built();
            else if (one === 'undo') await undo(state, id).catch(ignore);
            else if (one === 'redo') await redo(state, id).catch(ignore);
            else await edit(one.add, there.slice(0, one.remove)).catch(ignore);
            there = await leavesOf(await treeAt());
          }
          const tree = await treeAt(Math.max(0, (await headOf()) - (pick % 3)), isFrozen);
          const some = [...there, ...hidden];
          const folder = parsePath(
            some[pick % Math.max(1, some.length)]
              ?.split('/')
              .slice(0, pick % 3)
              .join('/') ?? '',
          );
          const hides = [...hidden, there[pick % Math.max(1, there.length)] ?? 'none'];
          const shows = (one: Path) => !hides.some((other) => isWithin(one, other as Path));
          const view: View = { lists: shows, leadsOn: () => true, knows: shows, reads: shows };
          const guarded = guardTree(tree, async () => view);
          const trees = [tree, guarded, rebase(tree, folder), rebase(guarded, folder), guardTree(rebase(tree, folder), async () => view)];
          for (const one of trees) {
            for (const wanted of texts) {
              const at = one === tree || one === guarded ? folder : root;
              const expected = await search(walked(one), wanted, at);
              expect(await search(one, wanted, at), JSON.stringify({ wanted, at, there })).toEqual(expected);
              expect(await search(one, wanted, at, 2)).toEqual(await search(walked(one), wanted, at, 2));
              hits += expected.hits.length;
            }
          }
        },
      ),
      { numRuns: 25 },
    );
    expect(hits).toBeGreaterThan(100);
  });

  it('needs a walk for nothing: the tree gives no more leaves than there are hits', async () => {
    start({ build: 1, blockPaths: 4 });
    const paths = Array.from({ length: 300 }, (_, number) => `data/part-${number % 10}/file-${1000 + number}.tif`);
    await edit(paths);
    await built();
    const tree = await treeAt();
    let seen = 0;
    const counted: Tree = {
      ...walked(tree),
      async *walk(folder, options) {
        for await (const leaf of tree.walk(folder, options)) {
          seen += 1;
          yield leaf;
        }
      },
    };
    expect((await search(counted, '1234')).hits).toEqual(['text data/part-4/file-1234.tif']);
    expect(seen).toBe(1);
    expect((await search(counted, 'PART-7')).hits).toEqual(['folder data/part-7']);
    expect((await search(counted, 'part-7/*12??.tif')).hits).toEqual([]);
    expect((await search(counted, 'data/part-7/*12[0-8]?.tif')).hits).toHaveLength(9);
    expect((await search(counted, 'a/b')).hits).toEqual([]);
    expect(seen).toBe(11);
  });
});

describe('a folder that matches', () => {
  const names = ['in/needle/a', 'in/needle/b', 'in/needle/deep/c', 'in/other/d'];
  const viewOf = (hides: (path: Path) => boolean): View => {
    const shows = (path: Path) => !hides(path);
    return { lists: shows, leadsOn: () => true, knows: shows, reads: shows };
  };

  beforeEach(async () => {
    await edit(names);
    await built();
  });

  it('is found by any leaf in it that is there at the step', async () => {
    await edit([], ['in/needle/a']);
    await edit([], ['in/needle/b']);
    for (const step of [1, 2, 3]) expect((await search(await treeAt(step), 'needle')).hits).toEqual(['folder in/needle']);
    await edit([], ['in/needle/deep/c']);
    expect((await search(await treeAt(), 'needle')).hits).toEqual([]);
    expect((await search(await treeAt(), '*/needle/**')).hits).toEqual([]);
    expect((await search(await treeAt(3), '*/needle/**')).hits).toEqual(['folder in/needle/deep', 'text in/needle/deep/c']);
  });

  it('is found by any leaf in it that is shown, and not where none is', async () => {
    const tree = await treeAt();
    const hide = (...hidden: readonly string[]) => guardTree(tree, async () => viewOf((path) => hidden.includes(path)));
    expect((await search(hide('in/needle/a'), 'needle')).hits).toEqual(['folder in/needle']);
    expect((await search(hide('in/needle/a', 'in/needle/b'), 'needle')).hits).toEqual(['folder in/needle']);
    expect((await search(hide('in/needle/a', 'in/needle/b', 'in/needle/deep/c'), 'needle')).hits).toEqual([]);
    const share = rebase(hide('in/needle/a', 'in/needle/b'), parsePath('in'));
    expect((await search(share, 'needle')).hits).toEqual(['folder needle']);
    const within = guardTree(rebase(tree, parsePath('in')), async () => viewOf((path) => path !== 'needle/b'));
    expect((await search(within, 'needle')).hits).toEqual(['folder needle']);
  });
});

describe('the index', () => {
  it('is built in the background, in few segments that follow each other', async () => {
    for (let round = 0; round < 12; round++) {
      await edit(Array.from({ length: 10 }, (_, number) => `r${round}/n${number}`));
      await search(await treeAt(), 'n1');
      await index.settled();
    }
    const all = await segments();
    expect(all.length).toBeLessThan(6);
    expect(all.every((one) => one.ready === 1)).toBe(true);
    expect(all.reduce((sum, one) => sum + one.paths, 0)).toBe(120);
    let through = 0;
    for (const one of all.toSorted((a, b) => a.after_step - b.after_step)) {
      expect(one.after_step).toBe(through);
      through = one.through_step;
    }
    const blocks = await temporary.state.db.selectFrom('search_block').select('segment').distinct().execute();
    const known = (await temporary.state.db.selectFrom('search_segment').select('id').execute()).map((one) => one.id);
    expect(blocks.filter(({ segment }) => !known.includes(segment))).toEqual([]);
  });

  it('waits for enough rows', async () => {
    start({ build: 50 });
    await edit(['a', 'b']);
    expect((await search(await treeAt(), 'a')).hits).toEqual(['text a']);
    await built();
    expect(await segments()).toEqual([]);
  });

  it('goes with a step that was undone and written anew', async () => {
    await edit(['kept/one', 'kept/two']);
    await edit(['undone/first', 'undone/second']);
    await built();
    expect((await segments()).at(-1)?.through_step).toBe(2);
    await undo(temporary.state, id);
    expect((await search(await treeAt(), 'first')).hits).toEqual([]);
    await redo(temporary.state, id);
    expect((await search(await treeAt(), 'first')).hits).toEqual(['text undone/first']);
    await undo(temporary.state, id);
    await edit(['other/first']);
    expect((await segments()).every((one) => one.through_step < 2)).toBe(true);
    expect((await search(await treeAt(), 'first')).hits).toEqual(['text other/first']);
    await built();
    expect((await search(await treeAt(), 'first')).hits).toEqual(['text other/first']);
  });

  it.each(['search_block', 'search_gram'] as const)('is dropped, told of and built anew where %s is damaged', async (table) => {
    await edit(Array.from({ length: 40 }, (_, number) => `d/needle-${number}`));
    await built();
    const { state } = temporary;
    const [segment] = await segments();
    const bytes = table === 'search_block' ? 'paths' : 'blocks';
    await state.write({
      query: state.db
        .updateTable(table)
        .set({ [bytes]: Buffer.from('damaged bytes') })
        .where('segment', '=', segment?.id ?? 0),
    });
    const expected = await search(walked(await treeAt()), 'needle-3');
    expect(expected.hits).toHaveLength(11);
    expect(await search(await treeAt(), 'needle-3')).toEqual(expected);
    await events.flush();
    const told = await events.list({ action: 'search.damage' });
    expect(told.events.filter(({ subject }) => subject === `package:${id}`)).toHaveLength(1);
    await index.settled();
    expect((await segments()).map((one) => one.id)).not.toContain(segment?.id);
    expect(await rowsOf('search_block')).toBeGreaterThan(0);
    expect(await search(await treeAt(), 'needle-3')).toEqual(expected);
  });

  const losses = [
    ['a list', 'search_gram', (rows: number) => `it has ${rows - 1} of ${rows} lists`],
    ['a block', 'search_block', (rows: number) => `it has ${rows - 1} of ${rows} blocks`],
  ] as const;
  it.each(losses)('is told to be damaged by a verification where %s is lost whole, and is built anew', async (_what, table, says) => {
    const name = `n/p${made}`;
    await edit(Array.from({ length: 40 }, (_, number) => `d/needle-${number}`));
    await built();
    const { state } = temporary;
    const anyGram = async () =>
      (
        await state.db
          .selectFrom('search_gram')
          .select('gram')
          .where('segment', '=', (await segments())[0]?.id ?? 0)
          .where('part', '=', 0)
          .limit(1)
          .executeTakeFirstOrThrow()
      ).gram;
    const faults = async (rebuild?: (one: number) => Promise<void>) => {
      const told: VerifyLine[] = [];
      const options = rebuild === undefined ? {} : { rebuild };
      for await (const line of verifyState(state, new AbortController().signal, options)) told.push(line);
      return told.filter((line) => line.kind !== 'progress' && (line.kind === 'done' || line.subject === name));
    };
    expect(await faults()).toMatchObject([{ kind: 'done' }]);
    const rows = await rowsOf(table);
    const ids = (await segments()).map((one) => one.id);
    const lost =
      table === 'search_block'
        ? state.db.deleteFrom('search_block').where('segment', 'in', ids).where('block', '=', 3)
        : state.db
            .deleteFrom('search_gram')
            .where('segment', 'in', ids)
            .where('part', '=', 0)
            .where('gram', '=', await anyGram());
    await state.write({ query: lost });
    expect(await rowsOf(table)).toBe(rows - 1);
    expect(await faults()).toMatchObject([
      { kind: 'wrong', says: expect.stringContaining(says(rows)) },
      { kind: 'done', derived: 1, wrong: 1 },
    ]);
    expect(await faults((one) => index.rebuild(one))).toMatchObject([{ kind: 'rebuilt' }, { kind: 'done', derived: 0, wrong: 0 }]);
    await index.settled();
    expect(await rowsOf(table)).toBe(rows);
    expect(await faults()).toMatchObject([{ kind: 'done', derived: 0, wrong: 0 }]);
  });

  it('finds all while a segment that it reads is replaced', async () => {
    await edit(Array.from({ length: 60 }, (_, number) => `d/needle-${number}`));
    await built();
    const tree = await treeAt();
    const found: string[] = [];
    for await (const hit of searchTree(tree, root, { text: 'needle', clock: clock.now })) {
      found.push(hit.path);
      if (found.length !== 1) continue;
      await edit(Array.from({ length: 60 }, (_, number) => `e/needle-${number}`));
      await built();
    }
    expect(found).toHaveLength(60);
  });

  it('clears what a crash left: segments that are not complete, and rows of none', async () => {
    await edit(['a/b', 'a/c']);
    await built();
    const { state } = temporary;
    const [segment] = await segments();
    const half = { package: id, after_step: 0, through_step: 1, paths: 0, blocks: 0, grams: 0, ready: 0, created_at: 0 };
    const [inserted] = await state.write({ query: state.db.insertInto('search_segment').values(half).returning('id') });
    const left = inserted?.rows[0]?.['id'] as number;
    await state.write({ query: state.db.insertInto('search_block').values({ segment: left, block: 0, paths: Buffer.from('x') }) });
    await index.recover();
    expect((await segments()).map((one) => one.id)).toEqual([segment?.id]);
    expect(await state.db.selectFrom('search_block').select('block').where('segment', '=', left).execute()).toEqual([]);
    expect((await search(await treeAt(), 'b')).hits).toEqual(['text a/b']);
  });

  it('is gone with the steps of a package that was removed', async () => {
    await edit(['a/b', 'a/c']);
    await built();
    const { state } = temporary;
    await state.write({ query: state.db.deleteFrom('step').where('package', '=', id) });
    const [left] = await state.db.selectFrom('search_block').select('segment').orderBy('segment', 'desc').limit(1).execute();
    expect(await segments()).toEqual([]);
    await state.write({ query: state.db.updateTable('package').set({ removed_at: 1 }).where('id', '=', id) });
    await built();
    for (const table of ['search_block', 'search_gram'] as const)
      expect(
        await state.db
          .selectFrom(table)
          .select('segment')
          .where('segment', '=', left?.segment ?? 0)
          .execute(),
      ).toEqual([]);
  });

  it('stops with the signal of a search', async () => {
    await edit(Array.from({ length: 2000 }, (_, number) => `d/needle-${number}`));
    await built();
    const abort = new AbortController();
    const tree = await treeAt();
    const run = async () => {
      for await (const _ of searchTree(tree, root, { text: 'needle', clock: clock.now, signal: abort.signal })) abort.abort();
    };
    await expect(run()).rejects.toThrow();
  });

  it('stays within its time for patterns that mean harm', async () => {
    await edit(Array.from({ length: 500 }, (_, number) => `${'a'.repeat(50)}/${'ab'.repeat(40)}${number}`));
    await built();
    const tree = await treeAt();
    for (const text of ['a'.repeat(256), `${'*a'.repeat(128)}`, `${'{a,b}'.repeat(51)}`, `${'?'.repeat(256)}`, `${'**/'.repeat(60)}x`])
      expect(await search(tree, text)).toEqual(await search(walked(tree), text));
  });
});

function ignore(error: unknown): void {
  if (!isError(error)) throw error;
}

async function leavesOf(tree: Tree): Promise<string[]> {
  const paths: string[] = [];
  for await (const leaf of tree.walk(root)) paths.push(leaf.path);
  return paths;
}
