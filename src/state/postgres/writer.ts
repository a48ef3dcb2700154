/**
 * Writes units one after the other, as the writer of SQLite does: units that wait are committed together, each behind a savepoint, so that
 * one that is refused keeps nobody else back. A small unit goes before bulk that waits, and is committed as soon as it has run. Nothing is
 * told before it is durable.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CompiledQuery } from 'kysely';
import { PackageRError } from '#errors/error.ts';
import { isDecisive } from '#state/decisions.ts';
import { UnitQueue } from '#state/sqlite/unit-queue.ts';
import type { SqlValue, Write, WriteResult } from '#state/state.ts';
import { type CopyType, copyIn } from './copy-in.ts';
import { isConflict, isLost, toStateError } from './faults.ts';
import { type PipelineStatement, runPipeline } from './pipeline.ts';
import type { Session, WritingSession } from './session.ts';
import { writeParameter } from './values.ts';

interface Unit {
  readonly writes: readonly Write[];
  readonly statements: readonly PipelineStatement[];
  readonly isDecisive: boolean;
  readonly isBulk: boolean;
  resolve(results: readonly WriteResult[]): void;
  reject(error: Error): void;
}

/** Milliseconds after which a group is committed although more waits: bounds the wait of a small write behind a bulk. */
const groupTime = 20;
/** Rows from which on COPY is faster than inserting. */
const copyFrom = 50;
/** Rows from which on a unit is bulk, which short timeouts do not hold for. */
const bulkFrom = 1000;
const bulkTimeout = 300_000;
/** Milliseconds before a group is run again, where others stood in its way or the session was lost before its commit. */
const pauses = [50, 500, 1500];

const command = (sql: string): PipelineStatement => ({ sql, rows: [[]] });

export class PostgresWriter {
  readonly #session: WritingSession;
  readonly #queue = new UnitQueue<Unit>();
  #running: Promise<void> | undefined;

  constructor(session: WritingSession) {
    this.#session = session;
  }

  /** `onDecisive` runs when the unit is over, whatever came of it, before anybody is told. */
  async write(writes: readonly Write[], onDecisive: () => void): Promise<readonly WriteResult[]> {
    const statements = writes.map(toStatement);
    const decisive = statements.some(({ sql }, index) => isDecisive(writes[index] as Write, sql));
    const isBulk = writes.some((write) => write.isBulk === true);
    try {
      return await new Promise((resolve, reject) => {
        this.#queue.push({ writes, statements, isDecisive: decisive, isBulk, resolve, reject });
        this.#running ??= this.#drain();
      });
    } finally {
      if (decisive) onDecisive();
    }
  }

  /** Resolves when everything that waits is written or refused. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #drain(): Promise<void> {
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#writeGroup();
    this.#running = undefined;
  }

  async #writeGroup(): Promise<void> {
    const taken: Unit[] = [];
    try {
      const outcomes = await this.#try(taken);
      for (const [index, unit] of taken.entries()) {
        const outcome = outcomes[index];
        if (outcome instanceof Error) unit.reject(outcome);
        else unit.resolve(outcome ?? []);
      }
    } catch (error) {
      const failed = taken.length > 0 ? taken : this.#queue.takeAll();
      for (const unit of failed) unit.reject(toStateError(error, 'written'));
    }
  }

  /** What is tried again did not happen: it was rolled back, or its session ended before it was committed. */
  async #try(taken: Unit[]): Promise<(readonly WriteResult[] | Error)[]> {
    for (let tried = 0; ; tried++) {
      let group: Group | undefined;
      try {
        group = new Group(await this.#session.open(), taken);
        const outcomes = await group.run(this.#queue);
        await group.commit();
        return outcomes;
      } catch (error) {
        if (group !== undefined && (isLost(error) || !(await group.rollback()))) this.#session.drop(group.session);
        if (group?.isCommitting === true && isLost(error)) throw unknownOutcome(error);
        const pause = pauses[tried];
        if (pause === undefined || !(isLost(error) || isConflict(error))) throw error;
        await sleep(pause);
      }
    }
  }
}

function unknownOutcome(cause: unknown): PackageRError {
  const message = 'The database was lost while it wrote: whether the change was kept is not known.';
  return new PackageRError('state_failed', message, {
    operation: 'state.write',
    cause: toStateError(cause, 'written'),
    retry: 'temporary',
  });
}

/** One transaction. `taken`: its units; those that a run before this one took come first. */
class Group {
  readonly session: Session;
  readonly #taken: Unit[];
  isCommitting = false;
  #isDecisive = false;

  constructor(session: Session, taken: Unit[]) {
    this.session = session;
    this.#taken = taken;
  }

