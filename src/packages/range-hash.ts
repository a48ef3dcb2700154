/**
 * Hashing stretches of a manifest from rows: the one rule, for the threads of the state and for where there are none. Imports nothing that
 * is slow to load.
 */
import { PackageRError } from '#errors/error.ts';
import type { Checksum } from '#model/checksum.ts';
import type { Meta } from '#model/entry.ts';
import { endsRange, type ManifestEntry, ManifestHasher, type ManifestRange, writeManifestLine } from '#model/manifest.ts';
import type { Path } from '#model/path.ts';
import { type EntryRow, entryKinds } from '#state/schema.ts';
import type { SqlValue } from '#state/state.ts';
import { type AskWindow, behind, readWindow, type View } from './entry-windows.ts';
import { type SourceTotal, SourceTotals } from './source-totals.ts';

/** What a line is made of, where it ends a range, and what it points to. */
export const hashColumns = [
  'path',
  'kind',
  'size',
  'version',
  'etag',
  'sha256',
  'checksums',
  'meta',
  'ends_range',
  'source',
] as const satisfies readonly (keyof EntryRow)[];

/** Whole ranges: behind one border ('' at the start) and up to another, or to the end of the manifest. */
export interface Slice {
  readonly after: string;
  readonly upTo: string | undefined;
}

export interface HashedSlice {
  readonly ranges: readonly ManifestRange[];
  readonly totals: readonly SourceTotal[];
}

/** Of what is proven anew, not taken from what is kept. */
export interface SliceCheck {
  /** Looks at the bytes of a text. Errors: verify_failed. */
  text(path: Path, sha256: string, size: number): Promise<void> | void;
}

const windowRows = 1000;

/**
 * `pause`: lets others go first, or ends the work by an error; asked between windows. `check`: where borders follow from the paths and not
 * from what rows say of them. Errors: verify_failed of the check.
 */
export async function hashSlice(
  ask: AskWindow,
  view: View,
  slice: Slice,
  pause: () => Promise<void> | void,
  check?: SliceCheck,
): Promise<HashedSlice> {
  const hasher = new ManifestHasher();
  const totals = new SourceTotals();
  const ranges: ManifestRange[] = [];
  const before = slice.upTo === undefined ? undefined : behind(slice.upTo);
  let at: string | undefined = behind(slice.after);
  while (at !== undefined) {
    await pause();
    const { rows, next }: Awaited<ReturnType<typeof readWindow>> = await readWindow(ask, view, at, before, windowRows);
    for (const row of rows) {
      const [path, kind, size, , , sha256, , , border, source] = row;
      totals.add({ source: (source ?? 0) as number, entries: 1, bytes: size as number });
      if (check !== undefined) {
        if ((border === 1) !== endsRange(path as Path))
          throw new PackageRError(
            'verify_failed',
            `The entry ${JSON.stringify(path)} is damaged: it says wrongly whether it ends a range.`,
          );
        if (kind === entryKinds.text) await check.text(path as Path, (sha256 ?? '') as string, size as number);
      }
      const range = hasher.pushLine(path as Path, writeManifestLine(entryOf(row)), border === 1);
      if (range !== undefined) ranges.push(range);
    }
    at = next;
  }
  const { range } = hasher.finish();
  return { ranges: range === undefined ? ranges : [...ranges, range], totals: totals.list() };
}

type Making<T> = { -readonly [K in keyof T]: T[K] };

const noChecksums: readonly Checksum[] = [];

/** From the values of `hashColumns`, in their order. */
function entryOf(row: readonly SqlValue[]): ManifestEntry {
  const [path, kind, size, version, etag, sha256, checksums, meta] = row;
  const common = { path: path as Path, size: size as number };
  const entry: Making<ManifestEntry> =
    kind === entryKinds.text
      ? { kind: 'text', ...common, sha256: (sha256 ?? '') as string }
      : { kind: 'pointer', ...common, checksums: checksums === null ? noChecksums : (JSON.parse(checksums as string) as Checksum[]) };
  if (meta !== null) entry.meta = JSON.parse(meta as string) as Meta;
  if (entry.kind === 'text') return entry;
  if (version !== null) entry.version = version as string;
  if (etag !== null) entry.etag = etag as string;
  return entry;
}
