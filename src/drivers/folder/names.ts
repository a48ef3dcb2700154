/**
 * The names in a directory in the order of an object store: byte order, a folder under its name and a slash. Sorted listings of
 * large directories are kept while the directory is unchanged, so that paging through one does not sort it for every page.
 */
import { constants, type Dirent } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { systemCode } from '#drivers/folder/errors.ts';
import { type FolderRoot, type Place, scratchName } from '#drivers/folder/place.ts';
import { isError } from '#errors/error.ts';
import { systemClock } from '#model/clock.ts';
import { compareKeys, decodeKey } from '#model/key.ts';

export interface FolderName {
  /** Ends in `/` for a directory. */
  readonly name: string;
  readonly isLink: boolean;
}

const limits = { directories: 16, names: 250_000, worthKeeping: 1000 } as const;
/** Milliseconds after which a change must show in the directory’s time stamp. */
const stampGrain = 2000;

export class NameCache {
  readonly #kept = new Map<string, readonly FolderName[]>();
  #count = 0;

  /** Errors: those of the file system. Links that lead out or nowhere, and special files, are left out. */
  async list(root: FolderRoot, directory: Place): Promise<readonly FolderName[]> {
    const stats = await directory.handle.stat({ bigint: true });
    const stamp = `${stats.dev} ${stats.ino} ${stats.mtimeNs} ${stats.ctimeNs}`;
    const kept = this.#kept.get(stamp);
    if (kept !== undefined) {
      this.#kept.delete(stamp);
      this.#kept.set(stamp, kept);
      return kept;
    }
    const isSettled = systemClock() - Number(stats.ctimeMs) > stampGrain;
    const names = await readNames(root, directory);
    if (isSettled && names.length >= limits.worthKeeping && !names.some((one) => one.isLink)) this.#keep(stamp, names);
    return names;
  }

  #keep(stamp: string, names: readonly FolderName[]): void {
    this.#kept.set(stamp, names);
    this.#count += names.length;
    for (const [oldest, dropped] of this.#kept) {
      if (this.#kept.size <= limits.directories && this.#count <= limits.names) return;
      this.#kept.delete(oldest);
      this.#count -= dropped.length;
    }
  }
}

async function readNames(root: FolderRoot, directory: Place): Promise<readonly FolderName[]> {
  const names: FolderName[] = [];
  const links: Buffer[] = [];
  for (const entry of await readdir(root.self(directory), { encoding: 'buffer', withFileTypes: true })) {
    const name: string = decodeKey(entry.name);
    if (name.toLowerCase() === scratchName) continue;
    if (entry.isSymbolicLink()) links.push(entry.name);
    else if (entry.isFile() || entry.isDirectory()) names.push({ name: entry.isDirectory() ? `${name}/` : name, isLink: false });
  }
  for (const link of links) {
    const isDirectory = await leadsToDirectory(root, directory, link);
    if (isDirectory !== undefined) names.push({ name: decodeKey(link) + (isDirectory ? '/' : ''), isLink: true });
  }
  return names.sort((a, b) => compareKeys(a.name, b.name));
}

async function leadsToDirectory(root: FolderRoot, directory: Place, link: Buffer): Promise<boolean | undefined> {
  try {
    await using place = await root.openAt(directory, link, 'folder.list');
    return place.stat.isDirectory();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Not there (any more), or a link that leads out: nothing to list. A place that may not be read is not gone. */
export function isGone(error: unknown): boolean {
  return (
    ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'ENAMETOOLONG'].includes(systemCode(error)) ||
    isError(error, 'link_refused') ||
    isError(error, 'object_not_found')
  );
}

/** Whether `a` and `A` are one name here, seen from the names that are there; exact where nothing tells. */
export async function probeCase(root: FolderRoot): Promise<'exact' | 'folded'> {
  const entries: Dirent<Buffer>[] = await readdir(root.self(root.root), { encoding: 'buffer', withFileTypes: true });
  const names = new Set(entries.map((entry) => entry.name.toString('latin1')));
  for (const name of names) {
    const other = name.replace(/[a-zA-Z]/g, (letter) => (letter < 'a' ? letter.toLowerCase() : letter.toUpperCase()));
    if (other === name || names.has(other)) continue;
    const handle = await open(root.at(root.root, Buffer.from(other, 'latin1')), constants.O_RDONLY | constants.O_NONBLOCK).catch(
      () => undefined,
    );
    await handle?.close();
    return handle === undefined ? 'exact' : 'folded';
  }
  return 'exact';
}
