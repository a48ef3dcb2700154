/** A read that is made ready on a connection of its own, whose statements stand by themselves. */
import type { PreparedRead, SqlValue } from '#state/state.ts';
import type { Database } from './database.ts';

export function prepareRead({ raw }: Database, sql: string): PreparedRead {
  const statement = raw.prepare(sql);
  statement.setReturnArrays(true);
  return {
    first: (...values) => statement.get(...values) as readonly SqlValue[] | undefined,
    all: (...values) => statement.all(...values) as unknown as readonly (readonly SqlValue[])[],
  };
}
