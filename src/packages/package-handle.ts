/** A handle on a package: its draft, or one version of it. The tree begins at the root of the package; `path` is the opened place in it. */
import { Handle, type HandleOptions } from '#access/handle.ts';
import type { PackageView, VersionView } from './package.ts';

export class PackageHandle extends Handle {
  readonly package: PackageView;
  /** Undefined for the draft. */
  readonly version: VersionView | undefined;

  constructor(options: HandleOptions & { readonly package: PackageView; readonly version?: VersionView | undefined }) {
    super(options);
    this.package = options.package;
    this.version = options.version;
  }
}
