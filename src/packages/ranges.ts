/**
 * Manifest ranges as rows over spans of steps. Freezing recomputes the ranges that a change touched, and no others; what a range holds
 * follows from the paths alone, so the result does not depend on how the draft came to be. Much is hashed in threads, little at once.
 */
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { batchesOf } from '#model/batches.ts';
import type { Digest } from '#model/digest.ts';
import type { ManifestRange } from '#model/manifest.ts';
import { Turn } from '#model/turn.ts';
import { insertRows } from '#state/insert.ts';
import { entryKinds, type ManifestRangeRow, openStep } from '#state/schema.ts';
import type { SqlValue, State, Write } from '#state/state.ts';
import { Prepared, windowQueries, windowTexts } from './entry-statements.ts';
import type { WindowName } from './entry-windows.ts';
import { type HashedSlice, hashColumns, hashSlice, type Slice } from './range-hash.ts';
import { allSlices, touchedSlices } from './range-slices.ts';
import { SourceTotals } from './source-totals.ts';
import { hashInThread } from './threads.ts';
import { touchedPaths } from './touched.ts';

export interface RangeUpdate {
  readonly state: State;
  readonly package: number;
  /** The step of the version before; undefined for the first. */
  readonly from: number | undefined;
  readonly to: number;
  /** Hash all, also what was not touched. */
  readonly everything?: boolean;
  /** Goes first in every unit. */
  readonly hold: Write;
  readonly signal?: AbortSignal | undefined;
  /** Told of each range that is recomputed. */
  onRange?(range: ManifestRange): void;
}

export interface RangeTotals {
  readonly digest: Digest;
  readonly entries: number;
  /** Bytes of the manifest. */
  readonly bytes: number;
}

const rangeColumns = ['package', 'last_path', 'from_step', 'to_step', 'sha256', 'lines', 'bytes'] as const;

/** Touched ranges of one unit of work. */
const slicesAtOnce = 32;
/** Units of touched ranges that are hashed here: for so few, threads are not worth their start. */
const unitsHere = 4;
/** Rows that are written in one unit. */
const unitRows = 500;

export const hashReads: Prepared<WindowName> = new Prepared((state) => windowQueries(state, hashColumns));

/**
 * Brings the ranges to `to`. They are of nobody until the version is written. Gives the totals of what was hashed: those of the version,
 * where that is everything. Errors: cancelled.
 */
export async function updateRanges(update: RangeUpdate): Promise<SourceTotals> {
  const { state, package: id, from, to, everything = from === undefined, signal } = update;
  const writer = new RangeWriter(update);
  const totals = new SourceTotals();
  let begun = 0;
  const units =
    everything || from === undefined
      ? batchesOf(allSlices(state, id, to), 1)
      : batchesOf(
          touchedSlices(state, { package: id, from, to }, touchedPaths(state, { package: id, from, to }, '', signal)),
          slicesAtOnce,
        );
  await eachAtOnce(units, state.threads?.size ?? 1, async (slices) => {
    const isMuch = everything ? slices[0]?.upTo !== undefined : begun >= unitsHere;
    begun += 1;
    const hashed = await hashSlices(update, slices, isMuch);
    for (const [index, one] of hashed.entries()) {
      for (const total of one.totals) totals.add(total);
      await writer.replace(slices[index] as Slice, one.ranges);
    }
  });
  await writer.flush();
  return totals;
}

async function hashSlices(
  { state, package: id, to, signal }: RangeUpdate,
  slices: readonly Slice[],
  isMuch: boolean,
): Promise<readonly HashedSlice[]> {
  const view = { package: id, step: to, leastKind: entryKinds.text };
  if (state.threads !== undefined && isMuch)
    return hashInThread(state.threads, { texts: windowTexts(state, hashColumns), view, slices }, signal);
  const hashed: HashedSlice[] = [];
  const pause = pauser(signal);
  for (const slice of slices) hashed.push(await hashSlice((name, values) => hashReads.of(state, name).all(...values), view, slice, pause));
  return hashed;
}

/** Lets others go first when it is time, and ends where the signal does. */
export function pauser(signal: AbortSignal | undefined): () => Promise<void> {
  const turn = new Turn();
  return async () => {
    signal?.throwIfAborted();
    await turn.pause();
  };
}

