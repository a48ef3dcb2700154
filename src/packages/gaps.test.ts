import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Key } from '#model/key.ts';
import { ancestorsOf, compareBytes, isWithin, type Path, parsePath, root } from '#model/path.ts';
import { entryColumns, toValues } from '#packages/entry-row.ts';
import { Gaps, GapView } from '#packages/gaps.ts';
import { PackageTree } from '#packages/package-tree.ts';
import { insertRows } from '#state/insert.ts';
import { openStep } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

describe('gaps', () => {
  it('hold exactly the paths of what was remembered', () => {
    const path = fc.constantFrom('', 'a', 'a/', 'a/b', 'b', 'é', '\uffee', '😀', 'z');
    const gap = fc.tuple(path, fc.option(path, { nil: null }));
    fc.assert(
      fc.property(fc.array(gap, { maxLength: 12 }), fc.array(path), (gaps, asked) => {
        const view = new GapView();
        for (const [start, end] of gaps) view.remember(start, end);
        const isIn = (one: string, [start, end]: readonly [string, string | null]) =>
          compareBytes(start, one) <= 0 && (end === null || compareBytes(one, end) < 0);
        for (const one of asked) {
          const end = view.endOf(one);
          expect(end !== undefined).toBe(gaps.some((known) => isIn(one, known)));
          if (typeof end === 'string') expect(gaps.some((known) => isIn(end, known))).toBe(false);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('are forgotten by the view that was used longest ago, and never grow without bounds', () => {
    const gaps = new Gaps();
    gaps.of('first').remember('a', 'b');
    for (let view = 0; view < 199; view++) gaps.of(String(view)).remember('a', 'b');
    expect(gaps.of('first').endOf('a')).toBe('b');
    for (let view = 0; view < 200; view++) gaps.of(`more ${view}`);
    expect(gaps.of('first').endOf('a')).toBeUndefined();
    const view = new GapView();
    for (let at = 0; at < 1001; at++) view.remember(`${String(at).padStart(5, '0')}a`, `${String(at).padStart(5, '0')}b`);
    expect(view.endOf('00000a')).toBeUndefined();
    expect(view.endOf('01000a')).toBe('01000b');
  });
});

describe('pages', () => {
  let temporary: TemporaryState;
  let state: State;
  beforeEach(async () => {
    temporary = await temporaryState();
    state = temporary.state;
  });
  afterEach(() => temporary.close());

  interface Span {
    readonly path: Path;
    readonly from: number;
    readonly to: number;
    readonly isFolder: boolean;
  }

  const names = Array.from({ length: 6 }, (_, index) => `${['a', 'b', '😀'][index % 3]}${index}`);
  const paths = [
    ...names.flatMap((name) => Array.from({ length: 9 }, (_, index) => `${name}/${index}`)),
    ...Array.from({ length: 9 }, (_, index) => `b1/deep/${index}`),
    ...Array.from({ length: 9 }, (_, index) => `é${index}`),
  ].map(parsePath);
  const steps = 6;

  async function write(id: number, spans: readonly Span[]): Promise<void> {
    const rows = spans.map(({ path, from, to, isFolder }) => {
      const pointer = { kind: 'pointer', path, source: '1', key: path as string as Key, size: from, checksums: [], inline: false } as const;
      return toValues(id, from, isFolder ? { kind: 'folder', path, explicit: true } : pointer).map((value, at) => (at === 3 ? to : value));
    });
    await state.write(insertRows(state, 'entry', entryColumns, rows));
  }

  /** What a folder shows: names of files, and of folders with a slash, in byte order. */
  function shown(spans: readonly Span[], step: number, withFolders: boolean, folder: Path): string[] {
    const visible = spans.filter((one) => one.from <= step && one.to > step && (withFolders || !one.isFolder));
    const inside = visible.filter((one) => one.path !== folder && isWithin(one.path, folder));
    const told = inside.map((one) => {
      const rest = one.path.slice(folder === root ? 0 : folder.length + 1);
      return rest.includes('/') ? `${rest.slice(0, rest.indexOf('/'))}/` : one.isFolder ? `${rest}/` : rest;
    });
    return [...new Set(told)].sort(compareBytes);
  }

  async function listed(tree: PackageTree, folder: Path, limit: number): Promise<string[]> {
    const told: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await tree.list(folder, { limit, cursor });
      expect(page.entries.length).toBeLessThanOrEqual(limit);
      for (const entry of page.entries) {
        if (entry.kind === 'unnamable') throw new Error('no entry of a package is without a path');
        const name = entry.path.slice(folder === root ? 0 : folder.length + 1);
        told.push(entry.kind === 'folder' ? `${name}/` : name);
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
    return told;
  }

  it('never hide or repeat a row at any step, first seen and seen again, whatever came and went', async () => {
    const span = fc.record({
      path: fc.constantFrom(...paths),
      from: fc.integer({ min: 1, max: steps }),
      life: fc.integer({ min: 1, max: steps }),
    });
    const history = fc.record({
      spans: fc.array(span, { minLength: 40, maxLength: 120 }),
      /** Whole folders that end together, as a rename leaves them. */
      gone: fc.array(fc.tuple(fc.constantFrom(...names), fc.integer({ min: 1, max: steps })), { maxLength: 5 }),
      folders: fc.array(fc.tuple(fc.constantFrom('empty', 'a0', 'b1/none', 'zz'), fc.integer({ min: 1, max: steps })), { maxLength: 3 }),
      limits: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 2 }),
    });
    let id = 0;
    await fc.assert(
      fc.asyncProperty(history, async ({ spans: made, gone, folders, limits }) => {
        id += 1;
        const spans: Span[] = [];
        for (const { path, from, life } of made) {
          const ended = gone.find(([name, step]) => path.startsWith(`${name}/`) && step > from)?.[1];
          const to = ended ?? (from + life > steps ? openStep : from + life);
          if (!spans.some((one) => one.path === path && one.from < to && from < one.to)) spans.push({ path, from, to, isFolder: false });
        }
        for (const [path, from] of folders)
          if (!spans.some((one) => one.path === path)) spans.push({ path: parsePath(path), from, to: openStep, isFolder: true });
        await write(id, spans);
        const gaps = new Gaps();
        for (let step = 0; step <= steps; step++) {
          for (const frozen of [true, false]) {
            const view = gaps.of(`${id}@${step} ${frozen}`);
            const visible = spans.filter((one) => one.from <= step && one.to > step && !(frozen && one.isFolder));
            const inside = new Set<Path>([root, ...visible.flatMap((one) => ancestorsOf(one.path))]);
            for (const [turn, limit] of limits.entries()) {
              const windowRows = turn === 0 ? 2 : 3;
              const tree = new PackageTree({ state, package: id, step, frozen, gaps: view, windowRows });
              for (const folder of inside) expect(await listed(tree, folder, limit)).toEqual(shown(spans, step, !frozen, folder));
              const files = visible.filter((one) => !one.isFolder).map((one) => one.path as string);
              for (const fields of [undefined, 'names', 'content'] as const) {
                const leaves: string[] = [];
                for await (const leaf of tree.walk(root, { fields })) leaves.push(leaf.path);
                expect(leaves).toEqual(files.toSorted(compareBytes));
              }
              for (const path of paths.slice(0, 12)) {
                const isFile = visible.some((one) => one.path === path);
                expect((await tree.find(path))?.kind).toBe(isFile ? 'pointer' : undefined);
              }
            }
          }
        }
      }),
      { numRuns: 12 },
    );
  }, 120_000);

  it('begin anywhere, in a gap too', async () => {
    const spans = Array.from({ length: 60 }, (_, index): Span => {
      const path = parsePath(`f/${String(index).padStart(2, '0')}`);
      return { path, from: 1, to: index < 3 || index > 55 ? openStep : 2, isFolder: false };
    });
    await write(1, spans);
    const gaps = new Gaps().of('1@2');
    const tree = new PackageTree({ state, package: 1, step: 2, frozen: true, gaps, windowRows: 4 });
    expect(await listed(tree, parsePath('f'), 2)).toEqual(['00', '01', '02', '56', '57', '58', '59']);
    expect(gaps.endOf('f/30')).toBe('f/56');
    expect(gaps.endOf('f/02')).toBeUndefined();
    for (let index = 3; index < 60; index++) {
      const cursor = Buffer.from(JSON.stringify([1, 2, 'f', `f/${String(index).padStart(2, '0')}`])).toString('base64url');
      const first = (await tree.list(parsePath('f'), { cursor, limit: 1 })).entries[0];
      expect(first).toMatchObject({ path: index < 56 ? 'f/56' : `f/${index}` });
    }
  });

  it('are passed over among many rows of one path, whatever part of a leaf is looked at', async () => {
    const spans = ['a', 'b', 'c'].flatMap((name) =>
      Array.from({ length: 9 }, (_, index): Span => ({ path: parsePath(name), from: index + 1, to: index + 2, isFolder: false })),
    );
    await write(1, spans);
    for (const windowRows of [2, 3, 8, 9, 10, 1000]) {
      const tree = new PackageTree({ state, package: 1, step: 5, frozen: true, windowRows });
      for (const fields of [undefined, 'names', 'sums', 'pointers', 'content'] as const) {
        const leaves: string[] = [];
        for await (const leaf of tree.walk(root, { fields })) leaves.push(leaf.path);
        expect(leaves).toEqual(['a', 'b', 'c']);
      }
    }
  });

  it('of an explicit folder do not show the folder in itself', async () => {
    await write(1, [{ path: parsePath('e'), from: 1, to: openStep, isFolder: true }]);
    const tree = new PackageTree({ state, package: 1, step: 1, frozen: false });
    expect(await listed(tree, root, 10)).toEqual(['e/']);
    expect((await tree.list(parsePath('e'))).entries).toEqual([]);
  });

  it('show a thousand folders of many entries by skipping over what they hold', async () => {
    const spans = Array.from({ length: 1003 }, (_, folder) =>
      Array.from({ length: 3 }, (_, index): Span => {
        const path = parsePath(`w/${String(folder).padStart(4, '0')}${folder % 2 === 0 ? '😀' : ''}/${index}`);
        return { path, from: 1, to: openStep, isFolder: false };
      }),
    ).flat();
    for (let at = 0; at < spans.length; at += 1000) await write(1, spans.slice(at, at + 1000));
    await write(1, [{ path: parsePath('w/0500x'), from: 1, to: openStep, isFolder: false }]);
    for (const windowRows of [2, 1000]) {
      const tree = new PackageTree({ state, package: 1, step: 1, frozen: true, windowRows });
      for (const limit of [1000, 7])
        expect(await listed(tree, parsePath('w'), limit)).toEqual(
          shown(spans.concat({ path: parsePath('w/0500x'), from: 1, to: openStep, isFolder: false }), 1, false, parsePath('w')),
        );
    }
  });
});
