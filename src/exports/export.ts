/**
 * An Export writes a tree in someone else's format. It gets a Tree and a `link` function, never a driver or a credential, streams in
 * constant memory, and states only what its format can hold truthfully. `testExport()` checks what all of them must do.
 */
import type { Leaf, Location } from '#model/entry.ts';
import type { Path } from '#model/path.ts';
import type { Tree } from '#model/tree.ts';

export interface Export {
  /** File name under the link: `urls.txt`, `package.zip`. Also its identity. */
  readonly name: string;
  readonly title: string;
  /** Needs the right to download, not only to view. All but the manifest and indexes do. */
  readonly action: 'list' | 'download';
  /** Goes through the whole tree before its first byte: few of one link are made at once. */
  readonly isArchive?: true;
  open(request: ExportRequest): Promise<ExportBody>;
}

export interface ExportRequest {
  readonly tree: Tree;
  /** Sub-folder or file; root for all. Paths in the output stay relative to the root of the link. */
  readonly folder: Path;
  /** Only these files and folders (all where left out). */
  readonly only?: readonly Path[] | undefined;
  /** The stable URL of an entry: `${base}o/` and its percent-encoded path, without any credential but the ticket of a locked share. */
  link(path: Path): string;
  /** The base of the link, ending in `/`: `https://host/s/ID/`. */
  readonly base: string;
  /** For people who may see the source; undefined in every share. */
  location?(leaf: Leaf): Location | undefined;
  /** Bytes read from the tree count against a limit: what refuses them must do so before the first byte of the output. */
  readonly isCounted?: boolean;
  readonly about: ExportAbout;
  readonly query: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** What the tree says of itself: for a frozen version all is a function of the version. */
export interface ExportAbout {
  /** `namespace/name` of a package; a chosen label for a live share. */
  readonly title: string;
  readonly version?: number;
  readonly digest?: string;
  readonly description?: string;
  /** Milliseconds since 1970: of the freeze, or of now for a live tree. */
  readonly at: number;
}

export interface ExportBody {
  readonly contentType: string;
  /** Undefined: shown in place. Else the name to save under. */
  readonly fileName?: string;
  /** Bytes, exact, where known before. With it, `range` may be asked. */
  readonly size?: number;
  /** Strong validator, where the bytes are a function of the version. */
  readonly etag?: string;
  /** Bytes [start, end) of the output; all where left out. Stops when the signal aborts. */
  read(range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
}
