/** Whether the bytes that are kept of a text are those that were frozen. Imports nothing that is slow to load. */
import { hash } from 'node:crypto';
import { PackageRError } from '#errors/error.ts';
import type { SqlValue } from '#state/state.ts';
import type { SliceCheck } from './range-hash.ts';

/** `read`: the bytes of a text of the package. */
export function textCheck(version: number, read: (sha256: string) => SqlValue | undefined | Promise<SqlValue | undefined>): SliceCheck {
  return {
    async text(path, sha256, size) {
      const bytes = await read(sha256);
      if (!(bytes instanceof Uint8Array)) throw fault(version, `the bytes of ${JSON.stringify(path)} are missing`);
      if (bytes.length !== size || hash('sha256', bytes, 'hex') !== sha256)
        throw fault(version, `the bytes of ${JSON.stringify(path)} are not those that were frozen`);
    },
  };
}

export function fault(version: number, what: string): PackageRError {
  return new PackageRError('verify_failed', `Version ${version} is damaged: ${what}.`, { operation: 'packages.verify' });
}
