/**
 * The writer: a thread that owns the only writable connection. It takes units from its port, runs those that wait in one
 * transaction (a savepoint each, so that a refused unit takes nothing with it), and answers after the commit.
 * Imports nothing of ours but its connection, so that the thread starts without resolving `#…`.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type Database, openDatabase, type SqlParameter } from './database.ts';

export interface WireStatement {
  readonly sql: string;
  readonly parameters: readonly SqlParameter[];
  readonly rows?: readonly (readonly SqlParameter[])[];
  /** Changes that must have happened; the unit is refused otherwise. */
  readonly changes?: number | 'some' | 'none';
}

export interface WireUnit {
  readonly id: number;
  readonly statements: readonly WireStatement[];
}

export interface WireResult {
  readonly changes: number;
  readonly rows: readonly Record<string, SqlParameter>[];
}

export type WireAnswer =
  | { readonly id: number; readonly results: readonly WireResult[] }
  /** `statement`: index of the one whose expectation broke; undefined where SQLite failed with `errcode`. */
  | { readonly id: number; readonly failure: { readonly statement?: number; readonly errcode?: number; readonly message: string } };

/** Milliseconds after which a group is committed although more waits: bounds the wait of a small write behind a bulk. */
const groupTime = 20;

function runStatement(database: Database, statement: WireStatement): WireResult {
  const prepared = database.prepare(statement.sql);
  const isQuery = prepared.columns().length > 0;
  let changes = 0;
  const rows: Record<string, SqlParameter>[] = [];
  for (const parameters of statement.rows ?? [statement.parameters]) {
    if (isQuery) {
      const found = prepared.all(...parameters) as Record<string, SqlParameter>[];
      rows.push(...found);
      changes += found.length;
    } else {
      changes += Number(prepared.run(...parameters).changes);
    }
  }
  return { changes, rows };
}

function isMet(expected: WireStatement['changes'], changes: number): boolean {
  if (expected === undefined) return true;
  if (expected === 'some') return changes > 0;
  return changes === (expected === 'none' ? 0 : expected);
}

function runUnit(database: Database, unit: WireUnit): WireAnswer {
  database.raw.exec('savepoint unit');
  try {
    const results: WireResult[] = [];
    for (const [index, statement] of unit.statements.entries()) {
      const result = runStatement(database, statement);
      if (!isMet(statement.changes, result.changes)) {
        rollbackUnit(database);
        return { id: unit.id, failure: { statement: index, message: `expected ${statement.changes} changes, saw ${result.changes}` } };
      }
      results.push(result);
    }
    database.raw.exec('release unit');
    return { id: unit.id, results };
  } catch (error) {
    if (database.raw.isTransaction) rollbackUnit(database);
    return { id: unit.id, failure: describe(error) };
  }
}

function rollbackUnit(database: Database): void {
  database.raw.exec('rollback to unit');
  database.raw.exec('release unit');
}

function describe(error: unknown): { errcode?: number; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  const errcode = (error as { errcode?: unknown }).errcode;
  return typeof errcode === 'number' ? { errcode, message } : { message };
}

/** Runs a group and commits it. A commit that fails (disk full) fails every unit of the group: nothing of it happened. */
function runGroup(database: Database, queue: WireUnit[]): WireAnswer[] {
  const taken: WireUnit[] = [];
  const answers: WireAnswer[] = [];
  try {
    database.raw.exec('begin immediate');
    const since = performance.now();
    do {
      const unit = queue.shift() as WireUnit;
      taken.push(unit);
      answers.push(runUnit(database, unit));
      // A full disk may have rolled back the whole transaction, units before this one included.
      if (!database.raw.isTransaction) throw new Error('the transaction was rolled back');
    } while (queue.length > 0 && performance.now() - since < groupTime);
    database.raw.exec('commit');
    return answers;
  } catch (error) {
    if (database.raw.isTransaction) database.raw.exec('rollback');
    const failure = describe(error);
    const failed = taken.length === 0 ? queue.splice(0) : taken;
    return failed.map((unit) => ({ id: unit.id, failure }));
  }
}

function serve(port: NonNullable<typeof parentPort>, path: string): void {
  const database = openDatabase(path, { readOnly: false });
  const queue: WireUnit[] = [];
  let isClosing = false;
  let isScheduled = false;
  const drain = (): void => {
    isScheduled = false;
    if (queue.length > 0) for (const answer of runGroup(database, queue)) port.postMessage(answer);
    if (queue.length > 0) schedule();
    else if (isClosing) {
      database.close();
      port.close();
    }
  };
  const schedule = (): void => {
    if (!isScheduled) setImmediate(drain);
    isScheduled = true;
  };
  port.on('message', (message: WireUnit | 'close') => {
    if (message === 'close') isClosing = true;
    else queue.push(message);
    schedule();
  });
}

if (parentPort !== null) serve(parentPort, (workerData as { path: string }).path);
