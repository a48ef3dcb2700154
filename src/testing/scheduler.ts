/**
 * A State of which every read and write waits for its turn, before it is done and again before it is told, so that a property test runs
 * operations against each other in any order that could happen. fast-check chooses the turns: a failure names its seed and path, and these
 * give the same order again.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate } from 'node:timers/promises';
import fc, { type Arbitrary, type Scheduler } from 'fast-check';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  PostgresQueryCompiler,
  type QueryResult,
  SqliteQueryCompiler,
} from 'kysely';
import type { Schema } from '#state/schema.ts';
import type { PreparedRead, State, Write } from '#state/state.ts';

export interface Turns {
  readonly scheduler: Scheduler;
  /** At its point of this number, this operation waits until the others have ended, or wait too. Even turns alone never keep one waiting long. */
  readonly naps: readonly { readonly operation: number; readonly point: number }[];
}

export interface ScheduledState {
  /** As the State that was given, outside of `together`. What was made of it stays usable. */
  readonly state: State;
  /** Runs the operations against each other in these turns, until all have ended. Not twice at once. */
  together(turns: Turns, ...operations: readonly (() => Promise<unknown>)[]): Promise<readonly PromiseSettledResult<unknown>[]>;
}

/** Turns of the event loop in which what was told comes to its next point. */
const settleTurns = 4;
/** Of those without a point, after which a nap ends. */
const idleTurns = 16;

/** Any turns of so many operations. */
export function anyTurns(operations = 2): Arbitrary<Turns> {
  const nap = fc.record({ operation: fc.nat(operations - 1), point: fc.integer({ min: 1, max: 60 }) });
  return fc.record({ scheduler: fc.scheduler({ act: settled }), naps: fc.array(nap, { maxLength: 2 }) });
}

/** A turn is given when all that can go on without one has gone on. */
async function settled(turn: () => Promise<void>): Promise<void> {
  for (let turns = 0; turns < settleTurns; turns++) await setImmediate();
  await turn();
}

export function scheduleState(inner: State): ScheduledState {
  let run: Run | undefined;
  let generation = 1;
  const step: Step = (label, work) => (run === undefined ? work() : run.step(label, work));
  const state: State = {
    dialect: inner.dialect,
    db: new Kysely<Schema>({ dialect: scheduledDialect(inner, step) }),
    /** Rises when a write is told, not before: what is remembered in between may be old. */
    get generation() {
      return generation;
    },
    prepare: (query) => scheduledRead(inner.prepare(query), step, () => run !== undefined),
    async write(...unit) {
      let isRaised = false;
      try {
        return await step(`write ${summarise(unit[0])}`, async () => {
          const before = inner.generation;
          try {
            return await inner.write(...unit);
          } finally {
            isRaised = inner.generation !== before;
          }
        });
      } finally {
        if (isRaised) generation++;
      }
    },
    backup: (path, options) => inner.backup(path, options),
    close: () => inner.close(),
  };
  return {
    state,
    async together(turns, ...operations) {
      run = new Run(turns, operations.length);
      try {
        return await run.all(operations);
      } finally {
        const ended = run;
        run = undefined;
        await ended.drain();
      }
    },
  };
}

/** Operations while they run against each other. */
class Run {
  readonly #turns: Turns;
  readonly #running: Set<number>;
  readonly #napping = new Set<number>();
  /** Steps that began and have not ended, and those of them that are being done. */
  #inside = 0;
  #working = 0;
  readonly #points: number[];
  readonly #own = new AsyncLocalStorage<number>();

  constructor(turns: Turns, operations: number) {
    this.#turns = turns;
    this.#points = Array.from({ length: operations }, () => 0);
    this.#running = new Set(this.#points.keys());
  }

