/**
 * Markdown as HTML that can do no harm: markup in the text is text, an address is http, https, mailto or a file of the same tree, and
 * nothing is loaded from elsewhere: a picture is a link to it. The view cleans the outcome once more.
 */
import MarkdownIt, { type Token } from 'markdown-it';

export interface MarkdownPlace {
  /** The folder that relative links begin from: parts of a path. */
  readonly folder: readonly string[];
  /** The address of a file of the same tree. */
  hrefOf(path: readonly string[]): string;
}

/** Deeper lists and quotes are text. */
const maxNesting = 40;

const markdown = new MarkdownIt({ html: false, linkify: true, typographer: false, maxNesting });
const { renderer } = markdown;
const { fence: writeFence, code_block: writeCode } = renderer.rules;

Object.assign(renderer.rules, {
  table_open: () => '<div class="scroll" tabindex="0"><table>\n',
  table_close: () => '</table></div>\n',
  fence: (...all) => focusable(writeFence?.(...all) ?? ''),
  code_block: (...all) => focusable(writeCode?.(...all) ?? ''),
} satisfies typeof renderer.rules);

/** What is wider than the page is scrolled by the keyboard too. */
function focusable(pre: string): string {
  return pre.replace(/^<pre>/, '<pre tabindex="0">');
}

export function writeMarkdown(text: string, place: MarkdownPlace): string {
  const tokens = markdown.parse(text, {});
  for (const [at, token] of tokens.entries()) {
    mendBlock(token, tokens[at + 1]);
    if (token.children !== null) token.children = mendInline(token.children, place);
  }
  return renderer.render(tokens, markdown.options, {});
}

/** Headings stand below that of the page, with what links to them look for; columns are aligned by class. */
function mendBlock(token: Token, next: Token | undefined): void {
  if (token.type === 'heading_open' || token.type === 'heading_close') {
    token.tag = `h${Math.min(6, Number(token.tag.slice(1)) + 1)}`;
    if (token.nesting === 1 && next !== undefined) token.attrSet('data-heading', slugOf(next.content));
  } else if (token.type === 'th_open' || token.type === 'td_open') {
    const align = /text-align:(center|right)/.exec(attributeOf(token, 'style'))?.[1];
    token.attrs = align === undefined ? null : [['class', `align-${align}`]];
  }
}

function mendInline(tokens: readonly Token[], place: MarkdownPlace): Token[] {
  let isInLink = false;
  let isRefused = false;
  return tokens.flatMap((token): Token[] => {
    if (token.type === 'link_open') {
      const to = readLink(attributeOf(token, 'href'), place);
      isRefused = to === undefined;
      isInLink = !isRefused;
      token.attrs = to === undefined ? null : attributesOf(to);
      if (isRefused) token.tag = 'span';
    } else if (token.type === 'link_close') {
      if (isRefused) token.tag = 'span';
      isInLink = false;
      isRefused = false;
    } else if (token.type === 'image') {
      return asLink(token, place, isInLink);
    }
    return [token];
  });
}

/** A picture that is part of the text stays; any other is a link to where it is. */
function asLink(image: Token, place: MarkdownPlace, isInLink: boolean): Token[] {
  const source = attributeOf(image, 'src');
  if (source.startsWith('data:')) return [withText(image)];
  const to = isInLink ? undefined : readLink(source, place);
  const name = image.content === '' ? source : image.content;
  const [text] = markdown.parseInline('x', {})[0]?.children ?? [];
  if (text === undefined) return [];
  text.content = name;
  if (to === undefined) return [text];
  const [open, , close] = markdown.parseInline('[x](y)', {})[0]?.children ?? [];
  if (open === undefined || close === undefined) return [text];
  open.attrs = [...attributesOf(to), ['class', 'picture']];
  return [open, text, close];
}

function withText(image: Token): Token {
  image.attrs = [
    ['src', attributeOf(image, 'src')],
    ['alt', image.content],
  ];
  return image;
}

function attributeOf(token: Token, name: string): string {
  return String(token.attrGet(name) ?? '');
}

interface LinkTarget {
  readonly href: string;
  /** Of a file of the same tree. */
  readonly path?: readonly string[];
  /** Of a heading of the same text. */
  readonly heading?: string;
}

function attributesOf({ href, path, heading }: LinkTarget): [string, string][] {
  if (path !== undefined)
    return [
      ['href', href],
      ['data-path', path.join('/')],
    ];
  if (heading !== undefined)
    return [
      ['href', href],
      ['data-to', heading],
    ];
  return [
    ['href', href],
    ['target', '_blank'],
    ['rel', 'noopener noreferrer'],
  ];
}

function readLink(link: string, { folder, hrefOf }: MarkdownPlace): LinkTarget | undefined {
  if (/^(https?:\/\/|mailto:)/i.test(link)) return URL.canParse(link) ? { href: new URL(link).href } : undefined;
  if (link.startsWith('#')) {
    const heading = decode(link.slice(1));
    return heading === undefined ? undefined : { href: link, heading: slugOf(heading) };
  }
  const path = resolvePath(folder, link);
  return path === undefined ? undefined : { href: hrefOf(path), path };
}

/** What a relative link names, seen from `folder`; undefined for what is none, or leads out of the tree. A leading slash is its top. */
export function resolvePath(folder: readonly string[], link: string): readonly string[] | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(link) || /^[/\\]{2}/.test(link) || link.includes('\\')) return undefined;
  const [path = ''] = link.split(/[?#]/, 1);
  if (path === '') return undefined;
  const found = path.startsWith('/') ? [] : [...folder];
  for (const part of path.split('/')) {
    const name = decode(part);
    if (name === undefined || /[/\\\0]/.test(name)) return undefined;
    if (name === '..' && found.pop() === undefined) return undefined;
    if (name !== '' && name !== '.' && name !== '..') found.push(name);
  }
  return found;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** As most programs name headings in links. */
export function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');
}
