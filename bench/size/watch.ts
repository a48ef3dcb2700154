/** What long work does to others in the same process: delays of the event loop, and how long a write of one row takes meanwhile. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import type { State } from '#state/state.ts';

export interface Watched {
  readonly seconds: number;
  /** User and system, in seconds, of this process. */
  readonly cpu: number;
  readonly facts: Readonly<Record<string, number>>;
}

const writeEvery = 20;

/** Does the work while one row is written every 20 ms, as requests do. */
export async function watched(state: State, work: () => Promise<unknown>): Promise<Watched> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const ending = new AbortController();
  const writing = writeRows(state, ending.signal);
  delay.enable();
  const before = process.cpuUsage();
  const since = performance.now();
  await work();
  const seconds = (performance.now() - since) / 1000;
  const { user, system } = process.cpuUsage(before);
  delay.disable();
  ending.abort();
  const waits = (await writing).sort((a, b) => a - b);
  const at = (share: number): number => waits[Math.min(waits.length - 1, Math.floor(waits.length * share))] ?? 0;
  const facts = {
    'loop max ms': delay.max / 1e6,
    'loop p99 ms': delay.percentile(99) / 1e6,
    'one row p50 ms': at(0.5),
    'one row p99 ms': at(0.99),
    'one row max ms': at(1),
    'one row writes': waits.length,
  };
  return { seconds, cpu: (user + system) / 1e6, facts };
}

/** Milliseconds that each write of one row took, one at a time. */
async function writeRows(state: State, signal: AbortSignal): Promise<number[]> {
  const waits: number[] = [];
  for (let index = 0; !signal.aborted; index++) {
    const since = performance.now();
    const row = { key: 'bench', value: JSON.stringify(index) };
    await state.write({ query: state.db.replaceInto('setting').values(row) });
    waits.push(performance.now() - since);
    await wait(Math.max(0, writeEvery - (performance.now() - since)));
  }
  return waits;
}
