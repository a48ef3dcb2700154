/** Bulk inserts: one prepared statement, many rows of parameters. */
import { CompiledQuery } from 'kysely';
import type { Schema } from '#state/schema.ts';
import type { SqlValue, State, Write } from '#state/state.ts';

/** `columns` in the order of the values of each row. */
export function insertRows<T extends keyof Schema>(
  state: State,
  table: T,
  columns: readonly (keyof Schema[T] & string)[],
  rows: readonly (readonly SqlValue[])[],
): Write {
  const quote = (name: string): string => `"${name}"`;
  const places = columns.map((_, index) => (state.dialect === 'postgres' ? `$${index + 1}` : '?'));
  const sql = `insert into ${quote(table)} (${columns.map(quote).join(', ')}) values (${places.join(', ')})`;
  return { query: CompiledQuery.raw(sql), rows, insert: { table, columns } };
}
