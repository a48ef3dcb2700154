/**
 * The Tree: one way to list, find, walk and read entries, live (a source) or frozen (a package at a step). Everything
 * downstream works on a Tree and on nothing else.
 */

import { PackageRError } from '#errors/error.ts';
import { batchesOf } from '#model/batches.ts';
import type { Entry, Leaf, Unnamable } from '#model/entry.ts';
import { joinPath, type Path, parsePath, relativeTo, root } from '#model/path.ts';
import { moved, type Sieve } from '#model/sieve.ts';

export interface TreePage {
  /** Children of the folder in byte order of their paths, folders among files. */
  readonly entries: readonly (Entry | Unnamable)[];
  /** Absent on the last page. Opaque, bound to tree and folder. */
  readonly cursor?: string;
}

export interface PageRequest {
  readonly cursor?: string | undefined;
  /** 1 to 1000; 200 where left out. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type WalkFields = 'names' | 'sums' | 'pointers' | 'content';

export interface WalkOptions {
  readonly signal?: AbortSignal | undefined;
  /** Begin behind this path (exclusive), to resume a walk. */
  readonly after?: Path | undefined;
  /**
   * What of each leaf is looked at. names: path, kind, size, inline · sums: checksums too · pointers: and the ETag · content: all but where
   * an object lies, and dates. What else a leaf has may then be missing or empty. All where left out.
   */
  readonly fields?: WalkFields | undefined;
  /** Told of each object that is passed over because its key is no valid path (live trees only). */
  readonly onUnnamable?: ((object: Unnamable) => void) | undefined;
  /**
   * Leaves may be left out that a search passes over: none that matches, and of each folder that matches at least one that is shown is
   * given. A hint, taken where a walk begins at its beginning by trees that keep an index; others give all.
   */
  readonly sieve?: Sieve | undefined;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes [start, end), both within the size. */
  readonly range?: { readonly start: number; readonly end: number } | undefined;
}

export interface Tree {
  /** frozen: two walks of it give the same entries for ever. */
  readonly frozen: boolean;
  /** Errors: not_found where the folder is not there, cursor_invalid. */
  list(folder: Path, page?: PageRequest): Promise<TreePage>;
  /** The entry at a path, undefined where there is none. Implied folders are found; the root always is. */
  find(path: Path, options?: { readonly signal?: AbortSignal | undefined }): Promise<Entry | undefined>;
  /** All texts and pointers below (or at) `folder` in byte order of their paths, streaming in constant memory. */
  walk(folder: Path, options?: WalkOptions): AsyncIterable<Leaf>;
  /** The bytes of a text or an inline object, as stored. Errors: not_found; unsupported for any other pointer. */
  read(path: Path, options?: ReadOptions): AsyncIterable<Uint8Array>;
  /** As `walk`, some hundred leaves at once, where that is cheaper; ask by `walkBatches`. */
  batches?(folder: Path, options?: WalkOptions): AsyncIterable<readonly Leaf[]>;
  /** Trees of the same mark give the same entries for ever, so that what one walk found holds for the next. Only frozen ones have it, shown whole. */
  mark?(): Promise<string | undefined>;
}

const gathered = 256;

/** As `walk`, in batches: for whoever goes through a whole tree. They are of bounded size, and never empty. */
export function walkBatches(tree: Tree, folder: Path, options?: WalkOptions): AsyncIterable<readonly Leaf[]> {
  return tree.batches === undefined ? batchesOf(tree.walk(folder, options), gathered) : tree.batches(folder, options);
}

/** The entry or not_found. */
export async function getEntry(tree: Tree, path: Path, signal?: AbortSignal): Promise<Entry> {
  const entry = await tree.find(path, { signal });
  if (entry === undefined) throw new PackageRError('not_found', `There is nothing at ${JSON.stringify(path)}.`);
  return entry;
}

/** All bytes of a text, refused above `limit` bytes. */
export async function readAll(bytes: AsyncIterable<Uint8Array>, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > limit) throw new PackageRError('too_large', `The text is larger than ${limit} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The tree below `folder`, with paths as seen from there: how a share gets its root. Nothing above can be named. */
export function rebase(tree: Tree, folder: Path): Tree {
  if (folder === root) return tree;
  const inside = (path: Path): Path => joinPath(folder, parsePath(path));
  const outside = <T extends Entry>(entry: T): T => ({ ...entry, path: relativeTo(entry.path, folder) });
  const optionsInside = (options: WalkOptions = {}): WalkOptions => ({
    ...options,
    ...(options.after === undefined ? {} : { after: inside(options.after) }),
    ...(options.sieve === undefined ? {} : { sieve: moved(options.sieve, (path) => relativeTo(path, folder)) }),
  });
  return {
    frozen: tree.frozen,
    async list(path, page) {
      const { entries, cursor } = await tree.list(inside(path), page);
      const moved = entries.map((entry) => (entry.kind === 'unnamable' ? entry : outside(entry)));
      return cursor === undefined ? { entries: moved } : { entries: moved, cursor };
    },
    async find(path, options) {
      const entry = await tree.find(inside(path), options);
      return entry === undefined ? undefined : outside(entry);
    },
    async *walk(path, options) {
      for await (const leaf of tree.walk(inside(path), optionsInside(options))) yield outside(leaf);
    },
    async *batches(path, options) {
      for await (const leaves of walkBatches(tree, inside(path), optionsInside(options))) yield leaves.map(outside);
    },
    async mark() {
      const mark = await tree.mark?.();
      return mark === undefined ? undefined : `${mark} ${folder}`;
    },
    read: (path, options) => tree.read(inside(path), options),
  };
}
