/**
 * Writing into a source through a handle: an inline object that is edited in place, or a file that goes to the upload source of a
 * namespace. Bytes of large objects go to temporary URLs instead (see exchange).
 */
import type { ObjectInfo, StatOptions, WriteOptions } from '#drivers/driver.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { Key } from '#model/key.ts';
import { reachObject } from '#sources/presign.ts';
import type { SourceHandle } from '#sources/source-handle.ts';

/**
 * Writes an object, atomically. A handle that was opened to create replaces nothing.
 * Errors: forbidden outside of the handle’s place or action; exists; unsupported where the source is read-only; those of Driver.write.
 */
export async function writeObject(
  handle: SourceHandle,
  key: Key,
  body: AsyncIterable<Uint8Array>,
  options: WriteOptions = {},
): Promise<ObjectInfo> {
  const driver = reachObject(handle, key, ['create', 'modify']);
  if (driver.write === undefined) throw readOnly();
  return driver.write(key, body, handle.action === 'create' ? { ...options, ifAbsent: true } : options);
}

/** What the store says of an object that it took. */
export type UploadedObject = ObjectInfo;

/**
 * Writes an object under a name that nobody else uses. A failed one may leave something behind: see `takeBack`.
 * Errors: forbidden outside of the handle’s place or action; unsupported where the source is read-only; those of Driver.write.
 */
export async function uploadObject(
  handle: SourceHandle,
  key: Key,
  body: AsyncIterable<Uint8Array>,
  options: Pick<WriteOptions, 'signal' | 'size' | 'onUpload'> = {},
): Promise<UploadedObject> {
  const driver = reachObject(handle, key, ['create']);
  if (driver.write === undefined) throw readOnly();
  return driver.write(key, body, { ...options, ifAbsent: true });
}

export interface TakeBack {
  /** Name of an upload in parts, where there was one. */
  readonly parts?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Asked where there is an object; it stays unless this says true. */
  isFree(): Promise<boolean>;
}

/**
 * Takes back what an upload left under a name that nobody else uses: without a trace where the identity may delete object versions, else
 * behind a delete marker. Idempotent. Errors: forbidden outside of the handle’s place or action;
 * those of the driver.
 */
export async function takeBack(handle: SourceHandle, key: Key, { parts, signal, isFree }: TakeBack): Promise<void> {
  const driver = reachObject(handle, key, ['delete']);
  if (parts !== undefined) await driver.multipart?.abort(key, parts, { signal });
  const info = await driver.stat(key, { signal }).catch((error: unknown) => {
    if (isError(error, 'object_not_found')) return undefined;
    throw error;
  });
  if (info === undefined || driver.delete === undefined || !(await isFree())) return;
  const { version } = info;
  if (version === undefined) return driver.delete(key, { signal });
  await driver.delete(key, { version, signal }).catch((error: unknown) => {
    if (!isError(error, 'forbidden')) throw error;
    return driver.delete?.(key, { signal });
  });
}

/** Idempotent. Errors: forbidden outside of the handle’s place or action; unsupported where the source is read-only. */
export async function deleteObject(handle: SourceHandle, key: Key, options: StatOptions = {}): Promise<void> {
  const driver = reachObject(handle, key, ['delete']);
  if (driver.delete === undefined) throw readOnly();
  await driver.delete(key, options);
}

function readOnly(): PackageRError {
  return new PackageRError('unsupported', 'This source is read-only.', { operation: 'sources.write' });
}
