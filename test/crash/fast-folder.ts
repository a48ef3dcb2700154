/** Folders for tests that copy states by the hundred. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { memoryPlace } from '../support/memory-place.ts';

export function fastFolder(): Promise<string> {
  return mkdtemp(join(memoryPlace, 'package-r-crash-'));
}
