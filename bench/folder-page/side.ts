/** The process that pages; its arguments: entries, pages of a run, scratch folder. */
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { type Path, parsePath, root } from '#model/path.ts';
import type { TreePage } from '#model/tree.ts';
import type { EditOutcome } from '#packages/drafts.ts';
import type { Done } from '../bench.ts';
import { serveSide } from '../processes.ts';
import { folderOf, folderSize, makePointer, type OpenedPackage, openPackage } from '../size/entries.ts';

const [entries = '', pages = '', scratch = ''] = process.argv.slice(2);
const count = Number(entries);
const pageCount = Number(pages);
const kept = fileURLToPath(new URL('../../.cache/bench/size', import.meta.url));
const limit = 1000;
const resolution = 5;
const isVersion: Readonly<Record<string, true>> = { version: true, 'renamed-version': true };

interface Shown {
  readonly data: OpenedPackage;
  readonly version: boolean;
  readonly folder: Path;
  /** What stands at a place of the folder. */
  pathOf(index: number): string;
  readonly size: number;
}

let flat: Promise<OpenedPackage> | undefined;
let tree: Promise<OpenedPackage> | undefined;
let stage = 'draft';

/** Brings the package to where the variant has it: forward only. */
async function shownIn(variant: string): Promise<Shown> {
  if (variant === 'folders') {
    tree ??= openPackage(kept, count, 'tree', { frozen: true });
    return { data: await tree, version: true, folder: parsePath('scenes'), pathOf: folderOf, size: Math.ceil(count / folderSize) };
  }
  flat ??= openPackage(kept, count, 'flat', { frozen: true, scratch: join(scratch, 'data') });
  const data = await flat;
  const { packages, actor, reference } = data;
  if (stage === 'draft' && /^renamed|undone/.test(variant)) {
    await finish(data, await packages.move(actor, reference, [parsePath('all')], parsePath('big')));
    stage = 'renamed';
  }
  if (stage === 'renamed' && variant === 'undone') {
    await packages.undo(actor, reference);
    stage = 'undone';
  }
  const folder = parsePath(variant === 'renamed' ? 'big' : 'all');
  const pathOf = (index: number) => makePointer(index, 'flat').path.replace('all/', `${folder}/`);
  return { data, version: isVersion[variant] === true, folder, pathOf, size: count };
}

async function finish({ jobs }: OpenedPackage, outcome: EditOutcome): Promise<void> {
  if (!('job' in outcome)) return;
  const { state, error } = await jobs.wait(outcome.job.id);
  if (state !== 'done') throw new Error(`The job ended as ${state}: ${error?.message}`);
}

async function open({ data, version }: Shown, folder: Path) {
  const reference = version ? { ...data.reference, version: 1 } : data.reference;
  return data.packages.open(data.actor, 'list', reference, folder);
}

async function readPage(shown: Shown, index: number): Promise<TreePage> {
  const { tree: opened, version, package: view } = await open(shown, root);
  const step = version?.step ?? view.head;
  const cursor = Buffer.from(JSON.stringify([shown.data.id, step, shown.folder, shown.pathOf(index)])).toString('base64url');
  return opened.list(shown.folder, { cursor, limit });
}

function prove(shown: Shown, index: number, page: TreePage): void {
  const wanted = Math.min(limit, shown.size - index);
  const [first, last] = [page.entries[0], page.entries.at(-1)];
  const isRight = (entry: typeof first, at: number) =>
    entry !== undefined && 'path' in entry && entry.path === shown.pathOf(at).slice(0, entry.path.length);
  if (page.entries.length !== wanted || !isRight(first, index) || !isRight(last, index + wanted - 1))
    throw new Error(
      `A page is wrong: ${page.entries.length} rows from ${JSON.stringify(first)} instead of ${wanted} from ${shown.pathOf(index)}.`,
    );
}

async function listRoot(shown: Shown): Promise<number> {
  const since = performance.now();
  const { tree: opened } = await open(shown, root);
  const page = await opened.list(root, { limit });
  const ms = performance.now() - since;
  if (page.entries.length !== 1) throw new Error(`The root shows ${page.entries.length} entries.`);
  return ms;
}

function delayOf(histogram: ReturnType<typeof monitorEventLoopDelay>, share: number): number {
  return Math.max(0, histogram.percentile(share) / 1e6 - resolution);
}

async function run(variant: string): Promise<Done> {
  const shown = await shownIn(variant);
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  const firstGap = await listRoot(shown);
  const again = await listRoot(shown);
  const times: number[] = [];
  for (let page = 0; page < pageCount; page++) {
    const index = shown.size === count ? Math.floor(Math.random() * count) : 0;
    const since = performance.now();
    const found = await readPage(shown, index);
    times.push(performance.now() - since);
    prove(shown, index, found);
  }
  delay.disable();
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return {
    units: pageCount,
    seconds: times.reduce((sum, one) => sum + one, 0) / 1000,
    facts: {
      'p50 ms': at(0.5),
      'p99 ms': at(0.99),
      'worst ms': at(1),
      'first gap ms': firstGap,
      'again ms': again,
      'loop p99 ms': delayOf(delay, 99),
      'loop max ms': delayOf(delay, 100),
    },
  };
}

const variants = ['folders', 'draft', 'version', 'renamed', 'renamed-version', 'undone'];

serveSide({
  ...Object.fromEntries(variants.map((variant) => [variant, () => run(variant)])),
  async prove() {
    for (const variant of ['folders', 'draft', 'version']) {
      const shown = await shownIn(variant);
      for (const index of [0, Math.max(0, shown.size - 7)]) prove(shown, index, await readPage(shown, index));
    }
    return 0;
  },
});
