/** A SQLite file of packageR that is only read, as it is: backups are verified through it. It is neither migrated nor locked. */
import { Kysely, sql } from 'kysely';
import { isError, PackageRError } from '#errors/error.ts';
import { refuseNewer } from '#state/migrations/migrate.ts';
import type { Schema } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { backupTo } from './backup.ts';
import { type Database, openDatabase } from './database.ts';
import { sqliteDialect } from './dialect.ts';
import { checkFile } from './integrity.ts';
import { prepareRead } from './prepare-read.ts';

/** Errors: verify_failed for a file that is damaged at its beginning or no state at all, state_newer. */
export async function openSqliteReader(path: string): Promise<State> {
  const { reader, db } = await open(path);
  return {
    dialect: 'sqlite',
    db,
    generation: 1,
    prepare: (query) => prepareRead(reader, query.compile().sql),
    write: () => Promise.reject(new PackageRError('state_failed', 'This state is open for reading only.')),
    backup: (target, options) => backupTo(path, target, options),
    check: (signal) => checkFile(path, signal),
    close: async () => reader.close(),
  };
}

async function open(path: string): Promise<{ reader: Database; db: Kysely<Schema> }> {
  let reader: Database | undefined;
  try {
    reader = openDatabase(path, { readOnly: true });
    const db = new Kysely<Schema>({ dialect: sqliteDialect(reader) });
    await sql`select name from kysely_migration`.execute(db);
    await refuseNewer(db);
    return { reader, db };
  } catch (error) {
    reader?.close();
    if (isError(error, 'state_newer')) throw error;
    throw new PackageRError('verify_failed', `${JSON.stringify(path)} is damaged, or no state of packageR.`, { cause: error });
  }
}
