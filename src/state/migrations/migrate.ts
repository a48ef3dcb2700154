/** Brings a state to the newest schema, one migration after the other, all in one transaction. */
import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { isError, PackageRError } from '#errors/error.ts';
import type { Schema } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { first } from './m0001-first.ts';
import { search } from './m0002-search.ts';
import { jobAttempts } from './m0003-job-attempts.ts';
import { versionSource } from './m0004-version-source.ts';
import { goneSteps } from './m0005-gone-steps.ts';
import { searchGrams } from './m0006-search-grams.ts';
import { uploads } from './m0007-uploads.ts';

/** In order. A migration that was released is never edited. */
const migrations: Record<string, (dialect: State['dialect']) => Migration> = {
  'm0001-first': first,
  'm0002-search': search,
  'm0003-job-attempts': jobAttempts,
  'm0004-version-source': versionSource,
  'm0005-gone-steps': goneSteps,
  'm0006-search-grams': searchGrams,
  'm0007-uploads': uploads,
};

/** Errors: state_newer where the state knows a migration that this packageR does not, state_failed. */
export async function migrateState(db: Kysely<Schema>, dialect: State['dialect']): Promise<void> {
  const known = Object.fromEntries(Object.entries(migrations).map(([name, make]) => [name, make(dialect)]));
  await refuseNewer(db);
  const provider = { getMigrations: async () => known };
  const migrator = new Migrator({ db, provider, ...(dialect === 'postgres' ? { migrationTableSchema: await schemaOf(db) } : {}) });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const why = isError(error) ? ` ${error.message}` : '';
  throw new PackageRError('state_failed', `The state could not be migrated; nothing was changed.${why}`, { cause: error });
}

/** A database may hold other states in other schemas. */
async function schemaOf(db: Kysely<Schema>): Promise<string> {
  const { rows } = await sql<{ schema: string }>`select current_schema() as schema`.execute(db);
  return rows[0]?.schema ?? 'public';
}

/** Errors: state_newer. */
export async function refuseNewer(db: Kysely<Schema>): Promise<void> {
  const known = Object.keys(migrations);
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
