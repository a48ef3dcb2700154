/** What differs between two versions, page by page: counted as far as it was read, and kept as far as anybody will look at it. */
import { shallowReactive } from 'vue';
import type { Change, Diff } from '#api/packages.ts';

/** Files, but for `bytes`: how much more there is after than before. */
export interface Tally {
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  readonly moved: number;
  readonly bytes: number;
}

export const noChange: Tally = { added: 0, removed: 0, changed: 0, moved: 0, bytes: 0 };

/** A moved folder counts as the files that moved with it. */
export function tallied(tally: Tally, { kind, entries = 1, before, entry }: Change): Tally {
  const size = entry.size ?? 0;
  switch (kind) {
    case 'added':
      return { ...tally, added: tally.added + 1, bytes: tally.bytes + size };
    case 'removed':
      return { ...tally, removed: tally.removed + 1, bytes: tally.bytes - size };
    case 'changed':
      return { ...tally, changed: tally.changed + 1, bytes: tally.bytes + size - (before?.size ?? 0) };
    case 'moved':
      return { ...tally, moved: tally.moved + entries };
  }
}

/** The versions to compare, 0 for nothing at all; `to`: undefined for the draft. */
export interface Between {
  readonly from: number;
  readonly to: number | undefined;
}

export type FetchChanges = (cursor: string | undefined, limit: number, signal: AbortSignal) => Promise<Diff>;

/** Rows that are kept to be looked at, and pages that are read to count. */
const mostRows = 5000;
const mostPages = 250;
const pageRows = 1000;

export class ChangeList {
  readonly rows: Change[] = [];
  /** What of this is shown changes with it. */
  readonly state: { tally: Tally; count: number; isWhole: boolean; isLoading: boolean; error: unknown };
  readonly #fetch: FetchChanges;
  readonly #end = new AbortController();
  #cursor: string | undefined;

  constructor(fetch: FetchChanges) {
    this.#fetch = fetch;
    this.state = shallowReactive({ tally: noChange, count: 0, isWhole: false, isLoading: false, error: undefined });
  }

  /** Reads to the end, or as far as is counted. What fails stands in `state.error`, and goes on when asked again. */
  async load(): Promise<void> {
    const { state } = this;
    if (state.isLoading) return;
    state.isLoading = true;
    state.error = undefined;
    try {
      for (let page = 0; page < mostPages && !state.isWhole && !this.#end.signal.aborted; page++) await this.#next();
    } catch (error) {
      if (!this.#end.signal.aborted) state.error = error;
    } finally {
      state.isLoading = false;
    }
  }

  /** Nobody looks any more. */
  close(): void {
    this.#end.abort();
  }

  async #next(): Promise<void> {
    const { changes, cursor } = await this.#fetch(this.#cursor, pageRows, this.#end.signal);
    this.rows.push(...changes.slice(0, mostRows - this.rows.length));
    this.#cursor = cursor;
    this.state.tally = changes.reduce(tallied, this.state.tally);
    this.state.count += changes.length;
    this.state.isWhole = cursor === undefined;
  }
}
