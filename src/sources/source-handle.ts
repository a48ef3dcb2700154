/** A handle on a place of a source. Its tree begins at the root of the source; `path` is the opened place in it. */
import { Handle, type HandleOptions } from '#access/handle.ts';
import type { SourceView } from '#sources/source.ts';

export class SourceHandle extends Handle {
  readonly #view: () => SourceView;
  /** Names the place that was opened: another one with another driver or other options of the source. */
  readonly leadsTo: string;
  #source: SourceView | undefined;

  constructor(options: HandleOptions & { readonly source: () => SourceView; readonly leadsTo: string }) {
    super(options);
    this.leadsTo = options.leadsTo;
    this.#view = options.source;
  }

  /** As it was when it was first asked for. */
  get source(): SourceView {
    this.#source ??= this.#view();
    return this.#source;
  }
}
