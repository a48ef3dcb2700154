/** Reaches a server on this machine through its unix socket. A file of its own, since browsers have no such thing. */
import { Agent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import type { Transport, TransportRequest } from '#client/transport.ts';

export function unixTransport(socketPath: string): Transport {
  const agent = new Agent({ keepAlive: false });
  return (url, request) =>
    new Promise((resolve, reject) => {
      const outgoing = requestHttp(
        {
          socketPath,
          agent,
          method: request.method,
          path: `${url.pathname}${url.search}`,
          headers: { ...request.headers },
          signal: request.signal,
        },
        (incoming) => resolve(toResponse(incoming)),
      );
      outgoing.on('error', reject);
      send(request, outgoing).catch(reject);
    });
}

async function send({ body }: TransportRequest, outgoing: NodeJS.WritableStream & { end(chunk?: unknown): unknown }): Promise<void> {
  if (body instanceof ReadableStream) await pipeline(Readable.fromWeb(body as NodeReadableStream), outgoing);
  else outgoing.end(body);
}

function toResponse(incoming: IncomingMessage): Response {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    for (const one of Array.isArray(value) ? value : [value ?? '']) headers.append(name, one);
  }
  const status = incoming.statusCode ?? 502;
  const isEmpty = status === 204 || status === 304;
  if (isEmpty) incoming.resume();
  return new Response(isEmpty ? null : (Readable.toWeb(incoming) as unknown as ReadableStream), { status, headers });
}
