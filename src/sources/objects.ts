/**
 * Writing into a source through a handle: an inline object that is edited in place, or a file that goes to the upload source of a
 * namespace. Bytes of large objects go to temporary URLs instead (see exchange).
 */
import type { Driver, ObjectInfo, StatOptions, WriteOptions } from '#drivers/driver.ts';
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

/** An object that was written for a change that is still to be made. */
export interface UploadedObject {
  readonly info: ObjectInfo;
  /** Takes exactly this object back, as far as the store lets it. Never fails. */
  discard(): Promise<void>;
}

/**
 * Writes an object under a name that nobody else uses. What a failure leaves behind is taken back before the error is thrown.
 * Errors: forbidden outside of the handle’s place or action; unsupported where the source is read-only; those of Driver.write.
 */
export async function uploadObject(
  handle: SourceHandle,
  key: Key,
  body: AsyncIterable<Uint8Array>,
  options: Pick<WriteOptions, 'signal' | 'size'> = {},
): Promise<UploadedObject> {
  const driver = reachObject(handle, key, ['create']);
  if (driver.write === undefined) throw readOnly();
  try {
    const info = await driver.write(key, body, { ...options, ifAbsent: true });
    return { info, discard: () => discard(driver, key, info.version) };
  } catch (error) {
    if (!isError(error, 'exists')) await discardIfThere(driver, key);
    throw error;
  }
}

/** An answer may have been lost behind a write that was done. */
async function discardIfThere(driver: Driver, key: Key): Promise<void> {
  const info = await driver.stat(key).catch(() => undefined);
  if (info !== undefined) await discard(driver, key, info.version);
}

/** Without a trace where the identity may delete object versions, else behind a delete marker. */
async function discard(driver: Driver, key: Key, version: string | undefined): Promise<void> {
  const remove = (): Promise<void> | undefined => driver.delete?.(key)?.catch(() => undefined);
  if (version === undefined) await remove();
  else await driver.delete?.(key, { version })?.catch(remove);
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
