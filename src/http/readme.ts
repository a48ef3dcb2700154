/**
 * A README as part of our page: headings, paragraphs, lists, quotes, tables, code, emphasis and links, out of Markdown. Safe by
 * construction: all text goes through `html`, addresses are http(s) or made by the caller, and nothing is ever loaded: an image is a link.
 * Markup in the text is shown as text. Linear in the length of the text, whatever it holds.
 */
import { type Html, type HtmlValue, html } from './html.ts';

export interface ReadmeOptions {
  /** Left out where the text begins with it as its heading: the page says it already. */
  readonly title?: string | undefined;
  /** The address of what a relative link names; undefined for what is not there. */
  link?(relative: string): string | undefined;
}

interface Context extends ReadmeOptions {
  /** Lists in quotes in lists: beyond the limit all is text. */
  readonly depth: number;
}

const deepest = 6;
const mostColumns = 40;

/** Blocks of `text`, its highest heading as `<h2>`. */
export function writeReadme(text: string, options: ReadmeOptions = {}): Html {
  const lines = text
    .replaceAll('\0', '\ufffd')
    .split(/\r\n|\r|\n/)
    .map((line) => line.replaceAll('\t', '    '));
  const start = lines.findIndex((line) => line.trim() !== '');
  const first = readHeading(lines[start] ?? '');
  const isTitle = first?.level === 1 && options.title !== undefined && first.text.toLowerCase() === options.title.toLowerCase();
  return html`${writeBlocks(isTitle ? lines.slice(start + 1) : lines, { ...options, depth: 0 })}`;
}

interface Block {
  readonly markup: Html;
  /** The line after it. */
  readonly next: number;
}

type BlockReader = (lines: readonly string[], at: number, context: Context) => Block | undefined;

function writeBlocks(lines: readonly string[], context: Context): Html[] {
  const blocks: Html[] = [];
  for (let at = 0; at < lines.length; ) {
    if (isBlank(lines[at])) {
      at += 1;
      continue;
    }
    const block = readBlock(lines, at, context) ?? readParagraph(lines, at, context);
    blocks.push(block.markup);
    at = block.next;
  }
  return blocks;
}

const readers: readonly BlockReader[] = [readFence, readAtxHeading, readRule, readQuote, readList, readTable];

function readBlock(lines: readonly string[], at: number, context: Context): Block | undefined {
  for (const read of readers) {
    const block = read(lines, at, context);
    if (block !== undefined) return block;
  }
  return undefined;
}

