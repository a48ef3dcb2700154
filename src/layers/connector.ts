/**
 * The one way out. The name is resolved here, each address is checked, and the connection goes to a checked address and to no
 * other; the address of the socket is checked once more before a byte is sent.
 */
import http from 'node:http';
import https from 'node:https';
import { isIP, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { abortError, throwIfAborted } from '#drivers/abort.ts';
import type { Connector, OutboundRequest, OutboundResponse } from '#drivers/connector.ts';
import { asError, PackageRError } from '#errors/error.ts';
import { AgentPool, type Resolve, resolveBySystem } from '#layers/agent-pool.ts';
import { EndpointList, hostOf } from '#layers/endpoints.ts';

export interface ConnectorOptions {
  /** The setting `endpoints.allow`: see EndpointList. */
  readonly allow?: readonly string[];
  /** Refuse also public addresses that are not listed. */
  readonly exclusive?: boolean;
  readonly resolve?: Resolve;
  /** Connections to one host at once; 64 where left out. */
  readonly connections?: number;
  /** Milliseconds for the look-up of the name, the connection and the handshake together; 5 s where left out. */
  readonly connectTimeout?: number;
}

interface Ways {
  readonly list: EndpointList;
  readonly pool: AgentPool;
  readonly connectTimeout: number;
}

const operation = 'connector.request';
const headTimeout = 15_000;
/** A request that stops moving while it is sent. */
const idleTimeout = 30_000;

/** Errors: config_invalid for a rule that is none. */
export function createConnector(options: ConnectorOptions = {}): Connector {
  const list = new EndpointList(options.allow ?? [], options.exclusive ?? false);
  const pool = new AgentPool(list, options.resolve ?? resolveBySystem, options.connections ?? 64);
  const ways = { list, pool, connectTimeout: options.connectTimeout ?? 5000 };
  return {
    async request(request) {
      throwIfAborted(request.signal);
      check(request, list);
      try {
        return await send(request, ways, false);
      } catch (error) {
        if (!(error instanceof Stale)) throw error;
        if (!maySendAgain(request)) throw error.mapped;
        return await send(request, ways, true);
      }
    },
    close: async () => pool.close(),
  };
}

function check({ url, target }: OutboundRequest, list: EndpointList): void {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refused(`The scheme ${url.protocol} is not spoken.`);
  if (url.username !== '' || url.password !== '') throw refused('An address must not hold a name or password.');
  if (target !== undefined && !/^\/[!"$-~]*$/.test(target)) {
    const message = 'A request target begins with a slash and holds no spaces, control characters or “#”, and nothing beyond ASCII.';
    throw new PackageRError('request_invalid', message, { operation });
  }
  const host = hostOf(url);
  if (isIP(host) !== 0 && !list.allows(host, host, portOf(url))) throw list.refusal(host, host, portOf(url));
}

/** A kept connection that the store had closed meanwhile: no byte of an answer came. */
class Stale extends Error {
  readonly mapped: PackageRError;

  constructor(mapped: PackageRError) {
    super(mapped.message);
    this.mapped = mapped;
  }
}

/** Whether to say it twice does no more than to say it once (RFC 9110, section 9.2.2); a condition would be met only the first time. */
function maySendAgain({ method, body, headers = {} }: OutboundRequest): boolean {
  if (['GET', 'HEAD', 'OPTIONS'].includes(method)) return body === undefined || body instanceof Uint8Array;
  const isConditional = Object.keys(headers).some((name) => /^if-/i.test(name));
  return ['PUT', 'DELETE'].includes(method) && !isConditional && (body === undefined || body instanceof Uint8Array);
}

function send(request: OutboundRequest, { list, pool, connectTimeout }: Ways, fresh: boolean): Promise<OutboundResponse> {
  const { url, target, method, headers, signal, body } = request;
  const { promise, resolve, reject } = Promise.withResolvers<OutboundResponse>();
  const speak = url.protocol === 'https:' ? https.request : http.request;
  const outgoing = speak(url, {
    method,
    headers: { ...headers },
    agent: pool.get(request, fresh),
    lookup: pool.lookup(portOf(url)),
    ...(target !== undefined && { path: target }),
    ...(signal && { signal }),
  });
  // Node says nothing of a request that ends while it waits for a connection, so it is said here.
  const fail = (error: PackageRError): void => {
    watch.end();
    reject(error);
    outgoing.destroy(error);
  };
  const watch = new Watch({ outgoing, fail, signal, head: request.timeout ?? headTimeout, connect: connectTimeout });
  outgoing.once('socket', (socket: Socket) => {
    const checkAddress = (): void => {
      const host = hostOf(url);
      const address = socket.remoteAddress ?? '';
      if (!list.allows(host, address, portOf(url))) fail(list.refusal(host, address || host, portOf(url)));
    };
    if (socket.connecting) socket.prependOnceListener('connect', checkAddress);
    else checkAddress();
    watch.connecting(socket, url.protocol === 'https:' ? 'secureConnect' : 'connect');
  });
  outgoing.once('response', (incoming) => {
    watch.end();
    const flat: Record<string, string> = {};
    for (const [name, value] of Object.entries(incoming.headers)) flat[name] = Array.isArray(value) ? value.join(', ') : (value ?? '');
    resolve({ status: incoming.statusCode ?? 0, headers: flat, body: mapped(incoming, signal) });
  });
  outgoing.on('error', (error) => {
    const known = mapError(error, signal);
    reject(outgoing.reusedSocket && isReset(error) && !signal?.aborted ? new Stale(known) : known);
  });
  outgoing.once('close', () => {
    if (!watch.isOver) reject(mapError(undefined, signal));
    watch.end();
  });
  sendBody(outgoing, body);
  return promise;
}

function sendBody(outgoing: http.ClientRequest, body: OutboundRequest['body']): void {
  if (body === undefined || body instanceof Uint8Array) {
    outgoing.end(body);
    return;
  }
  const source = Readable.from(body, { objectMode: false });
  source.once('error', (error) => outgoing.destroy(asError(error, operation)));
  outgoing.once('close', () => source.destroy());
  source.pipe(outgoing);
}

interface WatchOptions {
  readonly outgoing: http.ClientRequest;
  fail(error: PackageRError): void;
  readonly signal: AbortSignal | undefined;
  readonly head: number;
  readonly connect: number;
}

/**
 * Until the head of the answer is there: one timer after the other (for a free connection, for connecting, for a request that stops
 * moving, for the answer), and the caller’s signal. From then on the body has both.
 */
class Watch {
  isOver = false;
  readonly #options: WatchOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WatchOptions) {
    const { outgoing, fail, signal, head } = options;
    this.#options = options;
    this.#start(head, 'No connection became free');
    outgoing.setTimeout(idleTimeout, () => fail(late('The request did not move on', idleTimeout)));
    outgoing.once('finish', () => {
      outgoing.setTimeout(0);
      this.#start(head, 'No answer');
    });
    signal?.addEventListener('abort', this.#abort, { once: true });
  }

  connecting(socket: Socket, done: 'connect' | 'secureConnect'): void {
    const { outgoing, head, connect } = this.#options;
    if (!socket.connecting) {
      this.#start(head, 'No answer');
      return;
    }
    this.#start(connect, 'No connection');
    const connected = (): void => clearTimeout(this.#timer);
    socket.once(done, connected);
    outgoing.once('close', () => socket.off(done, connected));
  }

  end(): void {
    const { outgoing, signal } = this.#options;
    this.isOver = true;
    clearTimeout(this.#timer);
    outgoing.setTimeout(0);
    signal?.removeEventListener('abort', this.#abort);
  }

  readonly #abort = (): void => {
    const { fail, signal } = this.#options;
    if (signal !== undefined) fail(abortError(signal));
  };

  #start(limit: number, what: string): void {
    clearTimeout(this.#timer);
    if (!this.isOver) this.#timer = setTimeout(() => this.#options.fail(late(what, limit)), limit);
  }
}

function late(what: string, limit: number): PackageRError {
  return new PackageRError('timeout', `${what} within ${limit / 1000} s.`, { operation, retry: 'temporary' });
}

/** The body as Node gives it, since listings of many pages come this way, but with our errors; to destroy it closes the connection. */
function mapped(incoming: http.IncomingMessage, signal: AbortSignal | undefined): Readable {
  const destroy = incoming.destroy.bind(incoming);
  incoming.destroy = (error) => destroy(error === undefined || error === null ? undefined : mapError(error, signal));
  incoming.on('error', () => undefined);
  return incoming;
}

function isReset(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ECONNRESET' || code === 'EPIPE';
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function mapError(error: unknown, signal: AbortSignal | undefined): PackageRError {
  if (error instanceof PackageRError) return error;
  if (signal?.aborted) return abortError(signal);
  const code = codeOf(error);
  const isTrust = /CERT|TLS|SSL|UNABLE_TO|SELF_SIGNED|EPROTO|ALTNAME/.test(code);
  const message = isTrust
    ? `The certificate of the store was not accepted (${code}).`
    : `The store could not be reached (${code || 'fault'}).`;
  return new PackageRError('source_unavailable', message, { operation, retry: isTrust ? 'permanent' : 'temporary', cause: error });
}

function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
}

function refused(message: string): PackageRError {
  return new PackageRError('endpoint_refused', message, { operation });
}
