/**
 * The rows of one folder as they come, page by page in the order of the store. How many there are is known at the end and not before.
 * It loads as far as somebody looks, and a little further.
 */
import { shallowReactive } from 'vue';
import type { EntriesAnswer, EntryAnswer } from '#api/entries.ts';

/** Of one page; the most that the server gives. */
const pageRows = 1000;

export type FetchPage = (
  query: { readonly cursor?: string | undefined; readonly limit: number },
  signal: AbortSignal,
) => Promise<EntriesAnswer>;

export class EntryList {
  readonly rows: EntryAnswer[] = [];
  /** What of this is shown changes with it. */
  readonly state: { count: number; isWhole: boolean; isLoading: boolean; error: unknown; entry: EntryAnswer | undefined };
  readonly #fetch: FetchPage;
  readonly #end = new AbortController();
  #cursor: string | undefined;

  constructor(fetch: FetchPage) {
    this.#fetch = fetch;
    this.state = shallowReactive({ count: 0, isWhole: false, isLoading: false, error: undefined, entry: undefined });
  }

  /** Loads until row `index` is there, or the end is. What fails stands in `state.error`, and is tried again when asked again. */
  async load(index: number): Promise<void> {
    const { state } = this;
    if (state.isLoading) return;
    state.isLoading = true;
    state.error = undefined;
    try {
      while (!state.isWhole && state.count <= index && !this.#end.signal.aborted) await this.#next();
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
    const { entry, entries = [], cursor } = await this.#fetch({ cursor: this.#cursor, limit: pageRows }, this.#end.signal);
    for (const one of entries) this.rows.push(one);
    this.#cursor = cursor;
    this.state.entry ??= entry;
    this.state.count = this.rows.length;
    this.state.isWhole = cursor === undefined;
  }
}
