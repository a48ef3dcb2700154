/**
 * A page of 1,000 rows of a folder of a million in a package, from anywhere in it: in the draft, in a version, and where a million rows
 * stand that are not shown: after the folder was renamed, at the version before that, and after the renaming was undone.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import { SideProcess } from './processes.ts';

const folder = mkdtempSync(join(tmpdir(), 'package-r-pages-'));
let side: SideProcess;
let count = 1_000_000;

export const folderPage: Bench = {
  name: 'folder-page',
  unit: 'pages',
  // In this order: each but the folders finds the state as the one before left it.
  variants: ['folders', 'draft', 'version', 'renamed', 'renamed-version', 'undone'],
  pairs: 1,
  prepare({ entries = '1000000', pages = '1000' }) {
    count = Number(entries);
    side = new SideProcess(new URL('./folder-page/side.ts', import.meta.url), { args: [entries, pages, folder] });
  },
  verify: async () => void (await side.run('prove')),
  ours: (variant) => side.run(variant),
  peers: {},
  notes: () => [
    `${count} entries in one folder; folders: a folder of ${Math.ceil(count / 1000)} folders of 1,000. Each page is opened, authorised and read by itself, from a random place.`,
    'first gap: the first listing of the root, which has to pass all rows that are not shown; again: the same once more. loop: delay of the event loop meanwhile and while pages were read.',
    'Every page is compared with the rows that it has to show.',
  ],
  async close() {
    await side?.close();
    rmSync(folder, { recursive: true, force: true });
  },
};
