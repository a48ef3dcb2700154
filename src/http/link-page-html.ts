/** The page of a link, as people see it: what it is, its README, its files, and how to get all of it. No script; every value is text. */
import { toInstant } from '#model/clock.ts';
import type { Entry, Unnamable } from '#model/entry.ts';
import { encodePath, joinPath, nameOf, type Path, parentOf, parsePath, root } from '#model/path.ts';
import { type Html, html } from './html.ts';
import { type LinkSide, writeLinkSide } from './link-side-html.ts';
import { writePage } from './pages.ts';
import { writeReadme } from './readme.ts';

export interface LinkPage extends LinkSide {
  /** The path of the server, ending in a slash. */
  readonly root: string;
  readonly base?: string | undefined;
  readonly title: string;
  readonly description?: string | undefined;
  readonly note?: string | undefined;
  readonly digest?: string | undefined;
  readonly frozenAt?: number | undefined;
  readonly entries?: number | undefined;
  readonly bytes?: number | undefined;
  readonly licence?: string | undefined;
  readonly expiresAt?: number | undefined;
  /** Distinct files and their bytes that one person may fetch in a day. */
  readonly maxObjects?: number | undefined;
  readonly maxBytes?: number | undefined;
  /** Of the folder that is shown. */
  readonly readme?: { readonly path: Path; readonly text: string } | undefined;
  /** One page of the folder that is shown. */
  readonly files: readonly (Entry | Unnamable)[];
  /** Of the next page; undefined on the last one. */
  readonly cursor?: string | undefined;
}

export function writeLinkPage(page: LinkPage): Html {
  const { title, folder, note, terms } = page;
  const body = html`<main>
<header>
<p class="brow">${page.version === undefined ? 'Shared files' : `Package, version ${page.version}`}</p>
<h1>${title}</h1>
${page.description === undefined || page.description === '' ? '' : html`<p class="lead">${page.description}</p>`}
${writeFacts(page)}
</header>
<div class="columns">
<div>
${note === undefined || note === '' || folder !== root ? '' : html`<section class="tray"><p class="note">${note}</p></section>`}
${terms === undefined ? '' : writeTerms(terms)}
${folder === root ? [writeReadmeOf(page), writeFiles(page)] : [writeFiles(page), writeReadmeOf(page)]}
</div>
<aside class="side">${writeLinkSide(page)}</aside>
</div>
</main>`;
  return writePage({ title: folder === root ? title : `${nameOf(folder)} – ${title}`, body, root: page.root, base: page.base });
}

function writeFacts({ entries, bytes, frozenAt, licence, expiresAt, digest, maxObjects, maxBytes }: LinkPage): Html {
  const fact = (term: string, value: string | Html | undefined): Html | undefined =>
    value === undefined ? undefined : html`<div><dt>${term}</dt><dd>${value}</dd></div>`;
  const limits = [maxObjects === undefined ? [] : writeCount(maxObjects), maxBytes === undefined ? [] : writeSize(maxBytes)].flat();
  return html`<dl class="facts">
${fact('Files', entries?.toLocaleString('en'))}
${fact('Size', bytes === undefined ? undefined : writeSize(bytes))}
${fact('Frozen', frozenAt === undefined ? undefined : writeDay(frozenAt))}
${fact('Licence', licence)}
${fact('Open until', expiresAt === undefined ? undefined : writeDay(expiresAt))}
${fact('Limit', limits.length === 0 ? undefined : `${limits.join(', ')} a day`)}
${digest === undefined ? '' : html`<div class="wide"><dt>Digest</dt><dd><code>${digest}</code></dd></div>`}
</dl>`;
}

function writeTerms(terms: string): Html {
  return html`<section class="tray">
<h2>Terms</h2>
<div class="terms" tabindex="0" role="region" aria-label="Terms">${terms}</div>
<form method="post" action="accept"><button class="button">Accept and continue</button></form>
</section>`;
}

/** Markdown where the name says so, with links to files of the tree. */
function writeReadmeOf({ readme, title }: LinkPage): Html | '' {
  if (readme === undefined) return '';
  const { path, text } = readme;
  const markup = /\.(?:md|markdown)$/i.test(path)
    ? writeReadme(text, { title, link: (relative) => linkFrom(parentOf(path), relative) })
    : html`<pre class="plain">${text}</pre>`;
  return html`<section class="readme" aria-label="README">
${markup}
</section>`;
}

