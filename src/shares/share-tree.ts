/** The tree of a share: rooted at what is shared, without bytes where only viewing was asked, and counting where there are limits. */
import { guardTree, type View } from '#access/guard.ts';
import { PackageRError } from '#errors/error.ts';
import type { Entry, Leaf } from '#model/entry.ts';
import { type HoldCheck, holdTree } from '#model/held-tree.ts';
import { nameOf, type Path, parentOf, parsePath, root } from '#model/path.ts';
import { getEntry, rebase, type Tree, walkBatches } from '#model/tree.ts';

export interface ShareTreeOptions {
  readonly tree: Tree;
  /** Root of the share in `tree`. */
  readonly path: Path;
  /** A file is shared: the root of the share is a folder that holds nothing else. */
  readonly isFile: boolean;
  /** Called before the first byte of a leaf, with its path in the share; refuses by throwing. Without it nothing is read. */
  readonly beforeRead?: ((leaf: Leaf) => Promise<void>) | undefined;
  /** Throws where the share has ended. */
  readonly stillOpen: HoldCheck;
}

export function shareTree({ tree, path, isFile, beforeRead, stillOpen }: ShareTreeOptions): Tree {
  const whole = holdTree(isFile ? singleFile(tree, path) : rebase(tree, path), stillOpen);
  const rooted = beforeRead === undefined && !whole.frozen ? guardTree(whole, async () => viewOnly) : whole;
  return {
    frozen: rooted.frozen,
    list: (folder, page) => rooted.list(folder, page),
    find: (entry, options) => rooted.find(entry, options),
    walk: (folder, options) => rooted.walk(folder, options),
    batches: (folder, options) => walkBatches(rooted, folder, options),
    mark: async () => rooted.mark?.(),
    async *read(entryPath, options) {
      if (beforeRead === undefined) throw new PackageRError('forbidden', 'This was opened to be viewed only.', { operation: 'share.read' });
      const entry = await getEntry(rooted, entryPath, options?.signal);
      if (entry.kind === 'folder') throw new PackageRError('unsupported', 'A folder has no bytes of its own.');
      await beforeRead(entry);
      yield* rooted.read(entryPath, options);
    },
  };
}

/** All of it, without bytes and what follows from them. */
const viewOnly: View = { lists: () => true, leadsOn: () => true, knows: () => true, reads: () => false };

function singleFile(tree: Tree, path: Path): Tree {
  const name = parsePath(nameOf(path));
  const parent = rebase(tree, parentOf(path));
  const own = async (signal?: AbortSignal): Promise<Leaf | undefined> => {
    const entry: Entry | undefined = await parent.find(name, { signal });
    return entry?.kind === 'folder' ? undefined : entry;
  };
  const nothing = (asked: Path) => new PackageRError('not_found', `There is nothing at ${JSON.stringify(asked)}.`);
  return {
    frozen: tree.frozen,
    async list(folder, page) {
      if (folder !== root) throw nothing(folder);
      if (page?.cursor !== undefined) throw new PackageRError('cursor_invalid');
      const entry = await own(page?.signal);
      return { entries: entry === undefined ? [] : [entry] };
    },
    async find(asked, options) {
      if (asked === root) return { kind: 'folder', path: root };
      return asked === name ? own(options?.signal) : undefined;
    },
    async *walk(folder, options) {
      if (folder !== root && folder !== name) return;
      const entry = await own(options?.signal);
      if (entry !== undefined && options?.after === undefined) yield entry;
    },
    async *read(asked, options) {
      if (asked !== name) throw nothing(asked);
      yield* parent.read(name, options);
    },
  };
}
