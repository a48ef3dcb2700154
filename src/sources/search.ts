/**
 * Search by name in any tree: streamed, bounded, and ended by its signal. The tree is the one that a handle holds, so what its
 * guard hides is neither found nor counted.
 */

import { PackageRError } from '#errors/error.ts';
import type { Clock } from '#model/clock.ts';
import type { Folder, Leaf } from '#model/entry.ts';
import { ancestorsOf, isWithin, nameOf, type Path, relativeTo, root } from '#model/path.ts';
import { compileGlob, patternLimits } from '#model/pattern.ts';
import type { Tree } from '#model/tree.ts';

export interface SearchOptions {
  /** A part of a name in whatever case; or a glob (`*`, `?`, `[…]`, `{…}`): of a name, or with a slash of the path below the folder. */
  readonly text: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** Hits; 1000 where left out, and at most. */
  readonly limit?: number | undefined;
  /** Milliseconds since 1970; ten seconds from now where left out. */
  readonly deadline?: number | undefined;
  /** Told once, at the end: whether all was searched. */
  onEnd?(end: SearchEnd): void;
}

export type SearchEnd = 'complete' | 'limit' | 'deadline';

const searchLimits = { hits: 1000, milliseconds: 10_000 } as const;

/**
 * Hits in byte order of their paths, a folder before what lies in it. Ends early at the limit and at the deadline (see `onEnd`).
 * Errors: pattern_invalid, cancelled, and those of the tree’s walk.
 */
export async function* searchTree(tree: Tree, folder: Path, options: SearchOptions): AsyncGenerator<Leaf | Folder, void> {
  const { clock, signal, limit = searchLimits.hits, deadline = clock() + searchLimits.milliseconds, onEnd } = options;
  const matches = matcherOf(options.text);
  const most = Math.min(limit, searchLimits.hits);
  let hits = 0;
  let last = root;
  for await (const leaf of tree.walk(folder, { signal })) {
    if (signal?.aborted) throw new PackageRError('cancelled', 'The search was cancelled.');
    if (clock() > deadline) return onEnd?.('deadline');
    for (const found of [...newFolders(leaf.path, last, folder), leaf]) {
      if (!matches(found.path === folder ? found.path : relativeTo(found.path, folder))) continue;
      if (hits++ >= most) return onEnd?.('limit');
      yield found;
    }
    last = leaf.path;
  }
  onEnd?.('complete');
}

/** Folders below `folder` that hold `path` and were not met at `last`: paths of one folder stand together in byte order. */
function newFolders(path: Path, last: Path, folder: Path): Folder[] {
  return ancestorsOf(path)
    .filter((one) => one !== folder && isWithin(one, folder) && !(last !== one && isWithin(last, one)))
    .map((one) => ({ kind: 'folder', path: one }));
}

function matcherOf(text: string): (path: Path) => boolean {
  if (text.trim() === '') throw new PackageRError('pattern_invalid', 'There is nothing to search for.');
  if (text.length > patternLimits.characters)
    throw new PackageRError('pattern_invalid', `The text to search for is longer than ${patternLimits.characters} characters.`);
  const wanted = text.toLowerCase();
  if (!/[*?[{]/.test(wanted)) return (path) => nameOf(path).toLowerCase().includes(wanted);
  const glob = compileGlob(wanted);
  return wanted.includes('/') ? (path) => glob(path.toLowerCase()) : (path) => glob(nameOf(path).toLowerCase());
}
