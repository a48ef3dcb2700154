/**
 * Benchmarks: `npm run -s bench -- NAME [--json]`. Each compares our work per second with a peer's on the same work in the same run: pairs
 * in turn after a warm-up, the ratio within each pair, medians. The work is checked to be the same first. Results go to bench/RESULTS.md.
 */
import { cpus, loadavg, totalmem } from 'node:os';
import { digest } from './digest.ts';

export interface Bench {
  readonly name: string;
  /** What one unit of work is: entries, URLs. */
  readonly unit: string;
  /** Proves that all sides do the same work; throws where they do not. */
  verify(): Promise<void> | void;
  /** Does the work once; gives the units done. */
  ours(): Promise<number> | number;
  readonly peers: Readonly<Record<string, () => Promise<number> | number>>;
  close?(): void;
}

const benches: readonly Bench[] = [digest];
const pairs = 5;

async function rateOf(work: () => Promise<number> | number): Promise<number> {
  const since = performance.now();
  const units = await work();
  return units / ((performance.now() - since) / 1000);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function compare(bench: Bench): Promise<unknown> {
  await bench.verify();
  const ours: number[] = [];
  const peers: Record<string, number> = {};
  const ratios: Record<string, number> = {};
  const spread: Record<string, [number, number]> = {};
  for (const [peer, work] of Object.entries(bench.peers)) {
    await bench.ours();
    await work();
    const theirs: number[] = [];
    const inPairs: number[] = [];
    for (let pair = 0; pair < pairs; pair++) {
      const our = await rateOf(bench.ours);
      const their = await rateOf(work);
      ours.push(our);
      theirs.push(their);
      inPairs.push(our / their);
    }
    peers[peer] = Math.round(median(theirs));
    ratios[peer] = Number(median(inPairs).toFixed(2));
    spread[peer] = [Number(Math.min(...inPairs).toFixed(2)), Number(Math.max(...inPairs).toFixed(2))];
  }
  const cpu = cpus();
  const setting = `${cpu.length} × ${cpu[0]?.model ?? 'CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}, load ${loadavg()[0]?.toFixed(1)}`;
  return {
    name: bench.name,
    unit: `${bench.unit}/s`,
    ours: Math.round(median(ours)),
    peers,
    ratios,
    spread,
    setting,
    noisy: (loadavg()[0] ?? 0) > 0.5,
  };
}

const [name, ...flags] = process.argv.slice(2);
const bench = benches.find((one) => one.name === name);
if (bench === undefined) {
  console.error(`Name one of: ${benches.map((one) => one.name).join(', ')}`);
  process.exitCode = 2;
} else {
  const result = await compare(bench);
  bench.close?.();
  console.log(flags.includes('--json') ? JSON.stringify(result) : JSON.stringify(result, null, 2));
}
