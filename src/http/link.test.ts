import { request as send } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { PackageRError } from '#errors/error.ts';
import type { Action } from '#model/actor.ts';
import { encodePath, type Path } from '#model/path.ts';
import { awkwardPaths, type MemoryFile, memoryTree, pointerFile, textFile } from '#testing/memory-tree.ts';
import { isolatedServer, type TestServer } from './isolated-server.ts';

const id = 'abcdefghijklmnop';
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
const view = {
  title: 'Field <b>data</b>',
  note: '',
  terms: '',
  needsAcceptance: false,
  kind: 'version',
  rights: ['view', 'exchange'],
  onDrift: 'refuse',
  expiresAt: Date.UTC(2026, 11, 24),
  maxObjects: undefined,
  maxBytes: undefined,
  version: 3,
  digest: `sha256:${'0'.repeat(64)}`,
  frozenAt: Date.UTC(2026, 10, 23),
  description: 'Stations',
  entries: 4,
  bytes: 1234,
};

interface Setup {
  readonly view?: Partial<typeof view>;
  readonly password?: string;
}

async function setup(more: Setup = {}): Promise<{ test: TestServer; asked: [Action, Path][] }> {
  const asked: [Action, Path][] = [];
  const shown = { ...view, ...more.view };
  const tree = memoryTree(files);
  const handle = (path: Path) => ({
    actor: { kind: 'visitor' },
    tree,
    path,
    about: { title: 'alice/field', version: 3, at: view.frozenAt },
    mayLocate: false,
    view: shown,
  });
  const shares = {
    async open({ share }: { share: string }, action: Action, path: Path) {
      asked.push([action, path]);
      if (!share.startsWith(id)) throw new PackageRError('share_not_found');
      if (more.password !== undefined && share !== `${id}~pageticket`) throw new PackageRError('share_locked');
      if (action === 'download' && shown.needsAcceptance) throw new PackageRError('terms_not_accepted');
      if (action === 'download' && !shown.rights.includes('exchange')) throw new PackageRError('forbidden');
      return handle(path);
    },
    async unlock(_id: string, password: string) {
      if (password !== more.password) throw new PackageRError('share_password_wrong');
      return {
        ticket: 'pageticket',
        expiresAt: view.frozenAt + 3_600_000,
        listTicket: 'listticket',
        listExpiresAt: view.frozenAt + 86_400_000,
      };
    },
    accept: async () => shown,
  };
  const exchange = {
    async exchange(_handle: unknown, path: Path, { method }: { method: string }) {
      const file = files.find(({ leaf }) => leaf.path === path);
      if (file === undefined) throw new PackageRError('not_found', `There is nothing at ${JSON.stringify(path)}.`);
      const { leaf, bytes } = file;
      if (leaf.kind === 'text')
        return {
          kind: 'text',
          entry: leaf,
          read: async function* (range = { start: 0, end: bytes.length }) {
            yield bytes.subarray(range.start, range.end);
          },
        };
      const temporaryUrl = {
        method,
        url: `https://store.example/${encodePath(path)}?sig=1`,
        headers: {},
        expiresAt: view.frozenAt + 900_000,
      };
      return { kind: 'redirect', temporaryUrl, entry: leaf, linked: { size: leaf.size, etag: leaf.etag, checksums: leaf.checksums } };
    },
    async *bulk(_handle: unknown, body: AsyncIterable<Uint8Array>, { link }: { link: (path: Path) => string }) {
      let number = 0;
      for await (const chunk of body)
        for (const line of String(chunk).split('\n').filter(Boolean)) {
          number += 1;
          yield number === 2
            ? { line: 2, error: { code: 'not_found', message: 'no' } }
            : { path: JSON.parse(line), method: 'GET', url: link(JSON.parse(line)), headers: {}, expiresAt: view.frozenAt, size: 1 };
        }
    },
  };
  const test = await isolatedServer({ shares, exchange, sources: { list: async () => [], names: async () => new Map() } });
  open.push(test);
  return { test, asked };
}

const open: TestServer[] = [];
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
    expect([bare.statusCode, bare.headers.location]).toEqual([308, 'data/?limit=5']);
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

  it('take a selection, and refuse what is none', async () => {
    const { test } = await setup();
    const post = (payload: object) => test.server.inject({ method: 'POST', url: `${base}/urls.txt`, payload });
    expect((await post({ only: ['data'] })).body.trim()).toBe(`https://data.example/s/${id}/o/data/a%20b.bin`);
    expect((await post({ only: ['../x'] })).statusCode).toBe(400);
    expect((await post({ only: [] })).statusCode).toBe(400);
    expect((await test.server.inject({ url: `${base}/urls.txt?folder=a&folder=b` })).statusCode).toBe(400);
  });
});

