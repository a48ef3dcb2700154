/** The files that the manifest of a link names: kept in a file without a name while they are fetched, and checked whole before. */
import { PackageRError } from '#errors/error.ts';
import { type ManifestLine, parseManifestLine } from '#model/manifest.ts';
import { compareBytes, isWithin, type Path } from '#model/path.ts';
import type { Batch, Item } from './batch.ts';
import { FoldedNames } from './folded-names.ts';
import { readLines } from './lines.ts';
import { openSpool, type Part } from './part.ts';
import type { ShareLink } from './share-link.ts';

export interface ManifestBatchOptions {
  readonly link: ShareLink;
  /** Only these files and folders; empty for all. */
  readonly only: readonly Path[];
  /** Where the files are to lie. */
  readonly folder: string;
  /** Where the manifest is kept meanwhile. */
  readonly spoolFolder: string;
  /** Part of the name of that file, for the moment that it has one. */
  readonly id: string;
}

const mostCollisions = 10_000;

/** The link has been opened. Errors: manifest_invalid and path_invalid for any line that packageR would not have written. */
export async function openManifestBatch(options: ManifestBatchOptions): Promise<Batch> {
  const { link, only, folder } = options;
  const { part, foldsCase } = await openSpool(options.spoolFolder, options.id);
  try {
    await link.readManifest(part);
    const { files, bytes, names } = await count(part, only);
    const refused = new Set<string>(foldsCase ? await findTwins(part, only, names) : []);
    const collisions = [...refused];
    return {
      files,
      bytes,
      collisions,
      async *items() {
        for await (const line of select(part, only)) {
          if (!foldsCase && collisions.length < mostCollisions && names.isTwin(line.path)) collisions.push(line.path);
          yield toItem(line, { link, folder, isRefused: refused.has(line.path) });
        }
      },
      close: () => part.close(),
    };
  } catch (error) {
    await part.close();
    throw error;
  }
}

function toItem(line: ManifestLine, { link, folder, isRefused }: { link: ShareLink; folder: string; isRefused: boolean }): Item {
  const clash = 'This disk takes the name for that of another file of the share: they differ only in case or Unicode form.';
  const wanted = isRefused ? new PackageRError('path_conflict', clash) : { link, path: line.path, folder, line };
  return { name: line.path, line, wanted };
}

async function count(part: Part, only: readonly Path[]) {
  const names = new FoldedNames();
  let [files, bytes] = [0, 0];
  for await (const { path, size } of select(part, only)) {
    files++;
    bytes += size;
    names.mark(path);
  }
  return { files, bytes, names };
}

/** Errors: too_many. */
async function findTwins(part: Part, only: readonly Path[], names: FoldedNames): Promise<Path[]> {
  const twins: Path[] = [];
  for await (const { path } of select(part, only)) {
    if (names.isTwin(path)) twins.push(path);
    if (twins.length > mostCollisions) throw new PackageRError('too_many', `More than ${mostCollisions} names differ only in case.`);
  }
  return twins;
}

async function* select(part: Part, only: readonly Path[]): AsyncGenerator<ManifestLine> {
  let before: Path | undefined;
  for await (const text of readLines(part.read())) {
    const line = parseManifestLine(text);
    if (before !== undefined && compareBytes(before, line.path) >= 0)
      throw new PackageRError('manifest_invalid', `The manifest is not in order at ${JSON.stringify(line.path)}.`);
    before = line.path;
    if (only.length === 0 || only.some((folder) => isWithin(line.path, folder))) yield line;
  }
}
