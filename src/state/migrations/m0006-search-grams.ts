/**
 * A segment of the search index knows how many lists it has, so that lost ones are noticed. It is derived data: segments of before are
 * dropped, and built anew by the next search.
 */
import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export function searchGrams(dialect: 'sqlite' | 'postgres'): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await (db as Kysely<{ search_segment: object }>).deleteFrom('search_segment').execute();
      await db.schema
        .alterTable('search_segment')
        .addColumn('grams', dialect === 'postgres' ? 'bigint' : 'integer', (column) => column.notNull().defaultTo(0))
        .execute();
    },
  };
}
