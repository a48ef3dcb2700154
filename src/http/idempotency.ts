/** The header Idempotency-Key on routes that declare it: the same request with the same key is answered once more, not done once more. */
import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Idempotency, IdempotencyClaim } from '#access/idempotency.ts';
import { actorOf } from './actor.ts';
import type { Server } from './route.ts';

export function registerIdempotency(server: Server, { idempotency }: { readonly idempotency: Idempotency }): void {
  const claims = new WeakMap<FastifyRequest, IdempotencyClaim>();

  server.addHook('preHandler', async (request, reply) => {
    const key = request.headers['idempotency-key'];
    if (request.routeOptions.config.idempotent !== true || typeof key !== 'string') return undefined;
    const claim = { actor: actorOf(request), key, request: digest(request) };
    const known = await idempotency.begin(claim);
    if (known === undefined) {
      claims.set(request, claim);
      return undefined;
    }
    reply.header('idempotent-replayed', 'true').header('content-type', 'application/json; charset=utf-8');
    return reply
      .code(known.status)
      .serializer((text: unknown) => String(text))
      .send(known.answer);
  });
  server.addHook('onSend', async (request, reply, payload) => {
    const claim = claims.get(request);
    if (claim === undefined) return payload;
    claims.delete(request);
    if (reply.statusCode < 300 && typeof payload === 'string')
      await idempotency.finish(claim, { status: reply.statusCode, answer: payload });
    else await idempotency.forget(claim);
    return payload;
  });
}

function digest(request: FastifyRequest): string {
  return createHash('sha256')
    .update(JSON.stringify([request.method, request.raw.url, request.body === request.raw ? null : (request.body ?? null)]))
    .digest('hex');
}
