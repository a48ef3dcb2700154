/** A link whose server and store answer whatever a test tells them to, and remember all that they were asked: for clients that must survive it. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** `count`: how many requests for this URL came before. */
export type Answer = (response: ServerResponse, seen: Seen, count: number) => void;

export interface HostileLinkOptions {
  /** `s/ShareId12` where left out. */
  readonly place?: string;
  /** By what follows the link in the path: `manifest.jsonl`, `api`, `o/a.bin` …; `o/*` for every object: a 307 to the store where left out. */
  readonly front?: Readonly<Record<string, Answer>>;
  /** Without a path: 404. */
  readonly store?: Answer;
}

export interface HostileLink {
  readonly url: string;
  readonly frontOrigin: string;
  readonly storeOrigin: string;
  readonly front: Seen[];
  readonly store: Seen[];
  close(): Promise<void>;
}

const silent = (response: ServerResponse): void => void response.writeHead(404).end();

export async function openHostileLink({ place = 's/ShareId12', front = {}, store = silent }: HostileLinkOptions): Promise<HostileLink> {
  const atStore = await listen(() => store);
  const redirect: Answer = (response, { url }) => {
    const path = url.slice(url.indexOf('/o/') + 3);
    response.writeHead(307, { location: `${atStore.origin}/${path}?signature=TopSecret`, 'content-length': '0' }).end();
  };
  const defaults: Record<string, Answer> = { api: (response) => void response.end('{"needsAcceptance":false}'), 'o/*': redirect };
  const answers: Readonly<Record<string, Answer>> = { ...defaults, ...front };
  const atFront = await listen((url) => {
    if (!url.startsWith(`/${place}/`)) return silent;
    const rest = decodeURIComponent(url.slice(place.length + 2).replace(/\?.*/, ''));
    return answers[rest] ?? (rest.startsWith('o/') ? answers['o/*'] : undefined) ?? silent;
  });
  return {
    url: `${atFront.origin}/${place}`,
    frontOrigin: atFront.origin,
    storeOrigin: atStore.origin,
    front: atFront.seen,
    store: atStore.seen,
    close: async () => {
      await Promise.all([close(atFront.server), close(atStore.server)]);
    },
  };
}

async function listen(answerOf: (url: string) => Answer): Promise<{ server: Server; origin: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    answer(request, response, answerOf, seen).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

async function answer(request: IncomingMessage, response: ServerResponse, answerOf: (url: string) => Answer, seen: Seen[]): Promise<void> {
  const { method = '', url = '', headers } = request;
  let body = '';
  for await (const chunk of request) body += chunk;
  const one = { method, url, headers, body };
  const count = seen.filter((other) => other.url === url).length;
  seen.push(one);
  answerOf(url)(response, one, count);
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