  async run(queue: UnitQueue<Unit>): Promise<(readonly WriteResult[] | Error)[]> {
    const outcomes: (readonly WriteResult[] | Error)[] = [];
    const since = performance.now();
    const again = [...this.#taken];
    let isPressing = false;
    for (let opening = ['begin']; ; opening = []) {
      const unit = again.shift() ?? queue.take();
      if (unit === undefined) return outcomes;
      if (outcomes.length >= this.#taken.length) this.#taken.push(unit);
      outcomes.push(await this.#runUnit(unit, [...opening, 'savepoint unit'].map(command)));
      isPressing ||= queue.hasSmall;
      const isTime = performance.now() - since > groupTime || (isPressing && !queue.hasSmall);
      if (again.length === 0 && isTime) return outcomes;
    }
  }

  async commit(): Promise<void> {
    const { client, prepared, channel } = this.session;
    // A failed transaction would be rolled back by its commit, without a word.
    if (client.getTransactionStatus() !== 'T') throw new TypeError('the transaction is not in good order');
    this.isCommitting = true;
    const notice = { sql: "select pg_notify($1, '')", rows: [[channel]] };
    await runPipeline(client, prepared, [...(this.#isDecisive ? [notice] : []), command('commit')]);
  }

  /** False where that failed too: the session is of no use any more. */
  async rollback(): Promise<boolean> {
    try {
      await this.session.client.query('rollback');
      return true;
    } catch {
      return false;
    }
  }

  /** The results, or why the unit alone was refused. Errors: what ends the whole group. */
  async #runUnit(unit: Unit, opening: readonly PipelineStatement[]): Promise<readonly WriteResult[] | Error> {
    const { client, prepared } = this.session;
    try {
      const results = await this.#runStatements(unit, opening);
      this.#isDecisive ||= unit.isDecisive;
      return results;
    } catch (error) {
      if (isLost(error) || isConflict(error)) throw error;
      await runPipeline(client, prepared, [command('rollback to savepoint unit')]);
      return toStateError(error, 'written');
    }
  }

  async #runStatements(unit: Unit, opening: readonly PipelineStatement[]): Promise<readonly WriteResult[]> {
    const { client, prepared } = this.session;
    const results: WriteResult[] = [];
    let waiting: PipelineStatement[] = [...opening, ...timeoutsOf(unit)];
    let extra = waiting.length;
    const flush = async (): Promise<void> => {
      const answers = await runPipeline(client, prepared, waiting);
      results.push(...answers.slice(extra));
      waiting = [];
      extra = 0;
      checkExpectations(unit.writes, results);
    };
    for (const [index, statement] of unit.statements.entries()) {
      const copy = await this.#copyOf(unit.writes[index] as Write);
      if (copy === undefined) waiting.push(statement);
      else {
        await flush();
        const { table, columns, types, rows } = copy;
        results.push({ changes: await copyIn(client, table, columns, types, [rows]), rows: [] });
      }
    }
    await flush();
    return results;
  }

  async #copyOf(write: Write) {
    const { insert, rows } = write;
    if (insert === undefined || rows === undefined || !mayCopy(write)) return undefined;
    const known = await this.session.copyTypes(insert.table);
    const types = insert.columns.map((column) => known.get(column));
    if (types.includes(undefined)) return undefined;
    return { ...insert, types: types as CopyType[], rows };
  }
}

function timeoutsOf({ statements }: Unit): PipelineStatement[] {
  const isBulk = statements.some(({ rows }) => rows.length >= bulkFrom);
  return isBulk ? [command(`set local statement_timeout = ${bulkTimeout}`)] : [];
}

/** Values that cannot be kept are refused here, before anything is begun; those of bulk loads while they are loaded. */
function toStatement(write: Write): PipelineStatement {
  const { sql, parameters }: CompiledQuery = 'compile' in write.query ? write.query.compile() : write.query;
  const rows = write.rows ?? [parameters as readonly SqlValue[]];
  if (!mayCopy(write)) for (const row of rows) row.forEach(writeParameter);
  return { sql, rows };
}

function mayCopy({ insert, rows }: Write): boolean {
  return insert !== undefined && rows !== undefined && rows.length >= copyFrom;
}

/** Of those that ran so far. */
function checkExpectations(writes: readonly Write[], results: readonly WriteResult[]): void {
  for (const [index, { changes }] of results.entries()) {
    const expected = writes[index]?.expect;
    if (expected === undefined) continue;
    const isMet = expected.changes === 'some' ? changes > 0 : changes === (expected.changes === 'none' ? 0 : expected.changes);
    if (!isMet) throw new PackageRError(expected.code, expected.message);
  }
}
