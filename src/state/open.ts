/** Chooses the engine of the state. What an engine needs is loaded only where it is used. */
import { join } from 'node:path';
import type { Secret } from '#model/secret.ts';
import type { State } from '#state/state.ts';

/** The setting `state`: URL of a PostgreSQL database, or undefined for a SQLite file in the data folder. */
export interface StateConfig {
  readonly state?: Secret | undefined;
}

/** The SQLite file of a data folder. */
export function stateFileOf(folder: string): string {
  return join(folder, 'state.sqlite');
}

/** Opens, makes or migrates it. Errors: config_invalid, data_locked, state_newer, state_failed. The caller holds the lock of the folder. */
export async function openState(config: StateConfig, folder: string): Promise<State> {
  if (config.state !== undefined) return (await import('./postgres/postgres-state.ts')).openPostgresState(config.state);
  return (await import('./sqlite/sqlite-state.ts')).openSqliteState(stateFileOf(folder));
}
