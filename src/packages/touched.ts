/**
 * The row paths that differ between two steps, in byte order, from the rows that began or ended between them and nothing else. Small
 * steps are read together, large ones by themselves, and their paths are merged as they come.
 */

import { compareBytes } from '#model/path.ts';
import { openStep } from '#state/schema.ts';
import type { State } from '#state/state.ts';

/** Two steps of one package, `from` < `to`. */
export interface Between {
  readonly package: number;
  readonly from: number;
  readonly to: number;
}

/** Steps (after, upTo] that are asked in one statement. */
interface Run {
  readonly after: number;
  readonly upTo: number;
}

const runRows = 5000;
const batchPaths = 500;

/** Each path once. A row that began and ended in between is none. `after`: begin behind this row path. */
export async function* touchedPaths(state: State, between: Between, after = '', signal?: AbortSignal): AsyncGenerator<string, void> {
  const streams: Stream[] = [];
  for (const run of await runsOf(state, between)) {
    streams.push(
      new Stream((from) => began(state, between, run, from), after),
      new Stream((from) => ended(state, between, run, from), after),
    );
  }
  let last: string | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const path = await nextOf(streams);
    if (path === undefined) return;
    if (path !== last) yield path;
    last = path;
  }
}

/** Takes the smallest head of all streams. */
async function nextOf(streams: readonly Stream[]): Promise<string | undefined> {
  let least: Stream | undefined;
  let path: string | undefined;
  for (const stream of streams) {
    const head = stream.head() ?? (await stream.refill());
    if (head !== undefined && (path === undefined || compareBytes(head, path) < 0)) {
      least = stream;
      path = head;
    }
  }
  least?.take();
  return path;
}

class Stream {
  readonly #fetch: (after: string) => Promise<string[]>;
  #paths: string[] = [];
  #at = 0;
  #after: string;
  #isEnded = false;

  constructor(fetch: (after: string) => Promise<string[]>, after: string) {
    this.#fetch = fetch;
    this.#after = after;
  }

  head(): string | undefined {
    return this.#paths[this.#at];
  }

  take(): void {
    this.#at += 1;
  }

  async refill(): Promise<string | undefined> {
    if (this.#isEnded) return undefined;
    this.#paths = await this.#fetch(this.#after);
    this.#at = 0;
    this.#after = this.#paths.at(-1) ?? this.#after;
    this.#isEnded = this.#paths.length < batchPaths;
    return this.#paths[0];
  }
}

async function runsOf(state: State, { package: id, from, to }: Between): Promise<Run[]> {
  const steps = await state.db
    .selectFrom('step')
    .select(['step', 'added', 'removed'])
    .where('package', '=', id)
    .where('step', '>', from)
    .where('step', '<=', to)
    .orderBy('step')
    .execute();
  const runs: Run[] = [];
  let after = from;
  let rows = 0;
  let upTo = from;
  for (const { step, added, removed } of steps) {
    const more = added + removed;
    if (upTo > after && rows + more > runRows) {
      runs.push({ after, upTo });
      after = upTo;
      rows = 0;
    }
    rows += more;
    upTo = step;
  }
  if (upTo > after) runs.push({ after, upTo });
  return runs;
}

async function began(state: State, { package: id, to }: Between, run: Run, after: string): Promise<string[]> {
  const rows = await state.db
    .selectFrom('entry')
    .select('path')
    .where('package', '=', id)
    .where((on) => (isSingle(run) ? on('from_step', '=', run.upTo) : on.between('from_step', run.after + 1, run.upTo)))
    .where('to_step', '>', to)
    .where('path', '>', after)
    .orderBy('path')
    .limit(batchPaths)
    .execute();
  return rows.map((row) => row.path);
}

async function ended(state: State, { package: id, from }: Between, run: Run, after: string): Promise<string[]> {
  const rows = await state.db
    .selectFrom('entry')
    .select('path')
    .where('package', '=', id)
    .where('to_step', '<', openStep)
    .where((on) => (isSingle(run) ? on('to_step', '=', run.upTo) : on.between('to_step', run.after + 1, run.upTo)))
    .where('from_step', '<=', from)
    .where('path', '>', after)
    .orderBy('path')
    .limit(batchPaths)
    .execute();
  return rows.map((row) => row.path);
}

/** Steps are numbered with gaps, so one step is known only where the run is one number wide. */
function isSingle(run: Run): boolean {
  return run.upTo === run.after + 1;
}
