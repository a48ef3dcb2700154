/**
 * Reads the entries that are visible at one step, in byte order of their row paths. Each statement looks at a bounded window of rows,
 * visible or not, so no single read is long; long runs of invisible rows of a frozen step are remembered and jumped over.
 */
import { setImmediate } from 'node:timers/promises';
import type { EntryRow } from '#state/schema.ts';
import { entryKinds } from '#state/schema.ts';
import type { PreparedRead, State } from '#state/state.ts';
import { entryColumns, type LeafRow, leafColumns, toLeafRow } from './entry-row.ts';

/** Where reading goes on: at the row path itself, or behind it. */
export interface Position {
  readonly path: string;
  readonly isAfter: boolean;
}

/** Rows, and where the next ones begin; `next` is absent at the end. There are rows unless the end was reached. */
export interface EntryBatch {
  readonly rows: readonly EntryRow[];
  readonly next?: Position;
}

export interface EntryReaderOptions {
  readonly state: State;
  readonly package: number;
  readonly step: number;
  /** Rows of explicit folders count too: in drafts. */
  readonly withFolders: boolean;
  /** For frozen steps only. */
  readonly gaps?: Gaps | undefined;
}

/** Remembers where the next visible row is behind a long run of invisible ones. Bounded: the oldest is forgotten. */
export class Gaps {
  readonly #ends = new Map<string, Position>();
  readonly #limit: number;

  constructor(limit = 10_000) {
    this.#limit = limit;
  }

  find(key: string): Position | undefined {
    return this.#ends.get(key);
  }

  remember(key: string, end: Position): void {
    const oldest = this.#ends.size >= this.#limit ? this.#ends.keys().next().value : undefined;
    if (oldest !== undefined) this.#ends.delete(oldest);
    this.#ends.set(key, end);
  }
}

const longRun = 2;

export class EntryReader {
  readonly #options: EntryReaderOptions;
  #windows = 0;
  #one: PreparedRead | undefined;

  constructor(options: EntryReaderOptions) {
    this.#options = options;
  }

  /** The next rows from `from` on and before `before`; `size`: rows to look at in one statement. */
  async read(from: Position, before: string | undefined, size = 1000, signal?: AbortSignal): Promise<EntryBatch> {
    const { gaps, package: id, step } = this.#options;
    const key = `${id}@${step}:${from.isAfter ? '>' : '='}${from.path}`;
    let at: Position | undefined = gaps?.find(key) ?? from;
    let windows = 0;
    while (at !== undefined) {
      windows += 1;
      signal?.throwIfAborted();
      const batch: EntryBatch = await this.#window(at, before, windows === 1 ? size : 1000);
      if (batch.rows.length > 0) {
        if (windows > longRun) gaps?.remember(key, at);
        return batch;
      }
      at = batch.next;
    }
    if (windows > longRun && before !== undefined) gaps?.remember(key, { path: before, isAfter: false });
    return { rows: [] };
  }

  /** The first row from `from` on. */
  async first(from: Position, before: string | undefined): Promise<EntryRow | undefined> {
    return (await this.read(from, before, 16)).rows[0];
  }

  /** The row of exactly this row path. */
  async get(path: string): Promise<LeafRow | undefined> {
    const { state, package: id, step, withFolders } = this.#options;
    this.#one ??= state.prepare(this.#visible(leafColumns).where('path', '=', ''));
    const found = withFolders ? this.#one.first(id, step, step, path) : this.#one.first(id, step, step, entryKinds.folder, path);
    const values = found instanceof Promise ? await found : found;
    return values === undefined ? undefined : toLeafRow(values);
  }

  /** The rows of exactly these row paths. */
  async find(paths: readonly string[]): Promise<Map<string, EntryRow>> {
    const found = new Map<string, EntryRow>();
    for (let at = 0; at < paths.length; at += 500) {
      const rows = await this.#visible(entryColumns)
        .where('path', 'in', paths.slice(at, at + 500))
        .execute();
      for (const row of rows) found.set(row.path, row);
    }
    return found;
  }

  /** All rows below (not at) `prefix`, which is '' or ends in a slash, in batches. */
  async *batches(prefix: string, after?: string, signal?: AbortSignal): AsyncGenerator<readonly EntryRow[], void> {
    const before = prefix === '' ? undefined : endOf(prefix);
    let at: Position | undefined = after === undefined ? { path: prefix, isAfter: false } : { path: after, isAfter: true };
    while (at !== undefined) {
      const batch: EntryBatch = await this.read(at, before, 1000, signal);
      if (batch.rows.length > 0) yield batch.rows;
      at = batch.next;
    }
  }

  #visible<C extends keyof EntryRow>(columns: readonly C[]) {
    const { state, package: id, step, withFolders } = this.#options;
    const visible = state.db
      .selectFrom('entry')
      .select(columns)
      .where('package', '=', id)
      .where('from_step', '<=', step)
      .where('to_step', '>', step);
    return withFolders ? visible : visible.where('kind', '<>', entryKinds.folder);
  }

  async #window(from: Position, before: string | undefined, size: number): Promise<EntryBatch> {
    if (++this.#windows % 8 === 0) await setImmediate();
    let rows = this.#options.state.db.selectFrom('entry').select('path').where('package', '=', this.#options.package);
    let visible = this.#visible(entryColumns);
    rows = rows.where('path', from.isAfter ? '>' : '>=', from.path);
    visible = visible.where('path', from.isAfter ? '>' : '>=', from.path);
    if (before !== undefined) rows = rows.where('path', '<', before);
    const bound = await rows
      .orderBy('path')
      .offset(size - 1)
      .limit(1)
      .executeTakeFirst();
    if (bound !== undefined) visible = visible.where('path', '<=', bound.path);
    else if (before !== undefined) visible = visible.where('path', '<', before);
    const found = await visible.orderBy('path').execute();
    return bound === undefined ? { rows: found } : { rows: found, next: { path: bound.path, isAfter: true } };
  }
}

/** The first path behind all that begin with `prefix`, which ends in a slash: `0` follows `/`. */
export function endOf(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}
