/**
 * The lean way to a stable URL. Nearly all load is one kind of request: a file of a share, asked for plainly by somebody who came in
 * before. It is answered here without the framework, by the same functions of the domain that the ordinary route calls, from decisions
 * that still hold. This file decides nothing: whatever is unusual, missing, refused or failing goes to the ordinary route, untouched and
 * uncounted, and is answered there. Both ways answer alike, byte for byte: test/lean.test.ts compares them.
 *
 * Requests that arrive in one turn of the event loop are read first, then all decided, then all answered: a processor that stays with
 * one kind of work, and a reader that is woken once, do the same work in half of the time.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Redirect } from '#exchange/result.ts';
import type { ShareHandle } from '#shares/share-handle.ts';
import type { Edge } from './edge.ts';
import { baseHeaders, crossOriginHeaders, secureHeaders } from './headers.ts';
import { exchangeRateKey, peerSlotKey } from './hooks.ts';
import { linkedHeaders, wantsJson } from './link-objects.ts';
import { requestLogger, writeLoggedPath } from './log.ts';
import type { Peer } from './peer.ts';
import { parseRawPath } from './raw-path.ts';
import type { Server } from './route.ts';
import { isShareText } from './share-link.ts';

const route = '/s/:share/o/*';
const prefix = '/s/';
const segments = 3;

/** Whoever sends one of these wants more than a redirect, or says who they are. */
const unusualHeaders = [
  'authorization',
  'cookie',
  'x-share-password',
  'content-length',
  'transfer-encoding',
  'content-encoding',
  'expect',
  'upgrade',
] as const;

/** What came in, and how to answer it the ordinary way. */
interface Arrived {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly at: number;
  goOrdinary(): void;
}

interface Decided {
  readonly response: ServerResponse;
  readonly asked: Asked;
  readonly result: Redirect;
}

interface Asked {
  readonly at: number;
  readonly id: string;
  readonly method: 'GET' | 'HEAD';
  readonly url: string;
  readonly peer: Peer;
  readonly rateKey: string;
  readonly handle: ShareHandle;
}

/** To be called when the server is made: it takes the requests of its listener first. */
export function registerLeanObjects(server: Server, edge: Edge): void {
  const [ordinary] = server.server.listeners('request') as RequestListener[];
  if (ordinary === undefined) return;
  const lean = new LeanObjects(edge);
  server.addHook('preClose', (done) => {
    lean.stop();
    done();
  });
  server.server.removeListener('request', ordinary);
  server.server.on('request', (request, response) => {
    lean.answer(request, response, () => ordinary(request, response));
  });
}

class LeanObjects {
  readonly #edge: Edge;
  readonly #log: Logger;
  /** Names and values in turn, as they are sent; the request id has a place in it. */
  readonly #head: readonly string[];
  readonly #idAt: number;
  #arrived: Arrived[] = [];
  #decided: Decided[] = [];
  #isStopped = false;

  constructor(edge: Edge) {
    this.#edge = edge;
    this.#log = requestLogger(edge.log);
    const fixed = { ...baseHeaders, 'x-request-id': '', ...(edge.isSecure ? secureHeaders : {}), ...crossOriginHeaders, vary: 'Accept' };
    this.#head = Object.entries(fixed).flat();
    this.#idAt = this.#head.indexOf('x-request-id') + 1;
  }

  /** The server is closing: the ordinary way says so. */
  stop(): void {
    this.#isStopped = true;
  }

  answer(request: IncomingMessage, response: ServerResponse, goOrdinary: () => void): void {
    const { method, url = '' } = request;
    if (this.#isStopped || (method !== 'GET' && method !== 'HEAD') || !url.startsWith(prefix) || /[?#]/.test(url)) {
      goOrdinary();
      return;
    }
    if (this.#arrived.length === 0) setImmediate(() => this.#decideAll());
    this.#arrived.push({ request, response, at: this.#edge.clock(), goOrdinary });
  }

  #decideAll(): void {
    const arrived = this.#arrived;
    this.#arrived = [];
    for (const one of arrived) this.#decide(one);
  }

