/** What is asked of an annex: which objects of a source become pointers of a draft, and under which paths. */
import type { Name } from '#model/name.ts';
import type { Path } from '#model/path.ts';
import type { OnConflict } from './package.ts';

export interface AnnexRequest {
  readonly source: Name;
  readonly select: AnnexSelection | { readonly list: readonly AnnexItem[] };
  /** Folder of the package that takes what is selected. */
  readonly to: Path;
  /** Folder of the source that is left out of the new paths; the selected folder where left out. */
  readonly strip?: Path;
  /** `refuse` where left out. */
  readonly onConflict?: OnConflict;
  /** Small objects of a text type become texts, their bytes copied. */
  readonly copyTexts?: boolean;
  /** Path in place of the stripped one: `{name}`, `{ext}`, `{path}` and the named groups of `match`, as `{group}`. */
  readonly rename?: string;
}

/** All given conditions hold together. `glob` and `match` see the path relative to `folder`. */
export interface AnnexSelection {
  /** Files and folders of the source; everything of `folder` where left out. */
  readonly paths?: readonly Path[];
  readonly folder?: Path;
  readonly glob?: string;
  /** RE2 expression; its named groups may be asked in `where` and used in `rename`. */
  readonly match?: string;
  readonly where?: readonly GroupCondition[];
  /** Bytes, inclusive. */
  readonly minSize?: number;
  readonly maxSize?: number;
  /** Milliseconds since 1970; after: inclusive, before: exclusive. */
  readonly modifiedAfter?: number;
  readonly modifiedBefore?: number;
}

/** Compares as numbers where both are numbers, else by bytes, which is right for ISO dates and tile names. */
export interface GroupCondition {
  readonly group: string;
  readonly op: '=' | '<' | '<=' | '>' | '>=' | 'in';
  readonly value: string | readonly string[];
}

/** One line of a list. The object is looked up unless size and etag are given. */
export interface AnnexItem {
  /** Key, relative to the root of the source; may be one that is no path. */
  readonly key: string;
  /** Path in the package, below `to`; that of the key where left out. */
  readonly to?: string;
  readonly size?: number;
  readonly etag?: string;
  readonly version?: string;
  readonly modifiedAt?: number;
  /** `sha256:…`; counts as stated. */
  readonly checksums?: readonly string[];
}

/** Paths (files, or folders with all they hold), or a glob over the whole package. */
export type Selection = { readonly paths: readonly Path[] } | { readonly glob: string };
