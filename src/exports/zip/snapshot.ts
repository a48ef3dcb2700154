/**
 * A walk that gives the same leaves each time. A frozen tree is simply walked again; what a live tree gave at first is kept, compressed
 * (some 40 bytes an entry), as a ZIP states sizes before it holds bytes.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Selection } from '#exports/selection.ts';
import type { Leaf } from '#model/entry.ts';
import { compareBytes, type Path } from '#model/path.ts';

interface Block {
  readonly last: Path;
  readonly bytes: Buffer;
}

export async function repeatable(selection: Selection, frozen: boolean): Promise<Selection> {
  if (frozen) return selection;
  const blocks: Block[] = [];
  for await (const leaves of selection.batches()) {
    const last = leaves.at(-1);
    if (last !== undefined) blocks.push({ last: last.path, bytes: deflateRawSync(JSON.stringify(leaves)) });
  }
  return {
    async *batches({ after } = {}) {
      for (const { last, bytes } of blocks) {
        if (after !== undefined && compareBytes(last, after) <= 0) continue;
        const leaves = JSON.parse(inflateRawSync(bytes).toString()) as Leaf[];
        yield after === undefined ? leaves : leaves.filter(({ path }) => compareBytes(path, after) > 0);
      }
    },
  };
}
