import { request as send } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { encodePath } from '#model/path.ts';
import type { Tree } from '#model/tree.ts';
import { awkwardPaths, type MemoryFile, memoryTree, pointerFile, textFile } from '#testing/memory-tree.ts';
import type { TestServer } from './isolated-server.fixture.ts';
import { id, type LinkSetup, linkServer } from './link.fixture.ts';

const files: readonly MemoryFile[] = [
  textFile('README.md', '# Hello\n<script>alert(1)</script>\n'),
  textFile('package.yaml', 'title: Field data\nlicence: CC-BY-4.0\n'),
  textFile('x.html', '<script>alert(1)</script>'),
  pointerFile('data/a b.bin', 'bytes of a', {
    etag: 'abc',
    checksums: [{ algorithm: 'sha256', value: 'a'.repeat(64), evidence: 'verified' }],
  }),
  pointerFile(`"><svg onload=alert(1)>.png`, 'x'),
  ...awkwardPaths.filter((path) => path !== 'data/plain.bin').map((path) => pointerFile(path, path)),
];

const open: TestServer[] = [];
async function setup(more: Omit<LinkSetup, 'files' | 'tree'> & { readonly tree?: Tree } = {}) {
  const made = await linkServer({ files, tree: memoryTree(files), ...more });
  open.push(made.test);
  return made;
}
afterEach(async () => {
  for (const { server } of open.splice(0)) await server.close();
});
const base = `/s/${id}`;
const html = { accept: 'text/html,*/*' };

