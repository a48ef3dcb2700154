/** The embedded State: one SQLite file, a writer thread, and read-only connections of this thread. */
import { chmodSync, closeSync, openSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { type CompiledQuery, Kysely } from 'kysely';
import { PackageRError } from '#errors/error.ts';
import { isDecisive } from '#state/decisions.ts';
import { migrateState } from '#state/migrations/migrate.ts';
import type { Schema } from '#state/schema.ts';
import type { SqlValue, State, Write, WriteResult } from '#state/state.ts';
import { backupTo } from './backup.ts';
import { type PackedRows, packRows } from './bulk.ts';
import { type Database, openDatabase } from './database.ts';
import { sqliteDialect } from './dialect.ts';
import { meaningOf } from './failure.ts';
import { checkFile } from './integrity.ts';
import { prepareRead } from './prepare-read.ts';
import { readThreads } from './reader.ts';
import type { WireAnswer, WireStatement, WireUnit } from './writer.ts';

interface Waiting {
  readonly unit: readonly Write[];
  readonly resolve: (results: readonly WriteResult[]) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Opens (and makes or migrates) the state in `path`. The file is readable by its owner only, whatever the umask.
 * Errors: state_failed, state_newer. The caller holds the lock of the data folder.
 */
export async function openSqliteState(path: string): Promise<State> {
  try {
    closeSync(openSync(path, 'a', 0o600));
    chmodSync(path, 0o600);
  } catch (error) {
    throw stateFailed(error, 'The state file cannot be opened or made.');
  }
  await migrateFile(path);
  const reader = openDatabase(path, { readOnly: true, isMapped: true });
  const db = new Kysely<Schema>({ dialect: sqliteDialect(reader) });
  const turn = new ReadTurn(reader);
  const writer = startWriter(path, () => turn.end());
  const threads = readThreads(path);
  /** Its file is not mapped: all that a walk goes through would count as memory of this process. */
  let walker: Database | undefined;
  let generation = 1;
  let isClosed = false;
  return {
    dialect: 'sqlite',
    db,
    threads,
    get generation() {
      return generation;
    },
    prepare(query, { isWalk = false } = {}) {
      if (isWalk) {
        walker ??= openDatabase(path, { readOnly: true });
        // Each statement by itself sees all that is known to be written.
        return prepareRead(walker, query.compile().sql);
      }
      const statement = reader.raw.prepare(query.compile().sql);
      statement.setReturnArrays(true);
      return {
        first(...values) {
          turn.begin();
          return statement.get(...values) as readonly SqlValue[] | undefined;
        },
        all(...values) {
          turn.begin();
          return statement.all(...values) as unknown as readonly (readonly SqlValue[])[];
        },
      };
    },
    async write(...unit) {
      if (isClosed) throw new PackageRError('state_failed', 'The state is closed.');
      const statements = unit.map(toWire);
      try {
        return await writer.send(unit, statements);
      } finally {
        if (statements.some(({ sql }, index) => isDecisive(unit[index] ?? {}, sql))) generation++;
      }
    },
    backup: (target, options) => backupTo(path, target, options),
    check: (signal) => checkFile(path, signal),
    async close() {
      if (isClosed) return;
      isClosed = true;
      await threads.close();
      // The writer goes last: whoever closes last brings the log into the file, which a reader cannot.
      turn.end();
      reader.close();
      walker?.close();
      await writer.close();
    },
  };
}

async function migrateFile(path: string): Promise<void> {
  let database: ReturnType<typeof openDatabase>;
  try {
    database = openDatabase(path, { readOnly: false });
  } catch (error) {
    throw stateFailed(error, 'The state file cannot be opened: it is damaged or no state of packageR.');
  }
  try {
    await migrateState(new Kysely<Schema>({ dialect: sqliteDialect(database) }), 'sqlite');
  } finally {
    database.close();
  }
}

function toWire(write: Write): WireStatement {
  const { sql, parameters }: CompiledQuery = 'compile' in write.query ? write.query.compile() : write.query;
  return {
    sql,
    parameters: parameters as WireStatement['parameters'],
    ...(write.rows === undefined ? {} : { rows: packRows(write.rows, quoted(write.insert)) }),
    ...(write.expect === undefined ? {} : { changes: write.expect.changes }),
  };
}

function quoted(insert: Write['insert']): PackedRows['insert'] {
  return insert && { table: `"${insert.table}"`, columns: insert.columns.map((name) => `"${name}"`) };
}

/**
 * One read transaction for the prepared reads of one turn of the event loop, since locking and unlocking the file costs more than a
 * look-up. It ends with the turn, and before anybody is told that something was written: what is known to be written is seen.
 */
class ReadTurn {
  readonly #reader: Database;
  #isOpen = false;

  constructor(reader: Database) {
    this.#reader = reader;
  }

  begin(): void {
    if (this.#isOpen) return;
    this.#reader.prepare('begin').run();
    this.#isOpen = true;
    setImmediate(() => this.end());
  }

  end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#reader.prepare('commit').run();
  }
}

/** `beforeAnswer`: called before a unit is told to be written. */
function startWriter(path: string, beforeAnswer: () => void) {
  const isSource = import.meta.url.endsWith('.ts');
  const worker = new Worker(new URL(isSource ? './writer.ts' : './writer.js', import.meta.url), {
    workerData: { path },
    execArgv: [],
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let fault: Error | undefined;
  const failAll = (error: Error): void => {
    fault = error;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  worker.on('message', (answer: WireAnswer) => {
    beforeAnswer();
    const entry = waiting.get(answer.id);
    if (entry === undefined) return;
    waiting.delete(answer.id);
    if ('results' in answer) entry.resolve(answer.results);
    else entry.reject(toError(answer.failure, entry.unit));
  });
  worker.on('error', (error) => failAll(stateFailed(error, 'The writer of the state failed.')));
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      failAll(fault ?? new PackageRError('state_failed', 'The state is closed.'));
      resolve();
    });
  });
  return {
    send(unit: readonly Write[], statements: readonly WireStatement[]): Promise<readonly WriteResult[]> {
      if (fault !== undefined) return Promise.reject(fault);
      return new Promise((resolve, reject) => {
        const id = ++lastId;
        waiting.set(id, { unit, resolve, reject });
        worker.postMessage({ id, statements, isBulk: unit.some((write) => write.isBulk) } satisfies WireUnit);
      });
    },
    /** What was sent before is written first. */
    async close(): Promise<void> {
      worker.postMessage('close');
      await ended;
    },
  };
}

/** Extended result codes of SQLite: https://sqlite.org/rescode.html */
const sqliteCodes = { primaryKey: 1555, trigger: 1811, unique: 2067, rowId: 2579 } as const;

function toError(failure: { statement?: number; errcode?: number; message: string }, unit: readonly Write[]): PackageRError {
  const broken = failure.statement === undefined ? undefined : unit[failure.statement]?.expect;
  if (broken !== undefined) return new PackageRError(broken.code, broken.message);
  const cause = new Error(failure.message);
  switch (failure.errcode) {
    case sqliteCodes.unique:
    case sqliteCodes.primaryKey:
    case sqliteCodes.rowId:
      return new PackageRError('exists', undefined, { operation: 'state.write', cause });
    case sqliteCodes.trigger:
      return new PackageRError('state_failed', `A protected row would have been changed: ${failure.message}.`, {
        operation: 'state.write',
        cause,
      });
    default: {
      const meaning = meaningOf(failure.errcode);
      if (meaning === undefined) return stateFailed(cause, 'The state could not be written.');
      return new PackageRError('state_failed', meaning, { operation: 'state.write', retry: 'temporary', context: { disk: true }, cause });
    }
  }
}

function stateFailed(cause: unknown, otherwise: string): PackageRError {
  const message = meaningOf((cause as { readonly errcode?: number }).errcode) ?? otherwise;
  return new PackageRError('state_failed', message, { operation: 'state', cause });
}
