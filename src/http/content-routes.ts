/**
 * Bytes behind packageR's own signed URLs: `/o/<token>/<name>`. The signature is all the evidence; what is answered comes from exchange as it
 * stands. On a listener of its own where configured, so that these bytes never share an origin with pages.
 */
import { Readable } from 'node:stream';
import { type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Logger } from 'pino';
import { type ContentOptions, serveSigned } from '#exchange/serve.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import { streamBody } from './body.ts';
import { answerProblem, registerErrors } from './errors.ts';
import { baseHeaders, strictPolicy } from './headers.ts';
import { checkHead, linger, takeSlots } from './hooks.ts';
import { registerInventory } from './inventory.ts';
import type { HttpLimits } from './limits.ts';
import { writeLoggedPath } from './log.ts';
import { checkEncoding } from './parsers.ts';
import { Peers } from './peer.ts';
import { Slots } from './rates.ts';
import type { RouteDeclaration, Server } from './route.ts';

export interface ContentDoor extends ContentOptions {
  /** Told of every piece of an object that was sent to a client. */
  readonly onSent?: ((bytes: number) => void) | undefined;
}

export interface ContentServerOptions {
  readonly content: ContentDoor;
  readonly limits: HttpLimits;
  readonly trustedProxies: readonly string[];
  readonly log: Logger;
  readonly clock: Clock;
  readonly makeId: MakeId;
}

const methods = ['GET', 'HEAD', 'PUT', 'OPTIONS'] as const;

export function registerContent(server: Server, content: ContentDoor, idle = 30_000): void {
  const config = { public: true, audience: 'anyone', body: 'stream', streams: true, exchanges: true } as const;
  const schema = { summary: 'Bytes behind a temporary URL', tags: ['content'], hide: true };
  server.route({ method: [...methods], url: '/o/*', config, schema, handler: (request, reply) => answer(request, reply, content, idle) });
}

/** A server with nothing but content. Not listening yet. */
export function createContentServer({ content, limits, trustedProxies, log, clock, makeId }: ContentServerOptions): Server {
  const server: Server = fastify({
    http: {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersTimeout,
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(5000, limits.headersTimeout),
    },
    routerOptions: { caseSensitive: true, ignoreDuplicateSlashes: false },
    forceCloseConnections: true,
    genReqId: makeId,
    requestIdHeader: false,
    logger: false,
    clientErrorHandler: answerProblem,
  });
  const routes: RouteDeclaration[] = [];
  const peers = new Peers(trustedProxies);
  const slots = new Slots();
  server.decorate('routeInventory', routes);
  registerInventory(server, routes);
  registerErrors(server, { log, rootPath: '/' });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', async (request: FastifyRequest) => request.raw);
  server.decorateRequest('peer');
  server.decorateRequest('gone');
  server.addHook('onRequest', async (request, reply) => {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    request.gone = gone.signal;
    request.peer = peers.peerOf(request.raw);
    reply.headers(baseHeaders).header('x-request-id', request.id);
    reply.raw.once('finish', () => linger(request.raw));
    const at = clock();
    reply.raw.once('close', () => {
      const line = { id: request.id, method: request.method, path: writeLoggedPath(request.raw.url ?? ''), status: reply.statusCode };
      log.info({ ...line, milliseconds: clock() - at, peer: request.peer.address }, 'content');
    });
    takeSlots(reply, request.peer, { slots, limits });
    checkHead(request, limits);
    checkEncoding(request);
  });
  registerContent(server, content, limits.idleTimeout);
  return server;
}

async function answer(request: FastifyRequest, reply: FastifyReply, content: ContentDoor, idle: number): Promise<FastifyReply> {
  const { method, raw } = request;
  const body = method === 'PUT' ? streamBody(raw, { idle }) : undefined;
  const asked = { method, url: raw.url ?? '', headers: raw.headers, signal: request.gone };
  const response = await serveSigned(body === undefined ? asked : { ...asked, body }, content);
  for (const name of Object.keys(baseHeaders)) reply.removeHeader(name);
  reply.headers({ 'x-content-type-options': 'nosniff', 'content-security-policy': strictPolicy, 'referrer-policy': 'no-referrer' });
  reply.code(response.status).headers(response.headers);
  if (response.body === undefined) return reply.send();
  const pieces = content.onSent === undefined ? response.body : counted(response.body, content.onSent);
  return reply.send(Readable.from(pieces, { objectMode: false }));
}

async function* counted(body: AsyncIterable<Uint8Array>, onSent: (bytes: number) => void): AsyncGenerator<Uint8Array, void> {
  for await (const piece of body) {
    yield piece;
    onSent(piece.length);
  }
}
