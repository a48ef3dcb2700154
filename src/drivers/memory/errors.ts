/** What the memory store refuses. */
import { PackageRError } from '#errors/error.ts';
import type { Key } from '#model/key.ts';

export function objectNotFound(key: Key, operation: string): PackageRError {
  return new PackageRError('object_not_found', `There is no object ${JSON.stringify(key)}.`, { operation });
}

export function uploadNotFound(key: Key, operation: string): PackageRError {
  return new PackageRError('not_found', `There is no such upload of ${JSON.stringify(key)}.`, { operation });
}

export function objectExists(key: Key, operation: string): PackageRError {
  return new PackageRError('exists', `There is already an object ${JSON.stringify(key)}.`, { operation });
}

export function partRefused(message: string, operation: string): PackageRError {
  return new PackageRError('request_invalid', message, { operation });
}
