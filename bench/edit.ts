/**
 * `edit`: a folder of 1,000,000 entries is moved, copied, removed, given meta; a move is cancelled when half of it is done. Nobody to compare
 * with: the figures are entries a second, what others wait meanwhile, peak memory, and what undo, redo and the next edit after an undo take.
 *
 * Flags: --entries N.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bench, Done } from './bench.ts';
import { SideProcess } from './processes.ts';
import { openPackage } from './size/entries.ts';

const kept = fileURLToPath(new URL('../.cache/bench/size', import.meta.url));

let count = 1_000_000;
let folder = '';

/** A process for each, so that its memory is its own. */
async function run(variant: string): Promise<Done> {
  const side = new SideProcess(new URL('size/edit-side.ts', import.meta.url), {
    args: [String(count), kept, folder],
    nodeArgs: ['--max-semi-space-size=8'],
  });
  try {
    return await side.run(variant === 'cancel' ? 'cancel' : 'edit', variant);
  } finally {
    await side.close();
  }
}

export const edit: Bench = {
  name: 'edit',
  unit: 'entries',
  variants: ['move', 'copy', 'remove', 'meta', 'cancel'],
  pairs: 1,
  async prepare(flags) {
    count = Number(flags['entries'] ?? count);
    folder = await mkdtemp(join(tmpdir(), 'package-r-bench-edit-'));
  },
  /** The draft holds what was annexed. */
  async verify() {
    const data = await openPackage(kept, count, 'tree');
    const step = (await data.packages.log(data.actor, data.reference)).steps[0];
    await data.close();
    if (step?.added !== count) throw new Error(`The draft began with ${step?.added} entries.`);
  },
  ours: run,
  peers: {},
  notes: () => [`${count} entries in folders of 1,000; “next edit” puts away the undone step of all of them`],
  async close() {
    if (folder !== '') await rm(folder, { recursive: true, force: true });
  },
};
