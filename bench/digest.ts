/** The digest of a manifest of 200,000 lines, from the lines; the peer is the ten-line reader of docs/reference/manifest.md in Python. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Key } from '#model/key.ts';
import { ManifestHasher, parseManifestLine, writeManifestLine } from '#model/manifest.ts';
import { parsePath } from '#model/path.ts';
import type { Bench } from './bench.ts';

const count = 200_000;
const folder = mkdtempSync(join(tmpdir(), 'package-r-bench-'));
const file = join(folder, 'manifest.jsonl');
const reader = fileURLToPath(new URL('../docs/reference/vectors/check_manifest.py', import.meta.url));

function writeLines(): void {
  const lines = Array.from({ length: count }, (_, index) => {
    const path = parsePath(`data/${String(Math.floor(index / 1000)).padStart(4, '0')}/file-${String(index).padStart(7, '0')}.tif`);
    return writeManifestLine({
      kind: 'pointer',
      path,
      source: '1',
      key: path as string as Key,
      size: index,
      etag: `etag-${index}`,
      checksums: [],
      inline: false,
    });
  });
  writeFileSync(file, lines.join(''));
}

function hashOurs(): string {
  const hasher = new ManifestHasher();
  for (const line of readFileSync(file, 'utf8').split('\n')) if (line !== '') hasher.pushLine(parseManifestLine(line).path, `${line}\n`);
  return hasher.finish().digest;
}

function hashPython(): string {
  return execFileSync('python3', [reader, file], { encoding: 'utf8' }).trim();
}

export const digest: Bench = {
  name: 'digest',
  unit: 'entries',
  verify() {
    writeLines();
    const [our, their] = [hashOurs(), hashPython()];
    if (!their.includes(our)) throw new Error(`the digests differ: ${our} and ${their}`);
  },
  ours() {
    hashOurs();
    return count;
  },
  peers: {
    python: () => {
      hashPython();
      return count;
    },
  },
  close: () => rmSync(folder, { recursive: true }),
};
