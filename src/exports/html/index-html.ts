/** `index.html`: one folder as a plain page, with links below `o/`. */
import { PackageRError } from '#errors/error.ts';
import { gather } from '#exports/body.ts';
import type { Export, ExportRequest } from '#exports/export.ts';
import { openSelection } from '#exports/selection.ts';
import { encodePath, isWithin, type Path, root } from '#model/path.ts';
import type { Tree } from '#model/tree.ts';
import { writeIndexPage } from './index-page.ts';

/** `?limit=` (1 to 1000) and `?cursor=` page it; without them it holds the whole folder. Not a function of the version alone: no etag. */
export const indexExport: Export = {
  name: 'index.html',
  title: 'Plain HTML index of a folder',
  action: 'list',
  async open(request) {
    await openSelection(request);
    await request.tree.list(request.folder, { cursor: request.query['cursor'], limit: 1, signal: request.signal });
    const { tree, folder, only, about, query, signal } = request;
    const page = () =>
      writeIndexPage({
        tree: only === undefined ? tree : narrow(tree, only),
        folder,
        title: about.title,
        limit: parseLimit(query),
        cursor: query['cursor'],
        prefix: folder === root ? 'o/' : `o/${encodePath(folder)}/`,
        signal,
      });
    return { contentType: 'text/html; charset=utf-8', read: () => gather(page(), signal) };
  },
};

function parseLimit(query: ExportRequest['query']): number | undefined {
  const text = query['limit'];
  if (text === undefined) return query['cursor'] === undefined ? undefined : 1000;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > 1000) throw new PackageRError('request_invalid', '“limit” is an integer from 1 to 1000.');
  return limit;
}

/** Listings with only these files and folders, and the folders that lead to them. */
function narrow(tree: Tree, only: readonly Path[]): Pick<Tree, 'list'> {
  const leads = (path: Path) => only.some((one) => isWithin(path, one) || isWithin(one, path));
  return {
    async list(folder, page) {
      const { entries, cursor } = await tree.list(folder, page);
      const kept = entries.filter((entry) => entry.kind !== 'unnamable' && leads(entry.path));
      return cursor === undefined ? { entries: kept } : { entries: kept, cursor };
    },
  };
}
