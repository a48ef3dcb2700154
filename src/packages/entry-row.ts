/**
 * Entries as rows. An explicit folder is the row of its path and a slash, so that it stands where its content would stand, and so that
 * “is there anything below?” is one question whether the folder is explicit or implied.
 */
import type { Checksum } from '#model/checksum.ts';
import type { Entry, Folder, Leaf, Meta, Pointer } from '#model/entry.ts';
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

/** What a leaf is made of. */
export const leafColumns = [
  'path',
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
] as const satisfies readonly (keyof EntryRow)[];

export type LeafRow = Pick<EntryRow, (typeof leafColumns)[number]>;

/** The values of `leafColumns`, in their order, as a row. */
export function toLeafRow(values: readonly SqlValue[]): LeafRow {
  const [path, kind, size, source, key, key_bytes, version, etag, modified_at, sha256, checksums, meta, inline] = values;
  const row = { path, kind, size, source, key, key_bytes, version, etag, modified_at, sha256, checksums, meta, inline };
  return row as LeafRow;
}

/** `path` of the row of an explicit folder. */
export function folderRowPath(path: Path): string {
  return `${path}/`;
}

/** A row that begins with `step` and has not ended. */
export function toValues(packageId: number, step: number, entry: Entry): SqlValue[] {
  if (entry.kind === 'folder') {
    const nothing = Array<null>(9).fill(null);
    return [packageId, folderRowPath(entry.path), step, openStep, entryKinds.folder, 0, ...nothing, 0, 0];
  }
  const head = [packageId, entry.path, step, openStep, entryKinds[entry.kind], entry.size];
  const meta = entry.meta === undefined || Object.keys(entry.meta).length === 0 ? null : JSON.stringify(entry.meta);
  const border = endsRange(entry.path) ? 1 : 0;
  if (entry.kind === 'text') return [...head, null, null, null, null, null, entry.modifiedAt ?? null, entry.sha256, null, meta, 0, border];
  return [...head, ...objectValues(entry), meta, entry.inline ? 1 : 0, border];
}

function objectValues(entry: Pointer): SqlValue[] {
  const isText = entry.key.isWellFormed();
  return [
    Number(entry.source),
    isText ? entry.key : null,
    isText ? null : encodeKey(entry.key),
    entry.version ?? null,
    entry.etag ?? null,
    entry.modifiedAt ?? null,
    null,
    entry.checksums.length === 0 ? null : JSON.stringify(entry.checksums),
  ];
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

function keyOf(row: LeafRow): Key {
  return row.key_bytes === null ? (row.key as Key) : decodeKey(row.key_bytes);
}

/** Whether both say the same of the same thing; where they stand in the tree, and dates, are not compared. */
export function isSame(a: Leaf, b: Leaf): boolean {
  return JSON.stringify(contentOf(a)) === JSON.stringify(contentOf(b));
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
