/** A bad network between a client and a server of this machine: counts, holds back, answers itself, and cuts. */

import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface Weather {
  /** Bytes towards the client after which each connection is reset. */
  cutAfter?: number | undefined;
  /** Milliseconds for which each connection is held back before it reaches the server. */
  hold?: number | undefined;
  /** Every n-th connection is answered with 503 and Retry-After: 1. */
  refuseEvery?: number | undefined;
  /** Bytes a second towards the client, for each connection. */
  speed?: number | undefined;
}

export interface BadNetwork {
  readonly url: string;
  readonly port: number;
  /** May be changed at any time; counts for new connections. */
  weather: Weather;
  /** Bytes towards the client. */
  readonly down: number;
  readonly connections: number;
  /** Of the first answer on each connection. */
  readonly statuses: readonly number[];
  close(): Promise<void>;
}

export async function openBadNetwork(
  port: number,
  options: { readonly listen?: number; readonly weather?: Weather } = {},
): Promise<BadNetwork> {
  const sockets = new Set<Socket>();
  const statuses: number[] = [];
  const totals = { down: 0, connections: 0 };
  let weather = options.weather ?? {};
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const server: Server = createServer((client) => {
    keep(client);
    const { cutAfter = Number.POSITIVE_INFINITY, hold = 0, refuseEvery, speed } = weather;
    totals.connections++;
    if (refuseEvery !== undefined && totals.connections % refuseEvery === 0) {
      client.once('data', () =>
        client.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'),
      );
      return;
    }
    const timer = setTimeout(() => forward(client, { cutAfter, speed }), hold);
    client.on('close', () => clearTimeout(timer));
  });

  function forward(client: Socket, { cutAfter, speed }: { readonly cutAfter: number; readonly speed: number | undefined }): void {
    const upstream = keep(connect(port, '127.0.0.1'));
    let sent = 0;
    upstream.once('data', (chunk) => statuses.push(Number(/^HTTP\/1\.1 (\d{3})/.exec(chunk.toString('latin1'))?.[1])));
    upstream.on('data', (chunk) => {
      const rest = Math.min(chunk.length, cutAfter - sent);
      sent += rest;
      totals.down += rest;
      client.write(chunk.subarray(0, rest));
      if (sent >= cutAfter) {
        upstream.destroy();
        client.resetAndDestroy();
      } else if (speed !== undefined) {
        upstream.pause();
        setTimeout(() => upstream.resume(), (chunk.length / speed) * 1000);
      }
    });
    upstream.on('end', () => client.end());
    upstream.on('close', () => client.destroy());
    client.on('close', () => upstream.destroy());
    client.pipe(upstream);
  }

  await new Promise<void>((resolve) => server.listen(options.listen ?? 0, '127.0.0.1', resolve));
  const at = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${at}`,
    port: at,
    get weather() {
      return weather;
    },
    set weather(next: Weather) {
      weather = next;
    },
    get down() {
      return totals.down;
    },
    get connections() {
      return totals.connections;
    },
    statuses,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