describe('stable URLs', () => {
  it('answer a file with a redirect that is made for the method and never kept', async () => {
    const { test } = await setup();
    for (const method of ['GET', 'HEAD'] as const) {
      const { statusCode, headers, body } = await test.server.inject({ method, url: `${base}/o/data/a%20b.bin` });
      expect([statusCode, body]).toEqual([307, '']);
      expect(headers).toMatchObject({
        location: 'https://store.example/data/a%20b.bin?sig=1',
        'cache-control': 'no-store',
        'content-length': '0',
        'x-package-version': '3',
        'x-linked-size': '10',
        'x-linked-etag': 'abc',
        'x-linked-checksum': `sha256:${'a'.repeat(64)}`,
        'access-control-allow-origin': '*',
      });
      expect(headers['access-control-allow-credentials']).toBeUndefined();
    }
  });

  it.each(awkwardPaths.filter((path) => path !== 'data/plain.bin'))('find %j', async (path) => {
    const { test } = await setup();
    const { statusCode, headers } = await test.server.inject({ url: `${base}/o/${encodePath(path)}` });
    expect([statusCode, headers.location]).toEqual([307, `https://store.example/${encodePath(path)}?sig=1`]);
  });

  it('answer scripts with JSON', async () => {
    const { test } = await setup();
    const response = await test.server.inject({ url: `${base}/o/data/a%20b.bin`, headers: { accept: 'application/json' } });
    expect(response.json()).toEqual({
      method: 'GET',
      url: 'https://store.example/data/a%20b.bin?sig=1',
      headers: {},
      expiresAt: '2026-11-23T00:15:00.000Z',
      size: 10,
      etag: 'abc',
    });
  });

  it('answer ?pointer with a pointer file that holds neither ticket nor location', async () => {
    const { test } = await setup({ password: 'correct horse' });
    const response = await test.server.inject({ url: `/s/${id}~pageticket/o/data/a%20b.bin?pointer` });
    expect(response.body).toContain(`url https://data.example/s/${id}/o/data/a%20b.bin\n`);
    expect(response.body).not.toMatch(/ticket|source|key /);
  });

  it('send a text as a download of no type, with range and validator', async () => {
    const { test } = await setup();
    for (const query of ['', '?inline=true', '?inline=1']) {
      const { statusCode, headers, body } = await test.server.inject({ url: `${base}/o/x.html${query}`, headers: html });
      expect([statusCode, body]).toEqual([200, '<script>alert(1)</script>']);
      expect(headers).toMatchObject({
        'content-type': 'application/octet-stream',
        'content-disposition': 'attachment; filename="x.html"',
        'x-content-type-options': 'nosniff',
        'content-length': '25',
      });
      expect(headers['content-security-policy']).toContain('sandbox');
    }
    const part = await test.server.inject({ url: `${base}/o/x.html`, headers: { range: 'bytes=1-6' } });
    expect([part.statusCode, part.body, part.headers['content-range']]).toEqual([206, 'script', 'bytes 1-6/25']);
    const outside = await test.server.inject({ url: `${base}/o/x.html`, headers: { range: 'bytes=25-' } });
    expect([outside.statusCode, outside.headers['content-range'], outside.json().code]).toEqual([416, 'bytes */25', 'range_invalid']);
    const etag = String(part.headers.etag);
    expect((await test.server.inject({ url: `${base}/o/x.html`, headers: { 'if-none-match': etag } })).statusCode).toBe(304);
    const stale = await test.server.inject({ url: `${base}/o/x.html`, headers: { range: 'bytes=1-6', 'if-range': '"other"' } });
    expect([stale.statusCode, stale.body.length]).toEqual([200, 25]);
    const head = await test.server.inject({ method: 'HEAD', url: `${base}/o/x.html` });
    expect([head.statusCode, head.headers['content-length'], head.body]).toEqual([200, '25', '']);
  });

  it('answer a folder with its index, and one without a slash with a relative redirect', async () => {
    const { test } = await setup();
    const bare = await test.server.inject({ url: `${base}/o/data?limit=5` });
    expect([bare.statusCode, bare.headers.location]).toEqual([307, 'data/?limit=5']);
    const index = await test.server.inject({ url: `${base}/o/data/` });
    expect(index.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(index.body).toContain('href="a%20b.bin"');
    expect((await test.server.inject({ url: `${base}/o/x.html/` })).statusCode).toBe(404);
    expect((await test.server.inject({ url: `${base}/o` })).headers.location).toBe('o/');
  });

  it('refuse what is no canonical path, as it is sent, and open nothing', async () => {
    const { test, asked } = await setup();
    await test.server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = test.server.addresses()[0] as { port: number };
    const ask = (path: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        send({ host: '127.0.0.1', port, path: `${base}/o/${path}` }, (response) => resolve(response.resume().statusCode))
          .on('error', reject)
          .end();
      });
    const tails = [
      '..',
      '../x',
      'data/../x.html',
      '%2e%2e/x',
      'data%2Fa',
      'data%2fa',
      'a%00',
      'data//a',
      './x',
      'x%0d%0aset-cookie:a',
      'a%ff',
      'a%',
    ];
    for (const tail of tails) expect([tail, await ask(tail)]).toEqual([tail, 400]);
    expect(asked).toEqual([]);
  });

  it.each(['0', '-1', 'NaN', '1e9', '', '1.5'])('refuse ?expires=%s', async (expires) => {
    const { test } = await setup();
    const response = await test.server.inject({ url: `${base}/o/data/a%20b.bin?expires=${expires}` });
    expect([response.statusCode, response.json().code]).toEqual([400, 'request_invalid']);
  });

  it('refuse bytes by any means on a view-only share', async () => {
    const { test } = await setup({ view: { rights: ['view'] } });
    for (const url of ['o/x.html', 'o/x.html?pointer', 'o/x.html?inline=true', 'package.zip', 'urls.txt']) {
      for (const headers of [{}, { range: 'bytes=0-0' }, { accept: 'application/json' }]) {
        const response = await test.server.inject({ url: `${base}/${url}`, headers });
        expect([url, response.statusCode, response.headers.etag, response.headers['x-linked-etag']]).toEqual([
          url,
          403,
          undefined,
          undefined,
        ]);
      }
    }
    expect((await test.server.inject({ url: `${base}/o/data/` })).statusCode).toBe(200);
    const page = (await test.server.inject({ url: `${base}/`, headers: html })).body;
    expect(page).toContain('View only');
    expect(page).not.toMatch(/Hello|href="o\/x\.html"|package\.zip/);
  });

  it('exchange in bulk, a line for each', async () => {
    const { test } = await setup();
    const response = await test.server.inject({
      method: 'POST',
      url: `${base}/exchange`,
      headers: { 'content-type': 'application/x-ndjson' },
      payload: '"a"\n"b"\n',
    });
    expect(response.headers['content-type']).toMatch(/ndjson/);
    expect(
      response.body
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { path: 'a', method: 'GET', url: `https://data.example/s/${id}/o/a`, headers: {}, expiresAt: '2026-11-23T00:00:00.000Z', size: 1 },
      { line: 2, error: { code: 'not_found', message: 'no' } },
    ]);
  });
});

