/** Load from core 1: wrk with one thread, kept connections, random paths; and what the server spent meanwhile. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Done } from '../bench.ts';
import { cpuOf, peakOf } from '../processes.ts';
import type { Served } from './servers.ts';

const script = fileURLToPath(new URL('./paths.lua', import.meta.url));
const run = promisify(execFile);
const connections = 64;
const warmUp = 2;

interface Result {
  readonly requests: number;
  /** Answered with a status of 400 or more. */
  readonly refused: number;
  readonly broken: number;
  readonly late: number;
  readonly micros: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Requests per second at 64 connections after a warm-up of 2 s. Throws where one of them was answered with an error. */
export async function load({ pid }: Served, base: string, options: { readonly seconds: number; readonly folder: string }): Promise<Done> {
  await wrk(base, options.folder, connections, warmUp);
  const before = cpuOf(pid);
  const since = performance.now();
  const { requests, micros, p50, p99, max } = await wrk(base, options.folder, connections, options.seconds);
  const cpu = cpuOf(pid) - before;
  const share = cpu / ((performance.now() - since) / 1000);
  const facts = { 'p50 ms': p50, 'p99 ms': p99, 'max ms': max, 'server share of its core': share };
  return { units: requests, seconds: micros / 1e6, cpu, rss: peakOf(pid), facts };
}

/** One connection, one request at a time. */
export async function latencyOf(base: string, folder: string): Promise<Result> {
  await wrk(base, folder, 1, 1);
  return wrk(base, folder, 1, warmUp);
}

async function wrk(base: string, folder: string, kept: number, seconds: number): Promise<Result> {
  const args = ['-c', '1', 'wrk', '-t1', `-c${kept}`, `-d${seconds}s`, '--timeout', '10s', '--latency', '-s', script, base];
  const { stdout } = await run('taskset', args, { env: { ...process.env, PATHS: join(folder, 'paths') } });
  const result = JSON.parse(/^RESULT (.*)$/m.exec(stdout)?.[1] ?? '{}') as Result;
  const { requests, refused, broken, late } = result;
  if (refused + broken + late !== 0)
    throw new Error(`Of ${requests} requests ${refused} were refused, ${broken} broke, and ${late} were answered too late.`);
  return result;
}
