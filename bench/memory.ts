/**
 * `memory`: what a server holds while slow readers take a list, a ZIP and a bulk exchange of a package at once: `urls.txt`, `package.zip`
 * and POST `exchange` of every path. A fresh server for each run; the readers are curl, held to a few MB/s, so that they are waited for.
 *
 * Variants: `100k` and `1m` (to the end; must hold the same), `stop` (1 M: readers stop half-way for a while, then go on) and `vanish`
 * (1 M: readers are killed half-way, again and again).
 * Flags: --entries N (of all but `100k`), --rate BYTES (a second, of each reader).
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Bench, Done } from './bench.ts';
import { cpuOf, isOnPath, peakOf, spawnPinned } from './processes.ts';
import { makePointers } from './size/entries.ts';
import { type ServedPackage, servePackage } from './zip/served-package.ts';

const few = 100_000;
const pauses = 3;
/** Milliseconds that readers read before they stop or vanish, and for which they stop. */
const [reading, stopped] = [5000, 5000];

let folder = '';
let entries = 1_000_000;
let rate = 6_000_000;

export const memory: Bench = {
  name: 'memory',
  unit: 'entries',
  variants: ['100k', '1m', 'stop', 'vanish'],
  measure: 'cpu',
  pairs: 1,
  async prepare(flags) {
    for (const command of ['curl', 'taskset'])
      if (!isOnPath(command)) throw new Error(`${command} is missing: apt-get install curl util-linux`);
    entries = Number(flags['entries'] ?? entries);
    rate = Number(flags['rate'] ?? rate);
    folder = await mkdtemp(join(tmpdir(), 'package-r-bench-memory-'));
  },
  /** What each reader gets whole is what it asked for, counted in a small package. */
  async verify() {
    const count = 2000;
    await writePaths(count);
    const server = await servePackage(count);
    try {
      const lines = async (url: string, init?: RequestInit) => (await (await fetch(url, init)).text()).split('\n').length - 1;
      const body = await readFile(join(folder, `${count}`), 'utf8');
      const posted = { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body };
      const [listed, exchanged] = [await lines(`${server.base}urls.txt`), await lines(`${server.base}exchange`, posted)];
      if (listed !== count || exchanged !== count) throw new Error(`${listed} URLs and ${exchanged} answers for ${count} entries.`);
    } finally {
      await server.close();
    }
  },
  async ours(variant) {
    const count = variant === '100k' ? few : entries;
    await writePaths(count);
    const server = await servePackage(count);
    try {
      await server.loop();
      const before = cpuOf(server.pid);
      const since = performance.now();
      const runs = variant === 'vanish' ? pauses : 1;
      for (let run = 0; run < runs; run++) await readAll(server, count, variant);
      const { p99, max } = await server.loop();
      const rss = peakOf(server.pid);
      const facts = { 'loop p99 ms': p99, 'loop max ms': max, 'MiB at start': Math.round(server.memory / 2 ** 20) };
      return { units: 3 * count, seconds: (performance.now() - since) / 1000, cpu: cpuOf(server.pid) - before, rss, facts } satisfies Done;
    } finally {
      await server.close();
    }
  },
  peers: {},
  notes: () => [`each reader takes ${rate / 1e6} MB/s; rss is VmHWM of the server, which a run of readers begins with “MiB at start”`],
  async close() {
    if (folder !== '') await rm(folder, { recursive: true, force: true });
  },
};

/** The body of a bulk exchange, in the file named by its count. */
async function writePaths(count: number): Promise<void> {
  const file = createWriteStream(join(folder, `${count}`));
  for await (const { path } of makePointers(count, 'tree')) if (!file.write(`${JSON.stringify(path)}\n`)) await once(file, 'drain');
  file.end();
  await once(file, 'finish');
}

async function readAll({ base }: ServedPackage, count: number, variant: string): Promise<void> {
  const body = ['-X', 'POST', '-H', 'content-type: application/x-ndjson', '-H', 'expect:', '-T', join(folder, `${count}`)];
  const readers = [reader(`${base}urls.txt`), reader(`${base}package.zip`), reader(`${base}exchange`, ...body)];
  const ended = Promise.all(readers.map(finish));
  if (variant === 'stop') {
    for (let pause = 0; pause < pauses; pause++) {
      await wait(reading);
      signal(readers, 'SIGSTOP');
      await wait(stopped);
      signal(readers, 'SIGCONT');
    }
  }
  if (variant === 'vanish') {
    await wait(reading);
    signal(readers, 'SIGKILL');
    await wait(stopped);
  }
  const codes = await ended;
  const isRight = codes.every((code) => code === (variant === 'vanish' ? null : 0));
  if (!isRight) throw new Error(`The readers ended with ${codes.join(', ')}.`);
}

function reader(url: string, ...more: string[]): ChildProcess {
  return spawnPinned('curl', ['-sSf', '--limit-rate', String(rate), '-o', '/dev/null', ...more, url], 1, {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

async function finish(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

/** To those that still read. */
function signal(readers: readonly ChildProcess[], name: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
  for (const child of readers) if (child.exitCode === null) child.kill(name);
}
