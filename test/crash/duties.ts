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

/**
 * plain: see `prepare` · grown: with a draft so large that what is done to it becomes a job · undone: the same, whose last and large step was
 * undone · old: as the first released schema keeps it.
 */
export type Base = 'plain' | 'grown' | 'undone' | 'old';

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
  simple('upload', async ({ packages }) => {
    const bytes = Buffer.alloc(300_000, 'bin\0');
    const body = async function* () {
      for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
    };
    await packages.putFile(curator, reference, p('data.bin'), body(), { size: bytes.length });
  }),
  {
    name: 'put after a large undo',
    base: 'undone',
    async run(world, _folder, tell) {
      await world.packages.put(curator, reference, p('README.md'), Buffer.from('# Third\n'));
      tell('done');
      for (const { id } of (await world.jobs.list(curator, { state: 'queued' })).jobs) await world.jobs.wait(id);
      for (const { id } of (await world.jobs.list(curator, { state: 'running' })).jobs) await world.jobs.wait(id);
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
  {
    name: 'freeze by a job',
    base: 'grown',
    async run(world, _folder, tell) {
      const started = await world.packages.startFreeze(curator, reference, { message: 'Third' });
      if ('job' in started) await follow(world, { job: started.job }, tell);
      else throw new Error('no job was started');
    },
  },
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
