/**
 * Containment: a Place is an opened file or directory of which it is known that it lies inside the root. Names are only ever
 * resolved below an opened directory, and what was opened is verified, not its name, so that links and races lead nowhere.
 *
 * On Linux `/proc/self/fd/N` names an open descriptor, and O_PATH opens without touching: what is verified is what is used, with
 * nothing in between. Elsewhere the real path and the inode are compared after opening; there a swap of a parent directory in
 * the instant between that check and a rename is the operating system’s to prevent.
 */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readlink, realpath, stat } from 'node:fs/promises';
import { linkRefused, objectNotFound, systemCode } from '#drivers/folder/errors.ts';
import { PackageRError } from '#errors/error.ts';
import { encodeKey, type Key } from '#model/key.ts';

/** Folder of our own inside a root: never listed, read, written or shared, at whatever depth it stands. */
export const scratchName = '.package-r';

const pathFlag = 0o10000000;
const readFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
const slash = Buffer.from('/');

export interface Place extends AsyncDisposable {
  readonly handle: FileHandle;
  readonly stat: BigIntStats;
  /** The real path, for comparison only. */
  readonly real: Buffer;
}

/** The segments of a key as bytes, or undefined where no file can have that name. */
export function segmentsOf(key: string): Buffer[] | undefined {
  const segments: Buffer[] = [];
  for (const segment of key.split('/')) {
    const bytes = encodeKey(segment as Key);
    const isOrdinary = segment !== '' && segment !== '.' && segment !== '..' && !segment.includes('\0') && bytes.length <= 255;
    if (!isOrdinary || segment.toLowerCase() === scratchName) return undefined;
    segments.push(bytes);
  }
  return segments;
}

export class FolderRoot {
  readonly #root: Place;
  readonly #byDescriptor: boolean;

  private constructor(root: Place, byDescriptor: boolean) {
    this.#root = root;
    this.#byDescriptor = byDescriptor;
  }

  /** Errors: source_unavailable where there is no such directory. */
  static async open(path: string): Promise<FolderRoot> {
    try {
      const real = await realpath(path, { encoding: 'buffer' });
      const handle = await open(real, constants.O_RDONLY | constants.O_DIRECTORY);
      const shown = await readlink(`/proc/self/fd/${handle.fd}`, { encoding: 'buffer' }).catch(() => undefined);
      return new FolderRoot(placeOf(handle, await handle.stat({ bigint: true }), real), shown?.equals(real) === true);
    } catch (cause) {
      throw new PackageRError('source_unavailable', 'The root folder of the source cannot be opened.', { operation: 'folder.open', cause });
    }
  }

  get root(): Place {
    return this.#root;
  }

  /** The path of a name below an opened directory, for one call of the file system. */
  at(directory: Place, name: Buffer): Buffer {
    return Buffer.concat([this.self(directory), slash, name]);
  }

  /** The path of an opened place itself. */
  self(place: Place): Buffer {
    return this.#byDescriptor ? Buffer.from(`/proc/self/fd/${place.handle.fd}`) : place.real;
  }

  /** What the name below an opened directory leads to, verified. Errors: link_refused; those of the file system. */
  async openAt(directory: Place, name: Buffer, operation: string): Promise<Place> {
    const path = this.at(directory, name);
    if (!this.#byDescriptor) refuseSpecial(await stat(path, { bigint: true }), operation);
    const handle = await open(path, this.#byDescriptor ? pathFlag : readFlags);
    try {
      const stats = await handle.stat({ bigint: true });
      refuseSpecial(stats, operation);
      const real = await this.#realOf(handle, stats, path, operation);
      if (!(await this.#isInside(real))) throw linkRefused(operation);
      return placeOf(handle, stats, real);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The place of a key. Errors: object_not_found, link_refused; those of the file system. */
  async openKey(key: string, operation: string): Promise<Place> {
    const segments = segmentsOf(key);
    if (segments === undefined) throw objectNotFound(key, operation);
    return this.openAt(this.#root, joinBytes(segments), operation);
  }

  /** The directory of a key to be written, with the directories above it made where `create` is set. */
  async openParent(segments: readonly Buffer[], create: boolean, operation: string): Promise<Place> {
    let here = await this.openAt(this.#root, Buffer.from('.'), operation);
    for (const segment of segments.slice(0, -1)) {
      await using above = here;
      here = await this.#openDirectory(above, segment, create, operation);
    }
    return here;
  }

  /** A descriptor for reading the bytes or names of a verified place; the caller closes it. */
  async reopen(place: Place): Promise<FileHandle> {
    return open(this.self(place), readFlags);
  }

  async close(): Promise<void> {
    await this.#root.handle.close();
  }

  async #openDirectory(above: Place, segment: Buffer, create: boolean, operation: string): Promise<Place> {
    if (create) {
      const path = this.at(above, segment);
      const isThere = await lstat(path).then(
        () => true,
        (error: unknown) => {
          if (systemCode(error) === 'ENOENT') return false;
          throw error;
        },
      );
      if (!isThere) await mkdir(path).catch(unlessExists);
    }
    const place = await this.openAt(above, segment, operation).catch((error: unknown) => {
      throw create && systemCode(error) === 'ENOENT' ? linkRefused(operation) : error;
    });
    if (place.stat.isDirectory()) return place;
    await place.handle.close();
    throw create
      ? new PackageRError('path_conflict', 'A file stands where a folder is needed.', { operation })
      : Object.assign(new Error('not a directory'), { code: 'ENOTDIR' });
  }

  async #realOf(handle: FileHandle, stats: BigIntStats, path: Buffer, operation: string): Promise<Buffer> {
    if (this.#byDescriptor) return readlink(`/proc/self/fd/${handle.fd}`, { encoding: 'buffer' });
    const real = await realpath(path, { encoding: 'buffer' });
    const now = await stat(real, { bigint: true });
    if (now.dev !== stats.dev || now.ino !== stats.ino) throw linkRefused(operation);
    return real;
  }

  /** Asks again where the root is: it may have been moved as a whole. */
  async #isInside(real: Buffer): Promise<boolean> {
    if (isBelow(real, this.#root.real)) return true;
    return this.#byDescriptor && isBelow(real, await readlink(this.self(this.#root), { encoding: 'buffer' }));
  }
}

function isBelow(real: Buffer, root: Buffer): boolean {
  if (real.equals(root)) return true;
  const border = root.at(-1) === slash[0] ? root : Buffer.concat([root, slash]);
  if (!real.subarray(0, border.length).equals(border)) return false;
  return !real
    .subarray(border.length)
    .toString('latin1')
    .split('/')
    .some((segment) => segment.toLowerCase() === scratchName);
}

function refuseSpecial(stats: BigIntStats, operation: string): void {
  if (stats.isFile() || stats.isDirectory()) return;
  throw new PackageRError('object_not_found', 'It is neither a file nor a folder.', { operation });
}

function placeOf(handle: FileHandle, stats: BigIntStats, real: Buffer): Place {
  return { handle, stat: stats, real, [Symbol.asyncDispose]: () => handle.close() };
}

function joinBytes(segments: readonly Buffer[]): Buffer {
  return Buffer.concat(segments.flatMap((segment, index) => (index === 0 ? [segment] : [slash, segment])));
}

function unlessExists(error: unknown): void {
  if (systemCode(error) !== 'EEXIST') throw error;
}
