import { afterEach, describe, expect, it } from 'vitest';
import { awkwardPaths, type MemoryFile, memoryTree, pointerFile, textFile } from '#testing/memory-tree.ts';
import type { TestServer } from './isolated-server.fixture.ts';
import { id, type LinkSetup, linkServer } from './link.fixture.ts';

const files: readonly MemoryFile[] = [
  textFile('README.md', '# Hello\n<script>alert(1)</script>\n'),
  textFile('package.yaml', 'title: Field data\nlicence: CC-BY-4.0\n'),
  textFile('x.html', '<script>alert(1)</script>'),
  pointerFile('data/a b.bin', 'bytes of a'),
  pointerFile(`"><svg onload=alert(1)>.png`, 'x'),
  ...awkwardPaths.filter((path) => path !== 'data/plain.bin').map((path) => pointerFile(path, path)),
];

const open: TestServer[] = [];
async function setup(more: Omit<LinkSetup, 'files' | 'tree'> = {}) {
  const made = await linkServer({ files, tree: memoryTree(files), ...more });
  open.push(made.test);
  return made;
}
afterEach(async () => {
  for (const { server } of open.splice(0)) await server.close();
});
const base = `/s/${id}`;
const html = { accept: 'text/html,*/*' };

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
    expect(body).toContain('<h2>Hello</h2>');
    expect(body).toContain('Field &lt;b&gt;data&lt;/b&gt;');
    expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(body).toContain('CC-BY-4.0');
    expect(body).toContain(`https://data.example/s/${id}/curl.cfg`);
    const [, style = ''] = /href="(\/assets\/[0-9a-f]+\.css)"/.exec(body) ?? [];
    expect((await test.server.inject({ url: style })).headers['content-type']).toBe('text/css; charset=utf-8');
    const bare = await test.server.inject({ url: base });
    expect([bare.statusCode, bare.body.replace(`<base href="./${id}/">\n`, '')]).toEqual([200, body]);
    expect(bare.headers['content-security-policy']).toContain("base-uri 'self'");
  });

  it('while locked, answers every route the same', async () => {
    const { test } = await setup({ password: 'correct horse' });
    const page = await test.server.inject({ url: `${base}/`, headers: html });
    expect([page.statusCode, page.body.includes('type="password"')]).toEqual([401, true]);
    expect(page.body).not.toMatch(/Field|README/);
    const answers = await Promise.all(
      [
        'o/x.html',
        'o/',
        'package.zip',
        'urls.txt',
        'api',
        'entries/',
        'nothing',
        'o/x.html?pointer',
        'o/x.html?password=correct+horse',
      ].map((url) => test.server.inject({ url: `${base}/${url}` })),
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
    expect(page.body).toContain(`href="../${id}~listticket/urls.txt"`);
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

  it('shows one folder, with lines for it, and refuses what is none', async () => {
    const { test } = await setup();
    const get = (url: string) => test.server.inject({ url, headers: html });
    expect((await get(`${base}/`)).body).toContain('href="./?folder=data"');
    const { body } = await get(`${base}/?folder=data`);
    expect(body).toContain('href="o/data/a%20b.bin"');
    expect(body).toContain('href="package.zip?folder=data"');
    expect(body).toContain(`/s/${id}/urls.txt?folder=data`);
    expect(body).toContain('<a href="./">Field &lt;b&gt;data&lt;/b&gt;</a>');
    expect(body).not.toMatch(/Hello|rclone/);
    expect([(await get(`${base}/?folder=x.html`)).statusCode, (await get(`${base}/?folder=..%2fx`)).statusCode]).toEqual([404, 400]);
  });

  it('has the index of its files without an address that is none of them', async () => {
    const { test } = await setup();
    const { headers, body } = await test.server.inject({ url: `${base}/o/` });
    const addresses = [...body.matchAll(/(?:href|src|action)="([^"]*)"|url\(/g)].map(([, href]) => href);
    expect(addresses.length).toBeGreaterThan(3);
    for (const address of addresses) expect(address).toMatch(/^(?!\.{1,2}\/?$)[^/?#:]+\/?$/);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; /);
  });

  it('prints the same lines as the description of the share, with the ticket for lists', async () => {
    for (const [setting, share, holder] of [
      [{}, id, id],
      [{ password: 'correct horse' }, `${id}~pageticket`, `${id}~listticket`],
    ] as const) {
      const { test } = await setup(setting);
      const { lines, linesExpireAt } = (await test.server.inject({ url: `/s/${share}/api` })).json();
      const page = (await test.server.inject({ url: `/s/${share}/`, headers: html })).body;
      expect(lines.map(({ client }: { client: string }) => client)).toEqual(['curl', 'wget', 'aria2', 'rclone']);
      expect(linesExpireAt).toBe(holder === id ? undefined : '2026-11-24T00:00:00.000Z');
      for (const { line } of lines) {
        expect(line).toContain(`https://data.example/s/${holder}/`);
        expect(line.replaceAll('https://', '')).not.toContain('//');
        expect(page).toContain(line.replaceAll('&', '&amp;').replaceAll("'", '&#39;'));
      }
    }
  });

  it('offers no line where people must sign in, or may only view', async () => {
    for (const view of [{ needsSignIn: true }, { rights: ['view'] }]) {
      const { test } = await setup({ view });
      expect((await test.server.inject({ url: `${base}/api` })).json().lines).toEqual([]);
      expect((await test.server.inject({ url: `${base}/`, headers: html })).body).not.toMatch(/curl\.cfg|urls\.txt/);
    }
  });

  it('under a limit reads nothing but the README that it shows', async () => {
    const free = await setup();
    await free.test.server.inject({ url: `${base}/`, headers: html });
    const limited = await setup({ view: { maxObjects: 5 } });
    const page = await limited.test.server.inject({ url: `${base}/`, headers: html });
    expect(page.body).toContain('5 files a day');
    const read = (asked: readonly (readonly [string, string])[]) =>
      asked.flatMap(([action, path]) => (action === 'download' ? [path] : []));
    expect([read(free.asked), read(limited.asked)]).toEqual([['package.yaml', 'README.md'], ['README.md']]);
  });
});
