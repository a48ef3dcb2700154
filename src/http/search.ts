/** Search by name in any tree, streamed: a line for each hit, and a last one that says whether all was searched. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Handle } from '#access/handle.ts';
import type { Clock } from '#model/clock.ts';
import type { Path } from '#model/path.ts';
import { type SearchEnd, searchTree } from '#sources/search.ts';
import type { Sources } from '#sources/sources.ts';
import { entryViewer } from './entries.ts';
import type { HttpLimits } from './limits.ts';
import { parseLimit } from './link-objects.ts';
import type { Slots } from './rates.ts';
import { sendLines } from './stream.ts';

export interface SearchOptions {
  readonly sources: Sources;
  readonly slots: Slots;
  readonly clock: Clock;
  readonly settings: { readonly limits: HttpLimits };
}

export const searchQuery = Type.Object(
  { text: Type.String({ minLength: 1, maxLength: 256 }), limit: Type.Optional(Type.String({ pattern: '^[0-9]{1,4}$' })) },
  { additionalProperties: false },
);

interface SearchRequest extends SearchOptions {
  readonly handle: Handle;
  readonly path: Path;
  readonly query: { readonly text: string; readonly limit?: string };
}

export async function sendSearch(request: FastifyRequest, reply: FastifyReply, asked: SearchRequest): Promise<FastifyReply> {
  const { slots, settings, handle } = asked;
  const who = handle.actor.kind === 'user' ? handle.actor.id : request.peer.key;
  const free = slots.take(`search ${who}`, settings.limits.searchesPerActor, 'rate_limited', 'Too many searches of yours are under way.');
  reply.raw.once('close', free);
  return sendLines(reply, search(asked, settings.limits, request.gone));
}

async function* search(
  { handle, path, query, sources, clock }: SearchRequest,
  limits: HttpLimits,
  signal: AbortSignal,
): AsyncGenerator<object> {
  let end: SearchEnd = 'complete';
  const hits = searchTree(handle.tree, path, {
    text: query.text,
    clock,
    signal,
    limit: Math.min(parseLimit(query.limit) ?? limits.searchHits, limits.searchHits),
    deadline: clock() + limits.searchTimeout,
    onEnd: (how) => {
      end = how;
    },
  });
  /** Names of sources are looked up once for each. */
  const viewers = new Map<string, Awaited<ReturnType<typeof entryViewer>>>();
  for await (const hit of hits) {
    const source = hit.kind === 'pointer' ? hit.source : '';
    const view = viewers.get(source) ?? (await entryViewer([hit], handle, sources));
    viewers.set(source, view);
    yield view(hit);
  }
  yield { end };
}
