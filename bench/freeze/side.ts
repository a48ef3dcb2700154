/** The process in which packages are frozen; its arguments: entries, shape, scratch folder. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { DraftStep } from '#packages/draft-step.ts';
import { claimStep } from '#packages/open-step.ts';
import { parseReference, type VersionView } from '#packages/package.ts';
import type { Done } from '../bench.ts';
import { serveSide } from '../processes.ts';
import { makePointer, type OpenedPackage, openPackage, type Shape } from '../size/entries.ts';

const [entries = '', shape = 'tree', scratch = ''] = process.argv.slice(2);
const count = Number(entries);
const kept = fileURLToPath(new URL('../../.cache/bench/size', import.meta.url));
const edits = 100;
const [openDraft, openFrozen] = [false, true].map(
  (frozen) => async () => openPackage(kept, count, shape as Shape, { frozen, scratch: await newFolder() }),
) as [() => Promise<OpenedPackage>, () => Promise<OpenedPackage>];

async function newFolder(): Promise<string> {
  return join(await mkdtemp(join(scratch, 'state-')), 'data');
}

async function closeAndRemove(data: OpenedPackage): Promise<void> {
  await data.close();
  await rm(join(data.folder, '..'), { recursive: true });
}

/** Bytes that this process gave to files. */
function written(): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}

async function freeze(data: OpenedPackage, units: number): Promise<Done & { version: VersionView }> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const before = written();
  const since = performance.now();
  const cpu = process.cpuUsage();
  const version = await data.packages.freeze(data.actor, data.reference);
  const ms = performance.now() - since;
  const { user, system } = process.cpuUsage(cpu);
  delay.disable();
  const facts = {
    ms,
    'loop p99 ms': (delay.percentile(99) - 5e6) / 1e6,
    'loop max ms': (delay.max - 5e6) / 1e6,
    'written KiB': (written() - before) / 1024,
  };
  return { units, seconds: ms / 1000, cpu: (user + system) / 1e6, facts, version };
}

let frozen: Promise<OpenedPackage> | undefined;
let round = 0;

/** Changes the metadata of 100 entries in one step, each time others, and freezes. */
async function freezeEdits(places: (round: number) => number[]): Promise<Done> {
  frozen ??= openFrozen();
  const data = await frozen;
  const paths = places(round++).map((index) => makePointer(index % count, shape as Shape).path);
  await data.packages.setMeta(data.actor, data.reference, { paths }, { round });
  const { version: _, ...done } = await freeze(data, edits);
  return done;
}

const numbers = Array.from({ length: edits }, (_, index) => index);

let expected = '';

serveSide({
  async new() {
    const data = await openDraft();
    const { version, ...done } = await freeze(data, count);
    await closeAndRemove(data);
    if (!expected.includes(version.digest)) throw new Error(`the digest is ${version.digest}, not ${expected}`);
    return done;
  },
  clustered: () => freezeEdits((one) => numbers.map((index) => one * 7919 + index)),
  scattered: () => freezeEdits((one) => numbers.map((index) => one * 7919 + Math.floor((index * count) / edits))),
  /** The digest that others found, for the first version. */
  async digest(said) {
    expected = said;
    return 0;
  },
  /** The same set in other orders and batches is the same digest. */
  async orders() {
    const some = 3000;
    const digests = new Set<string>();
    const data = await openPackage(join(scratch, 'few'), 1, 'flat', { scratch: await newFolder() });
    for (const [name, step, batch] of [
      ['a', 1, 500],
      ['b', 7, 311],
      ['c', 2999, 97],
    ] as const) {
      const reference = parseReference(`steward/order-${name}`);
      const { id } = await data.packages.create(data.actor, reference);
      const claim = { package: id, job: name };
      await data.state.write(claimStep(data.state, claim));
      const draft = await DraftStep.open(data.state, claim);
      const pointers = Array.from({ length: some }, (_, index) => makePointer((index * step) % some, 'tree'));
      for (let at = 0; at < some; at += batch) await draft.put(pointers.slice(at, at + batch), 'replace');
      await draft.commit({ operation: 'put', summary: '', actor: data.actor.id, at: 0 });
      digests.add((await data.packages.freeze(data.actor, reference)).digest);
    }
    await closeAndRemove(data);
    if (digests.size !== 1) throw new Error(`the digest depends on the order: ${[...digests].join(', ')}`);
    return 0;
  },
});
