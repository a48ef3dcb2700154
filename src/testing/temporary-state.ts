/** A State of its own in a temporary folder, for tests of what stands on it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteState } from '#state/sqlite/sqlite-state.ts';
import type { State } from '#state/state.ts';

export interface TemporaryState {
  readonly state: State;
  readonly folder: string;
  /** Closes the state and opens the same again, as a restart does. */
  reopen(): Promise<State>;
  /** Closes the state and removes the folder. */
  close(): Promise<void>;
}

export async function temporaryState(): Promise<TemporaryState> {
  const folder = await mkdtemp(join(tmpdir(), 'package-r-'));
  const path = join(folder, 'state.sqlite');
  let current = await openSqliteState(path);
  return {
    get state() {
      return current;
    },
    folder,
    async reopen() {
      await current.close();
      current = await openSqliteState(path);
      return current;
    },
    async close() {
      await current.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
