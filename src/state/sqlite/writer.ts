/**
 * The writer: a thread that owns the only writable connection. It takes units from its port, runs those that wait in one
 * transaction (a savepoint each, so that a refused unit takes nothing with it), and answers after the commit. A small unit goes before
 * bulk that waits, and is committed as soon as it has run: docs/decisions/0007-bulk-writes.md.
 * Imports nothing of ours but what lies beside it, so that the thread starts without resolving `#…`.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { type PackedRows, runsOf } from './bulk.ts';
import { type Database, openDatabase, type SqlParameter } from './database.ts';
import { UnitQueue } from './unit-queue.ts';

export interface WireStatement {
  readonly sql: string;
  readonly parameters: readonly SqlParameter[];
  /** In place of `parameters`. */
  readonly rows?: PackedRows;
  /** Changes that must have happened; the unit is refused otherwise. */
  readonly changes?: number | 'some' | 'none';
}

export interface WireUnit {
  readonly id: number;
  readonly statements: readonly WireStatement[];
  readonly isBulk: boolean;
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
  const runs =
    statement.rows === undefined ? [{ sql: statement.sql, parameters: [statement.parameters] }] : runsOf(statement.sql, statement.rows);
  let changes = 0;
  const rows: Record<string, SqlParameter>[] = [];
  for (const { sql, parameters } of runs) {
    const prepared = database.prepare(sql);
    const isQuery = prepared.columns().length > 0;
    for (const values of parameters) {
      if (isQuery) {
        const found = prepared.all(...values) as Record<string, SqlParameter>[];
        rows.push(...found);
        changes += found.length;
      } else {
        changes += Number(prepared.run(...values).changes);
      }
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

/**
 * Runs a group and commits it. A commit that fails (disk full) fails every unit of the group: nothing of it happened.
 * `arrive`: takes in what was sent meanwhile.
 */
function runGroup(database: Database, queue: UnitQueue<WireUnit>, arrive: () => void): WireAnswer[] {
  const taken: WireUnit[] = [];
  const answers: WireAnswer[] = [];
  try {
    database.raw.exec('begin immediate');
    const since = performance.now();
    let isPressing = false;
    for (let unit = queue.take(); unit !== undefined; unit = queue.take()) {
      taken.push(unit);
      answers.push(runUnit(database, unit));
      // A full disk may have rolled back the whole transaction, units before this one included.
      if (!database.raw.isTransaction) throw new Error('the transaction was rolled back');
      arrive();
      isPressing ||= queue.hasSmall;
      if (performance.now() - since >= groupTime || (isPressing && !queue.hasSmall)) break;
    }
    database.raw.exec('commit');
    return answers;
  } catch (error) {
    if (database.raw.isTransaction) database.raw.exec('rollback');
    const failure = describe(error);
    const failed = taken.length === 0 ? queue.takeAll() : taken;
    return failed.map((unit) => ({ id: unit.id, failure }));
  }
}

function serve(port: NonNullable<typeof parentPort>, path: string): void {
  const database = openDatabase(path, { readOnly: false });
  const queue = new UnitQueue<WireUnit>();
  let isClosing = false;
  let isScheduled = false;
  const take = (message: WireUnit | 'close'): void => {
    if (message === 'close') isClosing = true;
    else queue.push(message);
  };
  const arrive = (): void => {
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) take(next.message);
  };
  const drain = (): void => {
    isScheduled = false;
    if (queue.length > 0) for (const answer of runGroup(database, queue, arrive)) port.postMessage(answer);
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
    take(message);
    schedule();
  });
}

if (parentPort !== null) serve(parentPort, (workerData as { path: string }).path);
