import { describe, expect, it } from 'vitest';
import type { Change } from '#api/packages.ts';
import { ChangeList, noChange, tallied } from './changes.ts';

const file = (path: string, size: number) => ({ kind: 'pointer' as const, path, size });
const added = (path: string, size: number): Change => ({ kind: 'added', path, entry: file(path, size) });

describe('what changed', () => {
  it('is counted in files and bytes', () => {
    const changes: Change[] = [
      added('a', 10),
      { kind: 'removed', path: 'b', entry: file('b', 4) },
      { kind: 'changed', path: 'c', before: file('c', 100), entry: file('c', 30) },
      { kind: 'moved', path: 'e', from: 'd', entry: file('e', 5) },
      { kind: 'moved', path: 'new', from: 'old', entries: 7, entry: { kind: 'folder', path: 'new' } },
    ];
    expect(changes.reduce(tallied, noChange)).toEqual({ added: 1, removed: 1, changed: 1, moved: 8, bytes: 10 - 4 - 70 });
  });

  it('is read to its end, page by page, and goes on where a page failed', async () => {
    const asked: (string | undefined)[] = [];
    let fails = true;
    const list = new ChangeList(async (cursor) => {
      asked.push(cursor);
      const page = Number(cursor ?? 0);
      if (page === 2 && fails) throw new Error('away');
      return { changes: [added(`f${page}`, 1)], ...(page < 3 ? { cursor: String(page + 1) } : {}) };
    });
    await list.load();
    expect([list.state.count, list.state.isWhole, String(list.state.error)]).toEqual([2, false, 'Error: away']);
    fails = false;
    await list.load();
    expect([list.state.tally.added, list.state.isWhole, list.state.error]).toEqual([4, true, undefined]);
    expect(asked).toEqual([undefined, '1', '2', '2', '3']);
    expect(list.rows.map(({ path }) => path)).toEqual(['f0', 'f1', 'f2', 'f3']);
  });

  it('is kept only as far as anybody looks', async () => {
    const list = new ChangeList(async (cursor = '0') => ({
      changes: Array.from({ length: 1000 }, (_, at) => added(`${cursor}-${at}`, 1)),
      ...(Number(cursor) < 6 ? { cursor: String(Number(cursor) + 1) } : {}),
    }));
    await list.load();
    expect([list.rows.length, list.state.count, list.state.tally.added]).toEqual([5000, 7000, 7000]);
  });
});
