/**
 * A link as somebody was given it: `https://host/s/ID`, perhaps with a ticket, or `https://host/p/namespace/name@3` for people with a
 * token. It opens the locked ones, accepts terms, and gives the manifest.
 */
import { PackageRError } from '#errors/error.ts';
import { encodePath, type Path, parsePath, root } from '#model/path.ts';
import type { Secret } from '#model/secret.ts';
import { answerFault } from './answer-fault.ts';
import { connectionFault, dismiss, type Hop, readText, redirectOf, sendHop } from './http.ts';
import { longestLine } from './lines.ts';
import type { Part } from './part.ts';
import { withRetries } from './retries.ts';

export interface LinkQuestions {
  /** Asked once per try when the share is locked; undefined gives up. */
  password(wrong: boolean): Promise<Secret | undefined>;
  /** Shown the terms, says whether they are accepted. */
  accept(terms: string): Promise<boolean>;
}

export interface LinkOptions {
  /** The token for this address, where there is one for it. */
  tokenFor(base: URL): Secret | undefined;
  /** Tries in a row that bring nothing before the link is given up. */
  readonly tries: number;
  readonly signal: AbortSignal;
}

const form = /^(.*?)\/(s\/[A-Za-z0-9_-]{8,64}(?:~[A-Za-z0-9_-]+)?|p\/[a-z0-9._-]+\/[a-z0-9._-]+@(?:[0-9]+|latest))(\/.*)?$/;
const maxRedirects = 5;

export class ShareLink {
  readonly #options: LinkOptions;
  readonly #token: Secret | undefined;
  #base: URL;

  private constructor(base: URL, token: Secret | undefined, options: LinkOptions) {
    this.#base = base;
    this.#token = token;
    this.#options = options;
  }

  /** `path` is what a stable URL names below its link; the root for the link itself. Errors: argument_invalid. */
  static parse(text: string, options: LinkOptions): { readonly link: ShareLink; readonly path: Path } {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const match = url === undefined ? null : form.exec(url.pathname);
    if (url === undefined || match === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
      throw new PackageRError('argument_invalid', 'This is no link of a share: it should look like https://host/s/ID.');
    }
    const [, prefix, place = '', tail = ''] = match;
    const base = new URL(`${prefix}/${place}/`, url.origin);
    const token = options.tokenFor(base);
    return { link: new ShareLink(base, token, options), path: tail.startsWith('/o/') ? decodePath(tail.slice('/o/'.length)) : root };
  }

  get signal(): AbortSignal {
    return this.#options.signal;
  }

  /** Whether a pointer file with this base belongs to it: a ticket is no part of that. */
  isOf(base: string): boolean {
    return this.#base.href.replace(/(\/s\/[^/~]+)~[^/]*\/$/, '$1/') === `${base}/`;
  }

