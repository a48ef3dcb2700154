/** A handle on a place of a share. Its tree begins at the root of the share and names nothing above it; `path` is the opened place in it. */
import { Handle, type HandleOptions, type HandleShare } from '#access/handle.ts';
import type { PublicShareView } from '#shares/share.ts';

export interface ShareHandleOptions extends HandleOptions {
  readonly share: HandleShare;
  readonly view: PublicShareView;
}

export class ShareHandle extends Handle {
  override readonly share: HandleShare;
  readonly view: PublicShareView;

  constructor(options: ShareHandleOptions) {
    super(options);
    this.share = options.share;
    this.view = options.view;
  }
}
