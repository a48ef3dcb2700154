/** A PostgreSQL state as rows to copy from and to: one transaction, in which it is read as it was at its beginning, or filled. */
import { type ClientConfig, escapeIdentifier, Client as PostgresClient } from 'pg';
import { PackageRError } from '#errors/error.ts';
import type { Secret } from '#model/secret.ts';
import type { RowSource, RowTarget, TableShape } from '#state/copy.ts';
import type { SqlValue } from '#state/state.ts';
import { readConnection } from './connection.ts';
import { type CopyType, copyIn, copyTypesOf } from './copy-in.ts';
import { toStateError } from './faults.ts';

const batchRows = 1000;

/** A copy takes as long as it takes; only another one’s locks are not waited for. */
const session = { statement_timeout: 0, lock_timeout: 5000, jit: 'off' };

const list = (names: readonly string[]): string => names.map(escapeIdentifier).join(', ');

/** `isAlone`: nobody else may have the state open, or begin to. Errors: config_invalid, data_locked, state_failed. */
export async function openPostgresSource(url: Secret, { isAlone }: { readonly isAlone: boolean }): Promise<RowSource> {
  const client = await connect(readConnection(url, session));
  return inTransaction(client, 'begin isolation level repeatable read read only', async () => {
    if (isAlone) await lock(client);
    return sourceOf(client);
  });
}

/** The state must have been migrated, and nobody may have it open. Errors: config_invalid, data_locked, state_failed. */
export async function openPostgresTarget(url: Secret): Promise<RowTarget> {
  const client = await connect(readConnection(url, session));
  return inTransaction(client, 'begin', async () => {
    await lock(client);
    const source = await sourceOf(client);
    return {
      ...source,
      load: (table, batches) => guard(() => loadRows(client, table, batches)),
      setIdentity: (table, last) => guard(() => setIdentity(client, table, last)),
      commit: () =>
        guard(async () => {
          await client.query('commit');
          // What a plan is made from; without it the first reads would be planned for empty tables.
          await client.query('analyze').catch(() => undefined);
        }),
    };
  });
}

/** The lock that a running server holds; until the end of the transaction. */
async function lock(client: PostgresClient): Promise<void> {
  const { rows } = await client.query<{ held: number }>(
    "select pg_try_advisory_xact_lock(hashtext('package-r'), hashtext(current_schema())) as held",
  );
  if (rows[0]?.held !== 1) throw new PackageRError('data_locked', 'Another packageR process uses the database of the state.');
}

async function connect(config: ClientConfig): Promise<PostgresClient> {
  const client = new PostgresClient(config);
  // Whoever asks next is told.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw toStateError(error, 'opened');
  }
  return client;
}

async function inTransaction<T>(client: PostgresClient, begin: string, open: () => Promise<T>): Promise<T> {
  try {
    await client.query(begin);
    return await open();
  } catch (error) {
    await client.end().catch(() => undefined);
    throw toStateError(error, 'opened');
  }
}

async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toStateError(error, 'written');
  }
}

async function sourceOf(client: PostgresClient): Promise<RowSource> {
  const { rows } = await client.query<{ name: string }>('select name from kysely_migration order by name collate "C"');
  return {
    migrations: rows.map(({ name }) => name),
    tables: await readTables(client),
    read: (table) => readRows(client, table),
    lastIdentity: (table) => guard(() => lastIdentity(client, table)),
    // An open transaction ends with its connection, and leaves nothing.
    close: () => client.end().catch(() => undefined),
  };
}

async function readTables(client: PostgresClient): Promise<TableShape[]> {
  const { rows } = await client.query<{ table: string; column: string; identity: string; place: number | null }>(`
    select t.relname::text as table, a.attname::text as column, a.attidentity::text as identity, array_position(k.conkey, a.attnum) as place
    from pg_class t
    join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    left join pg_constraint k on k.conrelid = t.oid and k.contype = 'p'
    where t.relkind = 'r' and t.relnamespace = current_schema()::regnamespace and t.relname not like 'kysely%'
    order by t.relname::text collate "C", a.attname::text collate "C"`);
  const references = await client.query<{ table: string; other: string }>(`
    select t.relname::text as table, o.relname::text as other from pg_constraint k
    join pg_class t on t.oid = k.conrelid join pg_class o on o.oid = k.confrelid
    where k.contype = 'f' and t.relnamespace = current_schema()::regnamespace`);
  const tables = Map.groupBy(rows, ({ table }) => table);
  return [...tables].map(([name, columns]) => {
    const key = columns.filter(({ place }) => place !== null).sort((a, b) => Number(a.place) - Number(b.place));
    const identity = columns.find((one) => one.identity !== '')?.column;
    const refersTo = references.rows.filter(({ table }) => table === name).map(({ other }) => other);
    return { name, columns: columns.map(({ column }) => column), key: key.map(({ column }) => column), identity, refersTo };
  });
}

async function* readRows(client: PostgresClient, { name, columns, key }: TableShape): AsyncGenerator<readonly SqlValue[][]> {
  try {
    await client.query(`declare copied no scroll cursor for select ${list(columns)} from ${escapeIdentifier(name)} order by ${list(key)}`);
    for (;;) {
      const { rows } = await client.query<SqlValue[]>({ text: `fetch forward ${batchRows} from copied`, rowMode: 'array' });
      if (rows.length > 0) yield rows;
      if (rows.length < batchRows) break;
    }
    await client.query('close copied');
  } catch (error) {
    throw toStateError(error, 'read');
  }
}

async function loadRows(
  client: PostgresClient,
  table: TableShape,
  batches: AsyncIterable<readonly (readonly SqlValue[])[]>,
): Promise<void> {
  const known = await copyTypesOf(client, table.name);
  const types = table.columns.map((column) => known.get(column));
  if (types.includes(undefined)) throw new TypeError(`the table ${table.name} has a column that cannot be copied`);
  await copyIn(client, table.name, table.columns, types as CopyType[], batches);
}

async function lastIdentity(client: PostgresClient, { name, identity }: TableShape): Promise<number> {
  const sequence = await client.query<{ name: string }>('select pg_get_serial_sequence($1, $2) as name', [
    escapeIdentifier(name),
    identity,
  ]);
  const { rows } = await client.query<{ last: number }>(
    `select case when is_called then last_value else 0 end as last from ${sequence.rows[0]?.name}`,
  );
  return rows[0]?.last ?? 0;
}

async function setIdentity(client: PostgresClient, { name, identity }: TableShape, last: number): Promise<void> {
  const sequence = 'pg_get_serial_sequence($1, $2)';
  await client.query(`select setval(${sequence}, $3::bigint, $4::boolean)`, [
    escapeIdentifier(name),
    identity,
    Math.max(1, last),
    last > 0,
  ]);
}