  #decide({ request, response, at, goOrdinary }: Arrived): void {
    const asked = this.#ask(request, at);
    if (asked === undefined) {
      goOrdinary();
      return;
    }
    const { handle, method, rateKey } = asked;
    // What the ordinary way does, it counts itself.
    const giveUp = (): void => {
      this.#edge.rates.giveBack(rateKey);
      goOrdinary();
    };
    this.#edge.exchange.redirect(handle, handle.path, { method }).then((result) => {
      if (result === undefined) {
        giveUp();
        return;
      }
      // After all that can be decided now, since it runs when no promise is left to go on.
      if (this.#decided.length === 0) process.nextTick(() => this.#answerAll());
      this.#decided.push({ response, asked, result });
    }, giveUp);
  }

  #answerAll(): void {
    const decided = this.#decided;
    this.#decided = [];
    for (const { response, asked, result } of decided) {
      try {
        this.#send(response, asked, result);
      } catch {
        response.destroy();
      }
    }
    for (const { asked } of decided) this.#note(asked);
  }

  /** What is asked for, where it is a usual request by somebody known who is within all limits. */
  #ask(request: IncomingMessage, at: number): Asked | undefined {
    const { method, url = '', headers } = request;
    const { rates, settings } = this.#edge;
    const { limits } = settings;
    if (method !== 'GET' && method !== 'HEAD') return undefined;
    if (url.length > limits.urlBytes || request.rawHeaders.length / 2 > limits.headers) return undefined;
    if (unusualHeaders.some((name) => headers[name] !== undefined) || wantsJson(headers.accept)) return undefined;
    const end = url.indexOf('/', prefix.length);
    const share = url.slice(prefix.length, end);
    if (end < 0 || !url.startsWith('/o/', end) || !isShareText(share)) return undefined;
    const peer = this.#edge.peers.peerOf(request);
    const rateKey = exchangeRateKey(peer, share.split('~')[0] ?? '');
    if (!this.#isWithinLimits(peer)) return undefined;
    const handle = this.#open(share, peer, url);
    return handle === undefined || !rates.tryTake(rateKey, limits.rates.exchange)
      ? undefined
      : { at, id: this.#edge.makeId(), method, url, peer, rateKey, handle };
  }

  #isWithinLimits(peer: Peer): boolean {
    const { slots, settings } = this.#edge;
    const { inFlight, inFlightPerPeer } = settings.limits;
    return peer.key !== 'local' && slots.count('process') < inFlight && slots.count(peerSlotKey(peer)) < inFlightPerPeer;
  }

  #open(share: string, peer: Peer, url: string): ShareHandle | undefined {
    try {
      const { path, isFolder } = parseRawPath(url, segments);
      if (isFolder) return undefined;
      return this.#edge.shares.openAgain({ share, user: undefined, address: peer.address, password: undefined }, 'download', path);
    } catch {
      return undefined;
    }
  }

  #send(response: ServerResponse, { id, handle }: Asked, { linked, temporaryUrl }: Redirect): void {
    const head = this.#head.slice();
    head[this.#idAt] = id;
    const { version } = handle.about;
    if (version !== undefined) head.push('x-package-version', String(version));
    const told = linkedHeaders(linked);
    for (const name in told) head.push(name, told[name] as string);
    head.push('location', temporaryUrl.url, 'content-length', '0');
    response.writeHead(307, head);
    response.end();
  }

  #note({ id, at, method, url, peer }: Asked): void {
    const { metrics, clock } = this.#edge;
    const milliseconds = clock() - at;
    metrics.count({ method, route, status: 307, milliseconds });
    const line = { id, method, path: writeLoggedPath(url), status: 307, milliseconds, actor: 'nobody', peer: peer.address };
    this.#log.info(line, 'request');
  }
}
