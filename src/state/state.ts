/**
 * The State: how everything above remembers. Reads are queries of a read-only Kysely; a write is a unit of statements that happen
 * all or not at all, in order, by the one writer. Rules live above: state knows rows, not what they mean.
 */
import type { Compilable, CompiledQuery, Kysely } from 'kysely';
import type { ErrorCode } from '#errors/table.ts';
import type { Schema } from '#state/schema.ts';

export interface State {
  readonly dialect: 'sqlite' | 'postgres';
  /** Reads only; a write through it fails. No statement stays open across an await: ask for bounded batches. */
  readonly db: Kysely<Schema>;
  /**
   * A read that is made ready once, for paths that are hot. `query` is compiled with any values; what `first` or `all` is given takes
   * their place, in the order in which they stand in it.
   */
  prepare(query: Compilable, options?: PrepareOptions): PreparedRead;
  /**
   * Runs the statements in one transaction. It resolves when they are durable.
   * Errors: the code of a broken `expect` (nothing happened), `exists` for a broken unique key, state_failed.
   */
  write(...unit: readonly Write[]): Promise<readonly WriteResult[]>;
  /** Raised by every write of a unit that touches access, sources, packages or shares: decisions kept in memory hold for one generation only. */
  readonly generation: number;
  /** Where the engine reads in this process: threads that do long reads beside the event loop. */
  readonly threads?: ReadThreads;
  /** A consistent copy while work goes on; verified before it resolves. `path` must not exist. */
  backup(path: string, options?: { readonly signal?: AbortSignal; onProgress?(done: number, total: number): void }): Promise<void>;
  /** What the engine finds wrong with what it keeps, in its own words; none where all is whole. Left out where an engine does not tell. */
  check?(signal?: AbortSignal): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface PrepareOptions {
  /** Goes through many rows, batch by batch: what it reads need not stay in memory for the next look-up. */
  readonly isWalk?: boolean;
}

export interface PreparedRead {
  /** The columns of the row in the order in which they were selected; at once where the engine answers at once. */
  first(...values: SqlValue[]): readonly SqlValue[] | undefined | Promise<readonly SqlValue[] | undefined>;
  /** All rows, each as `first` gives one: ask for bounded batches. */
  all(...values: SqlValue[]): readonly (readonly SqlValue[])[] | Promise<readonly (readonly SqlValue[])[]>;
}

export interface ReadThreads {
  /** Threads that work at once. */
  readonly size: number;
  /** Resolves to what the task gives. Errors: those of the task, that of the signal at once, state_failed. */
  run<O>(task: ReadTask): Promise<O>;
}

export interface ReadTask {
  /** The module of the thread, which calls `serveReads`, and which of its tasks. */
  readonly entry: URL;
  readonly name: string;
  /** Plain data. */
  readonly input: unknown;
  /** A question that is answered soon: it does not wait behind long work. */
  readonly isShort?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Told what the task hands out while it works, in order. */
  onValue?(value: unknown): void;
}

export interface Write {
  /** A Kysely query, or one that was compiled before. */
  readonly query: Compilable | CompiledQuery;
  /** Runs the statement once per row of parameters, in place of its own; for bulk. Values: string, number, null, bytes. */
  readonly rows?: readonly (readonly SqlValue[])[];
  /** Said by `insertRows`: `rows` are inserted plainly into these columns, so that an engine may load them by a way of its own. */
  readonly insert?: { readonly table: keyof Schema; readonly columns: readonly string[] };
  readonly expect?: Expectation;
  /** Marks its unit as long work: what is not goes before it, where it waits. Units that are bulk keep their order among each other. */
  readonly isBulk?: true;
  /** Only figures change, from which no decision follows: the generation stays, whatever the table. */
  readonly isCount?: true;
}

export type SqlValue = string | number | null | Uint8Array;

export interface Expectation {
  /** Rows changed (or returned) by the statement, over all its `rows`. */
  readonly changes: number | 'some' | 'none';
  readonly code: ErrorCode;
  readonly message: string;
}

export interface WriteResult {
  readonly changes: number;
  /** Of a RETURNING clause. */
  readonly rows: readonly Record<string, SqlValue>[];
}

/** The only row, of a RETURNING clause that gives one. */
export function returned<T>(result: WriteResult | undefined): T {
  const row = result?.rows[0];
  if (row === undefined) throw new TypeError('the statement returned no row');
  return row as T;
}
