/**
 * Many rows on their way to the writer: by columns, since most columns of a bulk hold one value throughout or repeat another one, and both
 * are then handed over and bound once. Plain inserts of many rows become statements of many rows. Imports nothing of ours, since the
 * writer’s thread loads it too.
 */
import type { SqlParameter } from './database.ts';

/** One value for every row, the values of all rows, or the same as an earlier column. */
export type PackedColumn = { readonly all: SqlParameter } | { readonly each: readonly SqlParameter[] } | { readonly as: number };

export interface PackedRows {
  readonly count: number;
  readonly columns: readonly PackedColumn[];
  /** Table and columns of a plain insert, quoted. */
  readonly insert?: { readonly table: string; readonly columns: readonly string[] };
}

/** A statement, and the parameters for each time that it is to be run. */
export interface BulkRun {
  readonly sql: string;
  readonly parameters: Iterable<SqlParameter[]>;
}

/** Rows of one statement. */
const rowsAtOnce = 50;

export function packRows(rows: readonly (readonly SqlParameter[])[], insert: PackedRows['insert']): PackedRows {
  const width = rows[0]?.length ?? 0;
  const columns: PackedColumn[] = [];
  for (let column = 0; column < width; column++) columns.push(packColumn(rows, column, columns));
  return { count: rows.length, columns, ...(insert === undefined ? {} : { insert }) };
}

function packColumn(rows: readonly (readonly SqlParameter[])[], column: number, before: readonly PackedColumn[]): PackedColumn {
  const first = (rows[0] as readonly SqlParameter[])[column] as SqlParameter;
  if (rows.every((row) => row[column] === first)) return { all: first };
  for (const [index, known] of before.entries()) {
    if ('each' in known && known.each[0] === first && rows.every((row) => row[column] === row[index])) return { as: index };
  }
  return { each: rows.map((row) => row[column] as SqlParameter) };
}

/** What to run for the rows, in their order. `sql`: of a statement for one row, with `?` for each column. */
export function* runsOf(sql: string, rows: PackedRows): Generator<BulkRun, void> {
  const many = rows.insert === undefined ? 0 : rows.count - (rows.count % rowsAtOnce);
  if (rows.insert !== undefined && many > 0) yield { sql: insertSql(rows, rows.insert), parameters: manyOf(rows, many) };
  if (many < rows.count) yield { sql, parameters: eachOf(rows, many) };
}

/** `?1` and so on for what all rows share, then as many for each row as differ. */
function insertSql({ columns }: PackedRows, insert: { readonly table: string; readonly columns: readonly string[] }): string {
  const shared = columns.filter((column) => 'all' in column).length;
  const varied = columns.filter((column) => 'each' in column).length;
  let [sharedBefore, variedBefore] = [0, 0];
  const places = columns.map((column) => {
    if ('as' in column) return -1;
    return 'all' in column ? { shared: ++sharedBefore } : { varied: ++variedBefore };
  });
  const placeOf = (index: number, row: number): string => {
    const column = columns[index] as PackedColumn;
    const place = places['as' in column ? column.as : index] as { shared: number } | { varied: number };
    return `?${'shared' in place ? place.shared : shared + row * varied + place.varied}`;
  };
  const values = Array.from({ length: rowsAtOnce }, (_, row) => `(${columns.map((_, index) => placeOf(index, row)).join(',')})`);
  return `insert into ${insert.table} (${insert.columns.join(',')}) values ${values.join(',')}`;
}

function* manyOf({ columns }: PackedRows, count: number): Generator<SqlParameter[], void> {
  const shared = columns.flatMap((column) => ('all' in column ? [column.all] : []));
  const varied = columns.flatMap((column) => ('each' in column ? [column.each] : []));
  for (let at = 0; at < count; at += rowsAtOnce) {
    const parameters = [...shared];
    for (let row = at; row < at + rowsAtOnce; row++) for (const values of varied) parameters.push(values[row] as SqlParameter);
    yield parameters;
  }
}

function* eachOf({ columns, count }: PackedRows, from: number): Generator<SqlParameter[], void> {
  for (let row = from; row < count; row++) yield columns.map((column) => cellOf(columns, column, row));
}

function cellOf(columns: readonly PackedColumn[], column: PackedColumn, row: number): SqlParameter {
  if ('all' in column) return column.all;
  return 'each' in column ? (column.each[row] as SqlParameter) : cellOf(columns, columns[column.as] as PackedColumn, row);
}
