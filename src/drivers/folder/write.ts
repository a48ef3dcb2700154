/**
 * Writing, copying and deleting. An object is written to the scratch folder and renamed into place below the verified parent
 * directory, so readers see the old or the new file. A link inside the source is replaced or removed as itself, what it leads to
 * stays; a link that leads out or nowhere is refused. Deleting keeps the folders above: people who use folders made them.
 */
import { link, lstat, open, rename, unlink } from 'node:fs/promises';
import { throwIfAborted } from '#drivers/abort.ts';
import type { ObjectInfo, StatOptions, WriteOptions } from '#drivers/driver.ts';
import { folderError, linkRefused, systemCode } from '#drivers/folder/errors.ts';
import { isGone } from '#drivers/folder/names.ts';
import { type FolderRoot, type Place, segmentsOf } from '#drivers/folder/place.ts';
import { infoOf, readFile } from '#drivers/folder/read.ts';
import { fillScratch, openScratch, removeScratch } from '#drivers/folder/scratch.ts';
import { PackageRError } from '#errors/error.ts';
import { type Key, parseKey } from '#model/key.ts';

export async function writeFile(
  root: FolderRoot,
  key: Key,
  body: AsyncIterable<Uint8Array>,
  options: WriteOptions = {},
): Promise<ObjectInfo> {
  const operation = 'folder.write';
  throwIfAborted(options.signal);
  writableSegments(key, operation);
  try {
    await using scratch = await openScratch(root);
    const { path, handle } = await fillScratch(scratch.at, body, options);
    try {
      return await publish(root, path, key, options, operation);
    } finally {
      await handle.close();
      await removeScratch(path);
    }
  } catch (error) {
    throw folderError(error, operation, key);
  }
}

/** Puts a finished scratch file in place. Errors: exists, link_refused, path_conflict, key_invalid. */
export async function publish(root: FolderRoot, path: Buffer, key: Key, options: WriteOptions, operation: string): Promise<ObjectInfo> {
  const segments = writableSegments(key, operation);
  await using parent = await root.openParent(segments, true, operation);
  const name = segments.at(-1) as Buffer;
  const target = root.at(parent, name);
  await refuseTarget(root, parent, name, operation);
  throwIfAborted(options.signal);
  const stats = await lstat(path, { bigint: true });
  if (options.ifAbsent === true) await link(path, target);
  else await rename(path, target);
  await syncDirectory(root, parent);
  return infoOf(key, stats);
}

export async function copyFile(root: FolderRoot, from: Key, to: Key, options: StatOptions = {}): Promise<ObjectInfo> {
  const { body, info } = await readFile(root, from, options);
  return writeFile(root, to, body, { size: info.size, signal: options.signal });
}

export async function deleteFile(root: FolderRoot, key: Key, options: StatOptions = {}): Promise<void> {
  const operation = 'folder.delete';
  throwIfAborted(options.signal);
  if (options.version !== undefined) throw new PackageRError('unsupported', 'A folder keeps no object versions.', { operation });
  const segments = segmentsOf(key);
  if (segments === undefined) return;
  try {
    await using parent = await root.openParent(segments, false, operation);
    const name = segments.at(-1) as Buffer;
    const stats = await lstat(root.at(parent, name));
    if (stats.isSymbolicLink()) await verifyLink(root, parent, name, operation);
    else if (!stats.isFile()) return;
    await unlink(root.at(parent, name));
    await syncDirectory(root, parent);
  } catch (error) {
    if (isGone(error) && !(error instanceof PackageRError && error.code === 'link_refused')) return;
    throw folderError(error, operation, key);
  }
}

function writableSegments(key: Key, operation: string): Buffer[] {
  const segments = segmentsOf(parseKey(key));
  if (segments === undefined) {
    throw new PackageRError('key_invalid', `A folder cannot hold an object named ${JSON.stringify(key.slice(0, 120))}.`, { operation });
  }
  return segments;
}

async function refuseTarget(root: FolderRoot, parent: Place, name: Buffer, operation: string): Promise<void> {
  const stats = await lstat(root.at(parent, name)).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (stats === undefined || stats.isFile()) return;
  if (!stats.isSymbolicLink()) throw new PackageRError('path_conflict', 'Something other than a file stands there.', { operation });
  await verifyLink(root, parent, name, operation);
}

async function verifyLink(root: FolderRoot, parent: Place, name: Buffer, operation: string): Promise<void> {
  try {
    await using target = await root.openAt(parent, name, operation);
    if (target.stat.isDirectory()) throw new PackageRError('path_conflict', 'A link to a folder stands there.', { operation });
  } catch (error) {
    throw systemCode(error) === 'ENOENT' || systemCode(error) === 'ELOOP' ? linkRefused(operation) : error;
  }
}

/** File systems that cannot sync a directory say EINVAL: there the rename is as durable as they make it. */
async function syncDirectory(root: FolderRoot, directory: Place): Promise<void> {
  const handle = await open(root.self(directory), 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (systemCode(error) !== 'EINVAL') throw error;
  } finally {
    await handle.close();
  }
}
