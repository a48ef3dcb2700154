/**
 * A walk that gives the same leaves each time. A frozen tree is simply walked again; what a live tree gave at first is kept, compressed
 * (some 40 bytes an entry), as a ZIP states sizes before it holds bytes.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Selection } from '#exports/selection.ts';
import type { Leaf } from '#model/entry.ts';

const leavesPerBlock = 1000;

export async function repeatable(selection: Selection, frozen: boolean): Promise<Selection> {
  if (frozen) return selection;
  const blocks: Buffer[] = [];
  let leaves: Leaf[] = [];
  const close = () => {
    blocks.push(deflateRawSync(JSON.stringify(leaves)));
    leaves = [];
  };
  for await (const leaf of selection.walk()) {
    leaves.push(leaf);
    if (leaves.length === leavesPerBlock) close();
  }
  close();
  return {
    async *walk() {
      for (const block of blocks) yield* JSON.parse(inflateRawSync(block).toString()) as Leaf[];
    },
  };
}
