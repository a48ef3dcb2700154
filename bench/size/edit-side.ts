/** The edits of the bench, in a process of their own: COUNT KEPT FOLDER. Each begins with a copy of the same draft. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Path } from '#model/path.ts';
import type { EditOutcome } from '#packages/drafts.ts';
import type { Done } from '../bench.ts';
import { serveSide } from '../processes.ts';
import { type OpenedPackage, openPackage } from './entries.ts';
import { type Watched, watched } from './watch.ts';

const [given = '', kept = '', folder = ''] = process.argv.slice(2);
const count = Number(given);
const all = ['scenes' as Path];

/** What a request answers at once, and the job that does it. */
const edits: Readonly<Record<string, (data: OpenedPackage) => Promise<EditOutcome>>> = {
  move: ({ packages, actor, reference }) => packages.move(actor, reference, all, 'moved' as Path),
  copy: ({ packages, actor, reference }) => packages.copy(actor, reference, all, 'copied' as Path),
  remove: ({ packages, actor, reference }) => packages.remove(actor, reference, all),
  meta: ({ packages, actor, reference }) => packages.setMeta(actor, reference, { paths: all }, { mission: 'seventh' }),
};

/** The edit, its undo and redo, and the next edit after an undo, which puts away what was undone. */
async function edit(name: string): Promise<Done> {
  return withCopy(name, async (data) => {
    const { packages, actor, reference, state } = data;
    const run = edits[name];
    if (run === undefined) throw new Error(`There is no edit ${name}.`);
    let answered = 0;
    const did = await watched(state, async () => {
      const since = performance.now();
      const outcome = await run(data);
      answered = performance.now() - since;
      await endOf(data, outcome);
    });
    const undo = await timed(() => packages.undo(actor, reference));
    const redo = await timed(() => packages.redo(actor, reference));
    await packages.undo(actor, reference);
    const next = await watched(state, () => packages.mkdir(actor, reference, 'next' as Path));
    return doneOf(did, { 'answer ms': answered, 'undo ms': undo, 'redo ms': redo, ...told('next edit', next) });
  });
}

/** A move that is cancelled when half of it is done: how long it takes until nothing of it is left. */
async function cancel(name: string): Promise<Done> {
  return withCopy(name, async (data) => {
    const { jobs, packages, actor, reference, state } = data;
    const outcome = await packages.move(actor, reference, all, 'moved' as Path);
    if (!('job' in outcome)) throw new Error('It was no job.');
    const { id } = outcome.job;
    const until = count;
    while ((await jobs.get(actor, id)).progress.done < until) await wait(20);
    const did = await watched(state, async () => {
      await jobs.cancel(actor, id);
      const { state: end } = await jobs.wait(id);
      if (end !== 'cancelled') throw new Error(`It ended as ${end}.`);
    });
    return doneOf(did, {});
  });
}

function doneOf({ seconds, cpu, facts }: Watched, more: Readonly<Record<string, number>>): Done {
  return { units: count, seconds, cpu, facts: { ...facts, ...more } };
}

function told(name: string, { seconds, facts }: Watched): Record<string, number> {
  return {
    [`${name} s`]: seconds,
    [`${name} loop max ms`]: facts['loop max ms'] ?? 0,
    [`${name} one row p99 ms`]: facts['one row p99 ms'] ?? 0,
  };
}

async function endOf({ jobs }: OpenedPackage, outcome: EditOutcome): Promise<void> {
  if (!('job' in outcome)) return;
  const { state, error } = await jobs.wait(outcome.job.id);
  if (state !== 'done') throw new Error(`The edit ended as ${state}: ${error?.message}`);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const since = performance.now();
  await work();
  return performance.now() - since;
}

async function withCopy(name: string, work: (data: OpenedPackage) => Promise<Done>): Promise<Done> {
  const scratch = join(folder, name);
  const data = await openPackage(kept, count, 'tree', { scratch });
  try {
    return await work(data);
  } finally {
    await data.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

serveSide({ edit, cancel });
