/**
 * The manifest is the canonical listing of a version: one JSON line for each text and pointer, in byte order of the paths. Its digest is
 * computed over ranges of lines, so that an edit rehashes only what it touches. Specification: docs/reference/manifest.md.
 */
import { createHash, type Hash, hash } from 'node:crypto';
import { PackageRError } from '#errors/error.ts';
import { type Checksum, type ChecksumAlgorithm, checksumLengths, evidences } from '#model/checksum.ts';
import type { Digest } from '#model/digest.ts';
import type { Leaf, Meta, Pointer, Text } from '#model/entry.ts';
import { compareBytes, type Path, parsePath, root } from '#model/path.ts';

/** What a line says of an entry: no location, no evidence, no date. */
export interface ManifestLine {
  readonly path: Path;
  readonly kind: Leaf['kind'];
  /** Bytes. */
  readonly size: number;
  readonly etag?: string;
  /** Object version, where the store has them. */
  readonly version?: string;
  /** Lower-case hex by algorithm. */
  readonly checksums: Readonly<Partial<Record<ChecksumAlgorithm, string>>>;
  readonly meta?: Meta;
}

/** A run of lines that is hashed as one. */
export interface ManifestRange {
  readonly first: Path;
  readonly last: Path;
  /** Lines. */
  readonly entries: number;
  /** Bytes of the lines. */
  readonly bytes: number;
  /** Lower-case hex SHA-256 of the lines. */
  readonly hash: string;
}

export interface ManifestSummary {
  /** The range behind the last border, where there is one. */
  readonly range: ManifestRange | undefined;
  readonly digest: Digest;
  /** Lines of the whole manifest. */
  readonly entries: number;
  /** Bytes of the whole manifest. */
  readonly bytes: number;
}

const algorithms = (Object.keys(checksumLengths) as ChecksumAlgorithm[]).sort(compareBytes);
const fields = new Set(['path', 'kind', 'size', 'etag', 'version', 'checksums', 'meta']);

/** What a line is written from: a Leaf, or as much of one. */
export type ManifestEntry =
  | Leaf
  | Pick<Text, 'kind' | 'path' | 'size' | 'sha256' | 'meta'>
  | Pick<Pointer, 'kind' | 'path' | 'size' | 'etag' | 'version' | 'checksums' | 'meta'>;

const none: ManifestLine['checksums'] = {};

/** The canonical line of a leaf, with its line break. Errors: manifest_invalid (size), meta_invalid. */
export function writeManifestLine(entry: ManifestEntry): string {
  const { path, kind, size, meta } = entry;
  if (kind === 'text') return writeLine(path, kind, size, undefined, undefined, { sha256: entry.sha256 }, meta);
  return writeLine(path, kind, size, entry.etag, entry.version, entry.checksums.length === 0 ? none : strongest(entry.checksums), meta);
}

/** One value for an algorithm: of the strongest evidence, and of equal ones the smallest, so that order never matters. */
function strongest(checksums: readonly Checksum[]): Partial<Record<ChecksumAlgorithm, string>> {
  const best = new Map<ChecksumAlgorithm, Checksum>();
  for (const one of checksums) {
    const known = best.get(one.algorithm);
    const rank = known === undefined ? -1 : evidences.indexOf(one.evidence) - evidences.indexOf(known.evidence);
    if (known === undefined || rank < 0 || (rank === 0 && one.value < known.value)) best.set(one.algorithm, one);
  }
  return Object.fromEntries([...best].map(([algorithm, { value }]) => [algorithm, value]));
}

function writeLine(
  path: Path,
  kind: Leaf['kind'],
  size: number,
  etag: string | undefined,
  version: string | undefined,
  checksums: ManifestLine['checksums'],
  meta: Meta | undefined,
): string {
  if (!Number.isSafeInteger(size) || size < 0)
    throw new PackageRError('manifest_invalid', `The size of ${JSON.stringify(path)} is not an integer from 0 to 2^53−1.`);
  let text = `{"path":${JSON.stringify(path)},"kind":"${kind}","size":${size}`;
  if (etag !== undefined) text += `,"etag":${JSON.stringify(etag)}`;
  if (version !== undefined) text += `,"version":${JSON.stringify(version)}`;
  if (checksums !== none) text += writeChecksums(checksums);
  if (meta !== undefined) text += writeMeta(meta);
  return `${text}}\n`;
}

function writeChecksums(checksums: ManifestLine['checksums']): string {
  const parts = algorithms.flatMap((one) => (checksums[one] === undefined ? [] : [`"${one}":"${checksums[one]}"`]));
  return parts.length === 0 ? '' : `,"checksums":{${parts.join(',')}}`;
}

function writeMeta(meta: Meta): string {
  const fields = Object.entries(meta).sort(([a], [b]) => compareBytes(a, b));
  return fields.length === 0
    ? ''
    : `,"meta":{${fields.map(([key, value]) => `${JSON.stringify(key)}:${writeValue(key, value)}`).join(',')}}`;
}

function writeValue(key: string, value: unknown): string {
  const fits =
    typeof value === 'string' ||
    typeof value === 'boolean' ||
    (typeof value === 'number' && Number.isFinite(value) && (Number.isSafeInteger(value) || !Number.isInteger(value)));
  if (!fits) {
    const name = JSON.stringify(key.slice(0, 80));
    throw new PackageRError('meta_invalid', `The value of ${name} is no string, boolean or number within ±(2^53−1).`);
  }
  return JSON.stringify(value);
}

