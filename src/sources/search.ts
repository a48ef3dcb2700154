/**
 * Search by name in any tree: streamed, bounded, and ended by its signal. The tree is the one that a handle holds, so what its
 * guard hides is neither found nor counted. A tree with an index is told what is looked for, and gives only leaves that may be hits.
 */

import { isError, PackageRError } from '#errors/error.ts';
import type { Clock } from '#model/clock.ts';
import type { Folder, Leaf } from '#model/entry.ts';
import { ancestorsOf, isWithin, nameOf, type Path, relativeTo, root } from '#model/path.ts';
import { compileGlob, patternLimits } from '#model/pattern.ts';
import { type Sieve, type Terms, termsOfGlob, termsOfText } from '#model/sieve.ts';
import type { Tree, WalkOptions } from '#model/tree.ts';

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
 * Hits in byte order of their paths, a folder before what lies in it. Ends early at the limit and at the deadline (see `onEnd`), also
 * while the tree looks for the next leaf.
 * Errors: pattern_invalid, cancelled, and those of the tree’s walk.
 */
export async function* searchTree(tree: Tree, folder: Path, options: SearchOptions): AsyncGenerator<Leaf | Folder, void> {
  const { clock, signal, limit = searchLimits.hits, deadline = clock() + searchLimits.milliseconds, onEnd } = options;
  const { matches, alternatives } = matcherOf(options.text);
  const isHit = (path: Path): boolean => matches(path === folder ? path : relativeTo(path, folder));
  const late = AbortSignal.timeout(Math.max(0, Math.min(deadline - clock(), searchLimits.milliseconds)));
  const most = Math.min(limit, searchLimits.hits);
  let hits = 0;
  let last = root;
  try {
    const sieve: Sieve | undefined = alternatives === undefined ? undefined : { alternatives, matches: isHit };
    for await (const leaf of leavesOf(tree, folder, { signal: AbortSignal.any(signal === undefined ? [late] : [signal, late]), sieve })) {
      if (signal?.aborted) throw new PackageRError('cancelled', 'The search was cancelled.');
      if (clock() > deadline) return onEnd?.('deadline');
      for (const found of [...newFolders(leaf.path, last, folder), leaf]) {
        if (!isHit(found.path)) continue;
        if (hits++ >= most) return onEnd?.('limit');
        yield found;
      }
      last = leaf.path;
    }
  } catch (error) {
    if (late.aborted && signal?.aborted !== true && isStopped(error, late)) return onEnd?.('deadline');
    throw error;
  }
  onEnd?.('complete');
}

/** In batches where the tree has them: going through a million leaves one by one costs more than looking at them. */
async function* leavesOf(tree: Tree, folder: Path, options: WalkOptions): AsyncGenerator<Leaf, void> {
  if (tree.batches === undefined) yield* tree.walk(folder, options);
  else for await (const leaves of tree.batches(folder, options)) yield* leaves;
}

/** What a walk throws that was ended by `signal`. */
function isStopped(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || isError(error, 'cancelled') || (error instanceof Error && error.name === 'AbortError');
}

/** Folders below `folder` that hold `path` and were not met at `last`: paths of one folder stand together in byte order. */
function newFolders(path: Path, last: Path, folder: Path): Folder[] {
  return ancestorsOf(path)
    .filter((one) => one !== folder && isWithin(one, folder) && !(last !== one && isWithin(last, one)))
    .map((one) => ({ kind: 'folder', path: one }));
}

interface Matcher {
  readonly matches: (path: Path) => boolean;
  readonly alternatives: readonly Terms[] | undefined;
}

function matcherOf(text: string): Matcher {
  if (text.trim() === '') throw new PackageRError('pattern_invalid', 'There is nothing to search for.');
  if (text.length > patternLimits.characters)
    throw new PackageRError('pattern_invalid', `The text to search for is longer than ${patternLimits.characters} characters.`);
  const wanted = text.toLowerCase();
  if (!/[*?[{]/.test(wanted)) {
    const alternatives = text.isWellFormed() ? termsOfText(wanted) : undefined;
    return { matches: (path) => nameOf(path).toLowerCase().includes(wanted), alternatives };
  }
  const glob = compileGlob(wanted);
  const matches = wanted.includes('/') ? (path: Path) => glob(path.toLowerCase()) : (path: Path) => glob(nameOf(path).toLowerCase());
  return { matches, alternatives: termsOfGlob(wanted) };
}
