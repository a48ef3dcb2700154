import { mkdtemp, rm } from 'node:fs/promises';
import { request as send } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { PackageRError } from '#errors/error.ts';
import { isolatedServer, type TestServer } from './isolated-server.fixture.ts';
import { listenLocal } from './listen.ts';

const open: TestServer[] = [];
async function start(more: Parameters<typeof isolatedServer>[0] = {}): Promise<TestServer> {
  const server = await isolatedServer(more);
  open.push(server);
  return server;
}
afterEach(async () => {
  for (const { server } of open.splice(0)) await server.close();
});

const bearer = { authorization: 'Bearer good' };

describe('route inventory', () => {
  it('has a route for every role, and answers 401 on all that are not public, whatever is no evidence', async () => {
    const rate = { perMinute: 1e9, burst: 1e9 };
    const { server } = await start({ limits: { rates: { user: rate, peer: rate, exchange: rate } } });
    const closed = server.routeInventory.filter(({ isPublic }) => !isPublic);
    expect(closed.length).toBeGreaterThan(80);
    const evidences = [
      {},
      { authorization: 'Bearer null' },
      { authorization: 'Bearer a.b.c' },
      { authorization: 'Basic Z29vZDo=' },
      { 'x-auth': 'good' },
      { cookie: 'pr_session=bad' },
      { cookie: 'pr_session=good; pr_session=good' },
      { 'x-remote-user': 'alice' },
    ];
    for (const { method, url } of closed) {
      const path = url.replace(/:[a-z]+/g, '1').replace('*', 'x');
      for (const headers of evidences) {
        const { statusCode } = await server.inject({
          method: method as 'GET',
          url: `${path}?token=good&auth=good`,
          headers,
          remoteAddress: '192.0.2.1',
        });
        expect({ method, url, headers, statusCode }).toEqual({ method, url, headers, statusCode: 401 });
      }
    }
  });

  it('keeps the public list short', async () => {
    const { server } = await start();
    const pub = [...new Set(server.routeInventory.filter(({ isPublic }) => isPublic).map(({ url }) => url))].filter(
      (url) => !url.startsWith('/s/:share'),
    );
    expect(pub.map((url) => url.replace(/[0-9a-f]{16}/, 'HASH')).sort()).toEqual([
      '/',
      '/admin',
      '/admin/*',
      '/api/v1/login',
      '/assets/:name',
      '/assets/HASH.css',
      '/favicon.ico',
      '/health',
      '/jobs',
      '/jobs/*',
      '/login',
      '/metrics',
      '/packages',
      '/packages/*',
      '/ready',
      '/settings',
      '/settings/*',
      '/shares',
      '/shares/*',
      '/sources',
      '/sources/*',
    ]);
  });

  it('refuses a route that declares nothing', async () => {
    const { server } = await start({ ready: false });
    expect(() => server.get('/x', async () => 'x')).toThrow('declares no action');
  });
});

describe('identity', () => {
  it('takes a bearer token or our cookie', async () => {
    const { server } = await start();
    for (const headers of [bearer, { cookie: 'a=b; pr_session=good' }]) {
      const response = await server.inject({ url: '/api/v1/me', headers });
      expect(response.json()).toEqual({ kind: 'user', id: 'u1', name: 'alice', admin: true });
    }
  });

  it('wants proof that a write by cookie comes from our own pages', async () => {
    const { server } = await start();
    const post = (headers: Record<string, string>) =>
      server.inject({ method: 'POST', url: '/api/v1/logout', headers: { cookie: 'pr_session=good', host: 'localhost', ...headers } });
    expect((await post({})).json().code).toBe('csrf_refused');
    expect((await post({ origin: 'https://evil.example' })).statusCode).toBe(403);
    expect((await post({ origin: 'null' })).statusCode).toBe(403);
    expect((await post({ 'x-requested-with': 'packageR' })).statusCode).toBe(204);
    expect((await post({ origin: 'https://data.example' })).statusCode).toBe(204);
  });

  it('knows the local socket by its listener, and nobody else as local', async () => {
    const { server } = await start();
    const folder = await mkdtemp(join(tmpdir(), 'pr-'));
    const listener = await listenLocal(server, join(folder, 's.sock'));
    try {
      const body = await new Promise<string>((resolve, reject) => {
        send({ socketPath: listener.path, path: '/api/v1/me' }, async (response) => {
          let text = '';
          for await (const chunk of response) text += chunk;
          resolve(text);
        })
          .on('error', reject)
          .end();
      });
      const stranger = await server.inject({ url: '/api/v1/me', headers: { 'x-local': '1', host: 'localhost' } });
      expect(stranger.statusCode).toBe(401);
      expect(JSON.parse(body)).toEqual({ kind: 'user', id: 'u0', name: 'admin', admin: true });
    } finally {
      await listener.close();
      await rm(folder, { recursive: true });
    }
  });

  it('writes a cookie that scripts cannot read and other sites cannot send', async () => {
    const { server } = await start();
    const login = (cookie: boolean) =>
      server.inject({ method: 'POST', url: '/api/v1/login', payload: { name: 'alice', password: 'correct horse', cookie } });
    const response = await login(true);
    expect(response.headers['set-cookie']).toMatch(/^pr_session=good; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+; Secure$/);
    expect(response.json().token).toBeUndefined();
    expect((await login(false)).json().token).toBe('good');
  });
});

