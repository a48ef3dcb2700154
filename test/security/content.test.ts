/** Attacks by content, names and other sites: A34, A35, A37, A38, A40, A41. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hostileNames, openWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterEach(() => world.check());
afterAll(() => world.close());

const entries = '/api/v1/sources/local1/entries/';
const presign = '/api/v1/sources/local1/presign/';
const packageA = '/api/v1/packages/alice/pkga';
const active = ['x.html', 'x.svg', 'x.js', 'x.xml', 'x'];
const octets = { 'content-type': 'application/octet-stream' };

function expectInert({ headers }: { headers: Record<string, unknown> }, where: string): void {
  expect(headers['x-content-type-options'], where).toBe('nosniff');
  expect(headers['content-disposition'], where).toMatch(/^attachment\b/);
  expect(String(headers['content-security-policy']), where).toMatch(/default-src 'none'.*sandbox|sandbox.*default-src 'none'/);
  expect(String(headers['content-type']), where).not.toMatch(/html|svg|xml|javascript/);
}

async function shareOf(body: Record<string, unknown>): Promise<string> {
  const made = await world.share('alice', body);
  expect(made.status, made.text).toBe(201);
  return made.json<{ id: string }>().id;
}

it('A35 objects are handed over as downloads of an inert type, whatever is asked for', async () => {
  const id = await shareOf({ target: 'source:local1/alice/active' });
  for (const name of active) {
    for (const query of ['', '?inline=true', '?inline=1', '?type=text/html', '?response-content-type=text/html']) {
      for (const accept of ['text/html', '*/*']) {
        const hop = await world.ask({ path: `/s/${id}/o/${name}${query}`, headers: { accept } });
        expect(hop.status, name).toBe(307);
        const { pathname } = new URL(hop.headers['location'] ?? '');
        for (const tail of ['', '?inline=true', '?response-content-type=text/html']) {
          const answer = await world.ask({ path: pathname + tail, headers: { accept } });
          expect(answer.status, 'a query is not part of what was signed').toBe(tail === '' ? 200 : 403);
          if (answer.status === 200) expectInert(answer, `${name}${query}`);
          expect(answer.headers['content-type']).not.toMatch(/html|svg|javascript/);
        }
      }
    }
    const signed = await world.ask({ as: 'alice', method: 'POST', path: `${presign}alice/active/${name}` });
    expectInert(await world.ask({ path: new URL(signed.json<{ url: string }>().url).pathname }), name);
  }
});

it('A35 texts of a package are, too', async () => {
  for (const name of ['t.html', 't.svg', 't.md', 't.js', 't']) {
    const body = '<script>alert(1)</script>';
    const put = await world.ask({ as: 'alice', method: 'PUT', path: `${packageA}/entries/${name}`, headers: octets, body });
    expect(put.status, put.text).toBe(200);
    for (const path of [`/p/alice/pkga/o/${name}`, `/p/alice/pkga/o/${name}?inline=true`, `${packageA}/entries/${name}?content=true`]) {
      const answer = await world.ask({ as: 'alice', path, headers: { accept: 'text/html' } });
      expect([answer.status, answer.text]).toEqual([200, body]);
      expectInert(answer, path);
    }
    await world.ask({ as: 'alice', method: 'DELETE', path: `${packageA}/entries/${name}` });
  }
});

