/** Jobs count how often they were started without getting on, so that one that ends its process is not started for ever. */
import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export function jobAttempts(dialect: 'sqlite' | 'postgres'): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .alterTable('job')
        .addColumn('attempts', dialect === 'postgres' ? 'bigint' : 'integer', (column) => column.notNull().defaultTo(0))
        .execute();
    },
  };
}
