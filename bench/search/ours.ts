/**
 * Our side: searches in a package that is kept, in a process of its own. Arguments: folder of the package, entries, shape. Works: `build` makes
 * the index; any other does all queries of its variant and tells how long each took and how much it found.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '#model/clock.ts';
import { root } from '#model/path.ts';
import { searchTree } from '#sources/search.ts';
import type { Done } from '../bench.ts';
import { serveSide } from '../processes.ts';
import { openData, type Shape } from '../size/entries.ts';
import { type Kind, queriesOf } from './queries.ts';

/** Of all queries: of a hundred times the 99th percentile would be the worst one. */
const rounds = 5;

const [folder = '', size = '', shape = 'flat'] = process.argv.slice(2) as [string?, string?, Shape?];
const count = Number(size);
const { packages, actor, reference, id, state } = await openData(folder, count, shape);

async function build(): Promise<Done> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const since = performance.now();
  packages.search.refresh(id);
  await packages.search.settled();
  const seconds = (performance.now() - since) / 1000;
  delay.disable();
  const { db } = state;
  const [blocks, grams] = await Promise.all([
    db
      .selectFrom('search_block')
      .select((on) => on.fn.sum<number>(on.fn('length', ['paths'])).as('bytes'))
      .executeTakeFirst(),
    db
      .selectFrom('search_gram')
      .select((on) => on.fn.sum<number>(on.fn('length', ['blocks'])).as('bytes'))
      .executeTakeFirst(),
  ]);
  const facts = {
    'names B per path': (blocks?.bytes ?? 0) / count,
    'grams B per path': (grams?.bytes ?? 0) / count,
    'loop delay max ms': delay.max / 1e6,
    'loop delay p99 ms': delay.percentile(99) / 1e6,
  };
  return { units: count, seconds, facts };
}

async function query(variant: Kind): Promise<Done> {
  const times: number[] = [];
  const firsts: number[] = [];
  const hits: number[] = [];
  const { tree } = await packages.open(actor, 'list', reference, root);
  const texts = queriesOf(variant, count, shape);
  for (const text of Array.from({ length: rounds }, () => texts).flat()) {
    const since = performance.now();
    let found = 0;
    for await (const _ of searchTree(tree, root, { text, clock: systemClock })) if (found++ === 0) firsts.push(performance.now() - since);
    times.push(performance.now() - since);
    hits.push(found);
  }
  writeFileSync(join(folder, `hits-${variant}.json`), JSON.stringify(hits.slice(0, texts.length)));
  const facts = { 'p50 ms': partOf(times, 0.5), 'p99 ms': partOf(times, 0.99), 'first hit p99 ms': partOf(firsts, 0.99) };
  return {
    units: times.length,
    seconds: times.reduce((sum, one) => sum + one, 0) / 1000,
    facts: { ...facts, 'first query ms': times[0] ?? 0 },
  };
}

function partOf(times: readonly number[], part: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

serveSide({ build, query: (variant) => query(variant as Kind) });