describe('the page of a share', () => {
  it('shows what it is as text, works without scripts, and tells no secret', async () => {
    const { test } = await setup();
    const { statusCode, headers, body } = await test.server.inject({ url: `${base}/`, headers: html });
    expect(statusCode).toBe(200);
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    );
    expect(headers['referrer-policy']).toBe('no-referrer');
    expect(body).not.toMatch(/<script|<svg|<b>data|style="|source-1|prefix\//);
    expect(body).toContain('Field &lt;b&gt;data&lt;/b&gt;');
    expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(body).toContain('CC-BY-4.0');
    expect(body).toContain(`https://data.example/s/${id}/curl.cfg`);
    const [, style = ''] = /href="(\/assets\/[0-9a-f]+\.css)"/.exec(body) ?? [];
    expect((await test.server.inject({ url: style })).headers['content-type']).toBe('text/css; charset=utf-8');
    expect((await test.server.inject({ url: base })).headers.location).toBe(`./${id}/`);
  });

  it('while locked, answers every route the same', async () => {
    const { test } = await setup({ password: 'correct horse' });
    const page = await test.server.inject({ url: `${base}/`, headers: html });
    expect([page.statusCode, page.body.includes('type="password"')]).toEqual([401, true]);
    expect(page.body).not.toMatch(/Field|README/);
    const answers = await Promise.all(
      ['o/x.html', 'o/', 'package.zip', 'urls.txt', 'api', 'entries/', 'o/x.html?pointer', 'o/x.html?password=correct+horse'].map((url) =>
        test.server.inject({ url: `${base}/${url}` }),
      ),
    );
    expect(new Set(answers.map(({ statusCode, body }) => `${statusCode} ${body.replace(/"instance":"\w+"/, '')}`)).size).toBe(1);
  });

  it('opens with the password, by form and by JSON', async () => {
    const { test } = await setup({ password: 'correct horse' });
    const form = (password: string, headers = {}) =>
      test.server.inject({
        method: 'POST',
        url: `${base}/unlock`,
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        payload: `password=${encodeURIComponent(password)}`,
      });
    const right = await form('correct horse', { origin: 'null' });
    expect([right.statusCode, right.headers.location]).toEqual([303, `../${id}~pageticket/`]);
    const wrong = await form('wrong horse');
    expect([wrong.statusCode, wrong.body.includes('The password of the share is wrong.')]).toEqual([401, true]);
    expect((await form('correct horse', { origin: 'https://evil.example' })).statusCode).toBe(403);
    const json = await test.server.inject({ method: 'POST', url: `${base}/unlock`, payload: { password: 'correct horse' } });
    expect(json.json()).toEqual({
      ticket: 'pageticket',
      expiresAt: '2026-11-23T01:00:00.000Z',
      listTicket: 'listticket',
      listExpiresAt: '2026-11-24T00:00:00.000Z',
    });
    const page = await test.server.inject({ url: `/s/${id}~pageticket/`, headers: html });
    expect(page.body).toContain(`/s/${id}~listticket/curl.cfg`);
  });

  it('asks for the terms first', async () => {
    const { test } = await setup({ view: { needsAcceptance: true, terms: 'Cite <us>.' } });
    const page = (await test.server.inject({ url: `${base}/`, headers: html })).body;
    expect(page).toContain('Cite &lt;us&gt;.');
    expect(page).toContain('action="accept"');
    expect(page).not.toMatch(/Hello|curl\.cfg/);
    const accepted = await test.server.inject({
      method: 'POST',
      url: `${base}/accept`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: '',
    });
    expect([accepted.statusCode, accepted.headers.location]).toEqual([303, './']);
    const foreign = await test.server.inject({ method: 'POST', url: `${base}/accept`, headers: { origin: 'https://evil.example' } });
    expect(foreign.statusCode).toBe(403);
  });

  it('is gone for whoever never had it, as a page for browsers', async () => {
    const { test } = await setup();
    const response = await test.server.inject({ url: '/s/zzzzzzzzzzzzzzzz/', headers: html });
    expect([response.statusCode, response.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8']);
    expect(response.body).toContain('There is no such share.');
    expect((await test.server.inject({ url: '/s/zzzzzzzzzzzzzzzz/o/x' })).json().code).toBe('share_not_found');
  });
});
