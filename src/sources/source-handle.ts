/** A handle on a place of a source. Its tree begins at the root of the source; `path` is the opened place in it. */
import { Handle, type HandleOptions } from '#access/handle.ts';
import type { SourceView } from '#sources/source.ts';

export class SourceHandle extends Handle {
  readonly source: SourceView;

  constructor(options: HandleOptions & { readonly source: SourceView }) {
    super(options);
    this.source = options.source;
  }
}
