/** A tree that ends with what it stands on: what was taken away while it was read is an error, never a gap. */
import type { Path } from '#model/path.ts';
import { type Tree, type WalkOptions, walkBatches } from '#model/tree.ts';

/** Throws where the tree is no more what it was. Undefined, at once, where nothing can have changed. */
export type HoldCheck = () => Promise<void> | undefined;

/** `check` is asked behind each reading, before any of it is told, and once more at the end of a walk. */
export function holdTree(tree: Tree, check: HoldCheck): Tree {
  const checked = async <T>(found: Promise<T>): Promise<T> => {
    const value = await found;
    await check();
    return value;
  };
  return {
    frozen: tree.frozen,
    list: (folder, page) => checked(tree.list(folder, page)),
    find: (path, options) => checked(tree.find(path, options)),
    walk: (folder, options) => held(tree.walk(folder, options), check),
    batches: (folder: Path, options?: WalkOptions) => held(walkBatches(tree, folder, options), check),
    mark: async () => tree.mark?.(),
    async *read(path, options) {
      try {
        yield* tree.read(path, options);
      } catch (error) {
        await check();
        throw error;
      }
    },
  };
}

async function* held<T>(items: AsyncIterable<T>, check: HoldCheck): AsyncGenerator<T, void> {
  for await (const item of items) {
    const asked = check();
    if (asked !== undefined) await asked;
    yield item;
  }
  await check();
}
