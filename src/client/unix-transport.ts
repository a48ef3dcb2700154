/** To a server on this machine by its unix socket. Apart from transport.ts, so that the web application need not hold it. */
import { request as send } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import type { Transport } from './transport.ts';

export function unixTransport(socketPath: string): Transport {
  return ({ method, url, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const path = `${url.pathname}${url.search}`;
      const options = { socketPath, method, path, headers: { host: 'localhost', ...headers }, ...(signal === undefined ? {} : { signal }) };
      const outgoing = send(options, (incoming) => {
        resolve({
          status: incoming.statusCode ?? 0,
          header: (name) => {
            const value = incoming.headers[name.toLowerCase()];
            return Array.isArray(value) ? value.join(', ') : value;
          },
          body: incoming,
        });
      });
      outgoing.on('error', reject);
      if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) outgoing.end(body);
      else pipeline(Readable.from(body, { objectMode: false }), outgoing, (error) => (error ? reject(error) : undefined));
    });
}