/** The address of a file that a README names; undefined for what is no path below the root. */
function linkFrom(folder: Path, relative: string): string | undefined {
  const [given = ''] = relative.split(/[?#]/, 1);
  const path = resolvePath(folder, given.replace(/^\.\//, '').replace(/\/$/, ''));
  if (path === undefined) return undefined;
  return given.endsWith('/') ? folderHref(path) : `o/${encodePath(path)}`;
}

function writeFiles(page: LinkPage): Html {
  const { files, folder, cursor, mayFetch, terms } = page;
  const isLinked = mayFetch && terms === undefined;
  const rows = files.map((entry) => writeRow(entry, isLinked));
  const table = html`<table class="files">
<thead><tr><th scope="col">Name</th><th scope="col">Size</th><th scope="col" class="modified">Modified</th></tr></thead>
<tbody>
${rows}
</tbody>
</table>`;
  return html`<section>
${folder === root ? html`<h2>Files</h2>` : writeCrumbs(page)}
${files.length === 0 ? html`<p class="quiet">There are no files here.</p>` : table}
${cursor === undefined ? '' : html`<p class="quiet"><a rel="next" href="${folderHref(folder, cursor)}">More files</a></p>`}
</section>`;
}

function writeCrumbs({ folder, title }: LinkPage): Html {
  const above: Path[] = [];
  for (let path = parentOf(folder); path !== root; path = parentOf(path)) above.unshift(path);
  const links = above.map((path) => html`<a href="${folderHref(path)}">${nameOf(path)}</a> <span aria-hidden="true">/</span> `);
  return html`<nav class="crumbs" aria-label="Folder"><a href="./">${title}</a> <span aria-hidden="true">/</span> ${links}<h2>${nameOf(folder)}</h2></nav>`;
}

function writeRow(entry: Entry | Unnamable, isLinked: boolean): Html {
  const cells = (name: Html, size: string): Html =>
    html`<tr><td>${name}</td><td>${size}</td><td class="modified">${entry.modifiedAt === undefined ? '' : writeDay(entry.modifiedAt)}</td></tr>
`;
  if (entry.kind === 'unnamable')
    return cells(html`<span class="mono">${JSON.stringify(entry.key.toWellFormed())}</span>`, writeSize(entry.size));
  const name = nameOf(entry.path);
  if (entry.kind === 'folder') return cells(html`<a class="folder" href="${folderHref(entry.path)}">${name}/</a>`, '');
  return cells(isLinked ? html`<a href="o/${encodePath(entry.path)}" rel="nofollow">${name}</a>` : html`${name}`, writeSize(entry.size));
}

function folderHref(folder: Path, cursor?: string): string {
  const query = new URLSearchParams({ ...(folder === root ? {} : { folder }), ...(cursor === undefined ? {} : { cursor }) });
  return query.size === 0 ? './' : `./?${query}`;
}

export interface UnlockPage {
  readonly base?: string | undefined;
  readonly root: string;
  readonly action: string;
  /** What went wrong the last time. */
  readonly fault?: string | undefined;
}

/** Says nothing of what lies behind it. */
export function writeUnlockPage({ root, base, action, fault }: UnlockPage): Html {
  const body = html`<main class="notice">
<p class="status">Locked</p>
<h1>These files are behind a password</h1>
<form method="post" action="${action}">
${fault === undefined ? '' : html`<p class="fault" role="alert">${fault}</p>`}
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="1024" autofocus>
<button class="button">Open</button>
</form>
<p class="quiet">Ask the person who gave you the link.</p>
</main>`;
  return writePage({ title: 'Password needed', body, root, base });
}

function resolvePath(folder: Path, relative: string): Path | undefined {
  try {
    return joinPath(folder, parsePath(decodeURI(relative)));
  } catch {
    return undefined;
  }
}

function writeCount(files: number): string {
  return `${files.toLocaleString('en')} ${files === 1 ? 'file' : 'files'}`;
}

/** Decimal units, as stores count. */
function writeSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
  const power = Math.min(units.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${units[power]}`;
}

function writeDay(at: number): Html {
  const instant = toInstant(at);
  const day = new Date(at).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
  return html`<time datetime="${instant}">${day}</time>`;
}
