/**
 * A State of its own in a temporary folder, for tests of what stands on it. Where PACKAGE_R_TEST_STATE=postgres, it is kept in the database
 * that PACKAGE_R_TEST_DATABASE names, in a schema of its own: test/postgres runs whole suites so.
 */
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

/** Where a state is kept, and how it goes away again. */
async function makePlace(folder: string): Promise<{ open(): Promise<State>; remove(): Promise<void> }> {
  const path = join(folder, 'state.sqlite');
  if (process.env['PACKAGE_R_TEST_STATE'] !== 'postgres') return { open: () => openSqliteState(path), remove: async () => undefined };
  const { makeSchema } = await import('./postgres.ts');
  const { openPostgresState } = await import('#state/postgres/postgres-state.ts');
  const schema = await makeSchema(process.env['PACKAGE_R_TEST_DATABASE'] ?? '');
  return { open: () => openPostgresState(schema.url), remove: schema.remove };
}

export async function temporaryState(): Promise<TemporaryState> {
  const folder = await mkdtemp(join(tmpdir(), 'package-r-'));
  const place = await makePlace(folder);
  let current = await place.open();
  return {
    get state() {
      return current;
    },
    folder,
    async reopen() {
      await current.close();
      current = await place.open();
      return current;
    },
    async close() {
      await current.close();
      await place.remove();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
