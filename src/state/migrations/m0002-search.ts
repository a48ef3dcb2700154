/**
 * The index of a search over names: derived from the entries, never part of a digest, and gone with the step up to which it was built.
 * Segments refer to that step, so that undoing and editing anew can leave no index of rows that are no more.
 */
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

const types = {
  sqlite: { id: 'integer primary key autoincrement', int: 'integer', blob: 'blob' },
  postgres: { id: 'bigint generated always as identity primary key', int: 'bigint', blob: 'bytea' },
} as const;

export function search(dialect: 'sqlite' | 'postgres'): Migration {
  const { id, int, blob } = types[dialect];
  const statements = [
    `create table search_segment (id ${id}, package ${int} not null, after_step ${int} not null, through_step ${int} not null,
     paths ${int} not null, blocks ${int} not null, ready ${int} not null, created_at ${int} not null,
     foreign key (package, through_step) references step (package, step) on delete cascade)`,
    'create index search_segment_step on search_segment (package, through_step)',
    `create table search_block (segment ${int} not null, block ${int} not null, paths ${blob} not null, primary key (segment, block))`,
    `create table search_gram (segment ${int} not null, gram ${int} not null, part ${int} not null, blocks ${blob} not null,
     primary key (segment, gram, part))`,
  ];
  return {
    async up(db: Kysely<unknown>) {
      for (const statement of statements) await sql.raw(statement).execute(db);
    },
  };
}
