/** A SQLite state as rows to copy from, and as a file to copy to that appears whole or not at all. */
import { closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { PackageRError } from '#errors/error.ts';
import type { RowSource, RowTarget, TableShape } from '#state/copy.ts';
import type { SqlValue } from '#state/state.ts';
import { openDatabase } from './database.ts';
import { companions } from './files.ts';
import { openSqliteState } from './sqlite-state.ts';

const batchRows = 500;

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const list = (names: readonly string[]): string => names.map(quote).join(', ');

/** The view is that of now. Errors: not_found, state_failed. */
export function openSqliteSource(path: string): RowSource {
  if (!existsSync(path)) throw new PackageRError('not_found', `There is no state ${JSON.stringify(path)}.`);
  let raw: DatabaseSync | undefined;
  try {
    raw = openDatabase(path, { readOnly: true }).raw;
    raw.exec('begin');
    return sourceOf(raw);
  } catch (cause) {
    raw?.close();
    throw new PackageRError('state_failed', 'The state to copy from cannot be read.', { operation: 'state.copy', cause });
  }
}

function sourceOf(raw: DatabaseSync): RowSource {
  const migrations = raw.prepare('select name from kysely_migration order by name').all() as { name: string }[];
  return {
    migrations: migrations.map(({ name }) => name),
    tables: readTables(raw),
    read: (table) => readRows(raw, table),
    async lastIdentity(table) {
      const row = raw.prepare('select seq from sqlite_sequence where name = ?').get(table.name) as { seq: number } | undefined;
      return row?.seq ?? 0;
    },
    async close() {
      if (raw.isOpen) raw.close();
    },
  };
}

function readTables(raw: DatabaseSync): TableShape[] {
  const tables = raw
    .prepare(
      "select name, sql from sqlite_master where type = 'table' and name not like 'sqlite%' and name not like 'kysely%' order by name",
    )
    .all() as { name: string; sql: string }[];
  return tables.map(({ name, sql }) => {
    const columns = raw.prepare('select name, pk from pragma_table_info(?) order by name').all(name) as { name: string; pk: number }[];
    const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
    const [first] = key;
    const identity = /autoincrement/i.test(sql) ? first?.name : undefined;
    const references = raw.prepare('select distinct "table" as name from pragma_foreign_key_list(?)').all(name) as { name: string }[];
    const refersTo = references.map((one) => one.name);
    return { name, columns: columns.map((one) => one.name), key: key.map((one) => one.name), identity, refersTo };
  });
}

/** The statement is open across awaits; the connection serves nothing else. */
async function* readRows(raw: DatabaseSync, { name, columns, key }: TableShape): AsyncGenerator<readonly SqlValue[][]> {
  const statement = raw.prepare(`select ${list(columns)} from ${quote(name)} order by ${list(key)}`);
  statement.setReturnArrays(true);
  let batch: SqlValue[][] = [];
  for (const row of statement.iterate()) {
    batch.push(row as unknown as SqlValue[]);
    if (batch.length < batchRows) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Targets that this process is filling. */
const underWay = new Set<string>();

/** Errors: exists, also for the log of a state that is not there itself; file_failed where it cannot be written (a full disk). */
export async function openSqliteTarget(path: string): Promise<RowTarget> {
  if (underWay.has(path)) throw alreadyThere(path);
  const draft = `${path}.copying`;
  const clear = (): void => {
    for (const suffix of ['', ...companions]) rmSync(`${draft}${suffix}`, { force: true });
  };
  clear();
  // A log that lies beside it would be taken for one of the new file.
  for (const suffix of ['', '-wal', '-journal']) if (existsSync(`${path}${suffix}`)) throw alreadyThere(`${path}${suffix}`);
  underWay.add(path);
  try {
    return await fillTarget(path, draft, () => {
      underWay.delete(path);
      clear();
    });
  } catch (error) {
    underWay.delete(path);
    clear();
    throw error;
  }
}

async function fillTarget(path: string, draft: string, clear: () => void): Promise<RowTarget> {
  await (await openSqliteState(draft)).close();
  const { raw } = openDatabase(draft, { readOnly: false });
  // One file that nobody else knows: it is made safe once, at the end.
  raw.exec('pragma journal_mode = off; pragma synchronous = off; pragma foreign_keys = off; begin immediate');
  const source = sourceOf(raw);
  return {
    ...source,
    load: (table, batches) => loadRows(raw, table, batches),
    async setIdentity(table, last) {
      written(() => {
        raw.prepare('delete from sqlite_sequence where name = ?').run(table.name);
        if (last > 0) raw.prepare('insert into sqlite_sequence (name, seq) values (?, ?)').run(table.name, last);
      });
    },
    async commit() {
      written(() => raw.exec('commit'));
      const check = raw.prepare('pragma integrity_check(1)').get() as { integrity_check: string };
      if (check.integrity_check !== 'ok') throw new PackageRError('verify_failed', 'The copy does not pass its integrity check.');
      const broken = raw.prepare('pragma foreign_key_check').get();
      if (broken !== undefined) throw new PackageRError('verify_failed', 'The copy has rows that refer to others that are missing.');
      written(() => {
        raw.exec('pragma journal_mode = wal');
        raw.close();
        for (const file of [draft, dirname(path)]) sync(file);
        appear(draft, path);
        sync(dirname(path));
      });
    },
    async close() {
      await source.close();
      clear();
    },
  };
}

/** Never in place of one that is there. */
function appear(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw alreadyThere(path);
    throw cause;
  }
}

function alreadyThere(path: string): PackageRError {
  return new PackageRError('exists', `There is already a file ${JSON.stringify(path)}: move it away, or name another place.`);
}

/** Errors: file_failed, with what is wrong with the disk. */
function written<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof PackageRError) throw cause;
    const { code, errcode } = cause as { readonly code?: unknown; readonly errcode?: unknown };
    const why = code === 'ENOSPC' || errcode === 13 ? 'the disk is full' : 'the file or its folder cannot be written';
    throw new PackageRError('file_failed', `The copy was not made: ${why}.`, { operation: 'state.copy', cause });
  }
}

async function loadRows(raw: DatabaseSync, table: TableShape, batches: AsyncIterable<readonly (readonly SqlValue[])[]>): Promise<void> {
  const places = table.columns.map(() => '?').join(', ');
  const insert = raw.prepare(`insert into ${quote(table.name)} (${list(table.columns)}) values (${places})`);
  for await (const rows of batches) {
    written(() => {
      for (const row of rows) insert.run(...row);
    });
  }
}

function sync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
