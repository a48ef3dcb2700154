/**
 * Reads the entries that are visible at one step, in byte order of their row paths. Each statement looks at a bounded window of rows,
 * visible or not, so no single read is long; long runs of invisible rows are scanned beside the event loop, remembered, and jumped over.
 */

import type { Leaf } from '#model/entry.ts';
import { compareBytes } from '#model/path.ts';
import type { WalkFields, WalkOptions } from '#model/tree.ts';
import { Turn } from '#model/turn.ts';
import { type EntryRow, entryKinds } from '#state/schema.ts';
import type { SqlValue, State } from '#state/state.ts';
import { entryColumns, type LeafRow, leafColumns, leafOf, toLeafRow, toRow, walkColumns } from './entry-row.ts';
import { folderReads, folderValues, Prepared, walkQueries, windowQueries } from './entry-statements.ts';
import { behind, readWhole, readWindow, type View, type WalkName, type Window, type WindowName } from './entry-windows.ts';
import type { GapView } from './gaps.ts';
import { nextInThread } from './threads.ts';

/** Rows, and where the next ones begin; `next` is absent at the end. There are rows unless the end was reached. */
interface Batch<T> {
  readonly rows: readonly T[];
  readonly next?: string;
}

export interface EntryReaderOptions {
  readonly state: State;
  readonly package: number;
  readonly step: number;
  /** Rows of explicit folders count too: in drafts. */
  readonly withFolders: boolean;
  /** Of exactly what is read here. */
  readonly gaps?: GapView | undefined;
  /** Rows looked at in one statement; 1000 where left out. */
  readonly windowRows?: number | undefined;
}

export type LeavesOptions = Pick<WalkOptions, 'after' | 'signal' | 'fields'>;

type Values = readonly SqlValue[];

const defaultRows = 1000;
/** Windows without a visible row after which a thread looks for the next one. */
const longRun = 4;

/** Statements of windows. `whole`: those that may read invisible rows along, as most are visible. */
interface Reads {
  readonly windows: Prepared<WindowName>;
  readonly whole?: Prepared<WalkName>;
}

const rowReads: Reads = { windows: new Prepared((state) => windowQueries(state, entryColumns)) };
const leafReads: Reads = { windows: new Prepared((state) => windowQueries(state, leafColumns)) };
/** Of the walks that look at some fields only. */
const walkReads: Readonly<Record<WalkFields, Reads>> = {
  names: toWalk(walkColumns.names),
  sums: toWalk(walkColumns.sums),
  pointers: toWalk(walkColumns.pointers),
  content: toWalk(walkColumns.content),
};

function toWalk(columns: Parameters<typeof walkQueries>[1]): Reads {
  const whole = new Prepared((state) => walkQueries(state, columns), { isWalk: true });
  return { windows: whole, whole };
}

const oneRead = new Prepared((state) => ({
  one: state.db
    .selectFrom('entry')
    .select(leafColumns)
    .where('package', '=', 0)
    .where('from_step', '<=', 0)
    .where('to_step', '>', 0)
    .where('kind', '>=', 0)
    .where('path', '=', ''),
}));

export class EntryReader {
  readonly #options: EntryReaderOptions;
  readonly #view: View;
  readonly #most: number;
  /** Begins with the first read. */
  #turn: Turn | undefined;

  constructor(options: EntryReaderOptions) {
    this.#options = options;
    this.#most = options.windowRows ?? defaultRows;
    const { package: id, step, withFolders } = options;
    this.#view = { package: id, step, leastKind: withFolders ? entryKinds.folder : entryKinds.text };
  }

  /** The next values of `leafColumns` from `from` on and before `before`; `size`: rows to look at in the first statement. */
  async window(from: string, before: string | undefined, size: number, signal?: AbortSignal): Promise<Batch<Values>> {
    return this.#read(leafReads, from, before, size, signal);
  }

  /** The first row path from `from` on. */
  async first(from: string, before: string | undefined, signal?: AbortSignal): Promise<string | undefined> {
    const { rows } = await this.#read(leafReads, from, before, 16, signal);
    return rows[0]?.[0] as string | undefined;
  }

