/**
 * The built web application: its page, filled in anew for each answer, and its files, whose names change with their content. They were
 * compressed when they were built. Where nothing was built there are none, and the server has no application.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';

/** A file as it may be sent: `encoding` as in Content-Encoding. */
export interface WebFile {
  readonly url: URL;
  readonly type: string;
  readonly encoding?: 'br' | 'gzip';
}

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
};
const encodings = { '.br': 'br', '.gz': 'gzip' } as const;

const isSource = import.meta.url.endsWith('.ts');

/** Where the build puts it: beside the bundled program. */
export const builtWeb: URL = new URL(isSource ? '../../dist/web/' : './web/', import.meta.url);

export class WebFiles {
  /** By name, then by ending of the compressed form; '' is the file itself. */
  readonly #files = new Map<string, Map<string, WebFile>>();
  readonly #page: string | undefined;

  /** `folder` holds `index.html` and `assets/`; it may be missing. */
  constructor(folder: URL) {
    this.#page = readOr(() => readFileSync(new URL('index.html', folder), 'utf8'));
    const assets = new URL('assets/', folder);
    for (const name of readOr(() => readdirSync(assets)) ?? []) this.#add(name, new URL(encodeURIComponent(name), assets));
  }

  get isBuilt(): boolean {
    return this.#page !== undefined;
  }

  /** The page, for a deployment below `root` (ends in a slash), with the nonce of its policy. */
  page(root: string, nonce: string): string {
    return (this.#page ?? '').replaceAll('%root%', root).replaceAll('%nonce%', nonce);
  }

  /** The smallest form that the client takes. `accepted`: its Accept-Encoding. */
  find(name: string, accepted = ''): WebFile | undefined {
    const forms = this.#files.get(name);
    const wanted = Object.entries(encodings).find(([ending, encoding]) => forms?.has(ending) === true && takes(accepted, encoding));
    return forms?.get(wanted?.[0] ?? '');
  }

  #add(name: string, url: URL): void {
    const ending = extname(name);
    const encoding = ending in encodings ? encodings[ending as keyof typeof encodings] : undefined;
    const plain = encoding === undefined ? name : name.slice(0, -ending.length);
    const type = types[extname(plain)];
    if (type === undefined) return;
    const forms = this.#files.get(plain) ?? new Map<string, WebFile>();
    forms.set(encoding === undefined ? '' : ending, { url, type, ...(encoding === undefined ? {} : { encoding }) });
    this.#files.set(plain, forms);
  }
}

/** RFC 9110, section 12.5.3: named, and not with a weight of zero. */
function takes(accepted: string, encoding: string): boolean {
  return accepted.split(',').some((one) => {
    const [name = '', weight = ''] = one.split(';');
    return name.trim() === encoding && !/^\s*q=0(\.0*)?\s*$/.test(weight);
  });
}

function readOr<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
