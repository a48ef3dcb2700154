/**
 * Searches in a package of 1,000,000 entries by its index, at most 1,000 hits each as everywhere. Peers look through the same names: ripgrep,
 * whose start is part of each search, and LIKE over a plain table. Flags: --entries N, --shape tree|flat,
 * --cold yes (drops the page cache of the machine before the first searches).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { Bench, Done } from './bench.ts';
import { isOnPath, SideProcess } from './processes.ts';
import { isGlob, type Kind, kinds, namesOf, queriesOf, toExpression } from './search/queries.ts';
import { openPackage, type Shape } from './size/entries.ts';

const kept = fileURLToPath(new URL('../.cache/bench/size', import.meta.url));
const most = 1000;

let entries = 1_000_000;
let shape: Shape = 'flat';
let scratch = '';
let our: SideProcess;
let like: SideProcess;
let built: Done | undefined;
let cold: Done | undefined;

export const search: Bench = {
  name: 'search',
  unit: 'searches',
  variants: kinds,
  async prepare(flags) {
    entries = Number(flags['entries'] ?? entries);
    shape = flags['shape'] === 'tree' ? 'tree' : 'flat';
    scratch = mkdtempSync(join(tmpdir(), 'package-r-search-'));
    const opened = await openPackage(kept, entries, shape, { scratch: join(scratch, 'data') });
    await opened.close();
    await writeNames();
    const args = [String(entries), shape];
    const builder = new SideProcess(new URL('search/ours.ts', import.meta.url), { args: [join(scratch, 'data'), ...args] });
    built = await builder.run('build');
    await builder.close();
    if (flags['cold'] === 'yes') dropCaches();
    our = new SideProcess(new URL('search/ours.ts', import.meta.url), { args: [join(scratch, 'data'), ...args], core: 1 });
    cold = await our.run('query', 'rare');
    like = new SideProcess(new URL('search/like.ts', import.meta.url), { args: [join(scratch, 'names.sqlite'), ...args], core: 1 });
  },
  async verify() {
    for (const kind of kinds) {
      await our.run('query', kind);
      const ours = JSON.parse(readFileSync(join(scratch, 'data', `hits-${kind}.json`), 'utf8')) as number[];
      const { hits: theirs } = (await like.run('query', kind)) as Done & { readonly hits: readonly number[] };
      if (JSON.stringify(ours) !== JSON.stringify(theirs)) throw new Error(`${kind}: ${JSON.stringify({ ours, theirs })}`);
      if (!isOnPath('rg')) continue;
      const counted = queriesOf(kind, entries, shape)
        .slice(0, 10)
        .map((text) => ripgrep(text));
      if (JSON.stringify(ours.slice(0, 10)) !== JSON.stringify(counted)) throw new Error(`${kind}: ${JSON.stringify({ ours, counted })}`);
    }
  },
  ours: (kind) => our.run('query', kind),
  peers: {
    rg: {
      missing: () => (isOnPath('rg') ? undefined : 'apt-get install ripgrep'),
      work: (kind) => {
        const texts = queriesOf(kind as Kind, entries, shape);
        for (const text of texts) ripgrep(text);
        return texts.length;
      },
    },
    'sqlite-like': { work: (kind) => like.run('query', kind), pairs: 3 },
  },
  notes: () => [
    `index: ${Math.round(entries / (built?.seconds ?? 1))} paths/s; ${factsOf(built)}`,
    `rare, the first of a fresh process: ${factsOf(cold)}`,
    `ripgrep is started for each search; ${isOnPath('rg') ? execFileSync('rg', ['--version'], { encoding: 'utf8' }).split('\n')[0] : 'missing'}`,
  ],
  async close() {
    await our?.close();
    await like?.close();
    rmSync(scratch, { recursive: true, force: true });
  },
};

async function writeNames(): Promise<void> {
  const lines = Readable.from(namesOf(entries, shape), { objectMode: true });
  await pipeline(
    lines,
    async function* (names) {
      for await (const name of names) yield `${name}\n`;
    },
    createWriteStream(join(scratch, 'names.txt')),
  );
  const database = new DatabaseSync(join(scratch, 'names.sqlite'));
  database.exec('create table p (name text); begin');
  const insert = database.prepare('insert into p values (?)');
  for (const name of namesOf(entries, shape)) insert.run(name);
  database.exec('commit');
  database.close();
}

/** How many lines hold it, up to as many as we give. */
function ripgrep(text: string): number {
  const how = isGlob(text) ? ['-e', toExpression(text)] : ['-F', '-e', text];
  const { stdout, status } = spawnSync('rg', ['-c', '-i', '-m', String(most), '-j', '1', ...how, join(scratch, 'names.txt')], {
    encoding: 'utf8',
  });
  if (status === 2 || status === null) throw new Error(`rg ended with ${status}`);
  return Number(stdout.trim() || 0);
}

function dropCaches(): void {
  spawnSync('/bin/sh', ['-c', 'sync; echo 3 > /proc/sys/vm/drop_caches'], { stdio: 'ignore' });
}

function factsOf(done: Done | undefined): string {
  return Object.entries(done?.facts ?? {})
    .map(([name, value]) => `${name} ${value.toPrecision(3)}`)
    .join(', ');
}
