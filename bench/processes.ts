/**
 * Sides that are processes of their own: commands that run once and end, and modules of ours that stay warm between runs. Also what
 * Linux knows of a process: CPU-seconds and peak memory.
 */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Done, Work } from './bench.ts';

export interface CommandOptions {
  /** In addition to those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Where stdout goes; to nobody where left out. */
  readonly output?: string;
  /** Run on this core alone. */
  readonly core?: number;
}

/** What one run of a command took. */
export interface Usage {
  readonly seconds: number;
  readonly cpu: number;
  readonly rss: number;
  /** Milliseconds until the first byte of `output`, as seen every few milliseconds. */
  readonly firstByte: number | undefined;
}

const lookEvery = 5;
const ticks = 100;

/** Runs a command to its end. Throws with the end of its stderr where it fails. */
export async function runCommand(command: string, args: readonly string[], options: CommandOptions = {}): Promise<Usage> {
  const output = options.output === undefined ? 'ignore' : openSync(options.output, 'w');
  const since = performance.now();
  const before = childrenCpu();
  const child = spawnPinned(command, args, options.core, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', output, 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2000);
  });
  let rss = 0;
  let firstByte: number | undefined;
  const look = setInterval(() => {
    rss = Math.max(rss, peakOfTree(child.pid ?? 0));
    if (firstByte === undefined && options.output !== undefined && statSync(options.output).size > 0) firstByte = performance.now() - since;
  }, lookEvery);
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    const seconds = (performance.now() - since) / 1000;
    if (code !== 0) throw new Error(`${command} ended with ${code}: ${said.trim()}`);
    return { seconds, cpu: childrenCpu() - before, rss, firstByte };
  } finally {
    clearInterval(look);
    if (typeof output === 'number') closeSync(output);
  }
}

/** A process that stays, on a core of its own where the machine has it. The caller ends it. */
export function spawnPinned(command: string, args: readonly string[], core: number | undefined, options: SpawnOptions): ChildProcess {
  if (core === undefined || core >= availableParallelism() || !hasTaskset()) return spawn(command, args, options);
  return spawn('taskset', ['-c', String(core), command, ...args], options);
}

/** Whether a command can be run. */
export function isOnPath(command: string): boolean {
  try {
    execFileSync('/bin/sh', ['-c', 'command -v -- "$1"', 'sh', command], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

let taskset: boolean | undefined;

function hasTaskset(): boolean {
  taskset ??= isOnPath('taskset');
  return taskset;
}

/** User and system, in seconds, of a process that runs; of this one without `pid`. To 10 ms. */
export function cpuOf(pid: number | 'self' = 'self'): number {
  const [user = 0, system = 0] = statOf(pid).slice(11, 13);
  return (user + system) / ticks;
}

/** User and system, in seconds, of the children of this process that ended, and of theirs. To 10 ms. */
export function childrenCpu(): number {
  const [user = 0, system = 0] = statOf('self').slice(13, 15);
  return (user + system) / ticks;
}

/** The fields of /proc/PID/stat behind the name of the command: state first. */
function statOf(pid: number | 'self'): number[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
}

/** Peak resident memory in bytes (VmHWM); 0 where the process is gone. */
export function peakOf(pid: number | 'self'): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function peakOfTree(pid: number): number {
  let sum = peakOf(pid);
  try {
    for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' '))
      if (child !== '') sum += peakOfTree(Number(child));
  } catch {
    return sum;
  }
  return sum;
}

/**
 * A module of ours in a process of its own, so that no side is slowed by what another left in the compiler's caches. The module calls
 * `serveSide`; each `run` asks for one of its works. CPU and peak memory are those of the process.
 */
export class SideProcess {
  readonly #child: ChildProcess;

  constructor(
    module: URL,
    options: { readonly args?: readonly string[]; readonly nodeArgs?: readonly string[]; readonly core?: number } = {},
  ) {
    const args = [...(options.nodeArgs ?? []), fileURLToPath(module), ...(options.args ?? [])];
    this.#child = spawnPinned(process.execPath, args, options.core, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async run(work: string, variant = ''): Promise<Done> {
    const waiting = new AbortController();
    const { signal } = waiting;
    this.#child.send({ work, variant });
    const [answer] = (await Promise.race([once(this.#child, 'message', { signal }), once(this.#child, 'exit', { signal })]).finally(() =>
      waiting.abort(),
    )) as [Done | { error: string } | number | null];
    if (answer === null || typeof answer === 'number') throw new Error(`The process of ${work} ended with ${answer}.`);
    if ('error' in answer) throw new Error(answer.error);
    return { rss: peakOf(this.pid), ...answer };
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }
}

/** To be called once by the module of a SideProcess: does the works that are asked for, by name. The process ends with its parent. */
export function serveSide(works: Readonly<Record<string, Work>>): void {
  const answer = async ({ work, variant }: { work: string; variant: string }): Promise<Done> => {
    const run = works[work];
    if (run === undefined) throw new Error(`There is no work ${work}.`);
    const since = performance.now();
    const before = process.cpuUsage();
    const done = await run(variant);
    const { user, system } = process.cpuUsage(before);
    const measured = { seconds: (performance.now() - since) / 1000, cpu: (user + system) / 1e6 };
    return typeof done === 'number' ? { ...measured, units: done } : { ...measured, ...done };
  };
  process.on('message', (message: { work: string; variant: string }) => {
    answer(message).then(
      (done) => process.send?.(done),
      (error: Error) => process.send?.({ error: error.stack ?? error.message }),
    );
  });
  process.once('disconnect', () => process.exit());
}