/** Some at once, and one more that waits, so that nobody is idle while a result is written. Ends with the first error, when none runs. */
export async function eachAtOnce<T>(items: AsyncIterable<T>, most: number, work: (item: T) => Promise<void>): Promise<void> {
  const running = new Set<Promise<void>>();
  const errors: unknown[] = [];
  try {
    for await (const item of items) {
      const run: Promise<void> = work(item)
        .catch((error: unknown) => void errors.push(error))
        .finally(() => running.delete(run));
      running.add(run);
      if (running.size > most) await Promise.race(running);
      if (errors.length > 0) break;
    }
  } catch (error) {
    errors.push(error);
  }
  await Promise.all(running);
  if (errors.length > 0) throw errors[0];
}

/** Digest and totals over the ranges that are visible at a step. */
export async function sumRanges(state: State, packageId: number, step: number): Promise<RangeTotals> {
  const index = createHash('sha256');
  let entries = 0;
  let bytes = 0;
  for await (const range of listRanges(state, packageId, step)) {
    index.update(`${range.sha256}\n`);
    entries += range.lines;
    bytes += range.bytes;
  }
  return { digest: `sha256:${index.digest('hex')}` as Digest, entries, bytes };
}

/** In order, in bounded batches. */
export async function* listRanges(state: State, packageId: number, step: number): AsyncGenerator<ManifestRangeRow, void> {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const rows: ManifestRangeRow[] = await visibleRanges(state, packageId, step)
      .where('last_path', '>', after)
      .orderBy('last_path')
      .limit(500)
      .execute();
    yield* rows;
    after = rows.at(-1)?.last_path;
  }
}

function visibleRanges(state: State, packageId: number, step: number) {
  return state.db
    .selectFrom('manifest_range')
    .selectAll()
    .where('package', '=', packageId)
    .where('from_step', '<=', step)
    .where('to_step', '>', step);
}

class RangeWriter {
  readonly #update: RangeUpdate;
  readonly #close: Write['query'];
  #ended: SqlValue[][] = [];
  #begun: SqlValue[][] = [];
  #written: Promise<unknown> = Promise.resolve();

  constructor(update: RangeUpdate) {
    this.#update = update;
    const close = sql`update manifest_range set to_step = ${0} where package = ${0} and last_path = ${''} and from_step = ${0}`;
    this.#close = close.compile(update.state.db);
  }

  /** Ends the ranges of the version before that lie within the slice, but those that are the same as a new one. */
  async replace(slice: Slice, ranges: readonly ManifestRange[]): Promise<void> {
    const { package: id, to, onRange } = this.#update;
    const old = new Map((await this.#oldWithin(slice)).map((row) => [row.last_path, row]));
    for (const range of ranges) {
      onRange?.(range);
      const known = old.get(range.last);
      if (known?.sha256 === range.hash) old.delete(range.last);
      else this.#begun.push([id, range.last, to, openStep, range.hash, range.entries, range.bytes]);
    }
    for (const row of old.values()) this.#ended.push([to, id, row.last_path, row.from_step]);
    if (this.#begun.length + this.#ended.length >= unitRows) await this.flush();
  }

  async #oldWithin({ after, upTo }: Slice): Promise<ManifestRangeRow[]> {
    const { state, package: id, from } = this.#update;
    if (from === undefined) return [];
    const old = visibleRanges(state, id, from).where('last_path', '>', after);
    return (upTo === undefined ? old : old.where('last_path', '<=', upTo)).execute();
  }

  /** One unit after the other, in the order in which they were gathered. */
  flush(): Promise<unknown> {
    const { state, hold } = this.#update;
    const [ended, begun] = [this.#ended, this.#begun];
    this.#ended = [];
    this.#begun = [];
    const writes: Write[] = [];
    if (ended.length > 0) writes.push({ query: this.#close, rows: ended });
    if (begun.length > 0) writes.push(insertRows(state, 'manifest_range', rangeColumns, begun));
    if (writes.length > 0) this.#written = this.#written.then(() => state.write(hold, ...writes));
    return this.#written;
  }
}
