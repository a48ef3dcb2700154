/** Bulk exchange under a link: paths or pointer files in, temporary URLs out, a line each, both streamed. */
import type { FastifyRequest } from 'fastify';
import type { Exchange } from '#exchange/exchange.ts';
import type { BulkLine } from '#exchange/result.ts';
import { toInstant } from '#model/clock.ts';
import { root } from '#model/path.ts';
import { streamBody } from './body.ts';
import { allowCrossOrigin } from './headers.ts';
import type { HttpLimits } from './limits.ts';
import { type Link, linkTo } from './link.ts';
import { parseExpires } from './link-objects.ts';
import { queryOf } from './raw-path.ts';
import type { Server } from './route.ts';
import { sendLines } from './stream.ts';

export interface LinkExchangeOptions {
  readonly link: Link;
  readonly exchange: Exchange;
  readonly limits: HttpLimits;
}

export function registerExchange(server: Server, { link, exchange, limits }: LinkExchangeOptions): void {
  const config = {
    ...(link.isPublic ? ({ public: true, audience: 'visitor' } as const) : ({ action: 'download', audience: 'user' } as const)),
    body: 'stream',
    streams: true,
    exchanges: true,
  } as const;
  const schema = {
    summary: 'Temporary URLs for many entries',
    description:
      'Body: application/x-ndjson, a line each: a path as JSON string, {"path": …} or {"pointer": "text of a .pointer file"}. Query: expires (seconds). Answer: a line each, in the same order.',
    tags: ['links'],
    consumes: ['application/x-ndjson'],
  };
  server.post(`${link.pattern}/exchange`, { config, schema }, async (request, reply) => {
    if (link.isPublic) allowCrossOrigin(reply);
    const expiresIn = parseExpires(new URLSearchParams(queryOf(request.raw.url ?? '')).get('expires'));
    const { handle, base } = await link.open(request, 'download', root);
    const lines = exchange.bulk(handle, streamBody(request.raw, { idle: limits.idleTimeout }), {
      method: 'GET',
      expiresIn,
      link: (path) => linkTo(base, path),
      lineBytes: limits.lineBytes,
      signal: request.gone,
    });
    return sendLines(reply, describe(lines, request));
  });
}

async function* describe(lines: AsyncIterable<BulkLine>, request: FastifyRequest): AsyncGenerator<object> {
  for await (const line of lines) {
    if (request.gone.aborted) return;
    if ('error' in line) yield line;
    else {
      const { expiresAt, ...rest } = line;
      yield expiresAt === undefined ? rest : { ...rest, expiresAt: toInstant(expiresAt) };
    }
  }
}
