/**
 * Uploads in parts: a directory of the scratch folder for each, with a file for each part. Completion joins the parts, claims
 * the upload by renaming its directory, and puts the object in place; so it happens once, and a failed one can be repeated.
 */
import { constants } from 'node:fs';
import { lstat, mkdir, open, readFile as readBytes, readdir, rename, writeFile as writeBytes } from 'node:fs/promises';
import { throwIfAborted } from '#drivers/abort.ts';
import type { Multipart, UploadedPart, WriteOptions } from '#drivers/driver.ts';
import { folderError, systemCode } from '#drivers/folder/errors.ts';
import { type FolderRoot, segmentsOf } from '#drivers/folder/place.ts';
import { etagOf } from '#drivers/folder/read.ts';
import { fillScratch, openScratch, removeScratch, type Scratch } from '#drivers/folder/scratch.ts';
import { publish } from '#drivers/folder/write.ts';
import { PackageRError } from '#errors/error.ts';
import { randomId } from '#model/clock.ts';
import { encodeKey, type Key } from '#model/key.ts';

const limits = { minPartBytes: 1_048_576, maxParts: 10_000 } as const;

export function folderMultipart(root: FolderRoot): Multipart {
  const run = async <T>(key: Key, verb: string, signal: AbortSignal | undefined, work: (scratch: Scratch) => Promise<T>): Promise<T> => {
    throwIfAborted(signal);
    try {
      await using scratch = await openScratch(root);
      return await work(scratch);
    } catch (error) {
      throw folderError(error, `folder.multipart.${verb}`, key);
    }
  };
  return {
    limits,
    create: (key, options) =>
      run(key, 'create', options?.signal, async (scratch) => {
        if (segmentsOf(key) === undefined) throw new PackageRError('key_invalid', 'A folder cannot hold an object of that name.');
        const id = randomId();
        await mkdir(scratch.at(`upload-${id}`), { mode: 0o700 });
        await writeBytes(scratch.at(`upload-${id}/key`), encodeKey(key));
        return id;
      }),
    list: (key, id, options) => run(key, 'list', options?.signal, async (scratch) => listParts(scratch, await uploadOf(scratch, key, id))),
    write: (key, id, number, body, options = {}) =>
      run(key, 'write', options.signal, async (scratch) => writePart(scratch, await uploadOf(scratch, key, id), number, body, options)),
    complete: (key, id, parts, options = {}) =>
      run(key, 'complete', options.signal, async (scratch) => {
        const upload = await uploadOf(scratch, key, id);
        checkParts(parts, await listParts(scratch, upload));
        const { path, handle } = await fillScratch(scratch.at, joined(scratch, upload, parts), options);
        try {
          const claimed = `done-${randomId()}`;
          await rename(scratch.at(upload), scratch.at(claimed)).catch((error: unknown) => {
            throw systemCode(error) === 'ENOENT' ? uploadNotFound(key) : error;
          });
          const info = await publish(root, path, key, options, 'folder.multipart.complete').catch(async (error: unknown) => {
            await rename(scratch.at(claimed), scratch.at(upload));
            throw error;
          });
          await removeScratch(scratch.at(claimed));
          return info;
        } finally {
          await handle.close();
          await removeScratch(path);
        }
      }),
    abort: (key, id, options) =>
      run(key, 'abort', options?.signal, async (scratch) => {
        const upload = await uploadOf(scratch, key, id).catch(() => undefined);
        if (upload !== undefined) await removeScratch(scratch.at(upload));
      }),
  };
}

async function uploadOf(scratch: Scratch, key: Key, id: string): Promise<string> {
  if (!/^[\w-]{22}$/.test(id)) throw uploadNotFound(key);
  const bytes = await readBytes(scratch.at(`upload-${id}/key`)).catch(() => undefined);
  if (bytes?.equals(encodeKey(key)) !== true) throw uploadNotFound(key);
  return `upload-${id}`;
}

async function listParts(scratch: Scratch, upload: string): Promise<UploadedPart[]> {
  const names = (await readdir(scratch.at(upload))).filter((name) => /^\d{5}$/.test(name)).sort();
  return Promise.all(names.map((name) => partOf(scratch, upload, Number(name))));
}

async function partOf(scratch: Scratch, upload: string, number: number): Promise<UploadedPart> {
  const stats = await lstat(scratch.at(`${upload}/${fileOf(number)}`), { bigint: true });
  return { number, etag: etagOf(stats), size: Number(stats.size) };
}

async function writePart(
  scratch: Scratch,
  upload: string,
  number: number,
  body: AsyncIterable<Uint8Array>,
  options: WriteOptions,
): Promise<UploadedPart> {
  if (!Number.isInteger(number) || number < 1 || number > limits.maxParts) throw partRefused(`Parts are numbered 1 to ${limits.maxParts}.`);
  const { path, handle } = await fillScratch((file) => scratch.at(`${upload}/${file}`), body, options);
  try {
    const stats = await handle.stat({ bigint: true });
    await rename(path, scratch.at(`${upload}/${fileOf(number)}`));
    return { number, etag: etagOf(stats), size: Number(stats.size) };
  } finally {
    await handle.close();
    await removeScratch(path);
  }
}

function checkParts(parts: readonly UploadedPart[], arrived: readonly UploadedPart[]): void {
  if (parts.length === 0) throw partRefused('An upload has at least one part.');
  const known = new Map(arrived.map((part) => [part.number, part]));
  for (const [index, part] of parts.entries()) {
    const found = known.get(part.number);
    if (found === undefined || found.etag !== part.etag) throw partRefused(`Part ${part.number} has not arrived as stated.`);
    if (part.number <= (parts[index - 1]?.number ?? 0)) throw partRefused('Parts are stated in rising order.');
    if (index < parts.length - 1 && found.size < limits.minPartBytes) {
      throw partRefused(`Part ${part.number} is smaller than ${limits.minPartBytes} bytes.`);
    }
  }
}

async function* joined(scratch: Scratch, upload: string, parts: readonly UploadedPart[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    const handle = await open(scratch.at(`${upload}/${fileOf(part.number)}`), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      if (etagOf(await handle.stat({ bigint: true })) !== part.etag) throw partRefused(`Part ${part.number} was replaced meanwhile.`);
      yield* handle.createReadStream({ autoClose: false, highWaterMark: 262_144 });
    } finally {
      await handle.close();
    }
  }
}

function fileOf(number: number): string {
  return String(number).padStart(5, '0');
}

function partRefused(message: string): PackageRError {
  return new PackageRError('request_invalid', message, { operation: 'folder.multipart' });
}

function uploadNotFound(key: Key): PackageRError {
  return new PackageRError('not_found', `There is no such upload of ${JSON.stringify(key)}.`, { operation: 'folder.multipart' });
}
