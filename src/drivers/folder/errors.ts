/** Maps what the file system answers to our errors. Messages name keys, never places of this machine. */
import { PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';

const codes: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'object_not_found',
  ENOTDIR: 'object_not_found',
  EISDIR: 'object_not_found',
  ENAMETOOLONG: 'object_not_found',
  ENXIO: 'object_not_found',
  ELOOP: 'link_refused',
  EACCES: 'forbidden',
  EPERM: 'forbidden',
  EROFS: 'forbidden',
  EEXIST: 'exists',
  ENOTEMPTY: 'path_conflict',
  EXDEV: 'unsupported',
  ENOTSUP: 'unsupported',
};

/** `key` stands in the message. Whatever is unknown (EIO, ENOSPC, EMFILE, …) is a store that does not answer now. */
export function folderError(error: unknown, operation: string, key: string): PackageRError {
  if (error instanceof PackageRError) return error;
  const system = systemCode(error);
  const known = codes[system];
  const at = JSON.stringify(key.length > 120 ? `${key.slice(0, 119)}…` : key);
  if (known !== undefined)
    return new PackageRError(known, `${messages[known] ?? 'It is not possible'}: ${at}.`, { operation, cause: error });
  return new PackageRError('source_unavailable', `The folder answered ${system || 'with a fault'} for ${at}.`, {
    operation,
    retry: 'temporary',
    cause: error,
  });
}

const messages: Partial<Record<ErrorCode, string>> = {
  object_not_found: 'There is no object',
  link_refused: 'The link does not lead to a place inside of the source',
  forbidden: 'The server’s account may not do this in the folder',
  exists: 'There is already an object',
  path_conflict: 'A folder of that name is there',
  unsupported: 'The file system cannot put an object in place atomically here',
};

/** `ENOENT` and the like; '' where the error is none of the file system. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

export function objectNotFound(key: string, operation: string): PackageRError {
  return folderError(Object.assign(new Error('no such object'), { code: 'ENOENT' }), operation, key);
}

export function linkRefused(operation: string): PackageRError {
  return new PackageRError('link_refused', undefined, { operation });
}
