import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isolatedServer, type TestServer } from './isolated-server.fixture.ts';

const page = '<html><head><base href="%root%"><meta nonce="%nonce%"></head></html>';

let folder: string;
let built: TestServer;

async function serverOf(at: string, limits = {}): Promise<TestServer> {
  return isolatedServer({ webFolder: pathToFileURL(`${at}/`), limits });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pr-web-'));
  await mkdir(join(folder, 'assets'));
  await writeFile(join(folder, 'index.html'), page);
  await writeFile(join(folder, 'secret.json'), '{}');
  for (const name of ['app-1a.js', 'app-1a.js.br', 'app-1a.js.gz', 'type.woff2', 'notes.txt', 'odd%name.css'])
    await writeFile(join(folder, 'assets', name), name);
  built = await serverOf(folder);
});
afterAll(async () => {
  await built.server.close();
  await rm(folder, { recursive: true, force: true });
});

describe('the page of the application', () => {
  it('is the same for everybody at all of its addresses, but for a nonce that is new each time', async () => {
    const seen = new Set<string>();
    for (const url of [
      '/',
      '/login',
      '/sources',
      '/sources/a/b%20c',
      '/packages/n/p/deep/er?version=1',
      '/settings/x',
      '/admin',
      '/jobs',
    ]) {
      const { statusCode, headers, body } = await built.server.inject({ url });
      expect(statusCode, url).toBe(200);
      const nonce = /nonce="([A-Za-z0-9+/=]{24})"/.exec(body)?.[1] ?? '';
      expect(headers['content-security-policy']).toContain(`'nonce-${nonce}'`);
      expect(headers['cache-control']).toBe('no-store');
      expect(body.replace(nonce, '%nonce%').replace('href="/"', 'href="%root%"')).toBe(page);
      seen.add(nonce);
    }
    expect(seen.size).toBe(8);
  });

  it('lets nothing in, and nothing out to other hosts', async () => {
    const policy = String((await built.server.inject({ url: '/' })).headers['content-security-policy']);
    const rules = new Map(policy.split('; ').map((rule) => [rule.split(' ')[0], rule.split(' ').slice(1)]));
    expect(rules.get('default-src')).toEqual(["'none'"]);
    expect(rules.get('script-src')).toEqual(["'self'"]);
    expect(rules.get('connect-src')).toEqual(["'self'"]);
    expect(rules.get('frame-ancestors')).toEqual(["'none'"]);
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
  });

  it('is said not to be there where it was not built', async () => {
    const { server } = await serverOf(join(folder, 'nothing'));
    const { statusCode, body } = await server.inject({ url: '/' });
    expect(statusCode).toBe(404);
    expect(body).toContain('npm run build');
    await server.close();
  });

  it('does not stand where the API or links are', async () => {
    for (const url of ['/api/v1/sources', '/s/none', '/p/a/b', '/o/x', '/sourcesx', '/elsewhere'])
      expect((await built.server.inject({ url })).body, url).not.toContain('<base href="/">');
  });
});

describe('its files', () => {
  const get = (name: string, encodings?: string) =>
    built.server.inject({ url: `/assets/${name}`, headers: encodings === undefined ? {} : { 'accept-encoding': encodings } });

  it.each([
    ['gzip, deflate, br, zstd', 'br', 'app-1a.js.br'],
    ['gzip;q=0.5', 'gzip', 'app-1a.js.gz'],
    ['br;q=0, gzip', 'gzip', 'app-1a.js.gz'],
    ['identity', undefined, 'app-1a.js'],
    ['br;q=0.000', undefined, 'app-1a.js'],
    ['brotli, xbr', undefined, 'app-1a.js'],
  ])('come in the form that is taken: %s', async (accepted, encoding, body) => {
    const answer = await get('app-1a.js', accepted);
    expect([answer.headers['content-encoding'], answer.body]).toEqual([encoding, body]);
    expect(answer.headers).toMatchObject({ 'content-type': 'text/javascript; charset=utf-8', vary: 'Accept-Encoding' });
    expect(answer.headers['cache-control']).toBe('public, max-age=31536000, immutable');
  });

  it('are those that were built, and nothing else of the machine', async () => {
    expect((await get('type.woff2')).statusCode).toBe(200);
    expect((await get('odd%25name.css')).body).toBe('odd%name.css');
    const others = [
      'notes.txt',
      '..%2findex.html',
      '..%2fsecret.json',
      '%2e%2e%2fsecret.json',
      'app-1a.js%00',
      'app-1a.js.br',
      'none.js',
      '__proto__',
    ];
    for (const name of others) expect((await get(name)).statusCode, name).toBe(404);
  });

  it('count for no rate: a first visit asks for many', async () => {
    const rate = { perMinute: 1, burst: 2 };
    const { server } = await serverOf(folder, { rates: { user: rate, peer: rate, exchange: rate } });
    const ask = (url: string) => server.inject({ url, remoteAddress: '192.0.2.1' });
    for (let visit = 0; visit < 20; visit++) expect((await ask('/assets/app-1a.js')).statusCode).toBe(200);
    expect([(await ask('/')).statusCode, (await ask('/')).statusCode, (await ask('/')).statusCode]).toEqual([200, 200, 429]);
    await server.close();
  });
});
