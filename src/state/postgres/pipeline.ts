/**
 * Many statements in one round trip: all are sent at once, and the answers come in their order. The first that fails ends it, and what
 * stood behind it did not run. Source: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
import type { Connection, Submittable } from 'pg';
import type { SqlValue, WriteResult } from '#state/state.ts';
import { readValue, writeParameter } from './values.ts';

export interface PipelineStatement {
  readonly sql: string;
  /** It runs once for each. */
  readonly rows: readonly (readonly unknown[])[];
}

interface Field {
  readonly name: string;
  readonly dataTypeID: number;
}

interface Prepared {
  readonly name: string;
  fields: readonly Field[];
}

/** What one session has prepared: the statements used last, by their text. */
export class PreparedStatements {
  readonly #known = new Map<string, Prepared>();
  #count = 0;

  /** `isNew`: it must be parsed first. `evicted`: it must be closed. */
  use(sql: string): { readonly prepared: Prepared; readonly isNew: boolean; readonly evicted: string | undefined } {
    const found = this.#known.get(sql);
    if (found !== undefined) {
      this.#known.delete(sql);
      this.#known.set(sql, found);
      return { prepared: found, isNew: false, evicted: undefined };
    }
    const prepared: Prepared = { name: `w${++this.#count}`, fields: [] };
    this.#known.set(sql, prepared);
    return { prepared, isNew: true, evicted: this.#evict() };
  }

  /** What a failed pipeline would have prepared may not be there. */
  forget(sql: string): void {
    this.#known.delete(sql);
  }

  #evict(): string | undefined {
    if (this.#known.size <= keptStatements) return undefined;
    const [oldest, prepared] = this.#known.entries().next().value as [string, Prepared];
    this.#known.delete(oldest);
    return prepared.name;
  }
}

const keptStatements = 300;

/** The part of a connection that stands below queries; pg documents it by its own cursors and copy streams. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  parse(query: { readonly name: string; readonly text: string }): void;
  describe(target: { readonly type: 'S'; readonly name: string }): void;
  bind(values: { readonly statement: string; readonly values: readonly (string | Buffer | null)[] }): void;
  execute(options: object): void;
  close(target: { readonly type: 'S'; readonly name: string }): void;
  sync(): void;
}

class Pipeline implements Submittable {
  readonly #statements: readonly PipelineStatement[];
  readonly #parameters: readonly (string | Buffer | null)[][][];
  readonly #cache: PreparedStatements;
  readonly #resolve: (results: WriteResult[]) => void;
  readonly #reject: (error: Error) => void;
  readonly #prepared: Prepared[] = [];
  readonly #fresh: string[] = [];
  readonly #results: { changes: number; rows: Record<string, SqlValue>[] }[] = [];
  #current = 0;
  #runs = 0;
  #fault: Error | undefined;

  constructor(
    statements: readonly PipelineStatement[],
    cache: PreparedStatements,
    resolve: (results: WriteResult[]) => void,
    reject: (error: Error) => void,
  ) {
    this.#statements = statements.filter(({ rows }) => rows.length > 0);
    this.#parameters = this.#statements.map(({ rows }) => rows.map((row) => row.map(writeParameter)));
    this.#cache = cache;
    this.#resolve = (results) => resolve(statements.map(({ rows }) => (rows.length > 0 ? results.shift() : undefined) ?? nothing()));
    this.#reject = reject;
  }

  submit(connection: Connection): void {
    const wire = connection as unknown as Wire;
    wire.stream.cork();
    for (const [index, { sql }] of this.#statements.entries()) {
      const { prepared, isNew, evicted } = this.#cache.use(sql);
      const { name } = prepared;
      this.#prepared.push(prepared);
      this.#results.push(nothing());
      if (evicted !== undefined) wire.close({ type: 'S', name: evicted });
      if (isNew) {
        this.#fresh.push(sql);
        wire.parse({ name, text: sql });
        wire.describe({ type: 'S', name });
      }
      for (const values of this.#parameters[index] ?? []) {
        wire.bind({ statement: name, values });
        wire.execute({});
      }
    }
    wire.sync();
    wire.stream.uncork();
  }

  /** It comes after the answers to all statements before this one, and before its own. */
  handleRowDescription({ fields }: { readonly fields: readonly Field[] }): void {
    const prepared = this.#prepared[this.#current];
    if (prepared !== undefined) prepared.fields = fields;
  }

  /** Nothing may be thrown here: it would end the connection. */
  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    const columns = this.#prepared[this.#current]?.fields ?? [];
    try {
      const values = columns.map(({ name, dataTypeID }, index) => [name, readValue(dataTypeID, fields[index] ?? null)] as const);
      this.#results[this.#current]?.rows.push(Object.fromEntries(values));
    } catch (error) {
      this.#fault ??= error as Error;
    }
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const result = this.#results[this.#current];
    if (result !== undefined) result.changes += Number(/(\d+)$/.exec(text)?.[1] ?? 0);
    this.#runs++;
    if (this.#runs < (this.#parameters[this.#current]?.length ?? 0)) return;
    this.#runs = 0;
    this.#current++;
  }

  handleError(error: Error): void {
    for (const sql of this.#fresh) this.#cache.forget(sql);
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    if (this.#fault === undefined) this.#resolve(this.#results);
    else this.#reject(this.#fault);
  }
}

function nothing(): { changes: number; rows: Record<string, SqlValue>[] } {
  return { changes: 0, rows: [] };
}

/** One result a statement. Errors: those of pg. */
export function runPipeline(
  client: { query(query: Submittable): unknown },
  cache: PreparedStatements,
  statements: readonly PipelineStatement[],
): Promise<WriteResult[]> {
  return new Promise((resolve, reject) => {
    client.query(new Pipeline(statements, cache, resolve, reject));
  });
}
