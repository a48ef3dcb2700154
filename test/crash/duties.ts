/** What a process does while it is killed. Each duty is one operation, which resolves when it was acknowledged. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseName } from '#model/name.ts';
import { parsePath, root } from '#model/path.ts';
import type { EditOutcome } from '#packages/drafts.ts';
import { parseReference } from '#packages/package.ts';
import { curator, ended, openWorld, reference, type World } from './world.ts';

export interface Duty {
  readonly name: string;
  /** Told once what was promised: `begun` for a job that is durable, `done` for what is seen from now on. */
  run(world: World, folder: string, tell: (promise: 'begun' | 'done') => void): Promise<void>;
  /** The data folder that it begins with; `plain` where left out. */
  readonly base?: Base;
  /** What may be seen besides while it goes on, until somebody recovers. */
  readonly isBetween?: (seen: string) => boolean;
}

/** plain: see `prepare` · grown: with a draft so large that what is done to it becomes a job · old: as the first released schema keeps it. */
export type Base = 'plain' | 'grown' | 'old';

const p = parsePath;
const src = parseName('src');

async function follow(world: World, outcome: EditOutcome, tell: (promise: 'begun' | 'done') => void): Promise<void> {
  if ('job' in outcome) {
    tell('begun');
    await ended(world, outcome.job);
  }
  tell('done');
}

const annex = (name: string, copyTexts: boolean, folder: string): Duty => ({
  name,
  async run(world, _folder, tell) {
    const select = { folder: folder === '' ? root : p(folder) };
    const request = { source: src, select, to: p('annexed'), copyTexts };
    await follow(world, { job: await world.packages.annex(curator, reference, request) }, tell);
  },
});

const simple = (name: string, act: (world: World) => Promise<unknown>, base: Base = 'plain'): Duty => ({
  name,
  base,
  async run(world, _folder, tell) {
    await act(world);
    tell('done');
  },
});

export const duties: readonly Duty[] = [
  annex('annex', false, 's'),
  annex('annex with texts', true, ''),
  simple('put', ({ packages }) => packages.put(curator, reference, p('README.md'), Buffer.from('# Third\n'))),
  simple('put more', async ({ packages }) => {
    await packages.put(curator, reference, p('deep/er/new.md'), Buffer.from('new\n'.repeat(5000)));
  }),
  {
    name: 'move',
    base: 'grown',
    async run(world, _folder, tell) {
      await follow(world, await world.packages.move(curator, reference, [p('big')], p('moved/here')), tell);
    },
  },
  {
    name: 'move a little',
    async run(world, _folder, tell) {
      await follow(world, await world.packages.move(curator, reference, [p('first'), p('README.md')], p('second')), tell);
    },
  },
  {
    name: 'remove',
    base: 'grown',
    async run(world, _folder, tell) {
      await follow(world, await world.packages.remove(curator, reference, [p('big'), p('second')]), tell);
    },
  },
  {
    name: 'restore',
    base: 'grown',
    async run(world, _folder, tell) {
      await follow(world, await world.packages.restore(curator, reference, 1), tell);
    },
  },
  {
    name: 'fork',
    isBetween: (seen) => seen.includes('"tree": "0 '),
    async run(world, _folder, tell) {
      const { outcome } = await world.packages.fork(curator, { ...reference, version: 2 }, parseReference('admin/fork'));
      await follow(world, outcome, tell);
    },
  },
  simple('undo', ({ packages }) => packages.undo(curator, reference)),
  simple('redo', ({ packages }) => packages.redo(curator, reference)),
  simple('freeze', ({ packages }) => packages.freeze(curator, reference, { message: 'Third' })),
  simple('freeze much', ({ packages }) => packages.freeze(curator, reference, { message: 'Third' }), 'grown'),
  simple('withdraw', ({ packages }) => packages.withdraw(curator, { ...reference, version: 1 }, { reason: 'wrong' })),
  {
    name: 'delete',
    base: 'grown',
    async run(world, _folder, tell) {
      await follow(world, { job: await world.packages.delete(curator, reference) }, tell);
    },
  },
  {
    name: 'backup',
    async run(world, folder, tell) {
      await mkdir(join(folder, 'backups'), { recursive: true });
      const written = world.packages.put(curator, reference, p('notes.md'), Buffer.from('While it is copied.\n'));
      await Promise.all([world.state.backup(join(folder, 'backups', 'copy.sqlite')), written]);
      tell('done');
    },
  },
  {
    name: 'migration',
    base: 'old',
    async run(_world, folder, tell) {
      const world = await openWorld(folder);
      tell('done');
      await world.close();
    },
  },
];
