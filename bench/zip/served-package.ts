/** A real server on a frozen package of many entries with a share of it, as `package-r serve` runs. Anyone with the link may read. */
import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../../test/support/free-port.ts';
import { peakOf, spawnPinned } from '../processes.ts';
import { openPackage, packageName } from '../size/entries.ts';

export interface ServedPackage {
  readonly pid: number;
  /** Peak of its memory before anybody read, in bytes. */
  readonly memory: number;
  /** Of the share, ends in a slash. */
  readonly base: string;
  /** The file of its state, in use. */
  readonly state: string;
  /** Of the package in the state. */
  readonly id: number;
  /** Milliseconds by which the event loop came late since the last time this was asked, and never more than once in a hundred times. */
  loop(): Promise<{ readonly p99: number; readonly max: number }>;
  close(): Promise<void>;
}

const program = fileURLToPath(new URL('../../bin/package-r', import.meta.url));
const kept = fileURLToPath(new URL('../../.cache/bench/size', import.meta.url));

/** On core 0. The data folder is a copy that is removed at the end. */
export async function servePackage(count: number): Promise<ServedPackage> {
  const folder = await mkdtemp(join(tmpdir(), 'package-r-bench-zip-'));
  const dataDir = join(folder, 'data');
  const opened = await openPackage(kept, count, 'tree', { frozen: true, versions: true, scratch: dataDir });
  await opened.close();
  const port = await freePort();
  const env = {
    ...process.env,
    HOME: folder,
    PACKAGE_R_DATA_DIR: dataDir,
    PACKAGE_R_PORT: String(port),
    PACKAGE_R_METRICS_ALLOW: '127.0.0.1',
    // All load comes from one address: what protects against that is not what is measured.
    PACKAGE_R_LIMITS_HTTP_IN_FLIGHT_PER_PEER: '512',
    PACKAGE_R_LIMITS_HTTP_RATES_EXCHANGE_PER_MINUTE: '6000000',
    PACKAGE_R_LIMITS_HTTP_RATES_EXCHANGE_BURST: '600000',
  };
  const child = spawnPinned(program, ['serve'], 0, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  await said(child, 'serves on');
  child.stdout?.resume();
  const { stdout } = await promisify(execFile)(program, ['--json', 'shares', 'add', `${packageName}@1`], { env });
  const { id } = JSON.parse(stdout) as { id: string };
  const origin = `http://127.0.0.1:${port}`;
  return {
    pid: child.pid ?? 0,
    memory: peakOf(child.pid ?? 0),
    base: `${origin}/s/${id}/`,
    state: join(dataDir, 'state.sqlite'),
    id: opened.id,
    loop: async () => readLoop(await (await fetch(`${origin}/metrics`)).text()),
    async close() {
      await end(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function readLoop(metrics: string): { p99: number; max: number } {
  const milliseconds = (name: string): number =>
    Number(new RegExp(`^nodejs_eventloop_lag_${name}_seconds (\\S+)$`, 'm').exec(metrics)?.[1]) * 1000;
  return { p99: milliseconds('p99'), max: milliseconds('max') };
}

/** What a process said until it said this. */
export function said(child: ChildProcess, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    child.once('exit', (code) => reject(new Error(`The server ended with ${code}: ${heard}`)));
    child.stdout?.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      if (heard.includes(text)) resolve(heard);
    });
  });
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
