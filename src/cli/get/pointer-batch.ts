/**
 * Pointer files on this disk as things to fetch: named one by one, or all of an unpacked folder. A pointer file comes from somebody else:
 * a whole folder is exchanged with one link only, and what points elsewhere is told and left alone.
 */
import { type FileHandle, open, opendir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { asError, PackageRError } from '#errors/error.ts';
import type { ManifestLine } from '#model/manifest.ts';
import { encodePath, nameOf, parseSegment } from '#model/path.ts';
import { type PointerFile, parsePointerFile, pointerLimits } from '#model/pointer-file.ts';
import type { Batch, Item } from './batch.ts';
import { fileFault } from './file-fault.ts';
import type { ShareLink } from './share-link.ts';

export const pointerSuffix = '.pointer';

export interface PointerBatchOptions {
  /** The pointer files; called twice, gives the same. */
  files(): AsyncIterable<string> | Iterable<string>;
  /** The opened link of a base such as `https://host/s/ID`; asked once for each. Errors: the base is not to be spoken to. */
  linkOf(base: string): Promise<ShareLink>;
  /** Where the files are to lie; undefined for beside their pointers. */
  readonly folder: string | undefined;
  /** The pointer goes once its file is there. */
  readonly replace: boolean;
}

export async function openPointerBatch(options: PointerBatchOptions): Promise<Batch> {
  let [files, bytes] = [0, 0];
  for await (const file of options.files()) {
    files++;
    bytes += await readPointer(file).then(
      ({ size }) => size,
      () => 0,
    );
  }
  const links = new Map<string, Promise<ShareLink>>();
  const linkOf = (base: string): Promise<ShareLink> => {
    const known = links.get(base) ?? options.linkOf(base);
    links.set(base, known);
    return known;
  };
  return {
    files,
    bytes,
    collisions: [],
    async *items() {
      for await (const file of options.files()) yield await toItem(file, linkOf, options);
    },
    close: async () => {},
  };
}

async function toItem(file: string, linkOf: PointerBatchOptions['linkOf'], options: PointerBatchOptions): Promise<Item> {
  try {
    const pointer = await readPointer(file);
    const link = await linkOf(baseOf(pointer));
    const line = toLine(pointer);
    const wanted = { link, path: pointer.path, folder: options.folder ?? dirname(file), line };
    const item = { name: file, line, wanted };
    return options.replace ? { ...item, onDone: () => remove(file, line.path) } : item;
  } catch (error) {
    const fault = asError(error);
    if (fault.code === 'cancelled' || fault.kind === 'unauthenticated' || fault.kind === 'locked') throw fault;
    return { name: file, line: { size: 0, checksums: {} }, wanted: fault };
  }
}

/** The pointer of an object that is itself named like one is not mistaken for it. */
async function remove(file: string, name: string): Promise<void> {
  if (basename(file) !== name) await rm(file, { force: true });
}

function toLine({ path, size, etag, checksums }: PointerFile): ManifestLine {
  return {
    path: parseSegment(nameOf(path)),
    kind: 'pointer',
    size,
    ...(etag === undefined ? {} : { etag }),
    checksums: Object.fromEntries(checksums.map(({ algorithm, value }) => [algorithm, value])),
  };
}

/** `https://host/s/ID` of `https://host/s/ID/o/path`. */
function baseOf({ url, path }: PointerFile): string {
  return url.slice(0, -`/o/${encodePath(path)}`.length);
}

async function readPointer(file: string): Promise<PointerFile> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    if (!(await handle.stat()).isFile()) throw new PackageRError('pointer_invalid', 'It is no file.');
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(pointerLimits.bytes + 1) });
    return parsePointerFile(buffer.subarray(0, bytesRead));
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw isAbsent ? new PackageRError('not_found', 'There is no such pointer file.') : fileFault(error);
  } finally {
    await handle?.close();
  }
}

/** All pointer files below, in no order. Links are not followed. */
export async function* walkPointers(folder: string): AsyncGenerator<string> {
  const entries = await opendir(folder).catch((error) => {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT'
      ? new PackageRError('not_found', 'There is no such folder.')
      : fileFault(error);
  });
  for await (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walkPointers(path);
    else if (entry.isFile() && entry.name.endsWith(pointerSuffix)) yield path;
  }
}

/** The bases that the valid pointers below name, at most `limit`. */
export async function findBases(folder: string, limit: number): Promise<readonly string[]> {
  const bases = new Set<string>();
  for await (const file of walkPointers(folder)) {
    const pointer = await readPointer(file).catch(() => undefined);
    if (pointer !== undefined) bases.add(baseOf(pointer));
    if (bases.size === limit) break;
  }
  return [...bases];
}
