/**
 * The client of the HTTP API, for the command line and the web application: one server and one identity. Answers have the types of
 * `src/api/`; refusals are ClientErrors; what streams is read as it comes.
 */
import { parseProblem, unreachable } from './error.ts';
import { readEvents, readNdjson } from './streams.ts';
import { fetchTransport, type Transport, type TransportRequest, type TransportResponse } from './transport.ts';

export interface ClientOptions {
  /** Root of the server; ends in a slash. */
  readonly base: URL;
  /** A session or API token, sent as a header and nowhere else. */
  readonly token?: string | undefined;
  /** fetch where left out; or the unix socket. */
  readonly transport?: Transport | undefined;
  /** Ends every call. */
  readonly signal?: AbortSignal | undefined;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Call {
  /** What is undefined or false is left out. */
  readonly query?: Query | undefined;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly body?: TransportRequest['body'];
  readonly contentType?: string | undefined;
  readonly accept?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

const longestProblem = 64 * 1024;

export class Client {
  readonly base: URL;
  readonly #token: string | undefined;
  readonly #transport: Transport;
  readonly #signal: AbortSignal | undefined;

  constructor({ base, token, transport = fetchTransport(), signal }: ClientOptions) {
    this.base = base;
    this.#token = token;
    this.#transport = transport;
    this.#signal = signal;
  }

  get<T>(path: string, query?: Query): Promise<T> {
    return this.call('GET', path, { query });
  }

  post<T>(path: string, json?: unknown): Promise<T> {
    return this.call('POST', path, { json });
  }

  put<T>(path: string, json?: unknown): Promise<T> {
    return this.call('PUT', path, { json });
  }

  patch<T>(path: string, json: unknown): Promise<T> {
    return this.call('PATCH', path, { json });
  }

  delete<T>(path: string, query?: Query): Promise<T> {
    return this.call('DELETE', path, { query });
  }

  /** The JSON of the answer; undefined for one without a body. Errors: ClientError. */
  async call<T>(method: string, path: string, call: Call = {}): Promise<T> {
    const text = await readText((await this.send(method, path, call)).body);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** All items of a listing, page by page; `key` names the list in the answer. */
  async *pages<T>(path: string, key: string, query: Query = {}): AsyncGenerator<T> {
    let cursor: string | undefined;
    do {
      const page: Readonly<Record<string, unknown>> = await this.get(path, { ...query, cursor });
      yield* (page[key] ?? []) as T[];
      cursor = page['cursor'] as string | undefined;
    } while (cursor !== undefined);
  }

  /** An NDJSON answer, a value a line. Errors: ClientError, also for a stream that broke off. */
  async *lines<T>(method: string, path: string, call: Call = {}): AsyncGenerator<T> {
    yield* readNdjson<T>((await this.send(method, path, { accept: 'application/x-ndjson', ...call })).body);
  }

  /** Server-sent events, the data of each, until `end`. */
  async *events<T>(path: string, call: Call = {}): AsyncGenerator<T> {
    for await (const { event, data } of readEvents((await this.send('GET', path, { accept: 'text/event-stream', ...call })).body)) {
      if (event === 'end') return;
      yield data as T;
    }
  }

  /** An answer of status 2xx, its body unread. Errors: ClientError; what the signal aborts with. */
  async send(method: string, path: string, call: Call = {}): Promise<TransportResponse> {
    const url = new URL(path, this.base);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined && value !== false) url.searchParams.set(name, String(value));
    }
    const body = call.json === undefined ? call.body : JSON.stringify(call.json);
    const contentType = call.json === undefined ? call.contentType : 'application/json';
    const headers = {
      accept: call.accept ?? 'application/json',
      'x-requested-with': 'packageR',
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
      ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
      ...call.headers,
    };
    const response = await this.#attempt({ method, url, headers, body, signal: call.signal ?? this.#signal });
    if (response.status >= 200 && response.status < 300) return response;
    throw parseProblem(response.status, await readText(response.body, longestProblem), response.header('retry-after'));
  }

  async #attempt(request: TransportRequest): Promise<TransportResponse> {
    try {
      return await this.#transport(request);
    } catch (cause) {
      if (request.signal?.aborted === true) throw cause;
      throw unreachable(cause);
    }
  }
}

/** A path below the base, its values percent-encoded; slashes within a value stay, so that a value may be a path. */
export function apiPath(strings: TemplateStringsArray, ...values: readonly (string | number)[]): string {
  return strings.reduce((path, part, index) => `${path}${encode(String(values[index - 1]))}${part}`);
}

function encode(value: string): string {
  return value.split('/').map(encodeSegment).join('/');
}

/** `.` and `..` would be taken as steps of the URL: they are sent in a form that the server refuses. */
function encodeSegment(text: string): string {
  if (text === '.' || text === '..') return text.replaceAll('.', '%252E');
  return encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}

async function readText(body: AsyncIterable<Uint8Array>, most: number = Number.MAX_SAFE_INTEGER): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > most) break;
  }
  return text + decoder.decode();
}
