/**
 * The protection of frozen rows on PostgreSQL, by the same rules as on SQLite. Rows that are added or deleted are looked at once a
 * statement, so that bulk loads stay fast; changes are looked at row by row.
 */

/** SQLSTATE of a refusal; class P0 is free for applications beyond those that PL/pgSQL names. */
export const protectedRow = 'P0R01';

const refuse = (what: string): string => `raise exception using errcode = '${protectedRow}', message = '${what}';`;

const frozenOf = (row: string): string =>
  `(select case when removed_at is null then frozen else 0 end from package where id = ${row}.package)`;

const isOther = (columns: readonly string[]): string =>
  columns.map((column) => `new.${column} is distinct from old.${column}`).join(' or ');

function makeFunction(name: string, body: string, variables = ''): string {
  return `create function ${name}() returns trigger language plpgsql as $$ ${variables} begin ${body} end $$`;
}

function spanTriggers(table: 'entry' | 'manifest_range', columns: readonly string[]): string[] {
  const touched = (rows: string): string => `if exists (
      select 1 from (select package, min(from_step) as from_step from ${rows} group by package) as touched
      where touched.from_step <= ${frozenOf('touched')}
    ) then ${refuse(`frozen ${table}`)} end if; return null;`;
  const changed = isOther(columns.filter((column) => column !== 'to_step'));
  return [
    makeFunction(`${table}_insert`, touched('added')),
    `create trigger ${table}_insert after insert on ${table} referencing new table as added for each statement execute function ${table}_insert()`,
    makeFunction(`${table}_delete`, touched('dropped')),
    `create trigger ${table}_delete after delete on ${table} referencing old table as dropped for each statement execute function ${table}_delete()`,
    makeFunction(
      `${table}_update`,
      `frozen_step := ${frozenOf('old')};
       if old.from_step <= frozen_step and (old.to_step <= frozen_step or new.to_step <= frozen_step or ${changed})
       then ${refuse(`frozen ${table}`)} end if; return new;`,
      'declare frozen_step bigint;',
    ),
    `create trigger ${table}_update before update on ${table} for each row execute function ${table}_update()`,
    noTruncate(table, `frozen ${table}`),
  ];
}

/** Emptying a table goes by none of the other triggers. */
function noTruncate(table: string, what: string): string {
  return `create trigger ${table}_truncate before truncate on ${table} for each statement execute function refuse_change('${what}')`;
}

function refuseRow(table: string, event: 'update' | 'delete', what: string): string {
  return `create trigger ${table}_${event} before ${event} on ${table} for each row execute function refuse_change('${what}')`;
}

/** `spans`: columns of the tables with spans. */
export function postgresTriggers(spans: Readonly<Record<'entry' | 'manifest_range', readonly string[]>>): string[] {
  const versionColumns = ['package', 'number', 'step', 'digest', 'frozen_at', 'entries', 'bytes', 'message', 'author'];
  return [
    makeFunction('refuse_change', `raise exception using errcode = '${protectedRow}', message = tg_argv[0];`),
    ...spanTriggers('entry', spans.entry),
    ...spanTriggers('manifest_range', spans.manifest_range),
    `create trigger version_update before update on version for each row when (${isOther(versionColumns)}) execute function refuse_change('frozen version')`,
    makeFunction(
      'version_delete',
      `if (select removed_at is null from package where id = old.package) then ${refuse('frozen version')} end if; return old;`,
    ),
    'create trigger version_delete before delete on version for each row execute function version_delete()',
    noTruncate('version', 'frozen version'),
    `create trigger package_frozen before update on package for each row when (new.frozen < old.frozen or new.id is distinct from old.id)
     execute function refuse_change('frozen package')`,
    refuseRow('text', 'update', 'frozen text'),
    refuseRow('event', 'update', 'append-only event'),
    refuseRow('event', 'delete', 'append-only event'),
    noTruncate('event', 'append-only event'),
  ];
}
