/** A package remembers from which step on rows are left-overs of undone steps, which are out of sight and go in the background. */
import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export function goneSteps(dialect: 'sqlite' | 'postgres'): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .alterTable('package')
        .addColumn('gone_from', dialect === 'postgres' ? 'bigint' : 'integer')
        .execute();
    },
  };
}
