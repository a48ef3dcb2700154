/** The reading side: a pool of sessions that cannot write, as Kysely’s PostgreSQL dialect takes one. */
import { createHash } from 'node:crypto';
import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import { type ClientConfig, Pool, type PoolClient, type QueryConfig } from 'pg';
import type { SqlValue } from '#state/state.ts';
import { toStateError } from './faults.ts';
import { writeParameter } from './values.ts';

/** Sessions that read at once; more wait. */
const sessions = 8;
/** Statements that each session keeps prepared; further ones are planned anew each time. */
const keptStatements = 300;

export class Reader implements PostgresPool {
  /** Kysely asks for them to cancel queries, which nobody here does. */
  readonly options = {};
  readonly #pool: Pool;
  readonly #names = new Map<string, string>();
  #ended: Promise<void> | undefined;

  constructor(config: ClientConfig) {
    this.#pool = new Pool({ ...config, max: sessions, idleTimeoutMillis: 60_000 });
    // A session that is lost is replaced. Whoever asked it something is told by his query.
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  async connect(): Promise<PostgresPoolClient> {
    const client = await this.#connect();
    return {
      query: <R>(sql: unknown, values: unknown) => this.#query<R>(client, sql as string, values as unknown[]),
      // One that was lost is not to be used again; pg marks it itself.
      release: () => client.release(),
    } as PostgresPoolClient;
  }

  /** All rows, each in the order of the columns. */
  async all(sql: string, values: readonly SqlValue[]): Promise<readonly (readonly SqlValue[])[]> {
    try {
      const query = { ...this.#prepared(sql), values: values.map(writeParameter), rowMode: 'array' } as const;
      return (await this.#pool.query<SqlValue[]>(query)).rows;
    } catch (error) {
      throw toStateError(error, 'read');
    }
  }

  end(): Promise<void> {
    this.#ended ??= this.#pool.end();
    return this.#ended;
  }

  async #connect(): Promise<PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw toStateError(error, 'read');
    }
  }

  async #query<R>(client: PoolClient, sql: string, values: readonly unknown[]): Promise<PostgresQueryResult<R>> {
    try {
      const result = await client.query({ ...this.#prepared(sql), values: values.map(writeParameter) });
      return result as unknown as PostgresQueryResult<R>;
    } catch (error) {
      throw toStateError(error, 'read');
    }
  }

  #prepared(sql: string): QueryConfig {
    const known = this.#names.get(sql);
    if (known !== undefined) return { name: known, text: sql };
    if (this.#names.size >= keptStatements || sql.length > longStatement) return { text: sql };
    const name = `r${createHash('sha256').update(sql).digest('base64url').slice(0, 32)}`;
    this.#names.set(sql, name);
    return { name, text: sql };
  }
}

/** Lists of many values make statements that hardly come again. */
const longStatement = 2000;