  /** The stable URL of an entry. */
  urlOf(path: Path): URL {
    return new URL(`o/${encodePath(path)}`, this.#base);
  }

  /** Where many entries are exchanged at once. */
  get exchangeUrl(): URL {
    return new URL('exchange', this.#base);
  }

  /** What may be sent to this address: the token to its own link alone, whatever host a redirect names. */
  headersFor(url: URL): Readonly<Record<string, string>> {
    const isOurs = url.origin === this.#base.origin && url.pathname.startsWith(this.#base.pathname);
    return this.#token === undefined || !isOurs ? {} : { authorization: `Bearer ${this.#token.reveal()}` };
  }

  /** Asks for the password, and for the acceptance of terms, where they are needed. To be called before anything else. */
  async open(questions: LinkQuestions): Promise<void> {
    if (!this.#base.pathname.includes('/s/')) return;
    const about = await this.#describe(questions);
    if (about.needsAcceptance !== true) return;
    if (!(await questions.accept(about.terms ?? ''))) throw new PackageRError('terms_not_accepted');
    const hop = await this.#post('accept', {});
    if (hop.status >= 400) throw await answerFault(hop);
    dismiss(hop);
  }

  /**
   * Appends the manifest to `part`, from its size on where the server can, and tries again what breaks off.
   * Errors: manifest_invalid for a line without an end.
   */
  async readManifest(part: Part): Promise<void> {
    const { tries, signal } = this.#options;
    await withRetries(() => this.#readManifest(part), { tries, signal, reached: () => part.size });
  }

  async #readManifest(part: Part): Promise<void> {
    const hop = await this.#get('manifest.jsonl', part.size === 0 ? {} : { range: `bytes=${part.size}-` });
    if (hop.status === 200) await part.restart();
    else if (hop.status !== 206 || !hop.headers['content-range']?.startsWith(`bytes ${part.size}-`)) throw await answerFault(hop);
    let lineBytes = 0;
    try {
      for await (const chunk of hop.body as AsyncIterable<Buffer>) {
        const end = chunk.lastIndexOf(10);
        lineBytes = end < 0 ? lineBytes + chunk.length : chunk.length - end - 1;
        if (lineBytes > longestLine) throw new PackageRError('manifest_invalid', 'A line of the manifest has no end.');
        await part.append(chunk);
      }
    } catch (error) {
      if (error instanceof PackageRError) throw error;
      throw connectionFault(this.#base, error, this.signal);
    } finally {
      hop.body.destroy();
    }
    if (!hop.body.complete) throw new PackageRError('source_unavailable', 'The manifest was cut off.', { retry: 'temporary' });
  }

  async #describe(questions: LinkQuestions): Promise<{ readonly terms?: string; readonly needsAcceptance?: boolean }> {
    for (let locked = 0; ; locked++) {
      const { tries, signal } = this.#options;
      const text = await withRetries(
        async () => {
          const hop = await this.#get('api');
          if (hop.status === 200) return await this.#readAnswer(hop);
          const fault = await answerFault(hop);
          if (fault.code === 'share_locked' && locked < 3) return undefined;
          throw fault;
        },
        { tries, signal, reached: () => 0 },
      );
      if (text !== undefined) return parseAnswer(text);
      await this.#unlock(questions);
    }
  }

  async #readAnswer(hop: Hop): Promise<string> {
    try {
      return await readText(hop.body);
    } catch (error) {
      throw error instanceof PackageRError ? error : connectionFault(this.#base, error, this.signal);
    }
  }

  /** Follows redirects of the link itself (to https, to another name), except with a token, which stays where it belongs. */
  async #get(name: string, headers: Readonly<Record<string, string>> = {}): Promise<Hop> {
    for (let redirects = 0; redirects <= maxRedirects; redirects++) {
      const url = new URL(name, this.#base);
      const hop = await sendHop({ url, headers: { ...headers, ...this.headersFor(url) }, signal: this.signal });
      const to = redirectOf(hop, url);
      if (to === undefined) return hop;
      const base = new URL('.', to);
      const isLink = to.pathname.endsWith(`/${name}`) && form.test(base.pathname);
      if (!isLink || (this.#token !== undefined && to.origin !== this.#base.origin))
        throw new PackageRError('store_response', 'The server leads from the link to something else; it was not followed.');
      this.#base = base;
    }
    throw new PackageRError('store_response', `More than ${maxRedirects} redirects.`);
  }

  async #unlock(questions: LinkQuestions): Promise<void> {
    for (let wrong = false; ; wrong = true) {
      const password = await questions.password(wrong);
      if (password === undefined) throw new PackageRError(wrong ? 'share_password_wrong' : 'share_locked');
      const hop = await this.#post('unlock', { password: password.reveal() });
      if (hop.status === 200) {
        const { listTicket } = parseAnswer(await this.#readAnswer(hop));
        if (typeof listTicket !== 'string' || !/^[A-Za-z0-9_-]+$/.test(listTicket)) throw notOurs();
        this.#base = new URL(this.#base.pathname.replace(/\/s\/([^/~]+)[^/]*\/$/, `/s/$1~${listTicket}/`), this.#base.origin);
        return;
      }
      const fault = await answerFault(hop);
      if (fault.code !== 'share_password_wrong') throw fault;
    }
  }

  #post(name: string, value: object): Promise<Hop> {
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    return sendHop({ method: 'POST', url: new URL(name, this.#base), headers, body: JSON.stringify(value), signal: this.signal });
  }
}

interface Answer {
  readonly terms?: string;
  readonly needsAcceptance?: boolean;
  readonly listTicket?: unknown;
}

function parseAnswer(text: string): Answer {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below.
  }
  throw notOurs();
}

function notOurs(): PackageRError {
  return new PackageRError('store_response', 'The server gave an answer that cannot be understood. Is it packageR?');
}

function decodePath(text: string): Path {
  try {
    return parsePath(decodeURIComponent(text).replace(/\/$/, ''));
  } catch {
    throw new PackageRError('argument_invalid', 'What the link names below …/o/ is no path.');
  }
}
