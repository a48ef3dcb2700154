/** What a request selects of a tree: a folder or file, narrowed by `only`, walked in byte order of the paths. */
import { PackageRError } from '#errors/error.ts';
import type { Leaf } from '#model/entry.ts';
import { compareBytes, isWithin, type Path } from '#model/path.ts';
import { getEntry, type WalkOptions, walkBatches } from '#model/tree.ts';
import type { ExportRequest } from './export.ts';

export type SelectionOptions = Pick<WalkOptions, 'after' | 'fields'>;

export interface Selection {
  /**
   * Texts and pointers in byte order, in batches of some hundred; may be walked again. `after`: goes on behind this path, which an
   * earlier walk gave. `fields`: what of the leaves is looked at. Errors while it runs: cancelled.
   */
  batches(options?: SelectionOptions): AsyncGenerator<readonly Leaf[], void, undefined>;
}

/** Errors: not_found for a folder, or a path of `only`, that is not there; request_invalid for one that lies outside of the folder. */
export async function openSelection({ tree, folder, only, signal }: ExportRequest): Promise<Selection> {
  await getEntry(tree, folder, signal);
  const starts = only === undefined ? [folder] : await sortOnly(only);

  async function sortOnly(paths: readonly Path[]): Promise<Path[]> {
    const keyed: { path: Path; key: string }[] = [];
    for (const path of paths) {
      if (!isWithin(path, folder))
        throw new PackageRError('request_invalid', `${JSON.stringify(path)} does not lie in ${JSON.stringify(folder)}.`);
      const { kind } = await getEntry(tree, path, signal);
      keyed.push({ path, key: kind === 'folder' ? `${path}/` : path });
    }
    const kept: Path[] = [];
    for (const { path } of keyed.sort((a, b) => compareBytes(a.key, b.key))) {
      const before = kept.at(-1);
      if (before === undefined || !isWithin(path, before)) kept.push(path);
    }
    return kept;
  }

  return {
    async *batches({ after, fields } = {}) {
      const first = after === undefined ? 0 : starts.findIndex((start) => isWithin(after, start));
      for (const [index, start] of starts.slice(first).entries()) {
        for await (const leaves of walkBatches(tree, start, { signal, fields, after: index === 0 ? after : undefined })) {
          stopIfAborted(signal);
          yield leaves;
        }
      }
    },
  };
}

/** Errors: cancelled. */
export function stopIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new PackageRError('cancelled', undefined, { operation: 'exports.read' });
}
