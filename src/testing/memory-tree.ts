/** Trees in memory, for tests: from a list of leaves with their bytes, or generated on the way so that size costs nothing. */
import { createHash } from 'node:crypto';
import { PackageRError } from '#errors/error.ts';
import type { Entry, Leaf, Meta, Pointer, Text } from '#model/entry.ts';
import { parseKey } from '#model/key.ts';
import { ancestorsOf, compareBytes, isWithin, type Path, parentOf, parsePath, root } from '#model/path.ts';
import type { Tree, TreePage } from '#model/tree.ts';

export interface MemoryFile {
  readonly leaf: Leaf;
  /** What `read` gives; for a pointer also what its store would give. */
  readonly bytes: Buffer;
}

/** A text with true size and sha256. */
export function textFile(path: string, content: string | Buffer, meta?: Meta): MemoryFile {
  const bytes = Buffer.from(content);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const leaf: Text = { kind: 'text', path: parsePath(path), size: bytes.length, sha256, ...(meta === undefined ? {} : { meta }) };
  return { leaf, bytes };
}

/** A pointer to an object with these bytes, by default with a stored MD5 and SHA-256 and nothing else known. */
export function pointerFile(path: string, content: string | Buffer, more: Partial<Omit<Pointer, 'kind' | 'path'>> = {}): MemoryFile {
  const bytes = Buffer.from(content);
  const hex = (algorithm: 'md5' | 'sha256') => createHash(algorithm).update(bytes).digest('hex');
  const leaf: Pointer = {
    kind: 'pointer',
    path: parsePath(path),
    source: 'source-1',
    key: parseKey(`prefix/${path}`),
    size: bytes.length,
    inline: false,
    checksums: [
      { algorithm: 'md5', value: hex('md5'), evidence: 'stored' },
      { algorithm: 'sha256', value: hex('sha256'), evidence: 'stored' },
    ],
    ...more,
  };
  return { leaf, bytes };
}

export interface MemoryTreeOptions {
  /** True where left out. */
  readonly frozen?: boolean;
}

/** The given files, in whatever order. */
export function memoryTree(files: Iterable<MemoryFile>, { frozen = true }: MemoryTreeOptions = {}): Tree {
  const sorted = [...files].sort((a, b) => compareBytes(a.leaf.path, b.leaf.path));
  const byPath = new Map(sorted.map((file) => [file.leaf.path, file]));
  const folders = new Set<Path>([root, ...sorted.flatMap(({ leaf }) => ancestorsOf(leaf.path))]);
  const entries: Entry[] = [...sorted.map(({ leaf }) => leaf), ...[...folders].map((path): Entry => ({ kind: 'folder', path }))].sort(
    (a, b) => compareBytes(a.path, b.path),
  );
  return {
    frozen,
    async list(folder, { cursor, limit = 200, signal } = {}) {
      signal?.throwIfAborted();
      if (!folders.has(folder)) throw new PackageRError('not_found', `There is no folder ${JSON.stringify(folder)}.`);
      const children = entries.filter((entry) => entry.path !== root && parentOf(entry.path) === folder);
      return pageOf(children, cursor, limit);
    },
    async find(path) {
      return byPath.get(path)?.leaf ?? (folders.has(path) ? { kind: 'folder', path } : undefined);
    },
    async *walk(folder, { after, signal } = {}) {
      for (const { leaf } of sorted) {
        signal?.throwIfAborted();
        if (isWithin(leaf.path, folder) && (after === undefined || compareBytes(leaf.path, after) > 0)) yield leaf;
      }
    },
    async *read(path, { range, signal } = {}) {
      const file = byPath.get(path);
      if (file === undefined) throw new PackageRError('not_found', `There is nothing at ${JSON.stringify(path)}.`);
      if (file.leaf.kind === 'pointer' && !file.leaf.inline)
        throw new PackageRError('unsupported', `${JSON.stringify(path)} is a pointer.`);
      const bytes = range === undefined ? file.bytes : file.bytes.subarray(range.start, range.end);
      for (let at = 0; at < bytes.length; at += 1000) {
        signal?.throwIfAborted();
        yield bytes.subarray(at, at + 1000);
      }
    },
  };
}

function pageOf(children: readonly Entry[], cursor: string | undefined, limit: number): TreePage {
  const from = cursor === undefined ? 0 : Number(cursor);
  if (!Number.isInteger(from) || from < 0 || from > children.length) throw new PackageRError('cursor_invalid');
  const entries = children.slice(from, from + limit);
  return from + limit < children.length ? { entries, cursor: String(from + limit) } : { entries };
}

/** A frozen tree of `count` leaves in one folder that are made while it is walked; `leafAt` must give them in byte order. */
export function generatedTree(count: number, leafAt: (index: number) => Leaf, onWalk: (index: number) => void = () => {}): Tree {
  return {
    frozen: true,
    async list(_folder, { cursor = '0', limit = 200, signal } = {}) {
      signal?.throwIfAborted();
      const from = Number(cursor);
      const to = Math.min(count, from + limit);
      const entries = Array.from({ length: to - from }, (_, i) => {
        onWalk(from + i);
        return leafAt(from + i);
      });
      return to < count ? { entries, cursor: String(to) } : { entries };
    },
    async find(path) {
      return path === root ? { kind: 'folder', path } : undefined;
    },
    async *walk(_folder, { signal } = {}) {
      for (let i = 0; i < count; i++) {
        signal?.throwIfAborted();
        onWalk(i);
        yield leafAt(i);
      }
    },
    read(path) {
      throw new PackageRError('unsupported', `${JSON.stringify(path)} has no bytes here.`);
    },
  };
}

/** Names that break quoting: each is a valid path. */
export const awkwardPaths: readonly Path[] = [
  '-leading-dash.txt',
  ' two  spaces.txt',
  'trailing space /x ',
  'a b/c d.txt',
  'é日.txt',
  '😀/\uFF5E.txt',
  '[x]{y},z.txt',
  'q"u\'o\\te;$HOME`id`$(id).txt',
  'p%20q+r#s?t=1&u.txt',
  '%2e%2e/%00.txt',
  '#1 {} glob*?.txt',
  'x:y|z<b>&amp;.txt',
  '~user/!history!.txt',
  'url = "http:/evil".txt',
  '.hidden/..dots',
  'CON/nul.',
  'data/plain.bin',
].map(parsePath);