describe('exports', () => {
  it('are there by name, with length, range, validator and the ticket of the link', async () => {
    const { test } = await setup({ password: 'correct horse' });
    const url = `/s/${id}~pageticket/package.zip`;
    const whole = await test.server.inject({ url });
    expect([whole.statusCode, whole.headers['content-type']]).toEqual([200, 'application/zip']);
    expect(Number(whole.headers['content-length'])).toBe(whole.rawPayload.length);
    const part = await test.server.inject({ url, headers: { range: 'bytes=10-19' } });
    expect(part.rawPayload.equals(whole.rawPayload.subarray(10, 20))).toBe(true);
    const list = await test.server.inject({ url: `/s/${id}~pageticket/urls.txt?folder=data` });
    expect(list.body.trim()).toBe(`https://data.example/s/${id}~pageticket/o/data/a%20b.bin`);
    expect((await test.server.inject({ url: `/s/${id}~pageticket/other.txt` })).statusCode).toBe(404);
  });

  it('stop walking and free their place when the client leaves midway', async () => {
    let ended = 0;
    let walked = 0;
    const endless: Tree = {
      ...memoryTree(files),
      frozen: false,
      async *walk() {
        try {
          for (let index = 0; index < 50_000_000; index++) {
            walked = index;
            yield pointerFile(`f${index}`, 'x').leaf;
            if (index % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
          }
        } finally {
          ended += 1;
        }
      },
    };
    const { test } = await setup({ tree: endless });
    await test.server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = test.server.addresses()[0] as { port: number };
    for (let round = 1; round <= 3; round++) {
      await new Promise<void>((resolve, reject) => {
        const request = send({ host: '127.0.0.1', port, path: `${base}/urls.txt` }, (response) => {
          expect(response.statusCode).toBe(200);
          response.once('data', () => {
            request.destroy();
            resolve();
          });
        });
        request.on('error', (error) => (walked > 0 ? undefined : reject(error))).end();
      });
      await vi.waitFor(() => expect(ended).toBe(round), { timeout: 10_000 });
    }
    const stopped = walked;
    await new Promise((resolve) => setImmediate(resolve));
    expect(walked).toBe(stopped);
  });

  it('free the place of an archive whose client leaves midway', async () => {
    const wait = Promise.withResolvers<void>();
    let ended = 0;
    const slow: Tree = {
      ...memoryTree([textFile('a.txt', 'x'.repeat(200_000)), textFile('b.txt', 'x')]),
      async *read(path) {
        try {
          if (path === 'b.txt') await wait.promise;
          yield Buffer.alloc(path === 'b.txt' ? 1 : 200_000, 'x');
        } finally {
          ended += 1;
        }
      },
    };
    const { test } = await setup({ tree: slow });
    await test.server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = test.server.addresses()[0] as { port: number };
    const start = () =>
      new Promise<{ status: number | undefined; leave: () => void }>((resolve) => {
        const request = send({ host: '127.0.0.1', port, path: `${base}/package.zip` }, (response) => {
          response.on('error', () => undefined).resume();
          resolve({ status: response.statusCode, leave: () => request.destroy() });
        });
        request.on('error', () => undefined).end();
      });
    const first = await start();
    const second = await start();
    const third = await start();
    expect([first.status, second.status, third.status]).toEqual([200, 200, 429]);
    first.leave();
    await vi.waitFor(async () => {
      const next = await start();
      expect(next.status).toBe(200);
      next.leave();
    });
    second.leave();
    wait.resolve();
    await vi.waitFor(() => expect(ended).toBeGreaterThanOrEqual(4));
  });

  it('take a selection, and refuse what is none', async () => {
    const { test } = await setup();
    const post = (payload: object) => test.server.inject({ method: 'POST', url: `${base}/urls.txt`, payload });
    expect((await post({ only: ['data'] })).body.trim()).toBe(`https://data.example/s/${id}/o/data/a%20b.bin`);
    expect((await post({ only: ['../x'] })).statusCode).toBe(400);
    expect((await post({ only: [] })).statusCode).toBe(400);
    expect((await test.server.inject({ url: `${base}/urls.txt?folder=a&folder=b` })).statusCode).toBe(400);
  });
});
