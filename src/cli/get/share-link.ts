/**
 * A link as somebody was given it: `https://host/s/ID`, perhaps with a ticket, or `https://host/p/namespace/name@3` for people with a
 * token. It opens the locked ones, accepts terms, and gives the manifest.
 */
import { createInterface } from 'node:readline';
import { PackageRError } from '#errors/error.ts';
import { type ErrorCode, errorTable } from '#errors/table.ts';
import { type ManifestLine, parseManifestLine } from '#model/manifest.ts';
import { encodePath, type Path } from '#model/path.ts';
import type { Secret } from '#model/secret.ts';
import { connectionFault, type Hop, readText, retryAfterOf, sendHop } from './http.ts';

export interface LinkQuestions {
  /** Asked once per try when the share is locked; undefined gives up. */
  password(wrong: boolean): Promise<Secret | undefined>;
  /** Shown the terms, says whether they are accepted. */
  accept(terms: string): Promise<boolean>;
}

const form = /^(.*)\/(s\/[A-Za-z0-9_-]{8,64}(?:~[A-Za-z0-9_-]+)?|p\/[a-z0-9._-]+\/[a-z0-9._-]+@(?:[0-9]+|latest))(?:\/.*)?$/;

export class ShareLink {
  readonly signal: AbortSignal;
  #base: URL;
  readonly #token: Secret | undefined;

  private constructor(base: URL, token: Secret | undefined, signal: AbortSignal) {
    this.#base = base;
    this.#token = token;
    this.signal = signal;
  }

  /** `token` is sent to `/p/` links only. Errors: argument_invalid. */
  static parse(text: string, options: { readonly token?: Secret | undefined; readonly signal: AbortSignal }): ShareLink {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const match = url === undefined ? null : form.exec(url.pathname);
    if (url === undefined || match === null || !/^https?:$/.test(url.protocol)) {
      throw new PackageRError('argument_invalid', 'This is no link of a share: it should look like https://host/s/ID.');
    }
    const base = new URL(`${match[1]}/${match[2]}/`, url.origin);
    const token = match[2]?.startsWith('p/') === true ? options.token : undefined;
    return new ShareLink(base, token, options.signal);
  }

  /** The stable URL of an entry. */
  urlOf(path: Path): URL {
    return new URL(`o/${encodePath(path)}`, this.#base);
  }

  /** Where many entries are exchanged at once. */
  get exchangeUrl(): URL {
    return new URL('exchange', this.#base);
  }

  /** Headers for packageR itself; never to be sent to where it redirects. */
  get headers(): Readonly<Record<string, string>> {
    return this.#token === undefined ? {} : { authorization: `Bearer ${this.#token.reveal()}` };
  }

  /** The lines of the manifest, streamed. Asks for the password, and for the acceptance of terms, when they are needed. */
  async *manifest(questions: LinkQuestions): AsyncIterable<ManifestLine> {
    await this.#acceptTerms(questions);
    const hop = await this.#open('manifest.jsonl', questions);
    try {
      for await (const line of createInterface({ input: hop.body, crlfDelay: Number.POSITIVE_INFINITY })) {
        if (line !== '') yield parseManifestLine(line);
      }
    } catch (error) {
      if (error instanceof PackageRError) throw error;
      throw connectionFault(this.#base, error, this.signal);
    } finally {
      hop.body.destroy();
    }
    if (!hop.body.complete) throw new PackageRError('source_unavailable', 'The manifest was cut off.', { retry: 'temporary' });
  }

  /** Says what the link itself tells: needed to know of terms before the first byte. */
  async #acceptTerms(questions: LinkQuestions): Promise<void> {
    if (this.#token !== undefined || !/\/s\/[^/]+\/$/.test(this.#base.pathname)) return;
    const about = JSON.parse(await readText((await this.#open('api', questions)).body)) as { terms?: string; needsAcceptance?: boolean };
    if (about.needsAcceptance !== true) return;
    if (!(await questions.accept(about.terms ?? ''))) throw new PackageRError('terms_not_accepted');
    const hop = await sendHop({
      method: 'POST',
      url: new URL('accept', this.#base),
      headers: { 'content-type': 'application/json' },
      body: '{}',
      signal: this.signal,
    });
    if (hop.status >= 400) throw await answerFault(hop);
    hop.body.resume();
  }

  async #open(name: string, questions: LinkQuestions): Promise<Hop> {
    for (let tries = 0; ; tries++) {
      const hop = await sendHop({ url: new URL(name, this.#base), headers: this.headers, signal: this.signal });
      if (hop.status === 200) return hop;
      const fault = await answerFault(hop);
      if (fault.code !== 'share_locked' || tries >= 4) throw fault;
      await this.#unlock(questions);
    }
  }

  async #unlock(questions: LinkQuestions): Promise<void> {
    for (let wrong = false; ; wrong = true) {
      const password = await questions.password(wrong);
      if (password === undefined) throw new PackageRError('share_locked');
      const hop = await sendHop({
        method: 'POST',
        url: new URL('unlock', this.#base),
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify({ password: password.reveal() }),
        signal: this.signal,
      });
      if (hop.status === 200) {
        const { listTicket } = JSON.parse(await readText(hop.body)) as { listTicket: string };
        const [id] = (/\/s\/([^/~]+)/.exec(this.#base.pathname) ?? []).slice(1);
        this.#base = new URL(`${this.#base.pathname.replace(/\/s\/[^/]+\/$/, '')}/s/${id}~${listTicket}/`, this.#base.origin);
        return;
      }
      const fault = await answerFault(hop);
      if (fault.code !== 'share_password_wrong') throw fault;
    }
  }
}

/** The error that a problem+json answer stands for; a plain status where the body is none. */
export async function answerFault(hop: Hop): Promise<PackageRError> {
  const text = await readText(hop.body, 64 * 1024).catch(() => '');
  const retryAfter = retryAfterOf(hop.headers);
  const isTemporary = hop.status === 429 || hop.status >= 500;
  const options = { ...(isTemporary ? { retry: 'temporary' as const } : {}), ...(retryAfter === undefined ? {} : { retryAfter }) };
  const problem = parseProblem(text);
  if (problem !== undefined) return new PackageRError(problem.code, problem.detail, options);
  const code: ErrorCode = hop.status === 404 ? 'not_found' : hop.status === 403 ? 'forbidden' : 'source_unavailable';
  return new PackageRError(code, `The server answered ${hop.status}.`, options);
}

function parseProblem(text: string): { code: ErrorCode; detail?: string } | undefined {
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    if (typeof code !== 'string' || !Object.hasOwn(errorTable, code)) return undefined;
    return { code: code as ErrorCode, ...(typeof detail === 'string' ? { detail } : {}) };
  } catch {
    return undefined;
  }
}
