/**
 * Entries as rows. An explicit folder is the row of its path and a slash, so that it stands where its content would stand, and so that
 * “is there anything below?” is one question whether the folder is explicit or implied.
 */
import type { Checksum } from '#model/checksum.ts';
import type { Entry, Folder, Leaf, Meta, Pointer, Text } from '#model/entry.ts';
import { decodeKey, encodeKey, type Key } from '#model/key.ts';
import { endsRange } from '#model/manifest.ts';
import { compareBytes, type Path } from '#model/path.ts';
import { type EntryRow, entryKinds, openStep } from '#state/schema.ts';
import type { SqlValue } from '#state/state.ts';

/** In the order in which `toValues` gives them. */
export const entryColumns = [
  'package',
  'path',
  'from_step',
  'to_step',
  'kind',
  'size',
  'source',
  'key',
  'key_bytes',
  'version',
  'etag',
  'modified_at',
  'sha256',
  'checksums',
  'meta',
  'inline',
  'ends_range',
] as const satisfies readonly (keyof EntryRow)[];

/** What a leaf is made of. What few walks look at comes last, so that they may leave it out. */
export const leafColumns = [
  'path',
  'kind',
  'size',
  'inline',
  'checksums',
  'sha256',
  'etag',
  'version',
  'meta',
  'modified_at',
  'source',
  'key',
  'key_bytes',
] as const satisfies readonly (keyof EntryRow)[];

/** The first of `leafColumns`, as many as a walk needs that looks at some fields only. */
export const walkColumns = {
  names: firstColumns(4),
  sums: firstColumns(6),
  pointers: firstColumns(7),
  content: firstColumns(9),
} as const;

function firstColumns(count: number): readonly ['path', 'kind', ...(keyof EntryRow)[]] {
  const [path, kind, ...rest] = leafColumns;
  return [path, kind, ...rest.slice(0, count - 2)];
}

export type LeafRow = Pick<EntryRow, (typeof leafColumns)[number]>;

/** The values of `leafColumns`, in their order, as a row. */
export function toLeafRow(values: readonly SqlValue[]): LeafRow {
  const [path, kind, size, inline, checksums, sha256, etag, version, meta, modified_at, source, key, key_bytes] = values;
  const row = { path, kind, size, source, key, key_bytes, version, etag, modified_at, sha256, checksums, meta, inline };
  return row as LeafRow;
}

/** The values of `entryColumns`, in their order, as a row. */
export function toRow(values: readonly SqlValue[]): EntryRow {
  const [id, path, from_step, to_step, kind, size, source, key, key_bytes, version, etag, modified_at, ...rest] = values;
  const [sha256, checksums, meta, inline, ends_range] = rest;
  const head = { package: id, path, from_step, to_step, kind, size, source, key, key_bytes, version, etag, modified_at };
  return { ...head, sha256, checksums, meta, inline, ends_range } as EntryRow;
}

/** `path` of the row of an explicit folder. */
export function folderRowPath(path: Path): string {
  return `${path}/`;
}

/** A row that begins with `step` and has not ended. */
export function toValues(packageId: number, step: number, entry: Entry): SqlValue[] {
  const { path } = entry;
  if (entry.kind === 'folder') {
    const nothing = Array<null>(9).fill(null);
    return [packageId, folderRowPath(path), step, openStep, entryKinds.folder, 0, ...nothing, 0, 0];
  }
  const { size, modifiedAt = null } = entry;
  const meta = entry.meta === undefined || Object.keys(entry.meta).length === 0 ? null : JSON.stringify(entry.meta);
  const border = endsRange(path) ? 1 : 0;
  if (entry.kind === 'text') {
    const { sha256 } = entry;
    return [
      packageId,
      path,
      step,
      openStep,
      entryKinds.text,
      size,
      null,
      null,
      null,
      null,
      null,
      modifiedAt,
      sha256,
      null,
      meta,
      0,
      border,
    ];
  }
  const { key, version = null, etag = null, checksums } = entry;
  const isText = key.isWellFormed();
  const [text, bytes] = isText ? [key, null] : [null, encodeKey(key)];
  const known = checksums.length === 0 ? null : JSON.stringify(checksums);
  const head = [packageId, path, step, openStep, entryKinds.pointer, size, Number(entry.source), text, bytes, version, etag, modifiedAt];
  head.push(null, known, meta, entry.inline ? 1 : 0, border);
  return head;
}

