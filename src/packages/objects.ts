/** What packages ask of the objects behind pointers. Handed in where all is wired, since only `exchange` may reach for a driver. */
import type { Checksum } from '#model/checksum.ts';
import type { Key } from '#model/key.ts';
import type { SourceHandle } from '#sources/source-handle.ts';

export interface ObjectFacts {
  /** Bytes. */
  readonly size: number;
  readonly etag?: string;
  readonly version?: string;
  readonly modifiedAt?: number;
  readonly checksums?: readonly Checksum[];
}

/** `statObject` of sources/presign.ts. Errors: object_not_found, forbidden for a key outside of the handle’s place. */
export type StatObject = (
  handle: SourceHandle,
  key: Key,
  options: { readonly version?: string | undefined; readonly signal?: AbortSignal | undefined },
) => Promise<ObjectFacts>;

export interface ListedObject extends ObjectFacts {
  readonly key: Key;
}

/** `listObjects` of sources/presign.ts: a page of all that lies in the handle’s place. Errors: forbidden, and those of Driver.list. */
export type ListObjects = (
  handle: SourceHandle,
  request: { readonly startAfter?: string | undefined; readonly versions?: boolean | undefined; readonly signal?: AbortSignal | undefined },
) => Promise<{ readonly objects: readonly ListedObject[]; readonly cursor?: string }>;
