/** Brings a state to the newest schema, one migration after the other, each in a transaction of its own. */
import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { PackageRError } from '#errors/error.ts';
import type { Schema } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { first } from './m0001-first.ts';

/** In order. A migration that was released is never edited. */
const migrations: Record<string, (dialect: State['dialect']) => Migration> = { 'm0001-first': first };

/** Errors: state_newer where the state knows a migration that this packageR does not, state_failed. */
export async function migrateState(db: Kysely<Schema>, dialect: State['dialect']): Promise<void> {
  const known = Object.fromEntries(Object.entries(migrations).map(([name, make]) => [name, make(dialect)]));
  await refuseNewer(db, Object.keys(known));
  const migrator = new Migrator({ db, provider: { getMigrations: async () => known } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined)
    throw new PackageRError('state_failed', 'The state could not be migrated; nothing was changed.', { cause: error });
}

async function refuseNewer(db: Kysely<Schema>, known: readonly string[]): Promise<void> {
  let done: readonly { name: string }[];
  try {
    done = (await sql<{ name: string }>`select name from kysely_migration`.execute(db)).rows;
  } catch {
    return;
  }
  const unknown = done.map((row) => row.name).filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new PackageRError('state_newer', `The state holds ${unknown.join(', ')}, which this packageR does not know.`);
}
