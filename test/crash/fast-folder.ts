/** Folders for tests that copy states by the hundred. */
import { access, constants, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new folder, in memory where there is such a place: what a killed process has written is there either way, and copies cost no disk. */
export async function fastFolder(): Promise<string> {
  const place = await access('/dev/shm', constants.W_OK).then(
    () => '/dev/shm',
    () => tmpdir(),
  );
  return mkdtemp(join(place, 'package-r-crash-'));
}
