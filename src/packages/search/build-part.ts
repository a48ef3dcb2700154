/**
 * Builds a part of a segment: reads the row paths that began in its steps, in byte order, and hands on the rows of the index. Runs in a
 * reading thread where the engine has them, else between the other work of the process; so it imports nothing of the domain.
 */
import { type IndexRows, SegmentBuilder } from './segment-builder.ts';

/** Where the next part begins: behind this row. */
export interface PartCursor {
  readonly path: string;
  readonly step: number;
}

export interface PartInput {
  readonly segment: number;
  readonly package: number;
  /** Steps (after, through]. */
  readonly after: number;
  readonly through: number;
  /** stepped: rows of one step, which stand in order · sorted: few rows, put in order here · scanned: all of the package in order, less those of other steps. */
  readonly order: 'stepped' | 'sorted' | 'scanned';
  readonly part: number;
  readonly firstBlock: number;
  readonly blockPaths: number;
  /** A part is full with so many postings. */
  readonly postings: number;
  readonly dialect: 'sqlite' | 'postgres';
  readonly from?: PartCursor;
}

export interface PartResult {
  readonly paths: number;
  readonly nextBlock: number;
  /** Absent where the segment is complete. */
  readonly next?: PartCursor;
}

export interface PartContext {
  /** All rows of a statement, each as the list of its columns. */
  all(sql: string, ...values: readonly (string | number)[]): Rows | Promise<Rows>;
  emit(rows: IndexRows): void;
  /** Lets others go first where that is due. Errors: cancelled. */
  pause(): Promise<void> | void;
}

type Rows = readonly (readonly unknown[])[];

/** Rows of one statement, all looked at. */
const window = 2000;
/** Rows that are put in order in memory; more are scanned. */
const mostSorted = 50_000;

export async function buildPart(context: PartContext, input: PartInput): Promise<PartResult> {
  const { segment, part, firstBlock, blockPaths } = input;
  const builder = new SegmentBuilder({ segment, part, firstBlock, blockPaths, emit: context.emit });
  let next: PartCursor | undefined;
  for await (const rows of readRows(context, input)) {
    next = pushAll(builder, rows, input.postings);
    if (next !== undefined) break;
    await context.pause();
  }
  for (const _ of builder.finish()) await context.pause();
  return { paths: builder.paths, nextBlock: builder.nextBlock, ...(next === undefined ? {} : { next }) };
}

/** Ends with a block: where it did, where the next part begins. Rows of explicit folders are passed over. */
function pushAll(builder: SegmentBuilder, rows: readonly PartCursor[], postings: number): PartCursor | undefined {
  for (const row of rows) {
    if (row.path.endsWith('/')) continue;
    if (builder.push(row.path) && builder.postings >= postings) return row;
  }
  return undefined;
}

async function* readRows(context: PartContext, input: PartInput): AsyncGenerator<readonly PartCursor[], void> {
  const { order, from = { path: '', step: 0 } } = input;
  if (order === 'sorted') {
    const rows = await sortedRows(context, input);
    if (rows !== undefined) {
      const first = rows.findIndex((row) => isBehind(row, from));
      if (first >= 0) yield rows.slice(first);
      return;
    }
  }
  yield* order === 'stepped' ? steppedRows(context, input, from.path) : scannedRows(context, input, from);
}

async function* steppedRows({ all }: PartContext, input: PartInput, after: string): AsyncGenerator<readonly PartCursor[], void> {
  const sql = numbered(input, 'select path from entry where package = ? and from_step = ? and path > ? order by path limit ?');
  for (let path = after; ; ) {
    const rows = await all(sql, input.package, input.through, path, window);
    if (rows.length > 0) yield rows.map((row) => ({ path: row[0] as string, step: input.through }));
    if (rows.length < window) return;
    path = rows.at(-1)?.[0] as string;
  }
}

async function* scannedRows({ all }: PartContext, input: PartInput, after: PartCursor): AsyncGenerator<readonly PartCursor[], void> {
  const order = 'order by path, from_step limit ?';
  const sql = numbered(input, `select path, from_step from entry where package = ? and (path, from_step) > (?, ?) ${order}`);
  for (let at = after; ; ) {
    const rows = toCursors(await all(sql, input.package, at.path, at.step, window));
    const kept = rows.filter(({ step }) => step > input.after && step <= input.through);
    if (kept.length > 0) yield kept;
    if (rows.length < window) return;
    at = rows.at(-1) as PartCursor;
  }
}

/** Undefined where there are too many. */
async function sortedRows({ all, pause }: PartContext, input: PartInput): Promise<PartCursor[] | undefined> {
  const order = 'and (from_step, path) > (?, ?) order by from_step, path limit ?';
  const sql = numbered(input, `select path, from_step from entry where package = ? and from_step <= ? ${order}`);
  const found: PartCursor[] = [];
  for (let at: PartCursor = { path: '', step: input.after + 1 }; ; ) {
    const rows = toCursors(await all(sql, input.package, input.through, at.step, at.path, window));
    found.push(...rows);
    if (found.length > mostSorted) return undefined;
    if (rows.length < window) break;
    at = rows.at(-1) as PartCursor;
    await pause();
  }
  return found.sort((a, b) => (a.path === b.path ? a.step - b.step : isLess(a.path, b.path) ? -1 : 1));
}

function toCursors(rows: Rows): PartCursor[] {
  return rows.map(([path, step]) => ({ path: path as string, step: Number(step) }));
}

function isBehind(row: PartCursor, from: PartCursor): boolean {
  return row.path === from.path ? row.step > from.step : isLess(from.path, row.path);
}

function isLess(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
}

/** Places for values as the engine writes them. */
function numbered({ dialect }: Pick<PartInput, 'dialect'>, sql: string): string {
  let number = 0;
  return dialect === 'postgres' ? sql.replace(/\?/g, () => `$${++number}`) : sql;
}
