/**
 * The State in PostgreSQL: one session that writes and holds the database’s lock, and a pool of sessions that read. Loaded only where the
 * setting `state` names a database.
 */
import { Kysely, PostgresDialect } from 'kysely';
import { Pool } from 'pg';
import { PackageRError } from '#errors/error.ts';
import type { Secret } from '#model/secret.ts';
import { copyRows } from '#state/copy.ts';
import { migrateState } from '#state/migrations/migrate.ts';
import type { Schema } from '#state/schema.ts';
import { openSqliteTarget } from '#state/sqlite/sqlite-rows.ts';
import type { State } from '#state/state.ts';
import { readConnection } from './connection.ts';
import { toStateError } from './faults.ts';
import { OwnSchemaDialect } from './own-schema.ts';
import { openPostgresSource } from './postgres-rows.ts';
import { Reader } from './reader.ts';
import { WritingSession } from './session.ts';
import { PostgresWriter } from './writer.ts';

/** Settings of every session. Times in milliseconds. */
const session = { statement_timeout: 5000, lock_timeout: 2000, idle_in_transaction_session_timeout: 60_000, jit: 'off' };

/** Where a machine vanishes, its lock is free within a minute. */
const writing = { ...session, tcp_keepalives_idle: 20, tcp_keepalives_interval: 10, tcp_keepalives_count: 3, tcp_user_timeout: 30_000 };
const reading = { ...session, default_transaction_read_only: 'on' };
const migrating = { statement_timeout: 0, lock_timeout: 10_000 };

/**
 * Opens (and makes or migrates) the state in the database. Errors: config_invalid, data_locked where another process has it open,
 * state_newer, state_failed.
 */
export async function openPostgresState(url: Secret): Promise<State> {
  let generation = 1;
  const writer = new WritingSession(readConnection(url, writing), () => {
    generation++;
  });
  try {
    await writer.open();
    await migrate(url);
  } catch (error) {
    await writer.close();
    throw toStateError(error, 'opened');
  }
  const reader = new Reader(readConnection(url, reading));
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool: reader }) });
  const units = new PostgresWriter(writer);
  let closed: Promise<void> | undefined;
  return {
    dialect: 'postgres',
    db,
    get generation() {
      // Nobody would tell what others change: what was decided before is not believed.
      if (!writer.isListening) generation++;
      return generation;
    },
    prepare(query) {
      const { sql } = query.compile();
      return { first: async (...values) => (await reader.all(sql, values))[0], all: (...values) => reader.all(sql, values) };
    },
    async write(...unit) {
      if (closed !== undefined) throw new PackageRError('state_failed', 'The state is closed.');
      return units.write(unit, () => {
        generation++;
      });
    },
    backup: (path, options) => backup(url, path, options),
    close() {
      closed ??= (async () => {
        await units.idle();
        // Kysely ends the pool only where it was the first to use it.
        await Promise.all([db.destroy(), reader.end(), writer.close()]);
      })();
      return closed;
    },
  };
}

/** A SQLite state of the same rows, which any packageR can be started on, or which `state copy` brings back. */
async function backup(url: Secret, path: string, options: Parameters<State['backup']>[1] = {}): Promise<void> {
  const target = await openSqliteTarget(path);
  try {
    const source = await openPostgresSource(url, { isAlone: false });
    try {
      let done = 0;
      const onProgress = (_table: string, _rows: number, added: number): void => {
        done += added;
        options.onProgress?.(done, done);
      };
      await copyRows(source, target, { signal: options.signal, onProgress });
    } finally {
      await source.close();
    }
  } finally {
    await target.close();
  }
}

/** By values as pg gives them, which is what Kysely’s migrations expect. */
async function migrate(url: Secret): Promise<void> {
  const { types, ...config } = readConnection(url, migrating);
  const pool = new Pool({ ...config, max: 2 });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const db = new Kysely<Schema>({ dialect: new OwnSchemaDialect({ pool }) });
  try {
    await migrateState(db, 'postgres');
  } finally {
    await db.destroy();
  }
}
