/**
 * Manifest ranges as rows over spans of steps. Freezing recomputes the ranges that a change touched, and no others; what a range holds
 * follows from the paths alone, so the result does not depend on how the draft came to be.
 */
import { createHash } from 'node:crypto';
import type { Digest } from '#model/digest.ts';
import { ManifestHasher, type ManifestRange } from '#model/manifest.ts';
import { compareBytes, type Path } from '#model/path.ts';
import { type ManifestRangeRow, openStep } from '#state/schema.ts';
import type { State, Write } from '#state/state.ts';
import { EntryReader } from './entry-reader.ts';
import { toLeaf } from './entry-row.ts';
import { touchedPaths } from './touched.ts';

export interface RangeUpdate {
  readonly state: State;
  readonly package: number;
  /** The step of the version before; undefined for the first. */
  readonly from: number | undefined;
  readonly to: number;
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

/** Brings the ranges to `to`. They are of nobody until the version is written. Errors: cancelled. */
export async function updateRanges(update: RangeUpdate): Promise<void> {
  const { state, package: id, from, to, signal } = update;
  const writer = new RangeWriter(update);
  if (from === undefined) {
    await writer.recompute('');
  } else {
    let done: string | undefined = '';
    for await (const path of touchedPaths(state, { package: id, from, to }, '', signal)) {
      if (done === undefined) break;
      if (path.endsWith('/') || (done !== '' && compareBytes(path, done) <= 0)) continue;
      const border: string = await writer.borderBefore(path);
      done = await writer.recompute(border);
    }
  }
  await writer.flush();
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
  readonly #entries: EntryReader;
  #pending: { row: ManifestRangeRow; isNew: boolean }[] = [];

  constructor(update: RangeUpdate) {
    this.#update = update;
    const { state, package: id, to: step } = update;
    this.#entries = new EntryReader({ state, package: id, step, withFolders: false });
  }

  /** The last border before a path; '' where there is none. */
  async borderBefore(path: string): Promise<string> {
    const { state, package: id, to } = this.#update;
    const row = await state.db
      .selectFrom('entry')
      .select('path')
      .where('package', '=', id)
      .where('ends_range', '=', 1)
      .where('path', '<', path)
      .where('from_step', '<=', to)
      .where('to_step', '>', to)
      .orderBy('path', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row?.path ?? '';
  }

  /**
   * Computes the range behind a border, and goes on with the next one as long as the border that it meets is new, since that cuts
   * the range that stood there in two. Returns the last path that was looked at, undefined at the end of the manifest.
   */
  async recompute(border: string): Promise<string | undefined> {
    const hasher = new ManifestHasher();
    let start = border;
    for await (const rows of this.#entries.batches('', border === '' ? undefined : border, this.#update.signal)) {
      for (const row of rows) {
        const range = hasher.push(toLeaf(row));
        if (range === undefined) continue;
        const isOldBorder = await this.#replace(start, range.last, range);
        start = range.last;
        if (isOldBorder) return start;
      }
    }
    await this.#replace(start, undefined, hasher.finish().range);
    return undefined;
  }

  /**
   * Ends the old ranges within (start, last] (to the end, where undefined) but the one that is the same as the new. Whether one of
   * them ended at `last` too.
   */
  async #replace(start: string, last: Path | undefined, range: ManifestRange | undefined): Promise<boolean> {
    const { state, package: id, to, onRange } = this.#update;
    if (range !== undefined) onRange?.(range);
    let old = state.db
      .selectFrom('manifest_range')
      .selectAll()
      .where('package', '=', id)
      .where('to_step', '=', openStep)
      .where('last_path', '>', start);
    if (last !== undefined) old = old.where('last_path', '<=', last);
    const rows = await old.execute();
    const row = range === undefined ? undefined : toRow(id, to, range);
    const isKept = rows.some((one) => row !== undefined && one.last_path === row.last_path && one.sha256 === row.sha256);
    for (const one of rows) if (!isKept || one.last_path !== row?.last_path) this.#pending.push({ row: one, isNew: false });
    if (row !== undefined && !isKept) this.#pending.push({ row, isNew: true });
    if (this.#pending.length >= 200) await this.flush();
    return rows.some((one) => one.last_path === last);
  }

  async flush(): Promise<void> {
    const { state, to, hold } = this.#update;
    const pending = this.#pending;
    this.#pending = [];
    const writes = pending.map(({ row, isNew }): Write => {
      if (isNew) return { query: state.db.insertInto('manifest_range').values(row) };
      const ended = state.db.updateTable('manifest_range').set({ to_step: to }).where('package', '=', row.package);
      return { query: ended.where('last_path', '=', row.last_path).where('from_step', '=', row.from_step) };
    });
    if (writes.length > 0) await state.write(hold, ...writes);
  }
}

function toRow(packageId: number, step: number, range: ManifestRange): ManifestRangeRow {
  const { last, hash, entries, bytes } = range;
  return { package: packageId, last_path: last, from_step: step, to_step: openStep, sha256: hash, lines: entries, bytes };
}
