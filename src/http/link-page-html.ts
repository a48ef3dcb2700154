/** The page of a link, as people see it: what it is, its README, its files, and how to get all of it. No script; every value is text. */
import type { PastedLine } from '#exports/lines.ts';
import { toInstant } from '#model/clock.ts';
import type { Entry, Unnamable } from '#model/entry.ts';
import { encodePath, nameOf, parseSegment } from '#model/path.ts';
import { type Html, html } from './html.ts';
import { writePage } from './pages.ts';

export interface LinkPage {
  readonly root: string;
  readonly title: string;
  readonly description?: string | undefined;
  readonly note?: string | undefined;
  readonly version?: number | undefined;
  readonly digest?: string | undefined;
  readonly frozenAt?: number | undefined;
  readonly entries?: number | undefined;
  readonly bytes?: number | undefined;
  readonly licence?: string | undefined;
  readonly expiresAt?: number | undefined;
  readonly readme?: string | undefined;
  /** The files of the root folder, the first page of them. */
  readonly files: readonly (Entry | Unnamable)[];
  readonly hasMoreFiles: boolean;
  /** Text to accept before anything can be fetched; undefined where nothing is to be accepted. */
  readonly terms?: string | undefined;
  /** False: names and sizes only. */
  readonly mayFetch: boolean;
  readonly lines: readonly PastedLine[];
  /** When the pasted lines end, where that is before the link does. */
  readonly linesExpireAt?: number | undefined;
}

export function writeLinkPage(page: LinkPage): Html {
  const body = html`<main>
<header>
<p class="brow">${page.version === undefined ? 'Shared files' : `Package, version ${page.version}`}</p>
<h1>${page.title}</h1>
${page.description === undefined || page.description === '' ? '' : html`<p class="lead">${page.description}</p>`}
${writeFacts(page)}
</header>
<div class="columns">
<div>
${page.note === undefined || page.note === '' ? '' : html`<section class="tray"><p class="terms">${page.note}</p></section>`}
${page.terms === undefined ? '' : writeTerms(page.terms)}
${page.readme === undefined ? '' : html`<section><h2>README</h2><pre class="readme">${page.readme}</pre></section>`}
${writeFiles(page)}
</div>
<aside class="side">${writeSide(page)}</aside>
</div>
</main>`;
  return writePage({ title: page.title, body, root: page.root });
}

function writeFacts({ entries, bytes, frozenAt, licence, expiresAt, digest }: LinkPage): Html {
  const fact = (term: string, value: string | Html | undefined): Html | undefined =>
    value === undefined ? undefined : html`<div><dt>${term}</dt><dd>${value}</dd></div>`;
  return html`<dl class="facts">
${fact('Files', entries?.toLocaleString('en'))}
${fact('Size', bytes === undefined ? undefined : writeSize(bytes))}
${fact('Frozen', frozenAt === undefined ? undefined : writeDay(frozenAt))}
${fact('Licence', licence)}
${fact('Until', expiresAt === undefined ? undefined : writeDay(expiresAt))}
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

function writeFiles({ files, hasMoreFiles, mayFetch, terms }: LinkPage): Html {
  if (files.length === 0) return html`<section><h2>Files</h2><p class="quiet">There are no files here.</p></section>`;
  const isLinked = mayFetch && terms === undefined;
  return html`<section>
<h2>Files</h2>
<table>
<thead><tr><th scope="col">Name</th><th scope="col">Size</th><th scope="col" class="modified">Modified</th></tr></thead>
<tbody>
${files.map((entry) => writeRow(entry, isLinked))}
</tbody>
</table>
${hasMoreFiles ? html`<p class="quiet"><a href="o/">All files of this folder</a></p>` : ''}
</section>`;
}

function writeRow(entry: Entry | Unnamable, isLinked: boolean): Html {
  const cells = (name: Html, size: string): Html =>
    html`<tr><td>${name}</td><td>${size}</td><td class="modified">${entry.modifiedAt === undefined ? '' : writeDay(entry.modifiedAt)}</td></tr>
`;
  if (entry.kind === 'unnamable')
    return cells(html`<span class="mono">${JSON.stringify(entry.key.toWellFormed())}</span>`, writeSize(entry.size));
  const name = nameOf(entry.path);
  const href = `o/${encodePath(parseSegment(name))}`;
  if (entry.kind === 'folder') return cells(html`<a class="folder" href="${href}/">${name}/</a>`, '');
  return cells(isLinked ? html`<a href="${href}" rel="nofollow">${name}</a>` : html`${name}`, writeSize(entry.size));
}

function writeSide({ mayFetch, terms, lines, linesExpireAt }: LinkPage): Html {
  if (!mayFetch)
    return html`<section><h2>View only</h2><p class="quiet">This link shows names and sizes. Its files cannot be fetched with it.</p></section>`;
  if (terms !== undefined)
    return html`<section><h2>Download</h2><p class="quiet">Accept the terms first. Then the files can be fetched here.</p></section>`;
  const expiry =
    linesExpireAt === undefined
      ? ''
      : html`<p class="quiet">These lines work until ${writeMinute(linesExpireAt)} UTC. Keep them to yourself: they open the share.</p>`;
  return html`<section>
<a class="button" href="package.zip">Download ZIP</a>
<p class="quiet">Texts, pointers, checksums, and a script that fetches the rest straight from storage.</p>
</section>
<section>
<h2>Get all files with</h2>
${lines.map(
  ({ client, line, needs, note }, index) => html`<details${index === 0 ? html` open` : ''}>
<summary>${client}</summary>
<pre class="command" tabindex="0">${line}</pre>
<p class="quiet">Needs ${needs.join(', ')}.${note === undefined ? '' : ` ${note}`}</p>
</details>
`,
)}
${expiry}
</section>
<section>
<h2>Lists</h2>
<p class="quiet"><a href="urls.txt">urls.txt</a> · <a href="aria2.txt">aria2.txt</a> · <a href="curl.cfg">curl.cfg</a> · <a href="manifest.jsonl">manifest.jsonl</a> · <a href="SHA256SUMS">SHA256SUMS</a></p>
</section>`;
}

export interface UnlockPage {
  readonly root: string;
  readonly action: string;
  /** What went wrong the last time. */
  readonly fault?: string | undefined;
}

/** Says nothing of what lies behind it. */
export function writeUnlockPage({ root, action, fault }: UnlockPage): Html {
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
  return writePage({ title: 'Password needed', body, root });
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

function writeMinute(at: number): string {
  return toInstant(at).slice(0, 16).replace('T', ' ');
}