/** The twin of toValues. */
export function toEntry(row: EntryRow): Entry {
  return row.kind === entryKinds.folder ? toFolder(row) : toLeaf(row);
}

function toFolder(row: EntryRow): Folder {
  return { kind: 'folder', path: row.path.slice(0, -1) as Path, explicit: true };
}

export function toLeaf(row: LeafRow): Leaf {
  const common = {
    path: row.path as Path,
    size: row.size,
    ...(row.modified_at === null ? {} : { modifiedAt: row.modified_at }),
    ...(row.meta === null ? {} : { meta: JSON.parse(row.meta) as Meta }),
  };
  if (row.kind === entryKinds.text) return { kind: 'text', ...common, sha256: row.sha256 ?? '' };
  return {
    kind: 'pointer',
    ...common,
    source: String(row.source),
    key: keyOf(row),
    ...(row.version === null ? {} : { version: row.version }),
    ...(row.etag === null ? {} : { etag: row.etag }),
    checksums: row.checksums === null ? [] : (JSON.parse(row.checksums) as Checksum[]),
    inline: row.inline === 1,
  };
}

type Making<T> = { -readonly [K in keyof T]: T[K] };

/** `toLeaf` of the values of `leafColumns`, or of the first of them (`walkColumns`), in their order. */
export function leafOf(values: readonly SqlValue[]): Leaf {
  const [path, kind, size, inline, checksums, sha256, etag, version, meta, modifiedAt, source, key, keyBytes] = values;
  if (kind === entryKinds.text) {
    const text: Making<Text> = { kind: 'text', path: path as Path, size: size as number, sha256: (sha256 ?? '') as string };
    if (meta != null) text.meta = JSON.parse(meta as string) as Meta;
    if (modifiedAt != null) text.modifiedAt = modifiedAt as number;
    return text;
  }
  const pointer: Making<Pointer> = {
    kind: 'pointer',
    path: path as Path,
    source: source === undefined ? '' : String(source),
    key: keyBytes == null ? ((key ?? '') as Key) : decodeKey(keyBytes as Uint8Array),
    size: size as number,
    checksums: checksums == null ? nothing : (JSON.parse(checksums as string) as Checksum[]),
    inline: inline === 1,
  };
  if (etag != null) pointer.etag = etag as string;
  if (version != null) pointer.version = version as string;
  if (meta != null) pointer.meta = JSON.parse(meta as string) as Meta;
  if (modifiedAt != null) pointer.modifiedAt = modifiedAt as number;
  return pointer;
}

const nothing: readonly Checksum[] = Object.freeze([]);

function keyOf(row: LeafRow): Key {
  return row.key_bytes === null ? (row.key as Key) : decodeKey(row.key_bytes);
}

/** Whether both say the same of the same thing; where they stand in the tree, and dates, are not compared. */
export function isSame(a: Leaf, b: Leaf): boolean {
  return JSON.stringify(contentOf(a)) === JSON.stringify(contentOf(b));
}

/** As isSame, for what is kept. */
export function isSameRow(kept: Leaf | EntryRow, leaf: Leaf): boolean {
  if (typeof kept.kind === 'string') return isSame(kept as Leaf, leaf);
  const row = kept as EntryRow;
  const isPlain = row.meta === null && row.checksums === null && row.key_bytes === null && leaf.meta === undefined;
  if (!isPlain || leaf.kind !== 'pointer' || row.kind !== entryKinds.pointer || leaf.checksums.length > 0) return isSame(toLeaf(row), leaf);
  const { source, key, version = null, etag = null, size, inline } = leaf;
  if (row.key !== key || row.etag !== etag || row.size !== size || row.version !== version) return false;
  return String(row.source) === source && (row.inline === 1) === inline;
}

function contentOf(leaf: Leaf): unknown[] {
  const meta = Object.entries(leaf.meta ?? {}).sort(([x], [y]) => compareBytes(x, y));
  const checksums = leaf.kind === 'text' ? [] : leaf.checksums.map((one) => `${one.algorithm}:${one.value}:${one.evidence}`).sort();
  return [leaf.kind, identityOf(leaf), leaf.kind === 'pointer' && leaf.inline, meta, checksums];
}

/** What two entries share when one is the other, moved: the text’s bytes, or the very object. */
export function identityOf(leaf: Leaf): string {
  if (leaf.kind === 'text') return `text ${leaf.sha256}`;
  return JSON.stringify([leaf.source, leaf.key, leaf.version ?? null, leaf.etag ?? null, leaf.size]);
}
