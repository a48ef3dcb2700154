/**
 * Benchmarks: `npm run -s bench -- NAME [--json] [--pairs N] [--peers A,B] [--variants A,B] [--FLAG VALUE …]`. Each compares our work per
 * second with a peer's on the same work in the same run: the work is proven to be the same, both sides are warmed up, then they run in
 * pairs whose order alternates; the ratio is taken within each pair; medians are told with their spread. Results go to bench/RESULTS.md.
 */
import { cpus, loadavg, release, totalmem } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import type { Bench, Peer, Work } from './bench.ts';
import { childrenCpu } from './processes.ts';

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  digest: async () => (await import('./digest.ts')).digest,
  annex: async () => (await import('./annex.ts')).annex,
  edit: async () => (await import('./edit.ts')).edit,
  presign: async () => (await import('./presign.ts')).presign,
  redirect: async () => (await import('./redirect.ts')).redirect,
  'folder-page': async () => (await import('./folder-page.ts')).folderPage,
  freeze: async () => (await import('./freeze.ts')).freeze,
  memory: async () => (await import('./memory.ts')).memory,
  zip: async () => (await import('./zip.ts')).zip,
  'list-latency': async () => (await import('./list-latency.ts')).listLatency,
  'list-local': async () => (await import('./list-local.ts')).listLocal,
  search: async () => (await import('./search.ts')).search,
};

const quietLoad = 0.5;
const quietWithin = 60_000;
/** Part of the median by which the ratios of pairs may differ. */
const steady = 0.1;

interface Sample {
  readonly wall: number;
  readonly cpu: number;
  readonly rss: number | undefined;
  readonly facts: Readonly<Record<string, number>>;
}

interface Comparison {
  readonly ours: readonly Sample[];
  readonly theirs: readonly Sample[];
}

async function sample(work: Work, variant: string): Promise<Sample> {
  const since = performance.now();
  const own = process.cpuUsage();
  const children = childrenCpu();
  const done = await work(variant);
  const { units, seconds, cpu, rss, facts = {} } = typeof done === 'number' ? { units: done } : done;
  const { user, system } = process.cpuUsage(own);
  const spent = cpu ?? (user + system) / 1e6 + childrenCpu() - children;
  return { wall: units / (seconds ?? (performance.now() - since) / 1000), cpu: units / spent, rss, facts };
}