  all(operations: readonly (() => Promise<unknown>)[]): Promise<readonly PromiseSettledResult<unknown>[]> {
    const started = operations.map((operation, index) =>
      this.#own.run(index, async () => {
        try {
          await this.#point(`operation ${index + 1} begins`);
          return await operation();
        } finally {
          this.#running.delete(index);
        }
      }),
    );
    return this.#turns.scheduler.waitFor(Promise.allSettled(started));
  }

  /** Done in one turn, and told in a later one. */
  async step<T>(label: string, work: () => Promise<T>): Promise<T> {
    this.#inside++;
    try {
      return await this.#step(label, work);
    } finally {
      this.#inside--;
    }
  }

  async #step<T>(label: string, work: () => Promise<T>): Promise<T> {
    await this.#nap();
    const { promise, resolve } = Promise.withResolvers<PromiseSettledResult<T>>();
    this.#turns.scheduler.scheduleSequence([{ label, builder: async () => resolve(await this.#settle(work)) }]);
    const outcome = await promise;
    await this.#point(`${label}, told`);
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  }

  /** What goes on behind the operations gets its turns too. */
  async drain(): Promise<void> {
    while (this.#inside > 0) {
      await setImmediate();
      await this.#turns.scheduler.waitAll();
    }
  }

  async #settle<T>(work: () => Promise<T>): Promise<PromiseSettledResult<T>> {
    this.#working++;
    const [outcome] = await Promise.allSettled([work()]);
    this.#working--;
    return outcome;
  }

  async #point(label: string): Promise<void> {
    await this.#nap();
    await this.#turns.scheduler.schedule(Promise.resolve(), label);
  }

  async #nap(): Promise<void> {
    const own = this.#own.getStore();
    if (own === undefined || !this.#running.has(own)) return;
    const point = (this.#points[own] ?? 0) + 1;
    this.#points[own] = point;
    if (!this.#turns.naps.some((nap) => nap.operation === own && nap.point === point)) return;
    this.#napping.add(own);
    for (let idle = 0; idle < idleTurns && this.#isAnyoneUp(); idle = this.#isIdle() ? idle + 1 : 0) await setImmediate();
    this.#napping.delete(own);
  }

  #isAnyoneUp(): boolean {
    return [...this.#running].some((operation) => !this.#napping.has(operation));
  }

  /** Whoever is up waits for something that is none of ours, or for one who naps. */
  #isIdle(): boolean {
    return this.#turns.scheduler.count() === 0 && this.#working === 0;
  }
}

type Step = <T>(label: string, run: () => Promise<T>) => Promise<T>;

function scheduledRead(inner: PreparedRead, step: Step, isScheduled: () => boolean): PreparedRead {
  return {
    first: (...values) => (isScheduled() ? step('prepared read', async () => inner.first(...values)) : inner.first(...values)),
    all: (...values) => (isScheduled() ? step('prepared read', async () => inner.all(...values)) : inner.all(...values)),
  };
}

function scheduledDialect(inner: State, step: Step): Dialect {
  const connection: DatabaseConnection = {
    executeQuery: <R>(query: CompiledQuery): Promise<QueryResult<R>> =>
      step(`read ${brief(query.sql)}`, () => inner.db.getExecutor().executeQuery(query as CompiledQuery<R>)),
    streamQuery() {
      throw new TypeError('no statement stays open across an await');
    },
  };
  const nothing = async (): Promise<void> => undefined;
  const driver: Driver = {
    init: nothing,
    acquireConnection: async () => connection,
    beginTransaction: nothing,
    commitTransaction: nothing,
    rollbackTransaction: nothing,
    releaseConnection: nothing,
    destroy: nothing,
  };
  return {
    createAdapter: () => inner.db.getExecutor().adapter,
    createDriver: () => driver,
    createIntrospector: () => inner.db.introspection,
    createQueryCompiler: () => (inner.dialect === 'postgres' ? new PostgresQueryCompiler() : new SqliteQueryCompiler()),
  };
}

function summarise(write: Write | undefined): string {
  if (write === undefined) return 'nothing';
  return brief('compile' in write.query ? write.query.compile().sql : write.query.sql);
}

/** Verb and table. */
function brief(sql: string): string {
  const verb = /^\s*(\w+)/.exec(sql)?.[1] ?? '';
  return `${verb} ${/\b(?:from|into|update)\s+"?(\w+)/.exec(sql)?.[1] ?? ''}`;
}
