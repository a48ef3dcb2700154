/** A bad network between a client and a server of this machine: counts, holds back, answers itself, and cuts. */

import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface Weather {
  /** Bytes towards the client after which each connection is reset. */
  cutAfter?: number | undefined;
  /** Milliseconds for which nothing comes before such a reset: a signature may end meanwhile. */
  stall?: number | undefined;
  /** Connections that are reset while this weather lasts; all where left out. */
  cuts?: number | undefined;
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
  /** Bytes towards the server. */
  readonly up: number;
  readonly connections: number;
  /** Connections that were reset. */
  readonly cuts: number;
  /** Of the first answer on each connection. */
  readonly statuses: readonly number[];
  close(): Promise<void>;
}

/** Whether one more connection may be cut under this weather. */
function take(now: Weather): boolean {
  if (now.cuts === undefined) return true;
  if (now.cuts === 0) return false;
  now.cuts--;
  return true;
}

export async function openBadNetwork(
  port: number,
  options: { readonly listen?: number; readonly weather?: Weather } = {},
): Promise<BadNetwork> {
  const sockets = new Set<Socket>();
  const statuses: number[] = [];
  const totals = { down: 0, up: 0, connections: 0, cuts: 0 };
  let weather = options.weather ?? {};
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const server: Server = createServer((client) => {
    keep(client);
    const now = weather;
    const { hold = 0, refuseEvery } = now;
    totals.connections++;
    if (refuseEvery !== undefined && totals.connections % refuseEvery === 0) {
      client.once('data', () =>
        client.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'),
      );
      return;
    }
    const timer = setTimeout(() => forward(client, now), hold);
    client.on('close', () => clearTimeout(timer));
  });

  function forward(client: Socket, now: Weather): void {
    const { cutAfter = Number.POSITIVE_INFINITY, stall = 0, speed } = now;
    const upstream = keep(connect(port, '127.0.0.1'));
    let sent = 0;
    let isCut = false;
    upstream.once('data', (chunk) => statuses.push(Number(/^HTTP\/1\.1 (\d{3})/.exec(chunk.toString('latin1'))?.[1])));
    upstream.on('data', (chunk) => {
      if (isCut) return;
      isCut = sent + chunk.length >= cutAfter && take(now);
      const rest = isCut ? Math.max(0, cutAfter - sent) : chunk.length;
      sent += rest;
      totals.down += rest;
      const goesOn = client.write(chunk.subarray(0, rest));
      if (isCut) {
        totals.cuts++;
        upstream.pause();
        setTimeout(() => client.resetAndDestroy(), stall);
      } else if (speed !== undefined || !goesOn) {
        upstream.pause();
        const resume = (): void => void upstream.resume();
        if (speed !== undefined) setTimeout(resume, (chunk.length / speed) * 1000);
        else client.once('drain', resume);
      }
    });
    upstream.on('end', () => client.end());
    upstream.on('close', () => client.destroy());
    client.on('close', () => upstream.destroy());
    client.on('data', (chunk) => {
      totals.up += chunk.length;
    });
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
    get up() {
      return totals.up;
    },
    get connections() {
      return totals.connections;
    },
    get cuts() {
      return totals.cuts;
    },
    statuses,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
