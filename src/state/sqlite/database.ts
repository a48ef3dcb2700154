/**
 * One connection to the SQLite file, with what packageR relies on. Imports nothing of ours, since the writer's thread loads it too.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';

export type SqlParameter = string | number | null | Uint8Array;

export interface Database {
  readonly raw: DatabaseSync;
  /** A statement that is prepared once. The 500 used last are kept. */
  prepare(sql: string): StatementSync;
  close(): void;
}

const keptStatements = 500;

/** Milliseconds that a connection waits for another one's lock. */
const lockWait = 2000;

/** Bytes of the file: what is mapped counts as memory of the process. */
const mappedBytes = 64 * 1024 * 1024;

export interface DatabaseOptions {
  readonly readOnly: boolean;
  /** For look-ups all over the file, which would cost a system call each. */
  readonly isMapped?: boolean;
}

export function openDatabase(path: string, options: DatabaseOptions): Database {
  const raw = new DatabaseSync(path, { readOnly: options.readOnly, timeout: lockWait, enableForeignKeyConstraints: true });
  if (!options.readOnly) {
    raw.exec('pragma journal_mode = wal');
    raw.exec('pragma synchronous = full');
    // A trigger must also fire for the delete inside of a replace, or replacing would go around the protection of frozen rows.
    raw.exec('pragma recursive_triggers = on');
    // Pages that a commit brings into the file at most: who waits for it waits for that too.
    raw.exec('pragma wal_autocheckpoint = 2000');
  }
  raw.exec('pragma cache_size = -4000');
  if (options.isMapped === true) raw.exec(`pragma mmap_size = ${mappedBytes}`);
  raw.exec('pragma temp_store = memory');
  const statements = new Map<string, StatementSync>();
  return {
    raw,
    prepare(sql) {
      let statement = statements.get(sql);
      if (statement === undefined) {
        statement = raw.prepare(sql);
        if (statements.size >= keptStatements) statements.delete(statements.keys().next().value as string);
      } else {
        statements.delete(sql);
      }
      statements.set(sql, statement);
      return statement;
    },
    close() {
      statements.clear();
      raw.close();
    },
  };
}