describe('pages', () => {
  const pages = async (): Promise<string[]> => {
    const { S, P, V } = world.shares;
    const odd = await shareOf({
      target: 'source:local1/alice/odd',
      title: '</title><script>alert(1)</script>',
      note: '{{7*7}}<img src=x onerror=alert(1)>',
    });
    const found = [];
    for (const id of [S.id, P.id, V.id, odd]) {
      for (const path of ['/', '/o/', '/index.html']) {
        const answer = await world.ask({ path: `/s/${id}${path}`, headers: { accept: 'text/html' } });
        if (!String(answer.headers['content-type']).includes('text/html')) continue;
        const policy = String(answer.headers['content-security-policy']);
        expect(policy, path).toContain("default-src 'none'");
        expect(policy, path).toContain("frame-ancestors 'none'");
        expect(policy, path).not.toMatch(/script-src|unsafe-inline|\*/);
        found.push(answer.text);
      }
    }
    expect(found.length).toBeGreaterThan(8);
    return found;
  };

  it('A34 A37 A38 hold names, titles, notes and READMEs as text', async () => {
    const all = (await pages()).join('\n');
    expect(all).toContain('&lt;script&gt;alert(1)');
    expect(all).not.toMatch(/<script|<svg|<iframe|<object|<embed|<base|<math|javascript:|<[^<>]*\son[a-z]+\s*=/i);
    expect(all).toContain('{{7*7}}');
    for (const name of hostileNames.slice(0, 2)) expect(all).not.toContain(name);
  });

  it('A37 an error page and a problem hold what was asked as text', async () => {
    const path = `/s/${world.shares.S.id}/o/%3Cscript%3Ealert(1)%3C%2Fscript%3E`;
    for (const asked of [path, `/s/${world.shares.S.id}/o/%3Cimg%20src=x%20onerror=alert(1)%3E`]) {
      const page = await world.ask({ path: asked, headers: { accept: 'text/html' } });
      expect([400, 404]).toContain(page.status);
      expect(page.headers['content-type']).toContain('text/html');
      expect(page.text).not.toMatch(/<script|<img/);
      const problem = await world.ask({ path: asked });
      expect(problem.headers['content-type']).toContain('application/problem+json');
      problem.json();
    }
  });

  it('A37 names of accounts, sources and packages are a small alphabet', async () => {
    const bad = [
      '</script>',
      '{{7*7}}',
      "'-alert(1)-'",
      ';id',
      '$(id)',
      '`id`',
      '|id',
      '&&id',
      'a\nb',
      '--config=/x',
      '-oProxyCommand=x',
      'Ä',
      'A',
      '..',
      '.a',
      '',
    ];
    for (const name of bad) {
      const tries = [
        { path: '/api/v1/users', body: { name } },
        { path: '/api/v1/groups', body: { name } },
        { path: '/api/v1/namespaces', body: { name } },
        { path: '/api/v1/sources', body: { name, driver: 'folder', options: { root: world.root } } },
        { path: '/api/v1/packages', body: { reference: `alice/${name}` } },
        { path: '/api/v1/backup', body: { name } },
      ];
      for (const one of tries) expect((await world.ask({ as: 'adm', method: 'POST', ...one })).status, `${one.path} ${name}`).toBe(400);
    }
  });
});

it('A40 names with control characters are valid JSON, no names of files, and one line in the log', async () => {
  const listed = await world.ask({ as: 'alice', path: `${entries}alice/odd` });
  const kinds = listed.json<{ entries: { kind: string; key?: string; path?: string }[] }>().entries;
  const keys = kinds.filter(({ kind }) => kind === 'unnamable').map(({ key }) => key);
  expect(keys.sort()).toEqual(['alice/odd/esc\u001b[2J.txt', 'alice/odd/line\nbreak.txt', 'alice/odd/tab\t.txt']);
  for (const name of hostileNames)
    expect(
      kinds.some(({ path }) => path === `alice/odd/${name}`),
      name,
    ).toBe(true);
  const id = await shareOf({ target: 'source:local1/alice/odd' });
  for (const name of ['urls.txt', 'aria2.txt', 'curl.cfg', 'manifest.jsonl', 'index.html', 'package.zip']) {
    const { status, text } = await world.ask({ path: `/s/${id}/${name}` });
    expect(status, name).toBe(200);
    if (name !== 'package.zip') expect(text, name).not.toContain('\u001b');
    expect(text, name).not.toContain('line\nbreak');
  }
  for (const name of hostileNames) {
    const hop = await world.ask({ path: `/s/${id}/o/${encodeURIComponent(name)}` });
    expect(hop.status, name).toBe(307);
    const got = await world.ask({ path: new URL(hop.headers['location'] ?? '').pathname });
    expect(got.text).toBe('odd');
    const plain = /filename="([^"]*)"/.exec(got.headers['content-disposition'] ?? '')?.[1] ?? '';
    expect(plain).not.toMatch(/["\\]|[^\x20-\x7e]/);
  }
  const marks = ['%0aINJECTED', '%1b[2J', '%E2%80%AE', '%0d%0aSet-Cookie:a=b'];
  for (const mark of marks) await world.ask({ path: `/nothing/${mark}`, headers: { 'user-agent': 'x\u00a0y' } });
  const lines = () =>
    world.packager
      .log()
      .split('\n')
      .filter((line) => /\/nothing\/|INJECTED|Set-Cookie/.test(line));
  await expect.poll(() => lines().length).toBe(marks.length);
  for (const line of lines()) {
    expect(JSON.parse(line)).toMatchObject({ status: expect.any(Number) });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    expect(line).not.toMatch(/[\u0000-\u001f\u202e]/);
  }
});

