/**
 * Plain HTTP for `get`: one hop at a time, so that no header meant for packageR ever reaches a store, and bytes are taken as they are
 * (fetch would undo a stored content encoding, and sizes and checksums would no longer hold).
 */
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PackageRError } from '#errors/error.ts';

export interface Hop {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** To be read to its end or destroyed. */
  readonly body: IncomingMessage;
}

export interface HopRequest {
  readonly method?: 'GET' | 'POST';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** An iterable is sent as it comes, while the answer may begin already. */
  readonly body?: string | AsyncIterable<string>;
  readonly signal: AbortSignal;
}

/** Milliseconds without a byte after which a connection is given up. */
const idleTimeout = 60_000;

const agentOptions = { keepAlive: true, maxSockets: 64, proxyEnv: process.env };
const agents = { http: new HttpAgent(agentOptions), https: new HttpsAgent(agentOptions) };

/**
 * One request, no redirect followed.
 * Errors: source_unavailable (temporary) for every fault of the connection, store_response for an address that is no http(s), cancelled.
 */
export function sendHop({ method = 'GET', url, headers = {}, body, signal }: HopRequest): Promise<Hop> {
  const isTls = url.protocol === 'https:';
  if (!isTls && url.protocol !== 'http:') {
    return Promise.reject(new PackageRError('store_response', 'A redirect leads to an address that is neither http nor https.'));
  }
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => reject(connectionFault(url, cause, signal));
    const options = {
      method,
      headers: { 'user-agent': 'package-r-get', 'accept-encoding': 'identity', ...headers },
      signal,
      agent: isTls ? agents.https : agents.http,
    };
    const outgoing = (isTls ? requestHttps : requestHttp)(url, options, (body) => {
      const flat = Object.fromEntries(
        Object.entries(body.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
      );
      resolve({ status: body.statusCode ?? 0, headers: flat, body });
    });
    outgoing.setTimeout(idleTimeout, () => outgoing.destroy(new Error('idle')));
    outgoing.on('error', fail);
    if (body === undefined || typeof body === 'string') outgoing.end(body);
    else pipeline(Readable.from(body), outgoing).catch(fail);
  });
}

/** Where an answer leads, or undefined. Errors: store_response for an address that cannot be read, or one that leaves https. */
export function redirectOf(hop: Hop, from: URL): URL | undefined {
  const { location } = hop.headers;
  if (hop.status < 300 || hop.status >= 400 || location === undefined) return undefined;
  dismiss(hop);
  if (!URL.canParse(location, from.href)) throw new PackageRError('store_response', 'A redirect leads to no valid address.');
  const to = new URL(location, from);
  if (from.protocol === 'https:' && to.protocol !== 'https:')
    throw new PackageRError('store_response', 'A redirect leads from https to an address without it; it was not followed.');
  return to;
}

/** Lets go of a body that nobody reads: a short one is read away, so that the connection can be used again. */
export function dismiss(hop: Hop): void {
  const length = Number(hop.headers['content-length'] ?? Number.NaN);
  if (length <= 16_384) hop.body.resume();
  else hop.body.destroy();
}

/** The host is named, the rest of the URL is not: it may carry a ticket or a signature. */
export function connectionFault(url: URL, cause: unknown, signal: AbortSignal): PackageRError {
  if (signal.aborted) return new PackageRError('cancelled', undefined, { cause });
  const code = (cause as { code?: unknown }).code;
  const detail = typeof code === 'string' ? ` (${code})` : '';
  return new PackageRError('source_unavailable', `The connection to ${url.host} failed${detail}.`, { retry: 'temporary', cause });
}

/** Up to `limit` bytes of an answer, as text. */
export async function readText(body: AsyncIterable<Buffer>, limit = 1024 * 1024): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw new PackageRError('too_large', `The answer is larger than ${limit} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

const longestWait = 300;

/** Seconds of a Retry-After header, which may be a date, at most five minutes; undefined where there is none. RFC 9110, 10.2.3. */
export function retryAfterOf(headers: Readonly<Record<string, string>>, now: number = Date.now()): number | undefined {
  const text = headers['retry-after'];
  if (text === undefined) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - now) / 1000;
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, longestWait) : undefined;
}