/**
 * The twin of writeManifestLine. `text` is one line, with or without its line break.
 * Errors: manifest_invalid for everything that writeManifestLine would not have written so, path_invalid.
 */
export function parseManifestLine(text: string): ManifestLine {
  const line = readLine(text);
  if (line === undefined || rewrite(line) !== (text.endsWith('\n') ? text : `${text}\n`))
    throw new PackageRError('manifest_invalid', `The line ${JSON.stringify(text.slice(0, 120))} is not canonical.`);
  return line;
}

function rewrite({ path, kind, size, etag, version, checksums, meta }: ManifestLine): string {
  return writeLine(path, kind, size, etag, version, checksums, meta);
}

function readLine(text: string): ManifestLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || Object.keys(value).some((key) => !fields.has(key))) return undefined;
  const { path, kind, size, etag, version, checksums = {}, meta } = value;
  if (typeof path !== 'string' || path === root || (kind !== 'text' && kind !== 'pointer') || typeof size !== 'number') return undefined;
  if (!isText(etag) || !isText(version) || !isChecksums(checksums) || !(meta === undefined || isRecord(meta))) return undefined;
  if (kind === 'text' && (etag !== undefined || version !== undefined || Object.keys(checksums).join() !== 'sha256')) return undefined;
  return {
    path: parsePath(path),
    kind,
    size,
    checksums,
    ...(etag === undefined ? {} : { etag }),
    ...(version === undefined ? {} : { version }),
    ...(meta === undefined ? {} : { meta: meta as Meta }),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

function isChecksums(value: unknown): value is Partial<Record<ChecksumAlgorithm, string>> {
  if (!isRecord(value)) return false;
  return Object.entries(value).every(
    ([algorithm, hex]) =>
      Object.hasOwn(checksumLengths, algorithm) &&
      typeof hex === 'string' &&
      hex.length === checksumLengths[algorithm as ChecksumAlgorithm] &&
      /^[0-9a-f]+$/.test(hex),
  );
}

/** Whether the line of this path is the last of its range: the SHA-256 of the path begins with the byte 0. */
export function endsRange(path: Path): boolean {
  return hash('sha256', path, 'hex').startsWith('00');
}

/** The digest over the hashes (lower-case hex) of all ranges, in order. */
export function indexDigest(rangeHashes: Iterable<string>): Digest {
  const index = createHash('sha256');
  for (const one of rangeHashes) index.update(`${one}\n`);
  return `sha256:${index.digest('hex')}` as Digest;
}

/** Characters of lines that are gathered before they are hashed. */
const gathered = 64 * 1024;

/**
 * Hashes a manifest as it streams by, in constant memory. Leaves must come in strict byte order of their paths; after `finish` it
 * is used up. Errors: manifest_invalid for a wrong order.
 */
export class ManifestHasher {
  readonly #index: Hash = createHash('sha256');
  /** Of the lines of the range that are no longer held. */
  #range: Hash | undefined;
  #lines = '';
  #first: Path | undefined;
  #last: Path | undefined;
  #rangeEntries = 0;
  #rangeBytes = 0;
  #entries = 0;
  #bytes = 0;

  /** Takes the next leaf; returns the range that it ended, if it did. */
  push(leaf: Leaf): ManifestRange | undefined {
    return this.pushLine(leaf.path, writeManifestLine(leaf));
  }

  /** As push, for a line that is written already (with its line break). `isLast`: where it is known whether the line ends its range. */
  pushLine(path: Path, line: string, isLast: boolean = endsRange(path)): ManifestRange | undefined {
    if (this.#last !== undefined && compareBytes(this.#last, path) >= 0)
      throw new PackageRError('manifest_invalid', `${JSON.stringify(path)} comes behind ${JSON.stringify(this.#last)}: not in byte order.`);
    this.#lines += line;
    this.#first ??= path;
    this.#last = path;
    this.#rangeEntries += 1;
    if (this.#lines.length >= gathered) this.#take();
    return isLast ? this.#closeRange() : undefined;
  }

  finish(): ManifestSummary {
    const range = this.#closeRange();
    return { range, digest: `sha256:${this.#index.digest('hex')}` as Digest, entries: this.#entries, bytes: this.#bytes };
  }

  #take(): void {
    this.#range ??= createHash('sha256');
    this.#range.update(this.#lines);
    this.#rangeBytes += Buffer.byteLength(this.#lines);
    this.#lines = '';
  }

  #closeRange(): ManifestRange | undefined {
    if (this.#first === undefined || this.#last === undefined) return undefined;
    const isHeld = this.#range === undefined;
    if (!isHeld) this.#take();
    const range: ManifestRange = {
      first: this.#first,
      last: this.#last,
      entries: this.#rangeEntries,
      bytes: isHeld ? Buffer.byteLength(this.#lines) : this.#rangeBytes,
      hash: this.#range?.digest('hex') ?? hash('sha256', this.#lines, 'hex'),
    };
    this.#index.update(`${range.hash}\n`);
    this.#entries += range.entries;
    this.#bytes += range.bytes;
    this.#range = undefined;
    this.#lines = '';
    this.#first = undefined;
    this.#rangeEntries = 0;
    this.#rangeBytes = 0;
    return range;
  }
}
