/** Where tests keep what they copy or write by the hundred: in memory, where there is such a place for us. A killed process loses nothing there. */
import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';

export const memoryPlace: string = isWritable('/dev/shm') ? '/dev/shm' : tmpdir();

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
