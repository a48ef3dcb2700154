/** Where a key stands in the tree of its source, for deciding rights: also a key that is no path stands somewhere. */
import type { Key } from '#model/key.ts';
import { type Path, root, toPath } from '#model/path.ts';

/** The path of a key; of one that is no path the deepest folder that holds it and is one: `a/b//c` → `a/b`. */
export function placeOfKey(key: Key): Path {
  if (last?.key !== key) last = { key, place: findPlace(key) };
  return last.place;
}

/** One key is asked for several times in a row: to open its place, to reach it. */
let last: { readonly key: Key; readonly place: Path } | undefined;

function findPlace(key: Key): Path {
  const own = toPath(key);
  if (own !== undefined) return own;
  for (let end = key.lastIndexOf('/'); end > 0; end = key.lastIndexOf('/', end - 1)) {
    const folder = toPath(key.slice(0, end));
    if (folder !== undefined) return folder;
  }
  return root;
}
