/**
 * The scratch folder `.package-r` inside the root: what is being written lies there, private (0700), until it is put in place
 * by a rename. Leftovers of more than seven days are removed when the source is opened.
 */
import { constants } from 'node:fs';
import { chmod, type FileHandle, lstat, mkdir, open, readdir, rm } from 'node:fs/promises';
import { sizedBody } from '#drivers/bytes.ts';
import type { WriteOptions } from '#drivers/driver.ts';
import { linkRefused, systemCode } from '#drivers/folder/errors.ts';
import { type FolderRoot, type Place, scratchName } from '#drivers/folder/place.ts';
import { type Clock, randomId } from '#model/clock.ts';

const name = Buffer.from(scratchName);
const leftoverAge = 7 * 86_400_000;

/** A path that is good for calls of the file system while the scratch folder is open. */
export interface Scratch extends AsyncDisposable {
  at(file: string): Buffer;
}

/** Errors: link_refused where something else stands in its place; those of the file system. */
export async function openScratch(root: FolderRoot, parent: Place = root.root): Promise<Scratch> {
  const path = root.at(parent, name);
  await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw error;
  });
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW).catch((error: unknown) => {
    throw ['ELOOP', 'ENOTDIR', 'EMLINK'].includes(systemCode(error)) ? linkRefused('folder.scratch') : error;
  });
  const stat = await handle.stat({ bigint: true });
  const place: Place = { handle, stat, real: path, [Symbol.asyncDispose]: () => handle.close() };
  if ((stat.mode & 0o077n) !== 0n) await chmod(root.self(place), 0o700);
  return { at: (file) => root.at(place, Buffer.from(file)), [Symbol.asyncDispose]: () => handle.close() };
}

export async function cleanScratch(root: FolderRoot, clock: Clock): Promise<void> {
  const exists = await lstat(root.at(root.root, name)).catch(() => undefined);
  if (exists === undefined) return;
  await using scratch = await openScratch(root);
  for (const file of await readdir(scratch.at('.'))) {
    const stats = await lstat(scratch.at(file)).catch(() => undefined);
    if (stats !== undefined && clock() - stats.mtimeMs > leftoverAge) await removeScratch(scratch.at(file));
  }
}

export async function removeScratch(path: Buffer): Promise<void> {
  await rm(path.toString(), { recursive: true, force: true });
}

/** A new scratch file with the body, on the disk to the last byte; nothing is left of it where that fails. */
export async function fillScratch(
  at: (file: string) => Buffer,
  body: AsyncIterable<Uint8Array>,
  options: WriteOptions,
): Promise<{ readonly path: Buffer; readonly handle: FileHandle }> {
  const path = at(`new-${randomId()}`);
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW);
  try {
    for await (const chunk of sizedBody(body, options)) await writeAll(handle, chunk);
    await handle.sync();
    return { path, handle };
  } catch (error) {
    await handle.close();
    await removeScratch(path);
    throw error;
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at, chunk.length - at)).bytesWritten;
}
