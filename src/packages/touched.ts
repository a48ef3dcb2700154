/**
 * The row paths that differ between two steps, in byte order, from the rows that began or ended between them and nothing else. Small
 * steps are read together, large ones by themselves, and their paths are merged as they come.
 */
import { setImmediate } from 'node:timers/promises';
import { type RawBuilder, sql } from 'kysely';
import { compareBytes } from '#model/path.ts';
import { openStep } from '#state/schema.ts';
import type { SqlValue, State } from '#state/state.ts';
import { Prepared } from './entry-statements.ts';
import { behind } from './entry-windows.ts';

/** Two steps of one package, `from` < `to`. */
export interface Between {
  readonly package: number;
  readonly from: number;
  readonly to: number;
}

/** Steps from `first` to `last` that are asked in one statement; one step alone where there are more rows than `runRows`. */
interface Run {
  readonly first: number;
  readonly last: number;
  readonly rows: number;
}

/** Rows of steps that are read together. */
export const runRows = 5000;
const batchPaths = 500;

/** Each path once. A row that began and ended in between is none. `from`: begin at this row path, or at what is `behind` one. */
export async function* touchedPaths(state: State, between: Between, from = '', signal?: AbortSignal): AsyncGenerator<string, void> {
  const streams: Stream[] = [];
  for (const run of await runsOf(state, between)) {
    streams.push(
      new Stream((at) => fetchPaths(state, between.package, 'began', run, between.to, at), from),
      new Stream((at) => fetchPaths(state, between.package, 'ended', run, between.from, at), from),
    );
  }
  let last: string | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const path = await nextOf(streams, signal);
    if (path === undefined) return;
    if (path !== last) yield path;
    last = path;
  }
}

/** Takes the smallest head of all streams. */
async function nextOf(streams: readonly Stream[], signal: AbortSignal | undefined): Promise<string | undefined> {
  let least: Stream | undefined;
  let path: string | undefined;
  for (const stream of streams) {
    const head = stream.head() ?? (await stream.refill(signal));
    if (head !== undefined && (path === undefined || compareBytes(head, path) < 0)) {
      least = stream;
      path = head;
    }
  }
  least?.take();
  return path;
}

/** Paths of one kind of one run, batch by batch. A batch may be empty although more come: it looked at rows that say nothing. */
interface Fetched {
  readonly paths: readonly string[];
  /** Behind which path more may come; absent at the end. */
  readonly next?: string;
}

class Stream {
  readonly #fetch: (after: string) => Promise<Fetched>;
  #paths: readonly string[] = [];
  #at = 0;
  #after: string | undefined;

  constructor(fetch: (after: string) => Promise<Fetched>, after: string) {
    this.#fetch = fetch;
    this.#after = after;
  }

  head(): string | undefined {
    return this.#paths[this.#at];
  }

  take(): void {
    this.#at += 1;
  }

  async refill(signal: AbortSignal | undefined): Promise<string | undefined> {
    for (let turns = 0; this.#after !== undefined; turns++) {
      signal?.throwIfAborted();
      if (turns > 0) await setImmediate();
      const { paths, next } = await this.#fetch(this.#after);
      this.#after = next;
      this.#paths = paths;
      this.#at = 0;
      if (paths.length > 0) return paths[0];
    }
    return undefined;
  }
}

/** Small steps that follow one another go together; a step of many rows by itself. */
async function runsOf(state: State, { package: id, from, to }: Between): Promise<Run[]> {
  const steps = await state.db
    .selectFrom('step')
    .select(['step', 'added', 'removed'])
    .where('package', '=', id)
    .where('step', '>', from)
    .where('step', '<=', to)
    .orderBy('step')
    .execute();
  const runs: { first: number; last: number; rows: number }[] = [];
  for (const { step, added, removed } of steps) {
    const rows = added + removed;
    const run = runs.at(-1);
    if (run === undefined || run.rows + rows > runRows) runs.push({ first: step, last: step, rows });
    else Object.assign(run, { last: step, rows: run.rows + rows });
  }
  return runs;
}

/**
 * Rows that began in a run and are there at its end, and rows that ended in it and were there before. Values of `one`: package, step,
 * after, [limit and offset of the last row looked at | the last path,] the other step; of `many`: package, first, last, after, other step,
 * limit.
 */
const reads = new Prepared((state) => {
  const indexed = (name: string) => sql.raw(state.dialect === 'sqlite' ? `entry indexed by ${name}` : 'entry');
  const compile = (text: RawBuilder<unknown>) => ({ compile: () => text.compile(state.db) });
  const hasEnded = sql.raw(`to_step < ${openStep}`);
  const began = sql`from ${indexed('entry_began')} where package = ${0} and`;
  const ended = sql`from ${indexed('entry_ended')} where package = ${0} and ${hasEnded} and`;
  const bound = sql`order by path limit ${0} offset ${0}`;
  return {
    beganBound: compile(sql`select path ${began} from_step = ${0} and path >= ${''} ${bound}`),
    beganUpTo: compile(sql`select path ${began} from_step = ${0} and path >= ${''} and path <= ${''} and to_step > ${0} order by path`),
    beganRest: compile(sql`select path ${began} from_step = ${0} and path >= ${''} and to_step > ${0} order by path`),
    beganMany: compile(
      sql`select path ${began} from_step between ${0} and ${0} and path >= ${''} and to_step > ${0} order by path limit ${0}`,
    ),
    endedBound: compile(sql`select path ${ended} to_step = ${0} and path >= ${''} ${bound}`),
    endedUpTo: compile(sql`select path ${ended} to_step = ${0} and path >= ${''} and path <= ${''} and from_step <= ${0} order by path`),
    endedRest: compile(sql`select path ${ended} to_step = ${0} and path >= ${''} and from_step <= ${0} order by path`),
    endedMany: compile(
      sql`select path ${ended} to_step between ${0} and ${0} and path >= ${''} and from_step <= ${0} order by path limit ${0}`,
    ),
  };
});

/** `other`: the step at which the rows must be there too. */
async function fetchPaths(
  state: State,
  packageId: number,
  kind: 'began' | 'ended',
  run: Run,
  other: number,
  after: string,
): Promise<Fetched> {
  const { first, last } = run;
  if (run.rows <= runRows) {
    const rows = await reads.of(state, `${kind}Many`).all(packageId, first, last, after, other, batchPaths);
    const paths = pathsOf(rows);
    return paths.length < batchPaths ? { paths } : { paths, next: behind(paths.at(-1) as string) };
  }
  const bound = await reads.of(state, `${kind}Bound`).first(packageId, first, after, 1, batchPaths - 1);
  const end = bound?.[0];
  if (typeof end !== 'string') return { paths: pathsOf(await reads.of(state, `${kind}Rest`).all(packageId, first, after, other)) };
  return { paths: pathsOf(await reads.of(state, `${kind}UpTo`).all(packageId, first, after, end, other)), next: behind(end) };
}

function pathsOf(rows: readonly (readonly SqlValue[])[]): string[] {
  return rows.map(([path]) => path as string);
}

/** Rows that began or ended between two steps, as their steps counted them. */
export async function countTouched(state: State, { package: id, from, to }: Between): Promise<number> {
  const sum = await state.db
    .selectFrom('step')
    .select((on) => [on.fn.sum<number | string | null>('added').as('added'), on.fn.sum<number | string | null>('removed').as('removed')])
    .where('package', '=', id)
    .where('step', '>', from)
    .where('step', '<=', to)
    .executeTakeFirst();
  return Number(sum?.added ?? 0) + Number(sum?.removed ?? 0);
}
