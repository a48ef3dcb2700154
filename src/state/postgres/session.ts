/**
 * The one session that writes. It holds an advisory lock of the database for as long as it lives, so that whoever writes is alone, and it
 * listens to what other processes change. When it is lost a new one is made; meanwhile no decision that is kept in memory may be believed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientConfig, escapeIdentifier, Client as PostgresClient } from 'pg';
import { PackageRError } from '#errors/error.ts';
import { type CopyType, copyTypesOf } from './copy-in.ts';
import { PreparedStatements } from './pipeline.ts';

export interface Session {
  readonly client: PostgresClient;
  readonly prepared: PreparedStatements;
  /** Where changes of decisions are told. */
  readonly channel: string;
  /** Types of the columns of a table; asked for once. */
  copyTypes(table: string): Promise<ReadonlyMap<string, CopyType | undefined>>;
}

/** Milliseconds that the lock of a process that is just ending is waited for. */
const lockPatience = 3000;
const lockPause = 100;
const pauses = { first: 250, longest: 5000 };

export class WritingSession {
  readonly #config: ClientConfig;
  readonly #onOthers: () => void;
  readonly #closing = new AbortController();
  #session: Session | undefined;
  #opening: Promise<Session> | undefined;

  /** `onOthers`: another process changed what decisions are made from, or may have. */
  constructor(config: ClientConfig, onOthers: () => void) {
    this.#config = config;
    this.#onOthers = onOthers;
  }

  /** What others change would be told. */
  get isListening(): boolean {
    return this.#session !== undefined;
  }

  /** The session, made anew where it was lost. Errors: data_locked, those of pg. */
  open(): Promise<Session> {
    if (this.#session !== undefined) return Promise.resolve(this.#session);
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const session = this.#session ?? (await this.#opening?.catch(() => undefined));
    this.#session = undefined;
    await session?.client.end().catch(() => undefined);
  }

  /** Gives the session up, where it can no longer be told what state it is in. */
  drop(session: Session): void {
    void session.client.end().catch(() => undefined);
    this.#lose(session);
  }

  async #connect(): Promise<Session> {
    const client = new PostgresClient(this.#config);
    let session: Session | undefined;
    const onLost = (): void => {
      if (session !== undefined) this.#lose(session);
    };
    client.on('error', onLost);
    client.on('end', onLost);
    try {
      await client.connect();
      const { rows } = await client.query<{ schema: string; pid: number }>('select current_schema() as schema, pg_backend_pid() as pid');
      const [row] = rows;
      if (row?.schema == null) throw new PackageRError('state_failed', 'The user of the database has no schema to keep the state in.');
      await this.#lock(client, row.schema);
      const channel = `package_r_${row.schema}`.slice(0, 63);
      client.on('notification', ({ processId }) => {
        if (processId !== row.pid) this.#onOthers();
      });
      await client.query(`listen ${escapeIdentifier(channel)}`);
      session = { client, prepared: new PreparedStatements(), channel, copyTypes: rememberTypes(client) };
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    if (this.#closing.signal.aborted) {
      await client.end().catch(() => undefined);
      throw new PackageRError('state_failed', 'The state is closed.');
    }
    this.#session = session;
    this.#onOthers();
    return session;
  }

  async #lock(client: PostgresClient, schema: string): Promise<void> {
    for (let waited = 0; ; waited += lockPause) {
      const { rows } = await client.query<{ held: number }>("select pg_try_advisory_lock(hashtext('package-r'), hashtext($1)) as held", [
        schema,
      ]);
      if (rows[0]?.held === 1) return;
      if (waited >= lockPatience) throw new PackageRError('data_locked', 'Another packageR process uses the database of the state.');
      await sleep(lockPause, undefined, { signal: this.#closing.signal });
    }
  }

  #lose(session: Session): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    this.#onOthers();
    if (!this.#closing.signal.aborted) void this.#return();
  }

  /** Until a session stands again, since only it hears of others. */
  async #return(): Promise<void> {
    const { signal } = this.#closing;
    for (let pause = pauses.first; this.#session === undefined && !signal.aborted; pause = Math.min(pause * 2, pauses.longest)) {
      await this.open().catch(() => undefined);
      if (this.#session === undefined) await sleep(pause, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}

function rememberTypes(client: PostgresClient): Session['copyTypes'] {
  const known = new Map<string, ReadonlyMap<string, CopyType | undefined>>();
  return async (table) => {
    const found = known.get(table) ?? (await copyTypesOf(client, table));
    known.set(table, found);
    return found;
  };
}
