import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { apiPath, Client } from './client.ts';
import { unixTransport } from './unix-transport.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** The same over TCP and over a unix socket. */
async function clients(answer: Answer): Promise<Client[]> {
  const folder = await mkdtemp(join(tmpdir(), 'pr-'));
  const socket = join(folder, 's.sock');
  const bases = await Promise.all(
    [undefined, socket].map(async (path) => {
      const server = createServer(answer);
      await new Promise<void>((resolve) => {
        if (path === undefined) server.listen(0, '127.0.0.1', resolve);
        else server.listen(path, resolve);
      });
      closers.push(async () => {
        server.closeAllConnections();
        server.close();
      });
      const address = server.address();
      return typeof address === 'object' && address !== null
        ? new URL(`http://127.0.0.1:${address.port}/base/`)
        : new URL('http://localhost/base/');
    }),
  );
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const [tcp = new URL('x:'), unix = new URL('x:')] = bases;
  return [new Client({ base: tcp, token: 'T' }), new Client({ base: unix, token: 'T', transport: unixTransport(socket) })];
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('Client', () => {
  it('sends token, query and JSON below its base, over TCP and a unix socket', async () => {
    const both = await clients((request, response) => {
      const { authorization, 'x-requested-with': by, 'content-type': type } = request.headers;
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => response.end(JSON.stringify({ url: request.url, method: request.method, authorization, by, type, body })));
    });
    for (const client of both) {
      expect(
        await client.call('POST', apiPath`api/v1/x/${'a b/ü#?'}`, { json: { a: 1 }, query: { all: true, none: undefined, no: false } }),
      ).toEqual({
        url: '/base/api/v1/x/a%20b/%C3%BC%23%3F?all=true',
        method: 'POST',
        authorization: 'Bearer T',
        by: 'packageR',
        type: 'application/json',
        body: '{"a":1}',
      });
    }
  });

  it('turns a problem into an error, and never follows a redirect', async () => {
    const both = await clients((request, response) => {
      if (request.url?.endsWith('away')) return void response.writeHead(307, { location: 'http://evil.example/' }).end();
      response.writeHead(429, { 'content-type': 'application/problem+json', 'retry-after': '7' });
      response.end(JSON.stringify({ code: 'rate_limited', title: 'Too many requests.', detail: 'Slow.', help: 'Wait.', instance: 'r1' }));
    });
    for (const client of both) {
      await expect(client.get('x')).rejects.toMatchObject({
        name: 'ClientError',
        status: 429,
        code: 'rate_limited',
        detail: 'Slow.',
        help: 'Wait.',
        retryAfter: 7,
      });
      await expect(client.get('away')).rejects.toMatchObject({ status: 307, code: 'unknown' });
    }
  });

  it('says when nobody answers', async () => {
    await expect(new Client({ base: new URL('http://127.0.0.1:1/') }).get('x')).rejects.toMatchObject({ code: 'unreachable', status: 0 });
  });

  it('reads pages, lines and events, and throws what broke a stream off', async () => {
    const both = await clients((request, response) => {
      if (request.url?.includes('pages'))
        return void response.end(JSON.stringify(request.url.includes('cursor=2') ? { xs: [3] } : { xs: [1, 2], cursor: '2' }));
      if (request.url?.includes('events'))
        return void response.end('event: job\ndata: {"n":1}\n\n: still here\n\nevent: end\ndata: {}\n\nevent: job\ndata: {"n":2}\n\n');
      response.write('{"n":1}\n{"line":2,"error":{"code":"not_found","message":"no"}}\n{"er');
      response.end('ror":{"code":"timeout","message":"late"}}\n');
    });
    for (const client of both) {
      expect(await all(client.pages('pages', 'xs'))).toEqual([1, 2, 3]);
      expect(await all(client.events('events'))).toEqual([{ n: 1 }]);
      const seen: unknown[] = [];
      await expect(
        (async () => {
          for await (const line of client.lines('GET', 'lines')) seen.push(line);
        })(),
      ).rejects.toMatchObject({ code: 'timeout' });
      expect(seen).toHaveLength(2);
    }
  });

  it('streams a body both ways', async () => {
    const both = await clients((request, response) => {
      request.pipe(response);
    });
    const body = async function* () {
      for (const n of [1, 2, 3]) yield Buffer.from(`{"n":${n}}\n`);
    };
    for (const client of both) {
      expect(await all(client.lines('POST', 'echo', { body: body(), contentType: 'application/x-ndjson' }))).toEqual([
        { n: 1 },
        { n: 2 },
        { n: 3 },
      ]);
    }
  });

  it('writes no path that leaves its base', () => {
    expect(apiPath`api/${'../x'}`).toBe('api/%252E%252E/x');
  });
});
