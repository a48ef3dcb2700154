/**
 * The one way out. The name is resolved here, each address is checked, and the connection goes to a checked address and to no
 * other; the address of the socket is checked once more before a byte is sent.
 */
import { lookup as systemLookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { rootCertificates } from 'node:tls';
import { abortError, throwIfAborted } from '#drivers/abort.ts';
import type { Connector, OutboundRequest, OutboundResponse } from '#drivers/connector.ts';
import { PackageRError } from '#errors/error.ts';
import { EndpointList, hostOf } from '#layers/endpoints.ts';

export type Resolve = (host: string) => Promise<readonly string[]>;

export interface ConnectorOptions {
  /** The setting `endpoints.allow`: see EndpointList. */
  readonly allow?: readonly string[];
  /** Refuse also public addresses that are not listed. */
  readonly exclusive?: boolean;
  readonly resolve?: Resolve;
  /** Connections to one host at once; 64 where left out. */
  readonly connections?: number;
}

const operation = 'connector.request';
const headTimeout = 15_000;

const resolveBySystem: Resolve = async (host) => (await systemLookup(host, { all: true, verbatim: true })).map((one) => one.address);

/** Errors: config_invalid for a rule that is none. */
export function createConnector(options: ConnectorOptions = {}): Connector {
  const list = new EndpointList(options.allow ?? [], options.exclusive ?? false);
  const pool = new AgentPool(list, options.resolve ?? resolveBySystem, options.connections ?? 64);
  return {
    async request(request) {
      throwIfAborted(request.signal);
      const { url } = request;
      if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refused(`The scheme ${url.protocol} is not spoken.`);
      if (url.username !== '' || url.password !== '') throw refused('An address must not hold a name or password.');
      const host = hostOf(url);
      if (isIP(host) !== 0 && !list.allows(host, host, portOf(url))) throw notAllowed(host);
      return send(pool, list, request);
    },
    close: async () => pool.close(),
  };
}

function send(pool: AgentPool, list: EndpointList, request: OutboundRequest): Promise<OutboundResponse> {
  const { url, method, headers, signal, body } = request;
  const { promise, resolve, reject } = Promise.withResolvers<OutboundResponse>();
  const speak = url.protocol === 'https:' ? https.request : http.request;
  const outgoing = speak(url, {
    method,
    headers: { ...headers },
    agent: pool.get(request),
    lookup: pool.lookup(portOf(url)),
    ...(signal && { signal }),
  });
  const limit = request.timeout ?? headTimeout;
  const timer = setTimeout(() => {
    outgoing.destroy(new PackageRError('timeout', `No answer within ${limit / 1000} s.`, { operation, retry: 'temporary' }));
  }, limit);
  outgoing.once('socket', (socket: Socket) => {
    const check = (): void => {
      const address = socket.remoteAddress;
      if (address === undefined || !list.allows(hostOf(url), address, portOf(url))) outgoing.destroy(notAllowed(hostOf(url)));
    };
    if (socket.connecting) socket.prependOnceListener('connect', check);
    else check();
  });
  outgoing.once('response', (incoming) => {
    clearTimeout(timer);
    const flat: Record<string, string> = {};
    for (const [name, value] of Object.entries(incoming.headers)) flat[name] = Array.isArray(value) ? value.join(', ') : (value ?? '');
    resolve({ status: incoming.statusCode ?? 0, headers: flat, body: mapped(incoming, signal) });
  });
  outgoing.on('error', (error) => {
    clearTimeout(timer);
    reject(mapError(error, signal));
  });
  outgoing.once('close', () => clearTimeout(timer));
  if (body === undefined || body instanceof Uint8Array) outgoing.end(body);
  else {
    const source = Readable.from(body, { objectMode: false });
    source.once('error', (error) => outgoing.destroy(error));
    outgoing.once('close', () => source.destroy());
    source.pipe(outgoing);
  }
  return promise;
}

/** The body with our errors; to destroy it closes the connection. */
function mapped(incoming: http.IncomingMessage, signal: AbortSignal | undefined): Readable {
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* incoming;
    } catch (error) {
      throw mapError(error, signal);
    }
  };
  incoming.on('error', () => undefined);
  const body = Readable.from(chunks(), { objectMode: false });
  body.once('close', () => incoming.destroy());
  return body;
}

function mapError(error: unknown, signal: AbortSignal | undefined): PackageRError {
  if (error instanceof PackageRError) return error;
  if (signal?.aborted) return abortError(signal);
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const isTrust = /CERT|TLS|SSL|UNABLE_TO|SELF_SIGNED|EPROTO|ALTNAME/.test(code);
  const message = isTrust
    ? `The certificate of the store was not accepted (${code}).`
    : `The store could not be reached (${code || 'fault'}).`;
  return new PackageRError('source_unavailable', message, { operation, retry: isTrust ? 'permanent' : 'temporary', cause: error });
}

/** Keep-alive connections, apart for each kind of trust: a socket opened without verification never serves a call that wants it. */
class AgentPool {
  readonly #agents = new Map<string, http.Agent>();
  readonly #list: EndpointList;
  readonly #resolve: Resolve;
  readonly #connections: number;

  constructor(list: EndpointList, resolve: Resolve, connections: number) {
    this.#list = list;
    this.#resolve = resolve;
    this.#connections = connections;
  }

  get({ url, ca, insecure = false }: OutboundRequest): http.Agent {
    const isTls = url.protocol === 'https:';
    const trust = isTls ? `${insecure} ${ca ?? ''}` : 'plain';
    const known = this.#agents.get(trust);
    if (known !== undefined) return known;
    const base = { keepAlive: true, maxSockets: this.#connections };
    const authorities = ca === undefined ? {} : { ca: [...rootCertificates, ca] };
    const agent = isTls ? new https.Agent({ ...base, ...authorities, rejectUnauthorized: !insecure }) : new http.Agent(base);
    this.#agents.set(trust, agent);
    return agent;
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  /** Answers with checked addresses only; what is answered here is what is dialled. */
  lookup(port: number): LookupFunction {
    return (host, options, done) => {
      this.#resolve(host)
        .then((found) => {
          const plain = host.toLowerCase().replace(/\.$/, '');
          const wanted = found.filter((address) => !options.family || isIP(address) === Number(options.family));
          const allowed = wanted.filter((address) => this.#list.allows(plain, address, port));
          const [first] = allowed;
          if (first === undefined)
            throw found.length > 0 ? notAllowed(plain) : Object.assign(new Error('no address'), { code: 'ENOTFOUND' });
          if (options.all)
            done(
              null,
              allowed.map((address) => ({ address, family: isIP(address) })),
            );
          else done(null, first, isIP(first));
        })
        .catch((error: NodeJS.ErrnoException) => done(error, '', 0));
    };
  }
}

function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
}

function refused(message: string): PackageRError {
  return new PackageRError('endpoint_refused', message, { operation });
}

function notAllowed(host: string): PackageRError {
  const message = `The address of ${JSON.stringify(host.slice(0, 255))} is not allowed; an administrator can add the host to the setting endpoints.allow.`;
  return new PackageRError('endpoint_refused', message, { operation, context: { host, setting: 'endpoints.allow' } });
}
