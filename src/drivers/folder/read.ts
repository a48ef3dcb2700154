/** What a file is, and its bytes. */
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { throwIfAborted } from '#drivers/abort.ts';
import { clipRange } from '#drivers/bytes.ts';
import type { ObjectBody, ObjectInfo, ReadObjectOptions, StatOptions } from '#drivers/driver.ts';
import { folderError, objectNotFound } from '#drivers/folder/errors.ts';
import type { FolderRoot } from '#drivers/folder/place.ts';
import { PackageRError } from '#errors/error.ts';
import type { Key } from '#model/key.ts';

const chunkBytes = 262_144;

/** The etag is made of mtime (nanoseconds), size and inode: any ordinary write changes it. */
export function infoOf(key: Key, stats: BigIntStats): ObjectInfo {
  return { key, size: Number(stats.size), etag: etagOf(stats), modifiedAt: Number(stats.mtimeMs) };
}

export function etagOf(stats: BigIntStats): string {
  return `${stats.mtimeNs.toString(36)}-${stats.size.toString(36)}-${stats.ino.toString(36)}`;
}

export async function statFile(root: FolderRoot, key: Key, options: StatOptions = {}): Promise<ObjectInfo> {
  const operation = 'folder.stat';
  throwIfAborted(options.signal);
  refuseVersion(key, options.version, operation);
  try {
    await using place = await root.openKey(key, operation);
    if (!place.stat.isFile()) throw objectNotFound(key, operation);
    return infoOf(key, place.stat);
  } catch (error) {
    throw folderError(error, operation, key);
  }
}

export async function readFile(root: FolderRoot, key: Key, options: ReadObjectOptions = {}): Promise<ObjectBody> {
  const operation = 'folder.read';
  throwIfAborted(options.signal);
  refuseVersion(key, options.version, operation);
  try {
    await using place = await root.openKey(key, operation);
    if (!place.stat.isFile()) throw objectNotFound(key, operation);
    const handle = await root.reopen(place);
    try {
      const stats = await handle.stat({ bigint: true });
      const info = infoOf(key, stats);
      return { info, body: new FileBody(handle, info, clipRange(options.range, info.size), options.signal) };
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (error) {
    throw folderError(error, operation, key);
  }
}

function refuseVersion(key: Key, version: string | undefined, operation: string): void {
  if (version !== undefined) throw objectNotFound(key, operation);
}

/** Owns the descriptor: closed at the end, at an error, and when the iterator is returned, begun or not. */
class FileBody implements AsyncIterableIterator<Uint8Array> {
  readonly #handle: FileHandle;
  readonly #info: ObjectInfo;
  readonly #signal: AbortSignal | undefined;
  readonly #end: number;
  #at: number;
  #closed = false;

  constructor(handle: FileHandle, info: ObjectInfo, range: { start: number; end: number }, signal: AbortSignal | undefined) {
    this.#handle = handle;
    this.#info = info;
    this.#at = range.start;
    this.#end = range.end;
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#closed) return { done: true, value: undefined };
    try {
      throwIfAborted(this.#signal);
      if (this.#at >= this.#end) return await this.#finish();
      const length = Math.min(chunkBytes, this.#end - this.#at);
      const { bytesRead, buffer } = await this.#handle.read(Buffer.allocUnsafeSlow(length), 0, length, this.#at);
      if (bytesRead === 0) throw changed(this.#info.key);
      this.#at += bytesRead;
      return { done: false, value: buffer.subarray(0, bytesRead) };
    } catch (error) {
      await this.return();
      throw folderError(error, 'folder.read', this.#info.key);
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#closed) {
      this.#closed = true;
      await this.#handle.close();
    }
    return { done: true, value: undefined };
  }

  async #finish(): Promise<IteratorResult<Uint8Array, undefined>> {
    const isSame = etagOf(await this.#handle.stat({ bigint: true })) === this.#info.etag;
    if (!isSame) throw changed(this.#info.key);
    return this.return();
  }
}

function changed(key: Key): PackageRError {
  return new PackageRError('precondition_failed', `The object ${JSON.stringify(key)} changed while it was read.`, {
    operation: 'folder.read',
  });
}
