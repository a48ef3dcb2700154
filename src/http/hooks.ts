/** What every request passes before its handler, and every answer after it: limits, identity, rates, headers, one line of log. */
import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Access } from '#access/access.ts';
import { PackageRError } from '#errors/error.ts';
import type { Clock } from '#model/clock.ts';
import { findActor, isLocal } from './actor.ts';
import { baseHeaders, secureHeaders } from './headers.ts';
import type { HttpLimits } from './limits.ts';
import { requestLogger, writeLoggedPath } from './log.ts';
import type { Metrics } from './metrics.ts';
import { checkEncoding } from './parsers.ts';
import type { Peer, Peers } from './peer.ts';
import type { Rates, Slots } from './rates.ts';
import type { Server } from './route.ts';

export interface HooksOptions {
  readonly access: Access;
  readonly limits: HttpLimits;
  readonly peers: Peers;
  readonly rates: Rates;
  readonly slots: Slots;
  readonly metrics: Metrics;
  readonly publicOrigin: string;
  readonly isSecure: boolean;
  readonly log: Logger;
  readonly clock: Clock;
}

export function registerHooks(server: Server, options: HooksOptions): void {
  server.decorateRequest('actor', undefined);
  server.decorateRequest('peer');
  server.decorateRequest('gone');
  const log = requestLogger(options.log);
  const begun = new WeakMap<FastifyRequest, { at: number; error?: PackageRError }>();
  const ends = new WeakMap<FastifyRequest, AbortController>();

  server.addHook('onRequest', async (request, reply) => {
    begun.set(request, { at: options.clock() });
    request.peer = options.peers.peerOf(request.raw);
    const end = endOf(reply);
    ends.set(request, end);
    reply.raw.once('finish', () => linger(request.raw));
    request.gone = end.signal;
    reply.headers(baseHeaders).header('x-request-id', request.id);
    if (options.isSecure) reply.headers(secureHeaders);
    takeSlots(reply, request.peer, options);
    checkHead(request, options.limits);
    checkEncoding(request);
  });
  server.addHook('onRequest', async (request) => {
    const { config } = request.routeOptions;
    const isPublic = config.public === true || request.is404;
    try {
      request.actor = await findActor(request, { access: options.access, isPublic, publicOrigin: options.publicOrigin });
    } finally {
      takeRate(request, options);
    }
    if (!isPublic && request.actor === undefined) throw new PackageRError('unauthenticated');
  });
  server.addHook('preHandler', async (request, reply) => {
    if (request.routeOptions.config.streams !== true) setDeadline(reply, options.limits.handlerTimeout, ends.get(request));
  });
  server.addHook('onError', async (request, _reply, error) => {
    const known = begun.get(request);
    if (known !== undefined && (error as unknown) instanceof PackageRError) known.error = error as unknown as PackageRError;
  });
  server.addHook('onResponse', async (request, reply) => {
    const { at = options.clock() } = begun.get(request) ?? {};
    const milliseconds = options.clock() - at;
    options.metrics.count({ method: request.method, route: request.routeOptions.url ?? 'none', status: reply.statusCode, milliseconds });
    const actor = request.actor === undefined ? 'nobody' : request.actor.kind === 'user' ? `user:${request.actor.id}` : request.actor.kind;
    const line = { id: request.id, method: request.method, path: writeLoggedPath(request.raw.url ?? ''), status: reply.statusCode };
    log.info({ ...line, milliseconds, actor, peer: request.peer?.address, code: begun.get(request)?.error?.code }, 'request');
  });
}

/** Milliseconds in which what a refused body still holds is taken and dropped. */
const lingering = 2000;

/**
 * An answer may come before the body has ended. Were the connection closed at once, a client that is still sending would see it reset and
 * miss the answer; were it left open, it could send for ever.
 */
export function linger(raw: IncomingMessage): void {
  if (raw.complete !== false) return;
  raw.resume();
  const timer = setTimeout(() => raw.destroy(), lingering);
  raw.once('end', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
}

/** Aborted when the connection ends before the answer does. */
function endOf(reply: FastifyReply): AbortController {
  const controller = new AbortController();
  // Slots, deadlines, hooks and the stream each wait for its end: more than the ten above which Node speaks of a leak.
  reply.raw.setMaxListeners(30);
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new PackageRError('cancelled', 'The client went away.'));
  });
  return controller;
}

/** From the end of the body on. What is still at work then is told to stop, and is answered for. */
function setDeadline(reply: FastifyReply, milliseconds: number, end: AbortController | undefined): void {
  const timer = setTimeout(() => {
    if (reply.sent) return;
    const message = `There was no answer within ${milliseconds / 1000} s.`;
    const error = new PackageRError('overloaded', message, { operation: 'http.deadline', retry: 'temporary' });
    end?.abort(error);
    if (!reply.sent) void reply.send(error);
  }, milliseconds);
  reply.raw.once('close', () => clearTimeout(timer));
}

/** `who`: the signed-in user, else the share. */
export function exchangeRateKey(peer: Peer, who: string): string {
  return `exchange ${peer.key} ${who}`;
}

export function peerSlotKey(peer: Pick<Peer, 'key'>): string {
  return `peer ${peer.key}`;
}

/** Errors: overloaded, rate_limited. */
export function takeSlots(reply: FastifyReply, { key }: Peer, { slots, limits }: Pick<HooksOptions, 'slots' | 'limits'>): void {
  const process = slots.take('process', limits.inFlight, 'overloaded');
  reply.raw.once('close', process);
  const perPeer = key === 'local' ? limits.inFlight : limits.inFlightPerPeer;
  const peer = slots.take(peerSlotKey({ key }), perPeer, 'rate_limited', 'Too many requests of this address are under way.');
  reply.raw.once('close', peer);
}

/** Errors: url_too_long, headers_too_large. */
export function checkHead({ raw }: FastifyRequest, limits: HttpLimits): void {
  if ((raw.url ?? '').length > limits.urlBytes) throw new PackageRError('url_too_long', `The URL is longer than ${limits.urlBytes} bytes.`);
  if (raw.rawHeaders.length / 2 > limits.headers)
    throw new PackageRError('headers_too_large', `There are more than ${limits.headers} headers.`);
}

function takeRate(request: FastifyRequest, { rates, limits }: HooksOptions): void {
  const { actor, peer } = request;
  if (actor?.kind === 'system' || isLocal(request) || request.routeOptions.config.asset === true) return;
  if (request.routeOptions.config.exchanges === true) {
    const share = (request.params as { readonly share?: string }).share?.split('~')[0] ?? '';
    rates.take(exchangeRateKey(peer, actor?.kind === 'user' ? actor.id : share), limits.rates.exchange);
  } else if (actor?.kind === 'user') rates.take(`user ${actor.id}`, limits.rates.user);
  else rates.take(`peer ${peer.key}`, limits.rates.peer);
}
