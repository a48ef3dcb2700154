/**
 * An Entry is one line of a tree: a folder, a text whose bytes packageR keeps, or a pointer to an object in a source.
 */
import type { Checksum } from '#model/checksum.ts';
import type { Key } from '#model/key.ts';
import type { Name } from '#model/name.ts';
import type { Path } from '#model/path.ts';

/** Flat, at most 4 KiB as JSON. */
export type Meta = Readonly<Record<string, string | number | boolean>>;

export interface Folder {
  readonly kind: 'folder';
  readonly path: Path;
  /** Milliseconds since 1970, where known. */
  readonly modifiedAt?: number;
  /** True for a folder of a draft that was made by hand and may be empty. */
  readonly explicit?: boolean;
}

export interface Text {
  readonly kind: 'text';
  readonly path: Path;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hex SHA-256 of the bytes. */
  readonly sha256: string;
  readonly modifiedAt?: number;
  readonly meta?: Meta;
}

/**
 * Names one object exactly. The location (source, key) is for those who may see the source; shares never disclose it.
 * Shape: `key` is relative to the root of the source, so no pointer can leave it.
 */
export interface Pointer {
  readonly kind: 'pointer';
  readonly path: Path;
  /** Id of the source (names may change). */
  readonly source: string;
  readonly key: Key;
  /** Object version, where the store has them. */
  readonly version?: string;
  /** Bytes. */
  readonly size: number;
  /** Without quotes, as the store stated it. */
  readonly etag?: string;
  readonly modifiedAt?: number;
  readonly checksums: readonly Checksum[];
  /** A small object of a text type: may be shown and edited through packageR. */
  readonly inline: boolean;
  readonly meta?: Meta;
}

/**
 * An object whose key is no valid path (`a//b`, a slash at the end, a control character, no UTF-8). It is shown and marked,
 * and can be annexed under a chosen path. Only live trees hold it; it is counted, never walked into an export.
 */
export interface Unnamable {
  readonly kind: 'unnamable';
  readonly key: Key;
  readonly size: number;
  readonly modifiedAt?: number;
  /** True where it stands for all objects whose keys begin with `key` (which ends in a slash), as a folder would. */
  readonly prefix?: boolean;
}

export type Entry = Folder | Text | Pointer;
export type Leaf = Text | Pointer;

/** How source, sources' owner and display name go together where a location may be shown. */
export interface Location {
  readonly source: Name;
  readonly key: Key;
}
