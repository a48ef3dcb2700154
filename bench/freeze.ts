/**
 * Freezing as one waits for it: the first version of a million entries, and the next one after 100 edits, near to each other or far apart.
 * There is no peer; what the machine allows is the SHA-256 of the same manifest. The digest is proven by an independent reader in Python,
 * and for other orders of insertion.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeManifestLine } from '#model/manifest.ts';
import type { Bench } from './bench.ts';
import { SideProcess } from './processes.ts';
import { makePointer, type Shape } from './size/entries.ts';

const folder = mkdtempSync(join(tmpdir(), 'package-r-freeze-'));
const reader = fileURLToPath(new URL('../docs/reference/vectors/check_manifest.py', import.meta.url));
let count = 1_000_000;
let shape: Shape = 'tree';
let side: SideProcess;

function digestByPython(): string {
  const file = join(folder, 'manifest.jsonl');
  writeFileSync(file, '');
  for (let from = 0; from < count; from += 10_000) writeFileSync(file, linesOf(from, Math.min(from + 10_000, count)), { flag: 'a' });
  const said = execFileSync('python3', [reader, file], { encoding: 'utf8' }).trim();
  rmSync(file);
  return said;
}

function linesOf(from: number, to: number): string {
  let lines = '';
  for (let index = from; index < to; index++) lines += writeManifestLine(makePointer(index, shape));
  return lines;
}

/** Lines a second that SHA-256 alone does, on one core. */
function hashLimit(): number {
  const lines = linesOf(0, 20_000);
  const since = performance.now();
  let done = 0;
  for (; performance.now() - since < 500; done += 20_000) createHash('sha256').update(lines).digest();
  return (done * 1000) / (performance.now() - since);
}

export const freeze: Bench = {
  name: 'freeze',
  unit: 'entries',
  variants: ['new', 'clustered', 'scattered'],
  pairs: 3,
  prepare({ entries = '1000000', shape: chosen = 'tree' }) {
    count = Number(entries);
    shape = chosen === 'flat' ? 'flat' : 'tree';
    side = new SideProcess(new URL('./freeze/side.ts', import.meta.url), { args: [String(count), shape, folder] });
  },
  async verify() {
    await side.run('orders');
    const said = digestByPython();
    await side.run('digest', said);
  },
  ours: (variant) => side.run(variant),
  peers: {},
  limits: (variant) => (variant === 'new' ? { 'sha256 of the lines, one core': hashLimit() } : {}),
  notes: () => [
    `${count} entries, ${shape}. new: the first version. clustered, scattered: the next version after 100 edits in one step; there the unit is an edit.`,
    'ms: of the whole freeze, claim and rights and durable commit included. written: what the process wrote to files, of which there are the log of the state and its file.',
    'The digest is that of the Python reader of docs/reference/manifest.md, and does not depend on the order of insertion or the size of batches.',
  ],
  async close() {
    await side?.close();
    rmSync(folder, { recursive: true, force: true });
  },
};
