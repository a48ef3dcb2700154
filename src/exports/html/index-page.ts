/**
 * A folder as a plain HTML page, for people without JavaScript and for crawlers (`wget -r`, rclone): relative links to direct
 * children only, folders with a slash at the end. Names are text; the page holds no script, and no style with an address.
 */
import type { Entry, Unnamable } from '#model/entry.ts';
import { encodePath, nameOf, type Path, parseSegment } from '#model/path.ts';
import type { Tree } from '#model/tree.ts';

export interface IndexPageRequest {
  readonly tree: Pick<Tree, 'list'>;
  readonly folder: Path;
  /** Of the whole: `namespace/name`, or the label of a share. */
  readonly title: string;
  /**
   * Children on one page, with a `rel=next` link to the next. Left out, the page holds all of them, streamed: what crawlers need,
   * as rclone does not follow a link to a next page.
   */
  readonly limit?: number | undefined;
  /** Of the page before. */
  readonly cursor?: string | undefined;
  /** What leads from the page to the children; '' (where left out) for a page that lies at `…/o/<folder>/`. */
  readonly prefix?: string | undefined;
  /** Our own style sheet, put into the page as it stands: it must have no address that a crawler would follow. */
  readonly style?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The page in pieces; nothing is yielded before the folder was found. Errors: not_found, cursor_invalid. */
export async function* writeIndexPage(request: IndexPageRequest): AsyncGenerator<string, void, undefined> {
  const { tree, folder, title, limit, prefix = '', style, signal } = request;
  let page = await tree.list(folder, { cursor: request.cursor, limit: limit ?? 1000, signal });
  const heading = escapeHtml(folder === '' ? title : `${title}: ${folder}`);
  yield `<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n`;
  yield `<meta name="viewport" content="width=device-width">\n<meta name="robots" content="noindex">\n<title>${heading}</title>\n`;
  yield style === undefined ? '</head>\n' : `<style>${style}</style>\n</head>\n`;
  yield `<body>\n<main>\n<h1>${heading}</h1>\n<table>\n`;
  yield '<thead><tr><th scope="col">Name</th><th scope="col">Size</th><th scope="col">Modified</th></tr></thead>\n<tbody>\n';
  for (;;) {
    yield page.entries.map((entry) => writeRow(entry, prefix)).join('');
    if (page.cursor === undefined || limit !== undefined) break;
    page = await tree.list(folder, { cursor: page.cursor, limit: 1000, signal });
  }
  yield '</tbody>\n</table>\n';
  if (page.cursor !== undefined) {
    const next = new URLSearchParams({ limit: String(limit), cursor: page.cursor });
    yield `<p><a rel="next" href="?${escapeHtml(next.toString())}">Next page</a></p>\n`;
  }
  yield '</main>\n</body>\n</html>\n';
}

function writeRow(entry: Entry | Unnamable, prefix: string): string {
  if (entry.kind === 'unnamable') {
    const shown = `${JSON.stringify(entry.key)} (its key is no valid path)`;
    return `<tr><td>${escapeHtml(shown)}</td><td>${entry.size}</td><td>${writeDate(entry.modifiedAt)}</td></tr>\n`;
  }
  const slash = entry.kind === 'folder' ? '/' : '';
  const name = nameOf(entry.path);
  const href = `${prefix}${encodePath(parseSegment(name))}${slash}`;
  const size = entry.kind === 'folder' ? '' : entry.size;
  const link = `<a href="${escapeHtml(href)}">${escapeHtml(name)}${slash}</a>`;
  return `<tr><td>${link}</td><td>${size}</td><td>${writeDate(entry.modifiedAt)}</td></tr>\n`;
}

function writeDate(modifiedAt: number | undefined): string {
  if (modifiedAt === undefined) return '';
  const instant = new Date(modifiedAt).toISOString();
  return `<time datetime="${instant}">${instant.slice(0, 16).replace('T', ' ')}</time>`;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
