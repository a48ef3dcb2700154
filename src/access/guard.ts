/**
 * The guard hides from a tree what no grant reaches. Folders on the way to a granted place are shown, with nothing else in them. Of live
 * objects whose bytes may not be read, what tells of those bytes is left out; a frozen manifest is shown whole, or its digest would not hold.
 * It asks for the rights again whenever they may have changed, also in the middle of a walk.
 */
import { PackageRError } from '#errors/error.ts';
import type { Entry, Pointer, Unnamable } from '#model/entry.ts';
import type { Path } from '#model/path.ts';
import { showing } from '#model/sieve.ts';
import { type PageRequest, type Tree, type TreePage, type WalkOptions, walkBatches } from '#model/tree.ts';

/** What one actor may see of one tree, at one moment. Paths are those of the tree. */
export interface View {
  /** May be listed, with all that is below. */
  lists(path: Path): boolean;
  /** Is a folder on the way to something that may be listed. */
  leadsOn(path: Path): boolean;
  /** May be looked at by who knows its path. */
  knows(path: Path): boolean;
  /** Bytes may be read. */
  reads(path: Path): boolean;
  /** Everything may be listed. */
  readonly listsAll?: boolean;
}

/** `view` answers with the rights of now; it is called often and must be cheap while nothing changed. */
export function guardTree(tree: Tree, view: () => Promise<View>): Tree {
  const told = <T extends Entry | Unnamable>(entry: T, seen: View): T =>
    tree.frozen || entry.kind !== 'pointer' || seen.reads(entry.path) ? entry : (withoutEvidence(entry) as T);
  return {
    frozen: tree.frozen,
    async list(folder, page) {
      const seen = await view();
      if (seen.lists(folder) || seen.leadsOn(folder)) {
        const { entries, ...rest } = await (seen.lists(folder) ? tree.list(folder, page) : listWay(tree, folder, page, seen));
        return { ...rest, entries: entries.map((entry) => told(entry, seen)) };
      }
      throw seen.knows(folder) ? new PackageRError('forbidden', `You may not list ${JSON.stringify(folder)}.`) : hidden(folder);
    },
    async find(path, options) {
      const seen = await view();
      const isKnown = seen.knows(path);
      if (!isKnown && !seen.leadsOn(path)) return undefined;
      const entry = await tree.find(path, options);
      if (entry === undefined || (!isKnown && entry.kind !== 'folder')) return undefined;
      return told(entry, seen);
    },
    async *walk(folder, options) {
      const before = await view();
      if (!before.lists(folder) && !before.leadsOn(folder)) return;
      const asked = askedOf(options, before.lists(folder), view);
      for await (const leaf of tree.walk(folder, asked)) {
        const seen = await view();
        if (seen.lists(leaf.path)) yield told(leaf, seen);
      }
    },
    async *batches(folder, options) {
      const before = await view();
      if (!before.lists(folder) && !before.leadsOn(folder)) return;
      const asked = askedOf(options, before.lists(folder), view);
      for await (const leaves of walkBatches(tree, folder, asked)) {
        const seen = await view();
        const kept = seen.listsAll === true ? leaves : leaves.filter((leaf) => seen.lists(leaf.path));
        if (kept.length > 0) yield tree.frozen ? kept : kept.map((leaf) => told(leaf, seen));
      }
    },
    async mark() {
      return (await view()).listsAll === true ? tree.mark?.() : undefined;
    },
    async *read(path, options) {
      const seen = await view();
      if (!seen.knows(path)) throw hidden(path);
      if (!seen.reads(path)) throw new PackageRError('forbidden', `You may not read ${JSON.stringify(path)}.`);
      yield* tree.read(path, options);
    },
  };
}

/** What is passed on: nothing is told of what has no path where not all is listed, and a search counts on what is shown only. */
function askedOf(options: WalkOptions = {}, listsAll: boolean, view: () => Promise<View>): WalkOptions {
  const { sieve, ...rest } = listsAll ? options : { ...options, onUnnamable: undefined };
  return sieve === undefined ? rest : { ...rest, sieve: showing(sieve, async (path) => (await view()).lists(path)) };
}

/** The pointer without what follows from its bytes: an ETag is often their MD5. */
function withoutEvidence({ etag: _etag, ...rest }: Pointer): Pointer {
  return { ...rest, checksums: [] };
}

/** What leads on, of a folder that may not be listed itself. Pages without any are passed over, so that an empty page is the end. */
async function listWay(tree: Tree, folder: Path, page: PageRequest | undefined, seen: View): Promise<TreePage> {
  for (let request = page; ; ) {
    const { entries, cursor } = await tree.list(folder, request);
    const kept = entries.filter((entry) => entry.kind !== 'unnamable' && isShown(seen, entry));
    if (cursor === undefined) return { entries: kept };
    if (kept.length > 0) return { entries: kept, cursor };
    request = { ...page, cursor };
  }
}

function isShown(seen: View, entry: Entry): boolean {
  return seen.lists(entry.path) || (entry.kind === 'folder' && seen.leadsOn(entry.path));
}

function hidden(path: Path): PackageRError {
  return new PackageRError('not_found', `There is nothing at ${JSON.stringify(path)}.`);
}

/** Nothing at all, for those who hold no rights of their own. */
export const blind: View = { lists: () => false, leadsOn: () => false, knows: () => false, reads: () => false };
