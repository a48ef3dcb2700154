/** The column beside the files: how to get them all, by this page or by tools that people have. */
import type { PastedLine } from '#exports/lines.ts';
import { toInstant } from '#model/clock.ts';
import { encodePath, type Path, root } from '#model/path.ts';
import { type Html, html } from './html.ts';

export interface LinkSide {
  readonly version?: number | undefined;
  /** The folder that is shown; what is got here is what lies in it. */
  readonly folder: Path;
  /** Text to accept before anything can be fetched; undefined where nothing is to be accepted. */
  readonly terms?: string | undefined;
  /** False: names and sizes only. */
  readonly mayFetch: boolean;
  /** Lines that whoever sees the page may paste; none where the link asks for a sign-in. */
  readonly lines: readonly PastedLine[];
  /** When the pasted lines end, where that is before the link does. */
  readonly linesExpireAt?: number | undefined;
  /** What lists are asked for under, so that those that are kept last as long as the lines; '' where left out. */
  readonly listBase?: string | undefined;
  /** The address and name of a package, on the page for those who are signed in. */
  readonly own?: { readonly url: string; readonly reference: string } | undefined;
}

export function writeLinkSide(side: LinkSide): Html {
  if (!side.mayFetch)
    return html`<section><h2>View only</h2><p class="quiet">This link shows names and sizes. Its files cannot be fetched with it.</p></section>`;
  if (side.terms !== undefined)
    return html`<section><h2>Download</h2><p class="quiet">Accept the terms first. Then the files can be fetched here.</p></section>`;
  const query = queryOf(side);
  return html`<section>
<a class="button" href="package.zip${query}">${side.folder === root ? 'Download ZIP' : 'Download this folder'}</a>
<p class="quiet">Texts, pointers, checksums, and a script that fetches the rest straight from storage.</p>
</section>
${side.lines.length > 0 ? writeLines(side) : writeSignedIn(side)}
${writeLists(side, query)}`;
}

function queryOf({ folder }: LinkSide): string {
  return folder === root ? '' : `?${new URLSearchParams({ folder })}`;
}

function writeLines({ lines, linesExpireAt, folder }: LinkSide): Html {
  const expiry =
    linesExpireAt === undefined
      ? ''
      : html`<p class="quiet">These lines work until ${writeMinute(linesExpireAt)} UTC. Keep them to yourself: they open the share.</p>`;
  return html`<section>
<h2>${folder === root ? 'Get all files with' : 'Get this folder with'}</h2>
${lines.map(
  ({ client, line, needs, note }, index) => html`<details name="client"${index === 0 ? html` open` : ''}>
<summary>${client}</summary>
<pre class="command" tabindex="0"><code>${line}</code></pre>
<p class="quiet">Needs ${needs.join(', ')}.${note === undefined ? '' : ` ${note}`}</p>
</details>
`,
)}
${expiry}
</section>`;
}

/** A redirect would take a token along to the store, so that no line of another program is offered here. */
function writeSignedIn({ own, version }: LinkSide): Html {
  if (own === undefined)
    return html`<section><h2>Other programs</h2><p class="quiet">This link asks for a sign-in: its files open in this browser.</p></section>`;
  if (version === undefined)
    return html`<section><h2>Other programs</h2><p class="quiet">This is the draft. Freeze it as a version to fetch it with other programs.</p></section>`;
  return html`<section>
<h2>Get all files with</h2>
<details open>
<summary>packageR</summary>
<pre class="command" tabindex="0"><code>PACKAGE_R_TOKEN=TOKEN package-r get ${own.url}</code></pre>
<p class="quiet">Needs packageR, and in place of TOKEN an API token of yours that may list and download.</p>
</details>
<details>
<summary>curl, wget, aria2, rclone</summary>
<p class="quiet">These would hand your token on to the store. Make a share, and paste the lines of its page:</p>
<pre class="command" tabindex="0"><code>package-r shares add ${own.reference}</code></pre>
</details>
</section>`;
}

function writeLists({ lines, folder, listBase = '' }: LinkSide, query: string): Html {
  const forPrograms = lines.length > 0 ? ['urls.txt', 'aria2.txt', 'curl.cfg'] : [];
  const names = [...forPrograms, 'manifest.jsonl', 'SHA256SUMS', 'MD5SUMS'];
  const links = names.map((name) => html`<li><a href="${listBase}${name}${query}">${name}</a></li>`);
  return html`<section>
<h2>Lists</h2>
<ul class="lists">${links}<li><a href="${folder === root ? 'o/' : `o/${encodePath(folder)}/`}">plain index</a></li></ul>
</section>`;
}

function writeMinute(at: number): string {
  return toInstant(at).slice(0, 16).replace('T', ' ');
}
