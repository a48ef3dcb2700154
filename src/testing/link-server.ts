/**
 * A share link as collaborators meet it, for tests with real clients: a front that gives the exports and answers `o/<path>` with a 307,
 * and a store on another port that serves Range requests for signed URLs only.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PackageRError } from '#errors/error.ts';
import type { Export } from '#exports/export.ts';
import { encodePath, type Path, parsePath, root } from '#model/path.ts';
import { type MemoryFile, memoryTree } from '#testing/memory-tree.ts';

export interface LinkServerOptions {
  readonly files: readonly MemoryFile[];
  readonly exports: readonly Export[];
  /** The HTML index of a folder, for crawlers. */
  page?(folder: Path): AsyncIterable<string>;
  /** Where set, the front answers 404 without this ticket in the path. */
  readonly ticket?: string;
}

export interface LinkServer {
  /** `http://127.0.0.1:PORT/s/ID/`, without the ticket. */
  readonly base: string;
  /** With the ticket, where there is one. */
  readonly ticketBase: string;
  /** Paths that the front answers with 404 now. */
  readonly missing: Set<string>;
  /** Paths of which the store gives other bytes of the same length now. */
  readonly corrupt: Set<string>;
  /** `METHOD path range` of all that the store was asked for. */
  readonly requests: string[];
  close(): Promise<void>;
}

/** The caller closes it. */
export async function openLinkServer({ files, exports, page, ticket }: LinkServerOptions): Promise<LinkServer> {
  const byPath = new Map<string, MemoryFile>(files.map((file) => [file.leaf.path, file]));
  const tree = memoryTree(files);
  const [missing, corrupt, requests] = [new Set<string>(), new Set<string>(), [] as string[]];

  const store = await listen(async (request, response) => {
    const url = new URL(request.url ?? '', 'http://store');
    const path = decodeURIComponent(url.pathname.slice('/bucket/'.length));
    requests.push(`${request.method} ${path} ${request.headers.range ?? ''}`);
    const file = byPath.get(path);
    if (url.searchParams.get('signed') !== request.method || request.headers.authorization !== undefined)
      return void response.writeHead(403).end();
    if (file === undefined) return void response.writeHead(404).end();
    sendBytes(corrupt.has(path) ? Buffer.alloc(file.bytes.length, '!') : file.bytes, request, response);
  });

  const share = ticket === undefined ? 's/ShareId' : `s/ShareId~${ticket}`;
  const front = await listen(async (request, response) => {
    const [pathname = ''] = (request.url ?? '').split('?');
    if (!pathname.startsWith(`/${share}/`)) return void response.writeHead(404).end();
    const rest = pathname.slice(share.length + 2);
    if (!rest.startsWith('o/')) return sendExport(rest, response);
    const path = decodeURIComponent(rest.slice(2));
    const redirect = byPath.has(path) && !missing.has(path);
    if (redirect)
      return void response.writeHead(307, { location: `${store.origin}/bucket/${rest.slice(2)}?signed=${request.method}` }).end();
    if (page === undefined || !(path === '' || path.endsWith('/'))) return void response.writeHead(404).end();
    const html: string[] = [];
    for await (const part of page(path === '' ? root : parsePath(path.slice(0, -1)))) html.push(part);
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html.join(''));
  });

  async function sendExport(name: string, response: ServerResponse): Promise<void> {
    const subject = exports.find((one) => one.name === name);
    if (subject === undefined) return void response.writeHead(404).end();
    const about = { title: 'alice/forest', version: 3, at: Date.UTC(2026, 10, 23) };
    const link = (path: Path) => `${ticketBase}o/${encodePath(path)}`;
    const signal = new AbortController().signal;
    const body = await subject.open({ tree, folder: root, link, base: ticketBase, about, query: {}, signal });
    response.writeHead(200, { 'content-type': body.contentType, ...(body.size === undefined ? {} : { 'content-length': body.size }) });
    for await (const chunk of body.read()) response.write(chunk);
    response.end();
  }

  const ticketBase = `${front.origin}/${share}/`;
  return {
    base: `${front.origin}/s/ShareId/`,
    ticketBase,
    missing,
    corrupt,
    requests,
    close: async () => {
      await Promise.all([front, store].map(({ server }) => closeServer(server)));
    },
  };
}

function sendBytes(bytes: Buffer, request: IncomingMessage, response: ServerResponse): void {
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const start = Number(match?.[1] ?? 0);
  const end = match?.[2] ? Math.min(Number(match[2]) + 1, bytes.length) : bytes.length;
  const shared = { 'accept-ranges': 'bytes', etag: '"1"' };
  if (match !== null && start >= bytes.length) {
    response.writeHead(416, { ...shared, 'content-range': `bytes */${bytes.length}` }).end();
    return;
  }
  const range = match === null ? {} : { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` };
  response.writeHead(match === null ? 200 : 206, { ...shared, ...range, 'content-length': end - start });
  response.end(request.method === 'HEAD' ? undefined : bytes.subarray(start, end));
}

async function listen(
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<{ server: Server; origin: string }> {
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address() as AddressInfo | null;
  if (address === null) throw new PackageRError('internal', 'The test server has no address.');
  return { server, origin: `http://127.0.0.1:${address.port}` };
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
}