describe('A41 other sites', () => {
  const evil = { origin: 'https://evil.example' };
  const asBrowser = (headers: Record<string, string>) => ({ cookie: `pr_session=${world.evidenceOf('adm', 'cookie')}`, ...headers });
  const writes = [
    { method: 'POST', path: '/api/v1/users', body: '{"name":"evil"}' },
    { method: 'POST', path: '/api/v1/shares', body: '{"target":"source:local1/alice/pub"}' },
    { method: 'PUT', path: '/api/v1/grants', body: '{}' },
    { method: 'DELETE', path: '/api/v1/users/bob', body: '' },
    { method: 'POST', path: '/api/v1/logout', body: '' },
    { method: 'POST', path: `${presign}bob/secret.txt`, body: '' },
  ];

  it('write nothing with the cookie of a browser', async () => {
    for (const write of writes) {
      for (const origin of [
        evil,
        { origin: 'null' },
        {},
        { origin: `${world.packager.url}.evil.example` },
        { ...evil, host: 'evil.example:80' },
      ]) {
        for (const type of ['text/plain', 'application/json', 'application/x-www-form-urlencoded']) {
          const answer = await world.ask({ ...write, headers: asBrowser({ 'content-type': type, ...origin }) });
          expect([answer.status, answer.json()['code']], `${write.path} ${JSON.stringify(origin)}`).toEqual([403, 'csrf_refused']);
        }
      }
    }
    expect((await world.ask({ as: 'adm', path: '/api/v1/users/evil' })).status).toBe(404);
  });

  it('nor by a type that a form could send', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      for (const path of ['/api/v1/login', '/api/v1/users']) {
        const headers = { 'content-type': type };
        expect((await world.ask({ as: 'adm', method: 'POST', path, headers, body: '{"name":"evil"}' })).status, `${path} ${type}`).toBe(
          415,
        );
      }
    }
    const form = { method: 'POST', path: `/s/${world.shares.P.id}/unlock`, body: 'password=x' };
    const foreign = await world.ask({ ...form, headers: { 'content-type': 'application/x-www-form-urlencoded', ...evil } });
    expect(foreign.status).toBe(403);
  });

  it('read nothing that needs the cookie, and GET has no effect', async () => {
    const list = [entries, '/api/v1/me', '/api/v1/shares', '/p/alice/pkga@1/o/a.txt', '/p/alice/pkga@1/manifest.jsonl'];
    for (const path of list) {
      for (const method of ['GET', 'OPTIONS']) {
        const { headers } = await world.ask({ method, path, headers: asBrowser({ ...evil, 'access-control-request-method': 'DELETE' }) });
        expect(headers['access-control-allow-origin'], path).toBeUndefined();
      }
    }
    const open = await world.ask({ path: `/s/${world.shares.S.id}/o/a.txt`, headers: asBrowser(evil) });
    expect([open.headers['access-control-allow-origin'], open.headers['access-control-allow-credentials']]).toEqual(['*', undefined]);
    for (const path of [
      '/api/v1/users/bob?action=delete',
      '/api/v1/logout',
      `${presign}bob/secret.txt`,
      '/api/v1/shares/1/rotate?_method=POST',
    ]) {
      const answer = await world.ask({ path, headers: asBrowser({ 'x-http-method-override': 'DELETE' }) });
      expect([200, 400, 404, 405], path).toContain(answer.status);
      if (answer.status === 200) expect(answer.json()).toMatchObject({ name: 'bob' });
    }
    expect((await world.ask({ as: 'adm', via: 'cookie', path: '/api/v1/users/bob' })).status).toBe(200);
  });

  it('frame nothing', async () => {
    for (const path of ['/health', '/nothing', `/s/${world.shares.S.id}/`, `/s/${world.shares.P.id}/`, '/api/v1/me']) {
      const { headers } = await world.ask({ path, headers: { accept: 'text/html' } });
      expect([headers['x-frame-options'], String(headers['content-security-policy']).includes("frame-ancestors 'none'")], path).toEqual([
        'DENY',
        true,
      ]);
    }
  });
});
