import { describe, expect, it } from 'vitest';
import type { Path } from '#model/path.ts';
import { parsePath, root } from '#model/path.ts';
import { readAll, rebase, type Tree } from '#model/tree.ts';

/** Records which paths of the inner tree are asked for. */
function recording(): { tree: Tree; asked: string[] } {
  const asked: string[] = [];
  const text = (path: string) => ({ kind: 'text', path: parsePath(path), size: 1, sha256: '' }) as const;
  const tree: Tree = {
    frozen: true,
    async list(folder) {
      asked.push(folder);
      return { entries: [text('pub/a'), text('pub/b')], cursor: 'c' };
    },
    async find(path) {
      asked.push(path);
      return text(path);
    },
    async *walk(folder, options) {
      asked.push(`${folder} after ${options?.after}`);
      yield text('pub/a');
    },
    async *read(path) {
      asked.push(path);
      yield Buffer.from('ab');
      yield Buffer.from('cd');
    },
  };
  return { tree, asked };
}

describe('rebase', () => {
  it('shows what lies below, with paths as seen from there', async () => {
    const { tree, asked } = recording();
    const below = rebase(tree, parsePath('pub'));
    expect((await below.list(root)).entries.map((entry) => entry.kind !== 'unnamable' && entry.path)).toEqual(['a', 'b']);
    expect((await below.find(parsePath('a')))?.path).toBe('a');
    const walked = [];
    for await (const leaf of below.walk(root, { after: parsePath('0') })) walked.push(leaf.path);
    expect(walked).toEqual(['a']);
    expect(String(await readAll(below.read(parsePath('a')), 10))).toBe('abcd');
    expect(asked).toEqual(['pub', 'pub/a', 'pub after pub/0', 'pub/a']);
  });

  it.each(['..', '../pub2/z', '/', 'a/../../x', './a'])('cannot be asked for %j, even by a caller who forged a path', async (text) => {
    const { tree, asked } = recording();
    const below = rebase(tree, parsePath('pub'));
    const forged = text as Path;
    await expect(below.list(forged)).rejects.toMatchObject({ code: 'path_invalid' });
    await expect(below.find(forged)).rejects.toMatchObject({ code: 'path_invalid' });
    expect(asked).toEqual([]);
  });
});

it('readAll refuses more than the limit', async () => {
  const { tree } = recording();
  expect((await readAll(tree.read(root), 4)).length).toBe(4);
  await expect(readAll(tree.read(root), 3)).rejects.toMatchObject({ code: 'too_large' });
});
