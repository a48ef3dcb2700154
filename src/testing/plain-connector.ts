/** A Connector for tests of drivers: `node:http`, raw targets, any address. The real one is tested where it is. */
import http from 'node:http';
import { abortError, throwIfAborted } from '#drivers/abort.ts';
import type { Connector, OutboundRequest, OutboundResponse } from '#drivers/connector.ts';
import { PackageRError } from '#errors/error.ts';

export function plainConnector(): Connector {
  const agent = new http.Agent({ keepAlive: true });
  return {
    async request(request) {
      throwIfAborted(request.signal);
      return send(agent, request);
    },
    async close() {
      agent.destroy();
    },
  };
}

function send(agent: http.Agent, { method, url, target, headers, body, signal }: OutboundRequest): Promise<OutboundResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<OutboundResponse>();
  const path = target ?? `${url.pathname}${url.search}`;
  const outgoing = http.request({
    host: url.hostname,
    port: url.port,
    method,
    path,
    headers: { ...headers },
    agent,
    ...(signal && { signal }),
  });
  outgoing.once('response', (incoming) => {
    const flat = Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]));
    const destroy = incoming.destroy.bind(incoming);
    incoming.destroy = (error) => destroy(error == null ? undefined : faultOf(error, signal));
    incoming.on('error', () => undefined);
    resolve({ status: incoming.statusCode ?? 0, headers: flat, body: incoming });
  });
  outgoing.once('error', (error) => reject(faultOf(error, signal)));
  outgoing.end(body instanceof Uint8Array ? body : undefined);
  return promise;
}

function faultOf(cause: Error, signal: AbortSignal | undefined): PackageRError {
  if (signal?.aborted) return abortError(signal);
  if (cause instanceof PackageRError) return cause;
  return new PackageRError('source_unavailable', 'The store could not be reached.', {
    operation: 'connector.request',
    retry: 'temporary',
    cause,
  });
}
