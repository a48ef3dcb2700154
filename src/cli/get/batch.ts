/** What one run of `get` is to fetch: counted first, then given one by one, so that a million entries take no room. */
import type { PackageRError } from '#errors/error.ts';
import type { ManifestLine } from '#model/manifest.ts';
import type { Wanted } from './fetch-file.ts';

export interface Item {
  /** As shown to people, and as named in the list of what failed. */
  readonly name: string;
  readonly line: Pick<ManifestLine, 'size' | 'checksums'>;
  /** Why it cannot be fetched, or what to fetch. */
  readonly wanted: Wanted | PackageRError;
  /** Once the file is there and right. */
  onDone?(): Promise<void>;
}

export interface Batch {
  readonly files: number;
  readonly bytes: number;
  /** Names that differ only in case or Unicode form: some disks take them for one. All are known when all items were given. */
  readonly collisions: readonly string[];
  items(): AsyncIterable<Item>;
  close(): Promise<void>;
}
