/**
 * The statements that read entries in byte order of their row paths, made ready once for a state. A position is a row path or what stands
 * just behind one, so all ask for `path >=`.
 */
import { type Compilable, sql } from 'kysely';
import type { EntryRow } from '#state/schema.ts';
import type { PreparedRead, PrepareOptions, SqlValue, State } from '#state/state.ts';
import type { View, WalkName, WindowName } from './entry-windows.ts';
import type { WindowTexts } from './threads.ts';

/** Rows of one statement that are looked at in a row of sub-folders before it gives up. */
const peekRows = 16;

/**
 * Windows over columns of one's choice. Values, in order, with `end` where the name says so:
 * bound: package, from, [end,] 1, rows looked at less one → the last path looked at, none where there are fewer
 * upTo, rest: package, step, step, least kind, from, [end] → the visible rows; `upTo` holds its end, `Before` does not
 * next: as rest, and 1 → the path of the first visible row
 */
export function windowQueries(state: State, columns: readonly (keyof EntryRow)[]): Readonly<Record<WindowName, Compilable>> {
  const all = state.db.selectFrom('entry').where('package', '=', 0);
  const from = all.where('path', '>=', '').orderBy('path');
  const visible = all.where('from_step', '<=', 0).where('to_step', '>', 0).where('kind', '>=', 0).where('path', '>=', '').orderBy('path');
  const rows = visible.select(columns);
  const paths = visible.select('path');
  return {
    bound: from.select('path').limit(1).offset(0),
    boundBefore: from.where('path', '<', '').select('path').limit(1).offset(0),
    upTo: rows.where('path', '<=', ''),
    rest: rows,
    restBefore: rows.where('path', '<', ''),
    next: paths.limit(1),
    nextBefore: paths.where('path', '<', '').limit(1),
  };
}

/**
 * `windowQueries` for walks, over columns that begin with path and kind, and
 * all: step, step, least kind, package, from, [end,] rows → the rows, visible or not; `kind` is null where they are not
 */
export function walkQueries(
  state: State,
  [path, , ...columns]: readonly ['path', 'kind', ...(keyof EntryRow)[]],
): Readonly<Record<WalkName, Compilable>> {
  const visibleKind = sql<number | null>`case when from_step <= ${0} and to_step > ${0} and kind >= ${0} then kind end`.as('kind');
  const rows = state.db
    .selectFrom('entry')
    .select([path, visibleKind, ...columns])
    .where('package', '=', 0)
    .where('path', '>=', '');
  return {
    ...windowQueries(state, [path, 'kind', ...columns]),
    all: rows.orderBy('path').limit(1),
    allBefore: rows.where('path', '<', '').orderBy('path').limit(1),
  };
}

/** The statements of `windowQueries`, as text for a thread. */
export function windowTexts(state: State, columns: readonly (keyof EntryRow)[]): WindowTexts {
  const queries = Object.entries(windowQueries(state, columns));
  return Object.fromEntries(queries.map(([name, query]) => [name, query.compile().sql])) as WindowTexts;
}

/** Statements that are made ready when they are first asked for, and kept with their state. */
export class Prepared<N extends string> {
  readonly #queries: (state: State) => Readonly<Record<N, Compilable>>;
  readonly #options: PrepareOptions | undefined;
  readonly #kept = new WeakMap<State, Partial<Record<N, PreparedRead>>>();

  constructor(queries: (state: State) => Readonly<Record<N, Compilable>>, options?: PrepareOptions) {
    this.#queries = queries;
    this.#options = options;
  }

  of(state: State, name: N): PreparedRead {
    const kept = this.#kept.get(state);
    const known = kept?.[name];
    if (known !== undefined) return known;
    const made = state.prepare(this.#queries(state)[name], this.#options);
    this.#kept.set(state, { ...kept, ...({ [name]: made } as Partial<Record<N, PreparedRead>>) });
    return made;
  }
}

/**
 * One path in each of the folders that follow one another in a folder, by skipping over what they hold: values as `folderValues` gives
 * them. It ends with a file, or with null where it did not see what comes.
 */
export const folderReads: Prepared<'folders' | 'foldersBefore'> = new Prepared((state) => {
  const isPostgres = state.dialect === 'postgres';
  const start = isPostgres ? sql`cast(${''} as text) collate "C"` : sql`cast(${''} as text)`;
  const slash = sql`${sql.raw(isPostgres ? 'strpos' : 'instr')}(substr(f.path, cast(${0} as integer) + 1), '/')`;
  const text = (isBounded: boolean) => sql`with recursive f(path, n) as (
    select ${start}, 0 union all
    select (select w.path from (select path, from_step, to_step, kind from entry where package = ${0}
        and path >= substr(f.path, 1, cast(${0} as integer) + ${slash} - 1) || '0' ${isBounded ? sql`and path < ${''}` : sql``}
        order by path limit ${sql.raw(String(peekRows))}) w
      where w.from_step <= ${0} and w.to_step > ${0} and w.kind >= ${0} order by w.path limit 1), n + 1
    from f where f.path is not null and n < ${0} and ${slash} > 0)
    select path from f where n > 0 order by n`;
  return {
    folders: { compile: () => text(false).compile(state.db) },
    foldersBefore: { compile: () => text(true).compile(state.db) },
  };
});

/** `path`: in the folder to begin behind. `length`: characters of the prefix of the folder that holds them. */
export function folderValues(view: View, path: string, length: number, before: string | undefined, most: number): SqlValue[] {
  const { package: id, step, leastKind } = view;
  return [path, id, length, length, ...(before === undefined ? [] : [before]), step, step, leastKind, most, length];
}
