/** What is done with the file of a state as a whole, beside its content. */
import { open, rm } from 'node:fs/promises';

/** What SQLite may keep beside a file. */
export const companions = ['-wal', '-shm', '-journal'] as const;

/** Durable when it resolves: the content of a file, or the names in a folder. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The file and all that may lie beside it. */
export async function removeState(file: string): Promise<void> {
  for (const end of ['', ...companions]) await rm(`${file}${end}`, { force: true });
}
