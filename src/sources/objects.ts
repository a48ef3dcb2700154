/**
 * Writing into a source through a handle: an inline object that is edited in place, or a file that goes to the upload source of a
 * namespace. Bytes of large objects go to temporary URLs instead (see exchange).
 */
import type { ObjectInfo, StatOptions, WriteOptions } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
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

/** Idempotent. Errors: forbidden outside of the handle’s place or action; unsupported where the source is read-only. */
export async function deleteObject(handle: SourceHandle, key: Key, options: StatOptions = {}): Promise<void> {
  const driver = reachObject(handle, key, ['delete']);
  if (driver.delete === undefined) throw readOnly();
  await driver.delete(key, options);
}

function readOnly(): PackageRError {
  return new PackageRError('unsupported', 'This source is read-only.', { operation: 'sources.write' });
}