  /**
   * Within the folder with this prefix, behind the folder that holds `path`: a path in each folder that comes, ended by the path of a
   * file. Fewer than `limit` do not mean the end.
   */
  async folders(prefix: string, path: string, before: string | undefined, limit: number): Promise<string[]> {
    const read = folderReads.of(this.#options.state, before === undefined ? 'folders' : 'foldersBefore');
    const rows = await read.all(...folderValues(this.#view, path, [...prefix].length, before, limit));
    return rows.flatMap(([one]) => (typeof one === 'string' ? [one] : []));
  }

  /** The row of exactly this row path. */
  async get(path: string): Promise<LeafRow | undefined> {
    const { package: id, step, leastKind } = this.#view;
    const found = oneRead.of(this.#options.state, 'one').first(id, step, step, leastKind, path);
    const values = found instanceof Promise ? await found : found;
    return values === undefined ? undefined : toLeafRow(values);
  }

  /** The rows of exactly these row paths. */
  async find(paths: readonly string[]): Promise<Map<string, EntryRow>> {
    const { state } = this.#options;
    const { package: id, step, leastKind } = this.#view;
    const found = new Map<string, EntryRow>();
    for (let at = 0; at < paths.length; at += 500) {
      const rows = await state.db
        .selectFrom('entry')
        .select(entryColumns)
        .where('package', '=', id)
        .where('from_step', '<=', step)
        .where('to_step', '>', step)
        .where('kind', '>=', leastKind)
        .where('path', 'in', paths.slice(at, at + 500))
        .execute();
      for (const row of rows) found.set(row.path, row);
    }
    return found;
  }

  /** All rows below (not at) `prefix`, which is '' or ends in a slash, in batches. */
  async *batches(prefix: string, after?: string, signal?: AbortSignal): AsyncGenerator<readonly EntryRow[], void> {
    for await (const rows of this.#all(rowReads, prefix, after, signal)) yield rows.map(toRow);
  }

  /** All leaves below (not at) `prefix`, which is '' or ends in a slash, in batches. `fields`: as a walk of a tree says it. */
  async *leaves(prefix: string, { after, signal, fields }: LeavesOptions = {}): AsyncGenerator<readonly Leaf[], void> {
    for await (const rows of this.#all(fields === undefined ? leafReads : walkReads[fields], prefix, after, signal)) {
      const leaves = rows.filter((row) => row[1] !== entryKinds.folder).map(leafOf);
      if (leaves.length > 0) yield leaves;
    }
  }

  async *#all(
    reads: Reads,
    prefix: string,
    after: string | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<readonly Values[], void> {
    const before = prefix === '' ? undefined : endOf(prefix);
    let at: string | undefined = after === undefined ? prefix : behind(after);
    while (at !== undefined) {
      const batch: Batch<Values> = await this.#read(reads, at, before, this.#most, signal);
      if (batch.rows.length > 0) yield batch.rows;
      at = batch.next;
    }
  }

  async #read(
    reads: Reads,
    from: string,
    before: string | undefined,
    size: number,
    signal: AbortSignal | undefined,
  ): Promise<Batch<Values>> {
    const { gaps } = this.#options;
    let at = from;
    for (let windows = 1; ; windows++) {
      await this.#pause();
      signal?.throwIfAborted();
      const end = gaps?.endOf(at);
      if (end === null) return { rows: [] };
      at = end ?? at;
      if (before !== undefined && compareBytes(at, before) >= 0) return { rows: [] };
      const window: Window = await this.#window(reads, at, before, windows === 1 ? Math.min(size, this.#most) : this.#most, windows === 1);
      if (window.rows.length > 0 || window.next === undefined) return window;
      at = window.next;
      if (windows < longRun) continue;
      const next = await this.#nextVisible(at, before, signal);
      gaps?.remember(from, next ?? before ?? null);
      if (next === undefined) return { rows: [] };
      at = next;
    }
  }

  /** `isWhole`: what came before was visible, as far as is known. */
  #window({ windows, whole }: Reads, at: string, before: string | undefined, size: number, isWhole: boolean): Promise<Window> {
    const { state } = this.#options;
    if (isWhole && whole !== undefined)
      return readWhole((name, values) => whole.of(state, name).all(...values), this.#view, at, before, size);
    return readWindow((name, values) => windows.of(state, name).all(...values), this.#view, at, before, size);
  }

  async #nextVisible(from: string, before: string | undefined, signal: AbortSignal | undefined): Promise<string | undefined> {
    const { state } = this.#options;
    const { package: id, step, leastKind } = this.#view;
    const values = [id, step, step, leastKind, from, ...(before === undefined ? [] : [before]), 1];
    const name = before === undefined ? 'next' : 'nextBefore';
    if (state.threads !== undefined)
      return nextInThread(state.threads, windowQueries(state, leafColumns)[name].compile().sql, values, signal);
    const found = await leafReads.windows.of(state, name).first(...values);
    return found?.[0] as string | undefined;
  }

  async #pause(): Promise<void> {
    this.#turn ??= new Turn();
    await this.#turn.pause();
  }
}

/** The first path behind all that begin with `prefix`, which ends in a slash: `0` follows `/`. */
export function endOf(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}
