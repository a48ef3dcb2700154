import { describe, expect, it } from 'vitest';
import { parsePath, root } from '#model/path.ts';
import type { Tree } from '#model/tree.ts';
import { type SearchEnd, type SearchOptions, searchTree } from '#sources/search.ts';
import { expectError } from '#testing/driver-subject.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { generatedTree, memoryTree, pointerFile } from '#testing/memory-tree.ts';

const paths = ['Data/Tiles/t1.TIF', 'Data/Tiles/t2.tif', 'Data/notes.md', 'a%b', 'a_b', "a');--", 'data!', 'tiles'];
const tree = memoryTree(paths.map((path) => pointerFile(path, '')));

async function search(text: string, more: Partial<SearchOptions> = {}, folder = '', over: Tree = tree) {
  const hits: string[] = [];
  let end: SearchEnd | undefined;
  const onEnd = (how: SearchEnd) => {
    end = how;
  };
  const options = { clock: fakeClock().now, onEnd, text, ...more };
  for await (const found of searchTree(over, parsePath(folder), options))
    hits.push(found.kind === 'folder' ? `${found.path}/` : found.path);
  return { hits, end };
}

describe('search', () => {
  it.each([
    ['TILES', ['Data/Tiles/', 'tiles']],
    ['data', ['Data/', 'data!']],
    ['.tif', ['Data/Tiles/t1.TIF', 'Data/Tiles/t2.tif']],
    ['*.tif', ['Data/Tiles/t1.TIF', 'Data/Tiles/t2.tif']],
    ['t?.tif', ['Data/Tiles/t1.TIF', 'Data/Tiles/t2.tif']],
    ['data/**/*.{md,tif}', ['Data/Tiles/t1.TIF', 'Data/Tiles/t2.tif', 'Data/notes.md']],
    ['data/*', ['Data/Tiles/', 'Data/notes.md']],
    ['%', ['a%b']],
    ['_', ['a_b']],
    ["');--", ["a');--"]],
    ['nothing', []],
  ])('%s', async (text, found) => {
    expect(await search(text)).toEqual({ hits: found, end: 'complete' });
  });

  it('is of what lies below the folder, by the path from there', async () => {
    expect((await search('t', {}, 'Data')).hits).toEqual(['Data/Tiles/', 'Data/Tiles/t1.TIF', 'Data/Tiles/t2.tif', 'Data/notes.md']);
    expect((await search('data', {}, 'Data')).hits).toEqual([]);
    expect((await search('tiles/*', {}, 'Data')).hits).toEqual(['Data/Tiles/t1.TIF', 'Data/Tiles/t2.tif']);
  });

  it('refuses what is no pattern', async () => {
    for (const text of ['', '  ', '[', '{a', 'x'.repeat(257)]) await expectError(search(text), 'pattern_invalid');
  });
});

describe('a search that finds much', () => {
  const leafAt = (index: number) => pointerFile(`d/${String(index).padStart(7, '0')}`, '').leaf;

  it('ends at its limit, and walks no further', async () => {
    let seen = 0;
    const many = generatedTree(100_000, leafAt, () => seen++);
    const { hits, end } = await search('0', { limit: 5 }, '', many);
    expect([hits.length, end, seen]).toEqual([5, 'limit', 6]);
    expect((await search('0', { limit: 1e9 }, '', generatedTree(2000, leafAt))).hits).toHaveLength(1000);
    expect((await search('0', { limit: 5 }, '', generatedTree(5, leafAt))).end).toBe('complete');
  });

  it('ends at its deadline, also where nothing is found', async () => {
    const clock = fakeClock();
    const slow = generatedTree(100_000, leafAt, () => clock.advance(1000));
    expect(await search('none', { clock: clock.now }, '', slow)).toEqual({ hits: [], end: 'deadline' });
  });

  it('stops the walk when its reader leaves or its signal aborts', async () => {
    let seen = 0;
    const many = generatedTree(100_000, leafAt, () => seen++);
    for await (const _ of searchTree(many, root, { text: '0', clock: fakeClock().now })) break;
    expect(seen).toBe(1);
    const abort = new AbortController();
    const run = async () => {
      for await (const _ of searchTree(many, root, { text: '0', clock: fakeClock().now, signal: abort.signal })) abort.abort();
    };
    await expect(run()).rejects.toThrow();
    expect(seen).toBeLessThan(5);
  });
});
