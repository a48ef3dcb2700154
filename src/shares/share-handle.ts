/** A handle on a place of a share. Its tree begins at the root of the share and names nothing above it; `path` is the opened place in it. */
import { Handle, type HandleOptions, type HandleShare } from '#access/handle.ts';
import type { PublicShareView } from '#shares/share.ts';

export interface ShareHandleOptions extends HandleOptions {
  readonly share: HandleShare;
  readonly view: PublicShareView;
  readonly checked: CheckedUnder;
}

export interface CheckedUnder {
  readonly state: number;
  readonly share: number;
  /** What the share gave then (see share-opening.ts). */
  readonly gives: string;
}

export class ShareHandle extends Handle {
  override readonly share: HandleShare;
  readonly view: PublicShareView;
  /** Under which generations of state and share it was last found open: for ShareDoor alone. */
  checked: CheckedUnder;

  constructor(options: ShareHandleOptions) {
    super(options);
    this.share = options.share;
    this.view = options.view;
    this.checked = options.checked;
  }
}
