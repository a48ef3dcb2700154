/**
 * A version keeps what it points to by source, so that a freeze knows whose rights it needs without reading what did not change. Rows are
 * written with their version and never change: rights follow from them.
 */
import { type CreateTableBuilder, type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { protectedRow } from './postgres-triggers.ts';

const columns = ['package', 'number', 'source', 'entries', 'bytes'] as const;

const kept = '(select removed_at is null from package where id = old.package)';
const what = 'frozen version_source';

const sqliteTriggers = [
  `create trigger version_source_insert before insert on version_source
   when exists (select 1 from version where package = new.package and number >= new.number) begin select raise(abort, '${what}'); end`,
  `create trigger version_source_update before update on version_source begin select raise(abort, '${what}'); end`,
  `create trigger version_source_delete before delete on version_source when ${kept} begin select raise(abort, '${what}'); end`,
];

const refuse = `raise exception using errcode = '${protectedRow}', message = '${what}';`;

const postgresTriggers = [
  `create function version_source_insert() returns trigger language plpgsql as $$ begin
     if exists (select 1 from version where package = new.package and number >= new.number) then ${refuse} end if; return new; end $$`,
  'create trigger version_source_insert before insert on version_source for each row execute function version_source_insert()',
  `create trigger version_source_update before update on version_source for each row execute function refuse_change('${what}')`,
  `create function version_source_delete() returns trigger language plpgsql as $$ begin if ${kept} then ${refuse} end if; return old; end $$`,
  'create trigger version_source_delete before delete on version_source for each row execute function version_source_delete()',
  `create trigger version_source_truncate before truncate on version_source for each statement execute function refuse_change('${what}')`,
];

export function versionSource(dialect: 'sqlite' | 'postgres'): Migration {
  const integer = dialect === 'postgres' ? 'bigint' : 'integer';
  return {
    async up(db: Kysely<unknown>) {
      let table: CreateTableBuilder<string, string> = db.schema.createTable('version_source');
      for (const column of columns) table = table.addColumn(column, integer, (one) => one.notNull());
      await table.addPrimaryKeyConstraint('version_source_key', ['package', 'number', 'source']).execute();
      for (const trigger of dialect === 'sqlite' ? sqliteTriggers : postgresTriggers) await sql.raw(trigger).execute(db);
    },
  };
}