async function compare(bench: Bench, peer: Peer, variant: string, asked: number | undefined): Promise<Comparison> {
  const pairs = asked ?? peer.pairs ?? bench.pairs ?? 5;
  await bench.ours(variant);
  if (peer.warmUp !== false) await peer.work(variant);
  const ours: Sample[] = [];
  const theirs: Sample[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const sides = [async () => ours.push(await sample(bench.ours, variant)), async () => theirs.push(await sample(peer.work, variant))];
    for (const side of pair % 2 === 0 ? sides : sides.reverse()) await side();
  }
  return { ours, theirs };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function round(value: number): number {
  return Number(value.toPrecision(value >= 1000 ? 6 : 3));
}

/** The figures of one variant of the work. */
async function measure(bench: Bench, peers: readonly (readonly [string, Peer])[], variant: string, pairs: number | undefined) {
  const rate = bench.measure ?? 'wall';
  const all: Record<string, Sample[]> = { ours: [] };
  const ratios: Record<string, number> = {};
  const spread: Record<string, readonly [number, number]> = {};
  const counts: Record<string, number> = {};
  for (const [name, peer] of peers) {
    const { ours, theirs } = await compare(bench, peer, variant, pairs);
    all['ours']?.push(...ours);
    all[name] = [...theirs];
    const inPairs = ours.map((our, pair) => our[rate] / (theirs[pair]?.[rate] ?? Number.NaN));
    ratios[name] = round(median(inPairs));
    spread[name] = [round(Math.min(...inPairs)), round(Math.max(...inPairs))];
    counts[name] = inPairs.length;
  }
  if (peers.length === 0) for (let run = 0; run < (pairs ?? bench.pairs ?? 5); run++) all['ours']?.push(await sample(bench.ours, variant));
  const medians = (take: (one: Sample) => number | undefined): Record<string, number> => {
    const rows = Object.entries(all).map(([name, samples]) => [name, samples.map(take).filter((one) => one !== undefined)] as const);
    return Object.fromEntries(rows.filter(([, values]) => values.length > 0).map(([name, values]) => [name, round(median(values))]));
  };
  const { ours, ...theirs } = medians((one) => one[rate]);
  const names = new Set(Object.values(all).flatMap((samples) => samples.flatMap((one) => Object.keys(one.facts))));
  const limits = (await bench.limits?.(variant)) ?? {};
  const spreads = Object.entries(spread).map(
    ([name, [low, high]]) => Math.max(high - (ratios[name] ?? 0), (ratios[name] ?? 0) - low) / (ratios[name] ?? 1),
  );
  return {
    ours: ours ?? Number.NaN,
    peers: theirs,
    ratios,
    spread,
    pairs: counts,
    wall: medians((one) => one.wall),
    cpu: medians((one) => (Number.isFinite(one.cpu) ? one.cpu : undefined)),
    rss: medians((one) => one.rss && one.rss / 2 ** 20),
    facts: Object.fromEntries([...names].map((name) => [name, medians((one) => one.facts[name])])),
    limits: Object.fromEntries(
      Object.entries(limits).map(([name, limit]) => [name, { rate: round(limit), share: round((ours ?? 0) / limit) }]),
    ),
    unsteady: spreads.some((one) => one > steady),
  };
}

type Figures = Awaited<ReturnType<typeof measure>>;

/** Of several variants the one in which we are least ahead of a peer speaks for that peer. */
function worstOf(variants: Readonly<Record<string, Figures>>, peers: readonly string[]) {
  const figures = Object.values(variants);
  const worst = (peer: string): Figures | undefined => figures.toSorted((a, b) => (a.ratios[peer] ?? 0) - (b.ratios[peer] ?? 0))[0];
  const by = (take: (one: Figures, peer: string) => unknown) =>
    Object.fromEntries(peers.map((peer) => [peer, worst(peer)]).map(([peer, one]) => [peer, one && take(one as Figures, peer as string)]));
  return {
    ours: Math.min(...figures.map((one) => one.ours)),
    peers: by((one, peer) => one.peers[peer]),
    ratios: by((one, peer) => one.ratios[peer]),
    spread: by((one, peer) => one.spread[peer]),
  };
}

/** Waits for the machine to be quiet; whether it is. */
async function becomesQuiet(): Promise<boolean> {
  const until = performance.now() + quietWithin;
  while ((loadavg()[0] ?? 0) > quietLoad && performance.now() < until) await wait(2000);
  return (loadavg()[0] ?? 0) <= quietLoad;
}

function settingOf(load: number): string {
  const cpu = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `${cpu.length} × ${cpu[0]?.model ?? 'CPU'}, ${memory}, Linux ${release()}, Node ${process.versions.node}, load ${load.toFixed(1)}`;
}

async function run(bench: Bench, flags: Readonly<Record<string, string>>): Promise<unknown> {
  const { pairs, peers: chosenPeers, variants: chosenVariants, ...own } = flags;
  try {
    await bench.prepare?.(own);
    const all = Object.entries(bench.peers).map(([name, peer]) => [name, typeof peer === 'function' ? { work: peer } : peer] as const);
    const asked = all.filter(([name]) => chosenPeers === undefined || chosenPeers.split(',').includes(name));
    const missing = Object.fromEntries(asked.flatMap(([name, peer]) => (peer.missing?.() === undefined ? [] : [[name, peer.missing()]])));
    const there = asked.filter(([name]) => missing[name] === undefined);
    for (const [name, how] of Object.entries(missing)) console.error(`${name} is not there, so it is left out. To get it: ${how}`);
    await bench.verify();
    const isQuiet = await becomesQuiet();
    const load = loadavg()[0] ?? 0;
    const variants: Record<string, Figures> = {};
    for (const variant of bench.variants ?? ['']) {
      if (chosenVariants !== undefined && !chosenVariants.split(',').includes(variant)) continue;
      variants[variant] = await measure(bench, there, variant, pairs === undefined ? undefined : Number(pairs));
    }
    const names = there.map(([name]) => name);
    return {
      name: bench.name,
      unit: `${bench.unit}/${bench.measure === 'cpu' ? 'CPU-s' : 's'}`,
      ...worstOf(variants, names),
      ...(bench.variants === undefined ? variants[''] : { variants }),
      missing,
      notes: bench.notes?.() ?? [],
      setting: settingOf(load),
      noisy: !isQuiet || Object.values(variants).some((one) => one.unsteady),
    };
  } finally {
    await bench.close?.();
  }
}

/** `--json` stands alone, every other flag has a value: `--keys 1000` or `--keys=1000`. */
function parseFlags(args: readonly string[]): Record<string, string> {
  const flags: Record<string, string> = {};
  for (let index = 0; index < args.length; index++) {
    const [flag = '', value] = (args[index] ?? '').split('=', 2);
    if (flag === '--json') continue;
    const given = value ?? args[++index];
    if (!flag.startsWith('--') || given === undefined) throw new Error(`${flag} is no flag with a value.`);
    flags[flag.slice(2)] = given;
  }
  return flags;
}

const [name = '', ...args] = process.argv.slice(2);
const open = benches[name];
if (open === undefined) {
  console.error(`Name one of: ${Object.keys(benches).join(', ')}`);
  process.exitCode = 2;
} else {
  const result = await run(await open(), parseFlags(args));
  console.log(args.includes('--json') ? JSON.stringify(result) : JSON.stringify(result, null, 2));
}
