/**
 * `annex`: 1,000,000 objects of a source into a durable draft, by the job that production runs. Against quilt3 (set and build, metadata
 * only, of a list that it has read before) and `git fast-import` of our pointer files into a fresh repository (its stream is made before,
 * and read from a file). Facts: how long others wait meanwhile, what is kept for an entry, and the same annex again, when nothing is new.
 *
 * Flags: --entries N, --shape tree|flat (all in one folder: without git, which looks through a folder for each of its files).
 */
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { Leaf } from '#model/entry.ts';
import { ManifestHasher } from '#model/manifest.ts';
import { pointerWriter } from '#model/pointer-file.ts';
import { DraftStep } from '#packages/draft-step.ts';
import { claimStep } from '#packages/open-step.ts';
import type { Bench, Done } from './bench.ts';
import { isOnPath, runCommand, SideProcess } from './processes.ts';
import { annexAll, makePointer, makePointers, openData, type Shape } from './size/entries.ts';

const quilt = fileURLToPath(new URL('../.cache/bench/quilt3', import.meta.url));
const script = fileURLToPath(new URL('./size/quilt.py', import.meta.url));

let count = 1_000_000;
let shape: Shape = 'tree';
let folder = '';
let our: SideProcess;

export const annex: Bench = {
  name: 'annex',
  unit: 'entries',
  pairs: 3,
  async prepare(flags) {
    count = Number(flags['entries'] ?? count);
    shape = flags['shape'] === 'flat' ? 'flat' : 'tree';
    folder = await mkdtemp(join(tmpdir(), 'package-r-bench-annex-'));
    our = new SideProcess(new URL('size/annex-side.ts', import.meta.url), {
      args: [String(count), folder],
      nodeArgs: ['--max-semi-space-size=8'],
    });
    await writeLines('objects.ndjson', listLines());
    if (shape === 'tree') await writeLines('stream', streamLines());
  },
  verify: () => checkDigest(20_000),
  ours: () => our.run('annex', shape),
  peers: {
    quilt3: {
      work: setAndBuild,
      missing: () => (existsSync(quilt) ? undefined : `pip install --target ${quilt} quilt3`),
      warmUp: false,
    },
    'git-fast-import': {
      work: fastImport,
      missing: () => (shape === 'flat' ? 'left out for --shape flat' : isOnPath('git') ? undefined : 'apt-get install git'),
      warmUp: false,
    },
  },
  notes: () => [
    `${count} entries, ${shape}; SQLite with synchronous=full, a unit of 1,000 rows with its checkpoint, groups committed within 20 ms`,
    'quilt3: the list is read before; git: the stream is made before, its pack is fsynced as by default',
  ],
  async close() {
    await our?.close();
    if (folder !== '') await rm(folder, { recursive: true, force: true });
  },
};

/** The digest is that of the manifest itself, whether entries came by the job or in another order, in other batches. */
async function checkDigest(entries: number): Promise<void> {
  const hasher = new ManifestHasher();
  for await (const pointer of makePointers(entries, shape)) hasher.push(pointer);
  const { digest } = hasher.finish();
  const orders = { job: annexAll, shuffled: (data: Awaited<ReturnType<typeof openData>>) => putShuffled(data, entries) };
  for (const [order, fill] of Object.entries(orders)) {
    const own = await mkdtemp(join(folder, 'check-'));
    const data = await openData(own, entries, shape);
    await fill(data);
    const version = await data.packages.freeze(data.actor, data.reference);
    await data.close();
    if (version.digest !== digest || version.entries !== entries) throw new Error(`${order}: ${version.digest}, not ${digest}`);
  }
}

async function putShuffled({ state, id }: Awaited<ReturnType<typeof openData>>, entries: number): Promise<void> {
  const claim = { package: id, job: 'bench' };
  await state.write(claimStep(state, claim));
  const step = await DraftStep.open(state, claim);
  const stride = 7919;
  for (let at = 0; at < entries; at += 333) {
    const leaves: Leaf[] = [];
    for (let index = at; index < Math.min(entries, at + 333); index++) leaves.push(makePointer((index * stride) % entries, shape));
    await step.put(leaves, 'refuse');
  }
  await step.commit({ operation: 'annex', summary: 'in another order', actor: 'system:bench', at: 0 });
}

async function setAndBuild(): Promise<Done> {
  const registry = join(folder, 'registry');
  await mkdir(registry);
  const output = join(folder, 'quilt.json');
  const env = { PYTHONPATH: quilt, HOME: folder, QUILT_DISABLE_USAGE_METRICS: 'true', QUILT_MINIMIZE_STDOUT: 'true' };
  const { rss } = await runCommand('python3', [script, join(folder, 'objects.ndjson'), registry], { env, output });
  await rm(registry, { recursive: true });
  const { seconds, cpu, entries, set } = JSON.parse((await readFile(output, 'utf8')).trim().split('\n').at(-1) ?? '') as Record<
    string,
    number
  >;
  if (entries !== count) throw new Error(`quilt3 built ${entries} entries.`);
  return { units: count, seconds: seconds ?? 0, cpu: cpu ?? 0, rss, facts: { 'set s': set ?? 0 } };
}

async function fastImport(): Promise<Done> {
  const repository = join(folder, 'repository');
  await runCommand('git', ['init', '--quiet', repository]);
  const stream = join(folder, 'stream');
  const { seconds, cpu, rss } = await runCommand('sh', ['-c', 'git -C "$1" fast-import --quiet < "$2"', 'sh', repository, stream]);
  const list = join(folder, 'files');
  await runCommand('sh', ['-c', 'git -C "$1" ls-tree -r --name-only main | wc -l', 'sh', repository], { output: list });
  const files = Number(await readFile(list, 'utf8'));
  await rm(repository, { recursive: true });
  if (files !== count) throw new Error(`git holds ${files} files.`);
  return { units: count, seconds, cpu, rss };
}

function writeLines(name: string, lines: AsyncIterable<string>): Promise<void> {
  return pipeline(Readable.from(lines), createWriteStream(join(folder, name)));
}

async function* listLines(): AsyncGenerator<string, void> {
  let text = '';
  for await (const { key, size, etag } of objects()) {
    text += `${JSON.stringify({ key, size, sha256: `${etag}${etag}` })}\n`;
    if (text.length < 100_000) continue;
    yield text;
    text = '';
  }
  yield text;
}

/** One commit of all pointer files. */
async function* streamLines(): AsyncGenerator<string, void> {
  const write = pointerWriter('https://packages.example.org/s/Vq3ZkLm9pQ/o/');
  let text = 'commit refs/heads/main\ncommitter bench <bench@example.org> 1700000000 +0000\ndata 6\nannex\n';
  for await (const pointer of objects()) {
    const file = write(pointer);
    text += `M 100644 inline ${pointer.path}.pointer\ndata ${Buffer.byteLength(file)}\n${file}\n`;
    if (text.length < 100_000) continue;
    yield text;
    text = '';
  }
  yield text;
}

async function* objects() {
  for (let index = 0; index < count; index++) yield makePointer(index, shape);
}
