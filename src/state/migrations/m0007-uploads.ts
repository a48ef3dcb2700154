/** Uploads are remembered from before their first byte until their step, so that what a crash leaves in a store is found and taken back. */
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

export function uploads(dialect: 'sqlite' | 'postgres'): Migration {
  const int = dialect === 'postgres' ? 'bigint' : 'integer';
  const statement = `create table upload (id text not null primary key, package ${int} not null, source ${int} not null, key text not null,
    parts text, owner text not null, beat ${int} not null, is_clearing ${int} not null, started_at ${int} not null)`;
  return {
    async up(db: Kysely<unknown>) {
      await sql.raw(statement).execute(db);
    },
  };
}
