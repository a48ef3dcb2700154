/**
 * The exclusive lock of a data folder. It is a lock of the operating system (by way of SQLite), so it ends with the process, however
 * that ends.
 */
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PackageRError } from '#errors/error.ts';

export interface DataLock {
  release(): void;
}

/** Makes the folder (0700) where it is missing. Errors: data_locked, state_failed. */
export function lockData(folder: string): DataLock {
  const path = join(folder, 'lock');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    closeSync(openSync(path, 'a', 0o600));
    chmodSync(path, 0o600);
  } catch (cause) {
    throw new PackageRError('state_failed', `The data folder ${JSON.stringify(folder)} cannot be written.`, { cause });
  }
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('pragma locking_mode = exclusive; begin exclusive');
  } catch (cause) {
    database.close();
    throw new PackageRError('data_locked', `The data folder ${JSON.stringify(folder)} is in use.`, { cause });
  }
  return {
    release() {
      if (database.isOpen) database.close();
    },
  };
}
