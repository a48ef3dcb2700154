/**
 * `zip`: package.zip of a frozen package of 1 M pointers through the HTTP of a real server, to a reader that discards. Peers are bare Node
 * servers that make a stored ZIP of the same pointer files, without its length before, ranges or lists. `archiver` and `fflate` read the
 * same rows of the same state and make the same texts, with our own code for both; `archiver-ready` and `fflate-ready` get names and
 * bytes ready made from a file and only zip.
 *
 * Variants: `first` (the archive was not asked for before: it is planned, then written) and `again` (its plan is remembered).
 * Flags: --entries N, --peer-entries N (peers keep all entries in memory, and fewer are to their advantage).
 */
import { type ChildProcess, execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Bench, Done, Peer } from './bench.ts';
import { cpuOf, isOnPath, peakOf, spawnPinned } from './processes.ts';
import { folderOf, folderSize } from './size/entries.ts';
import { writeRecords } from './zip/records.ts';
import { end, type ServedPackage, said, servePackage } from './zip/served-package.ts';

const run = promisify(execFile);
const packages = fileURLToPath(new URL('../.cache/bench/zip/package.json', import.meta.url));
const install = 'npm install --prefix .cache/bench/zip archiver@8.0.0 fflate@0.8.3';
const peerModule = fileURLToPath(new URL('./zip/peer.ts', import.meta.url));
const checkScript = fileURLToPath(new URL('./zip/check.py', import.meta.url));
const kinds = ['archiver', 'fflate', 'archiver-ready', 'fflate-ready'] as const;
type Kind = (typeof kinds)[number];

let folder = '';
let entries = 1_000_000;
let peerEntries = 100_000;
let asked = 0;
let ours: ServedPackage | undefined;
const peers = new Map<Kind, { readonly child: ChildProcess; readonly base: string }>();
const notes: string[] = [];

export const zip: Bench = {
  name: 'zip',
  unit: 'entries',
  variants: ['first', 'again'],
  measure: 'cpu',
  async prepare(flags) {
    for (const command of ['curl', 'unzip', 'python3', 'taskset'])
      if (!isOnPath(command)) throw new Error(`${command} is missing: apt-get install curl unzip python3 util-linux`);
    entries = Number(flags['entries'] ?? entries);
    peerEntries = Math.min(entries, Number(flags['peer-entries'] ?? peerEntries));
    folder = await mkdtemp(join(tmpdir(), 'package-r-bench-zip-'));
    ours = await servePackage(entries);
    await writeRecords(join(folder, 'records'), peerEntries, ours.base);
    for (const kind of kinds) if (missing(kind) === undefined) await startPeer(kind);
    notes.push(
      `peers: ${peerEntries} entries, read from the state or (-ready) ready made; archiver 8.0.0, fflate 0.8.3, stored, chunks of 64 KiB`,
    );
  },
  async verify() {
    const part = await download(`${known(ours).base}package.zip?folder=${encodeURIComponent(folderOf(0))}`, 'ours.zip');
    const theirs = await Promise.all([...peers].map(([kind, { base }]) => download(`${base}?entries=${folderSize}`, `${kind}.zip`)));
    const { stdout } = await run('python3', [checkScript, part, ...theirs]);
    if (Number(stdout) !== folderSize) throw new Error(`The archives hold ${stdout.trim()} pointer files instead of ${folderSize}.`);
    await run('unzip', ['-tqq', part]);
    const whole = await download(`${known(ours).base}package.zip`, 'whole.zip');
    const listed = await run('zipinfo', ['-t', whole]);
    const members = Number(/^(\d+) files/.exec(listed.stdout)?.[1]);
    if (members < entries || members > entries + 5) throw new Error(`The archive of ${entries} entries has ${members} members.`);
    await rm(whole);
  },
  ours(variant) {
    const { base, pid } = known(ours);
    // Another limit of inline objects, of which there are none, is another archive with the same bytes.
    const query = variant === 'first' ? `?inline=${++asked}` : '';
    return fetchAll(`${base}package.zip${query}`, pid, entries);
  },
  peers: Object.fromEntries(kinds.map((kind) => [kind, peerOf(kind)])),
  notes: () => notes,
  async close() {
    if (ours !== undefined) {
      const { p99, max } = await ours.loop();
      notes.push(`event loop of the server: late by ${p99.toFixed(1)} ms (p99), ${max.toFixed(1)} ms at most`);
    }
    await ours?.close();
    for (const { child } of peers.values()) await end(child);
    if (folder !== '') await rm(folder, { recursive: true, force: true });
  },
};

function peerOf(kind: Kind): Peer {
  return {
    missing: () => missing(kind),
    async work() {
      const { child, base } = known(peers.get(kind));
      return fetchAll(`${base}?entries=${peerEntries}`, child.pid ?? 0, peerEntries);
    },
  };
}

function missing(kind: Kind): string | undefined {
  return existsSync(join(packages, '..', 'node_modules', libraryOf(kind))) ? undefined : install;
}

function libraryOf(kind: Kind): string {
  return kind.replace('-ready', '');
}

async function startPeer(kind: Kind): Promise<void> {
  const { state, id, base } = known(ours);
  const input = kind.endsWith('-ready') ? [join(folder, 'records')] : [state, String(id), base];
  const args = ['--max-old-space-size=3072', peerModule, libraryOf(kind), packages, ...input];
  const child = spawnPinned(process.execPath, args, 0, { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = /port (\d+)/.exec(await said(child, 'port'))?.[1];
  peers.set(kind, { child, base: `http://127.0.0.1:${port}/` });
}

/** To a reader that discards, on the other core. */
async function fetchAll(url: string, pid: number, units: number): Promise<Done> {
  const before = cpuOf(pid);
  const format = '%{http_code} %{size_download} %{time_starttransfer} %{time_total}';
  const args = ['-c', '1', 'curl', '-s', '-o', '/dev/null', '-w', format, url];
  const { stdout } = await run('taskset', args);
  const [status = 0, bytes = 0, first = 0, seconds = 0] = stdout.split(' ').map(Number);
  if (status !== 200) throw new Error(`${url} answered ${status}.`);
  const cpu = cpuOf(pid) - before;
  return { units, seconds, cpu, rss: peakOf(pid), facts: { 'MB/s': bytes / 1e6 / seconds, 'first byte ms': first * 1000 } };
}

async function download(url: string, name: string): Promise<string> {
  const path = join(folder, name);
  await run('curl', ['-sSf', '-o', path, url]);
  return path;
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('The servers are not started.');
  return value;
}