function readFence(lines: readonly string[], at: number): Block | undefined {
  const fence = /^ {0,3}(```|~~~)/.exec(lines[at] ?? '')?.[1];
  if (fence === undefined) return undefined;
  let end = at + 1;
  while (end < lines.length && !(lines[end]?.trimStart().startsWith(fence) && lines[end]?.trim().replaceAll(fence.charAt(0), '') === ''))
    end += 1;
  return { markup: html`<pre class="code" tabindex="0">${lines.slice(at + 1, end).join('\n')}</pre>\n`, next: end + 1 };
}

function readHeading(line: string): { readonly level: number; readonly text: string } | undefined {
  const [, marks, text = ''] = /^ {0,3}(#{1,6})(?: +(.*))?$/.exec(line) ?? [];
  return marks === undefined ? undefined : { level: marks.length, text: text.trim().replace(/ #+$/, '') };
}

const headings: readonly ((text: HtmlValue) => Html)[] = [
  (text) => html`<h2>${text}</h2>\n`,
  (text) => html`<h3>${text}</h3>\n`,
  (text) => html`<h4>${text}</h4>\n`,
  (text) => html`<h5>${text}</h5>\n`,
];

function readAtxHeading(lines: readonly string[], at: number, context: Context): Block | undefined {
  const heading = readHeading(lines[at] ?? '');
  if (heading === undefined) return undefined;
  const write = headings[Math.min(heading.level, headings.length) - 1] ?? ((text) => html`<p>${text}</p>\n`);
  return { markup: write(writeInline(heading.text, context)), next: at + 1 };
}

function readRule(lines: readonly string[], at: number): Block | undefined {
  const marks = (lines[at] ?? '').replaceAll(' ', '');
  return /^(?:-{3,}|\*{3,}|_{3,})$/.test(marks) ? { markup: html`<hr>\n`, next: at + 1 } : undefined;
}

function readQuote(lines: readonly string[], at: number, context: Context): Block | undefined {
  const quoted = (line: string | undefined) => /^ {0,3}>/.test(line ?? '');
  if (context.depth >= deepest || !quoted(lines[at])) return undefined;
  let end = at;
  while (end < lines.length && quoted(lines[end])) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(/^ {0,3}> ?/, ''));
  return { markup: html`<blockquote>\n${writeBlocks(inner, { ...context, depth: context.depth + 1 })}</blockquote>\n`, next: end };
}

const bullet = /^( {0,3})([-*+]|\d{1,9}[.)])( +|$)/;

/** An item goes on as long as its lines are indented to its text. */
function readList(lines: readonly string[], at: number, context: Context): Block | undefined {
  const first = bullet.exec(lines[at] ?? '');
  if (first === null || context.depth >= deepest) return undefined;
  const isOrdered = /\d/.test(first[2] ?? '');
  const items: Html[] = [];
  let next = at;
  for (;;) {
    const match = bullet.exec(lines[next] ?? '');
    if (match === null || /\d/.test(match[2] ?? '') !== isOrdered || readRule(lines, next) !== undefined) break;
    const indent = Math.min(match[0].length, (match[1] ?? '').length + (match[2] ?? '').length + 4);
    const inner = [(lines[next] ?? '').slice(indent)];
    next += 1;
    while (next < lines.length && belongs(lines, next, inner)) {
      const line = lines[next] ?? '';
      const lead = line.length - line.trimStart().length;
      inner.push(line.slice(Math.min(indent, lead)));
      next += 1;
    }
    items.push(html`<li>${writeItem(inner, { ...context, depth: context.depth + 1 })}</li>\n`);
    while (isBlank(lines[next]) && bullet.test(lines[next + 1] ?? '')) next += 1;
  }
  if (items.length === 0) return undefined;
  const start = Number.parseInt(first[2] ?? '1', 10);
  if (!isOrdered) return { markup: html`<ul>\n${items}</ul>\n`, next };
  return { markup: html`<ol start="${start}">\n${items}</ol>\n`, next };
}

/** Indented, blank before what is indented, or the rest of its paragraph. */
function belongs(lines: readonly string[], at: number, inner: readonly string[]): boolean {
  const line = lines[at] ?? '';
  if (isBlank(line)) return /^ {2,}\S/.test(lines[at + 1] ?? '');
  if (/^ {2,}/.test(line)) return true;
  return !isBlank(inner.at(-1)) && !startsBlock(line);
}

/** A single paragraph stands in its item without a frame. */
function writeItem(inner: readonly string[], context: Context): HtmlValue {
  const text: string[] = [];
  let at = 0;
  while (at < inner.length && !isBlank(inner[at]) && (at === 0 ? !startsBlock(inner[0] ?? '') : !startsBlock(inner[at] ?? ''))) {
    text.push(inner[at] ?? '');
    at += 1;
  }
  return [writeInline(text.join('\n'), context), writeBlocks(inner.slice(at), context)];
}

function readTable(lines: readonly string[], at: number, context: Context): Block | undefined {
  const head = lines[at] ?? '';
  const ruler = lines[at + 1] ?? '';
  if (!head.includes('|') || !/^[ |:-]{1,2000}$/.test(ruler) || !ruler.includes('-')) return undefined;
  const columns = splitCells(head);
  const marks = splitCells(ruler);
  if (columns.length !== marks.length || columns.length > mostColumns || !marks.every((mark) => /^:?-+:?$/.test(mark))) return undefined;
  const rows: Html[] = [];
  let next = at + 2;
  for (; next < lines.length && (lines[next] ?? '').includes('|'); next += 1) {
    const cells = splitCells(lines[next] ?? '').slice(0, columns.length);
    rows.push(html`<tr>${cells.map((cell) => html`<td>${writeInline(cell, context)}</td>`)}</tr>\n`);
  }
  const names = columns.map((cell) => html`<th scope="col">${writeInline(cell, context)}</th>`);
  const markup = html`<div class="scroll" tabindex="0"><table>\n<thead><tr>${names}</tr></thead>\n<tbody>\n${rows}</tbody>\n</table></div>\n`;
  return { markup, next };
}

function splitCells(line: string): string[] {
  const inner = line
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '');
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function readParagraph(lines: readonly string[], at: number, context: Context): Block {
  let end = at + 1;
  while (end < lines.length && !isBlank(lines[end]) && !startsBlock(lines[end] ?? '')) end += 1;
  const text = lines.slice(at, end).map((line) => line.trimStart());
  return { markup: html`<p>${writeInline(text.join('\n'), context)}</p>\n`, next: end };
}

function startsBlock(line: string): boolean {
  return /^ {0,3}(?:```|~~~|#{1,6}(?: |$)|>)/.test(line) || bullet.test(line) || readRule([line], 0) !== undefined;
}

function isBlank(line: string | undefined): boolean {
  return line !== undefined && line.trim() === '';
}

/** One form of text within a line. Patterns are sticky, bounded, and stop at the next mark of their own, so none looks twice. */
interface Span {
  readonly starts: string;
  readonly pattern: RegExp;
  write(match: RegExpExecArray, context: Context): HtmlValue;
}

const spans: readonly Span[] = [
  { starts: '\\', pattern: /\\([!-/:-@[-`{-~])/y, write: ([, mark]) => mark },
  { starts: '\\', pattern: /\\\n/y, write: () => html`<br>` },
  { starts: ' ', pattern: / {2,20}\n/y, write: () => html`<br>` },
  { starts: '`', pattern: /``((?:[^`]|`(?!`)){1,1000})``/y, write: ([, code = '']) => html`<code>${code.trim()}</code>` },
  { starts: '`', pattern: /`([^`]{1,1000})`/y, write: ([, code]) => html`<code>${code}</code>` },
  {
    starts: '!',
    pattern: /!\[([^[\]]{0,300})\]\(([^()\s<>]{1,2000})(?: "[^"\n]{0,300}")?\)/y,
    write: ([, text, to = ''], context) => writeLink(text || 'image', to, context),
  },
  {
    starts: '[',
    pattern: /\[([^[\]]{1,500})\]\(([^()\s<>]{1,2000})(?: "[^"\n]{0,300}")?\)/y,
    write: ([, text = '', to = ''], context) => writeLink(writeInline(text, deeper(context), true), to, context),
  },
  { starts: '<', pattern: /<(https?:\/\/[^\s<>]{1,2000})>/y, write: ([, to = ''], context) => writeLink(to, to, context) },
  {
    starts: 'h',
    pattern: /(?<![A-Za-z0-9])https?:\/\/[^\s<>()[\]"'`*|]{1,2000}(?<![.,;:!?_])/y,
    write: ([to = ''], context) => writeLink(to, to, context),
  },
  {
    starts: '*',
    pattern: /\*\*(?! )((?:[^*]|\*(?!\*)){1,1000})\*\*/y,
    write: ([, text = ''], context) => html`<strong>${writeInline(text, deeper(context))}</strong>`,
  },
  {
    starts: '*',
    pattern: /\*(?! )([^*]{1,1000})\*/y,
    write: ([, text = ''], context) => html`<em>${writeInline(text, deeper(context))}</em>`,
  },
  {
    starts: '_',
    pattern: /(?<![A-Za-z0-9_])_(?! )([^_]{1,1000})_(?![A-Za-z0-9_])/y,
    write: ([, text = ''], context) => html`<em>${writeInline(text, deeper(context))}</em>`,
  },
];

const marks = /[\\ `![<h*_]/g;

function writeInline(text: string, context: Context, isInLink = false): HtmlValue {
  if (context.depth > deepest) return text;
  const parts: HtmlValue[] = [];
  let done = 0;
  let at = 0;
  const seek = (from: number): number => {
    marks.lastIndex = from;
    return marks.exec(text)?.index ?? -1;
  };
  for (at = seek(0); at >= 0; at = seek(at)) {
    const found = findSpan(text, at, isInLink);
    if (found === undefined) {
      at += 1;
      continue;
    }
    parts.push(text.slice(done, at), found.span.write(found.match, context));
    at += found.match[0].length;
    done = at;
  }
  return [...parts, text.slice(done)];
}

const linking = new Set(['!', '[', '<', 'h']);

function findSpan(text: string, at: number, isInLink: boolean): { readonly span: Span; readonly match: RegExpExecArray } | undefined {
  const mark = text.charAt(at);
  if (isInLink && linking.has(mark)) return undefined;
  for (const span of spans) {
    if (span.starts !== mark) continue;
    span.pattern.lastIndex = at;
    const match = span.pattern.exec(text);
    if (match !== null) return { span, match };
  }
  return undefined;
}

function deeper(context: Context): Context {
  return { ...context, depth: context.depth + 1 };
}

function writeLink(text: HtmlValue, to: string, { link }: Context): HtmlValue {
  const href = /^https?:\/\//i.test(to) ? writeWebAddress(to) : link?.(to);
  return href === undefined ? text : html`<a href="${href}" rel="nofollow noopener noreferrer">${text}</a>`;
}

/** As the browser will read it; undefined for another scheme, and for a name and password before the host. */
function writeWebAddress(to: string): string | undefined {
  const url = URL.canParse(to) ? new URL(to) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return undefined;
  return url.href;
}
