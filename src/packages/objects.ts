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
