/**
 * The client of the HTTP API, for the command line, the operator and the web application. One instance speaks to one server as one actor.
 * Answers have the shapes of `api/`; refusals are thrown as ClientError with the stable code.
 */
import { fetchTransport, type Transport, type TransportRequest } from '#client/transport.ts';

export interface ClientOptions {
  /** Of the server: `https://host/`. Any host will do for a transport that does not look at it. */
  readonly base: URL;
  /** API token or session token; undefined for a transport that is trusted by itself, or a browser with its cookie. */
  readonly token?: string | undefined;
  readonly transport?: Transport;
  readonly signal?: AbortSignal;
}

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface CallOptions {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is, with `contentType`. */
  readonly body?: Uint8Array<ArrayBuffer> | string | ReadableStream<Uint8Array>;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** What the server refused, as its problem+json says. `status` 0: the server was not reached. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly status: number;
  readonly code: string;
  readonly help: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(
    status: number,
    code: string,
    message: string,
    more: { help?: string | undefined; retryAfter?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.status = status;
    this.code = code;
    this.help = more.help;
    this.retryAfter = more.retryAfter;
  }
}

/** Path segments joined below the API, each percent-encoded; slashes inside of `path…` values are kept by `pathOf`. */
export function apiPath(strings: TemplateStringsArray, ...values: readonly (string | number)[]): string {
  return strings.reduce((text, part, index) => `${text}${encodeSegments(String(values[index - 1] ?? ''))}${part}`);
}

function encodeSegments(text: string): string {
  return text.split('/').map(encodeURIComponent).join('/');
}

export class Client {
  readonly base: URL;
  readonly #token: string | undefined;
  readonly #transport: Transport;
  readonly #signal: AbortSignal | undefined;

  constructor({ base, token, transport = fetchTransport, signal }: ClientOptions) {
    this.base = base;
    this.#token = token;
    this.#transport = transport;
    this.#signal = signal;
  }

  get<T>(path: string, query?: Query): Promise<T> {
    return this.call<T>('GET', path, query === undefined ? {} : { query });
  }

  post<T>(path: string, json?: unknown): Promise<T> {
    return this.call<T>('POST', path, { json: json ?? {} });
  }

  patch<T>(path: string, json: unknown): Promise<T> {
    return this.call<T>('PATCH', path, { json });
  }

  put<T>(path: string, json: unknown): Promise<T> {
    return this.call<T>('PUT', path, { json });
  }

  delete<T>(path: string, query?: Query): Promise<T> {
    return this.call<T>('DELETE', path, query === undefined ? {} : { query });
  }

  /** One request with a JSON answer; undefined for 204. Errors: ClientError. */
  async call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    const response = await this.send(method, path, options);
    if (response.status === 204) return undefined as T;
    return (await response.json()) as T;
  }

  /** The lines of an NDJSON answer, as they come. */
  async *lines<T>(method: string, path: string, options: CallOptions = {}): AsyncIterable<T> {
    const response = await this.send(method, path, options);
    for await (const line of splitLines(response)) yield JSON.parse(line) as T;
  }

  /** The `data` of the server-sent events of an answer, as they come. Ends with the answer. */
  async *events<T>(path: string, options: CallOptions = {}): AsyncIterable<T> {
    const response = await this.send('GET', path, { ...options, headers: { accept: 'text/event-stream', ...options.headers } });
    for await (const line of splitLines(response)) {
      if (line.startsWith('data:')) yield JSON.parse(line.slice(5)) as T;
    }
  }

  /** All items of a paged answer, page by page. `key` names the list in it. */
  async *pages<T>(path: string, key: string, query: Query = {}): AsyncIterable<T> {
    let cursor: string | undefined;
    do {
      const page = await this.get<Record<string, unknown> & { cursor?: string }>(path, { ...query, cursor });
      yield* page[key] as T[];
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  /** The answer itself, once it is known to be none of refusal. The caller reads or cancels its body. */
  async send(method: string, path: string, options: CallOptions = {}): Promise<Response> {
    const url = new URL(path.replace(/^\//, ''), this.base);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) url.searchParams.append(name, String(one));
    }
    const response = await this.#reach(url, this.#requestOf(method, options));
    if (response.status < 400) return response;
    throw await refusalOf(response);
  }

  #requestOf(method: string, options: CallOptions): TransportRequest {
    const body = options.json === undefined ? options.body : JSON.stringify(options.json);
    const contentType = options.json === undefined ? options.contentType : 'application/json';
    const signals = [this.#signal, options.signal].filter((one) => one !== undefined);
    return {
      method,
      headers: {
        accept: 'application/json, application/x-ndjson, */*',
        'x-requested-with': 'packageR',
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
        ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
        ...options.headers,
      },
      body,
      ...(signals.length === 0 ? {} : { signal: AbortSignal.any(signals) }),
    };
  }

  async #reach(url: URL, request: TransportRequest): Promise<Response> {
    try {
      return await this.#transport(url, request);
    } catch (cause) {
      if (request.signal?.aborted === true) throw new ClientError(0, 'cancelled', 'It was cancelled.', { cause });
      throw new ClientError(0, 'source_unavailable', `The server at ${url.host} does not answer.`, { cause });
    }
  }
}

async function refusalOf(response: Response): Promise<ClientError> {
  const problem = (await response.json().catch(() => ({}))) as { code?: unknown; detail?: unknown; title?: unknown; help?: unknown };
  const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
  const message = text(problem.detail) ?? text(problem.title) ?? `The server answered ${response.status}.`;
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  return new ClientError(response.status, text(problem.code) ?? 'internal', message, {
    help: text(problem.help),
    ...(Number.isFinite(retryAfter) ? { retryAfter } : {}),
  });
}

async function* splitLines(response: Response): AsyncIterable<string> {
  if (response.body === null) return;
  let rest = '';
  for await (const text of response.body.pipeThrough(new TextDecoderStream()) as unknown as AsyncIterable<string>) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield line;
  }
  if (rest !== '') yield rest;
}