describe('requests', () => {
  const login = (more: object) => ({
    method: 'POST' as const,
    url: '/api/v1/login',
    headers: { 'content-type': 'application/json' },
    ...more,
  });

  it.each([
    ['an unknown field', '{"name":"a","password":"b","admin":true}'],
    ['a wrong type', '{"name":1,"password":"b"}'],
    ['a prototype', '{"name":"a","password":"b","__proto__":{"admin":true}}'],
    ['a field named twice', '{"name":"a","name":"adm","password":"b"}'],
    ['no JSON', '{"name":'],
    ['a list', '[]'],
    ['depth', `${'['.repeat(5000)}${']'.repeat(5000)}`],
  ])('refuses %s', async (_, payload) => {
    const { server } = await start();
    const response = await server.inject(login({ payload }));
    expect([response.statusCode, response.json().code]).toEqual([400, 'request_invalid']);
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(response.body).not.toMatch(/\bat \S+:\d|node_modules|fastify|ajv/i);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  it('refuses large, compressed, foreign and long', async () => {
    const { server } = await start();
    const code = async (request: object) => {
      const response = await server.inject(request as never);
      return [response.statusCode, response.json().code];
    };
    expect(await code(login({ payload: JSON.stringify({ name: 'a', password: 'x'.repeat(17_000) }) }))).toEqual([413, 'too_large']);
    expect(await code(login({ payload: 'x', headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } }))).toEqual([
      415,
      'media_type_unsupported',
    ]);
    expect(await code(login({ payload: '{}', headers: { 'content-type': 'text/plain' } }))).toEqual([415, 'media_type_unsupported']);
    expect(await code(login({ payload: 'name=a', headers: { 'content-type': 'application/x-www-form-urlencoded' } }))).toEqual([
      415,
      'media_type_unsupported',
    ]);
    expect(await code({ url: `/s/${'x'.repeat(9000)}` })).toEqual([414, 'url_too_long']);
    expect(await code({ url: '/health', headers: Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`x-${i}`, '1'])) })).toEqual([
      431,
      'headers_too_large',
    ]);
  });

  it('answers 431 and 400 on the wire before there is a request', async () => {
    const { server } = await start();
    await server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = server.addresses()[0] as { port: number };
    const talk = (text: string) =>
      new Promise<string>((resolve) => {
        let answer = '';
        const socket = connect(port, '127.0.0.1', () => socket.write(text));
        socket.on('data', (chunk) => {
          answer += chunk;
        });
        socket.on('close', () => resolve(answer));
        socket.on('error', () => resolve(answer));
      });
    expect(await talk(`GET /health HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 [\s\S]*headers_too_large/,
    );
    expect(await talk('nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400 [\s\S]*request_invalid/);
  });

  it('says 404 for what is not there, 405 with Allow for another method, in problem+json', async () => {
    const { server } = await start();
    for (const url of ['/debug', '/swagger', '/api/settings', '/.git', '/server.js.map', '/%ff', '/HEALTH', '//health', '/health/']) {
      const response = await server.inject({ url });
      expect([url, response.statusCode]).toEqual([url, url === '/%ff' ? 400 : 404]);
      expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
    }
    const response = await server.inject({ method: 'DELETE', url: '/health' });
    expect([response.statusCode, response.headers['allow'], response.json().code]).toEqual([405, 'GET, HEAD', 'method_not_allowed']);
  });

  it('tells nothing of a fault', async () => {
    const { server, lines } = await start({
      sources: {
        list: () => {
          throw new TypeError('secret /etc/path hunter2');
        },
      },
    });
    const response = await server.inject({ url: '/api/v1/sources', headers: bearer });
    expect(response.statusCode).toBe(500);
    expect(response.json()).toMatchObject({ code: 'internal', detail: 'Something went wrong in packageR.' });
    expect(response.body).not.toContain('hunter2');
    expect(lines.join('')).not.toContain('hunter2');
    expect(lines.join('')).toContain('TypeError');
  });

  it('sends only declared fields', async () => {
    const { server } = await start({
      sources: {
        list: async () => [
          {
            id: '1',
            name: 'lab',
            driver: 'folder',
            title: 'Lab',
            state: 'ok',
            createdAt: 0,
            updatedAt: 0,
            password: 'hunter2',
            secrets: { key: { set: true, from: 'state', value: 'hunter2' } },
          },
        ],
      },
    });
    const response = await server.inject({ url: '/api/v1/sources', headers: bearer });
    expect(response.json().sources[0]).toMatchObject({ name: 'lab', secrets: { key: { set: true, from: 'state' } } });
    expect(response.body).not.toContain('hunter2');
  });

  it('carries safe headers on all answers', async () => {
    const { server } = await start();
    for (const url of ['/health', '/none', '/api/v1/me', '/s/none/']) {
      const { headers } = await server.inject({ url, headers: { origin: 'https://evil.example' } });
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' });
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(headers['access-control-allow-credentials']).toBeUndefined();
      expect(headers['x-powered-by'] ?? headers['server']).toBeUndefined();
    }
  });

  it('slows down a peer, whatever it says of itself, and says until when', async () => {
    const { server } = await start();
    let last = await server.inject({ url: '/none' });
    for (let i = 0; i < 70; i++) last = await server.inject({ url: '/none', headers: { 'x-forwarded-for': `10.0.0.${i}` } });
    expect(last.statusCode).toBe(429);
    expect(Number(last.headers['retry-after'])).toBeGreaterThan(0);
    expect((await server.inject({ url: '/none', remoteAddress: '192.0.2.7' })).statusCode).toBe(404);
  });

  it('refuses more than its share of requests at once, and frees what ended', async () => {
    let release = (): void => undefined;
    const waiting = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { server } = await start({ sources: { list: () => waiting.then(() => []) }, limits: { inFlightPerPeer: 2 } });
    const ask = () => server.inject({ url: '/api/v1/sources', headers: bearer });
    const first = [ask(), ask()];
    await new Promise((resolve) => setImmediate(resolve));
    expect((await ask()).statusCode).toBe(429);
    release();
    expect((await Promise.all(first)).map(({ statusCode }) => statusCode)).toEqual([200, 200]);
    expect((await ask()).statusCode).toBe(200);
  });

  it('shows counters to administrators only, not to whoever comes by way of this machine', async () => {
    const { server } = await start();
    const ask = (headers: Record<string, string>, remoteAddress: string) => server.inject({ url: '/metrics', headers, remoteAddress });
    expect((await ask({}, '192.0.2.1')).statusCode).toBe(401);
    expect((await ask(bearer, '192.0.2.1')).statusCode).toBe(200);
    expect((await ask({}, '127.0.0.1')).statusCode).toBe(401);
  });

  it('answers a repeated request with the same key once more, without doing it again', async () => {
    let made = 0;
    const share = () => ({
      number: ++made,
      id: 'abcdefghijklmnop',
      owner: { id: 'u1', name: 'alice' },
      state: 'open',
      kind: 'version',
      path: '',
      audience: 'link',
      hasPassword: false,
      users: [],
      groups: [],
      rights: ['view'],
      title: '',
      note: '',
      terms: '',
      onDrift: 'refuse',
      horizonAt: 0,
      opened: 0,
      exchanged: 0,
      createdAt: 0,
    });
    const { server } = await start({ shares: { create: async () => share() } });
    const post = (target: string) =>
      server.inject({ method: 'POST', url: '/api/v1/shares', headers: { ...bearer, 'idempotency-key': 'k1' }, payload: { target } });
    const first = await post('a/b@1');
    const second = await post('a/b@1');
    expect([first.statusCode, second.statusCode, made]).toEqual([201, 201, 1]);
    expect(second.json()).toEqual(first.json());
    expect(second.json().url).toBe('https://data.example/s/abcdefghijklmnop');
    expect((await post('a/c@1')).json().code).toBe('idempotency_conflict');
  });

  it('logs one line a request, with no query, ticket, token or control character', async () => {
    const { server, lines } = await start();
    await server.inject({
      url: '/s/abcdefghijklmnop~TICKETSECRET/o/x?sig=QUERYSECRET',
      headers: { authorization: 'Bearer TOKENSECRET', cookie: 'pr_session=COOKIESECRET' },
    });
    await server.inject({ url: '/o/SIGNEDSECRET/name' });
    const text = lines.join('');
    expect(lines).toHaveLength(2);
    expect(text).toContain('/s/abcdefghijklmnop~[ticket]/o/x');
    expect(text).not.toMatch(/SECRET/);
  });

  it('maps a domain error to its status, once', async () => {
    const { server } = await start({
      sources: { list: () => Promise.reject(new PackageRError('source_down', 'Down.', { retryAfter: 30 })) },
    });
    const response = await server.inject({ url: '/api/v1/sources', headers: bearer });
    expect([response.statusCode, response.headers['retry-after'], response.json().detail]).toEqual([503, '30', 'Down.']);
  });
});
