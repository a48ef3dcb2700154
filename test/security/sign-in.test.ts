/** Attacks on sign-in, tokens and users: A01–A14. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { closedRoles, publicRoles } from './roles.ts';
import { all, carriers, openWorld, type Person, people, sharePassword, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterEach(() => world.check());
afterAll(() => world.close());

const me = '/api/v1/me';

async function routes(): Promise<{ route: string; method: string; url: string; isPublic: boolean }[]> {
  const document = (await world.ask({ as: 'alice', path: '/openapi.json' })).json<{
    paths: Record<string, Record<string, { security: unknown[] }>>;
  }>();
  return Object.entries(document.paths).flatMap(([url, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      route: `${method.toUpperCase()} ${url}`,
      method: method.toUpperCase(),
      url: url.replace(/\{[^}]+\}/g, '1'),
      isPublic: security.length === 0,
    })),
  );
}

describe('A01 no token, or a broken one', () => {
  it('every route has its role, and is public only where that is said', async () => {
    const found = await routes();
    const listed = (roles: typeof publicRoles) => roles.flatMap((role) => role.routes).sort();
    const of = (isPublic: boolean) =>
      found
        .filter((one) => one.isPublic === isPublic)
        .map(({ route }) => route)
        .sort();
    expect(of(true)).toEqual(listed(publicRoles));
    expect(of(false)).toEqual(listed(closedRoles));
  });

  it('opens no route that is not public', async () => {
    const evidence: Record<string, string | string[]>[] = [
      {},
      { 'x-auth': world.evidenceOf('adm') },
      { authorization: 'Bearer null' },
      { authorization: 'Bearer undefined' },
      { authorization: `Basic ${Buffer.from(`adm:${world.passwordOf('adm')}`).toString('base64')}` },
      { authorization: world.evidenceOf('adm') },
      { cookie: 'pr_session=null' },
      { cookie: `pr_session=${world.evidenceOf('adm', 'cookie')}; pr_session=x` },
      { 'x-remote-user': 'adm', 'x-forwarded-user': 'adm' },
    ];
    for (const { method, url, isPublic } of await routes()) {
      if (isPublic) continue;
      const answers = await Promise.all(evidence.map((headers) => world.ask({ method, path: url, headers })));
      expect(
        answers.map(({ status }) => status),
        `${method} ${url}`,
      ).toEqual(evidence.map(() => 401));
    }
  });

  it('takes no bare cookie for a write', async () => {
    for (const { method, url, isPublic } of await routes()) {
      if (isPublic || method === 'GET') continue;
      const headers = { cookie: `pr_session=${world.evidenceOf('adm', 'cookie')}` };
      const answer = await world.ask({ method, path: url, headers });
      expect([answer.status, answer.json()['code']], `${method} ${url}`).toEqual([403, 'csrf_refused']);
    }
  });
});

it('A02 a token is what its row says, and nothing that it says itself', async () => {
  const token = world.evidenceOf('bob');
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { user: { id: 1, perm: { admin: true } }, sub: 'adm', exp: 4102444800 };
  const forged = [
    `${part({ alg: 'none' })}.${part(claims)}.`,
    `${part({ alg: 'HS256', kid: '../../dev/null' })}.${part(claims)}.${Buffer.alloc(32).toString('base64url')}`,
    `${token}x`,
    token.slice(0, -1),
    `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`,
    token.toUpperCase(),
    token.replace('ps_', 'pr_'),
    world.evidenceOf('bob', 'token').replace('pr_', 'ps_'),
    `ps_${'A'.repeat(44)}`,
  ];
  for (const one of forged) {
    const answers = await Promise.all([
      world.ask({ path: me, headers: { authorization: `Bearer ${one}` } }),
      world.ask({ path: me, headers: { cookie: `pr_session=${one}` } }),
    ]);
    expect(
      answers.map(({ status }) => status),
      one.slice(0, 12),
    ).toEqual([401, 401]);
  }
  for (const via of carriers) {
    const answer = await world.ask({ as: 'bob', via, path: me, headers: { 'x-admin': 'true', 'x-user': 'adm' } });
    expect(answer.json()).toMatchObject({ name: 'bob', admin: false });
  }
});

it('A03 ids are random, and never chosen', async () => {
  const tokens = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      world.ask({
        as: 'alice',
        method: 'POST',
        path: '/api/v1/tokens',
        body: { name: `t${index}`, actions: ['list'] },
        peer: `203.0.113.${100 + (index % 10)}`,
      }),
    ),
  );
  const made = tokens.map((answer) => answer.json<{ token: string; details: { id: string } }>());
  const texts = made.map(({ token }) => token);
  expect(new Set(texts).size).toBe(100);
  for (const text of texts) expect(Buffer.from(text.slice(3), 'base64url').length).toBeGreaterThanOrEqual(32);
  const order = [...texts].sort();
  expect(order).not.toEqual(texts);
  expect(order.reverse()).not.toEqual(texts);
  for (const { details } of made) await world.ask({ as: 'alice', method: 'DELETE', path: `/api/v1/tokens/${details.id}` });
  for (const { id } of Object.values(world.shares)) expect(Buffer.from(id, 'base64url').length).toBeGreaterThanOrEqual(16);
  const chosen = await world.share('alice', { target: 'source:local1/alice/pub', id: 'a' });
  expect(chosen.status).toBe(400);
});

describe('A05 guessing passwords', () => {
  const login = (name: string, password: string, peer: string) =>
    world.ask({ method: 'POST', path: '/api/v1/login', body: { name, password }, peer });

  it('is slowed down by account, in a row and at once, from wherever it comes', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => login('ro', 'wrong password here', `203.0.113.${index + 1}`)),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(5);
    const refused = answers.find(({ status }) => status === 429);
    expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(0);
    expect((await login('ro', world.passwordOf('ro'), '203.0.113.99')).status, 'the right one waits too').toBe(429);
    expect((await world.ask({ as: 'ro', path: me })).status, 'a session goes on').toBe(200);
  });

  it('is slowed down by peer, over accounts, and an IPv6 network is one peer', async () => {
    const answers = [];
    for (let index = 0; index < 32; index++)
      answers.push((await login(`nobody${index}`, 'wrong password here', `2001:db8:1:2::${index + 1}`)).status);
    expect(answers.filter((status) => status === 401)).toHaveLength(30);
    expect(answers.at(-1)).toBe(429);
    expect((await login('bob', world.passwordOf('bob'), '203.0.113.200')).status, 'others are not locked out').toBe(200);
  });

  it('says the same of a wrong name and a wrong password', async () => {
    const wrong = await login('bob', 'wrong password here', '203.0.113.201');
    const unknown = await login('nobody-at-all', 'wrong password here', '203.0.113.201');
    const told = (answer: typeof wrong) => ({ ...answer.json(), instance: '', status: answer.status });
    expect(told(wrong)).toEqual(told(unknown));
  });

  it('counts the password of a share over all ways to give it', async () => {
    const { P } = world.shares;
    const peer = '203.0.113.50';
    const wrong = 'wrong horse battery';
    const ways = [
      () => world.ask({ method: 'POST', path: `/s/${P.id}/unlock`, body: { password: wrong }, peer }),
      () => world.ask({ path: `/s/${P.id}/manifest.jsonl`, headers: { 'x-share-password': wrong }, peer }),
      () => world.ask({ path: `/s/${P.id}/o/a.txt`, headers: { 'x-share-password': wrong }, peer }),
    ];
    const statuses: number[] = [];
    for (let index = 0; index < 12; index++) statuses.push((await (ways[index % 3] as () => ReturnType<World['ask']>)()).status);
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429]);
    const right = await world.ask({ method: 'POST', path: `/s/${P.id}/unlock`, body: { password: sharePassword }, peer });
    expect(right.status).toBe(429);
    expect((await world.ask({ path: `/s/${P.id}/api`, headers: { 'x-share-password': sharePassword } })).status).toBe(200);
  });
});

it('A07 odd passwords are refused, and long ones are not cut', async () => {
  const set = (name: string, password: string) => world.ask({ as: 'adm', method: 'POST', path: '/api/v1/users', body: { name, password } });
  const statuses = await Promise.all(
    ['', 'a', 'eleven byte', 'x'.repeat(1025)].map(async (password) => (await set('odd', password)).status),
  );
  expect(statuses).toEqual([400, 400, 400, 400]);
  expect((await set('odd', 'x'.repeat(1_000_000))).status).toBe(413);
  const long = 'p'.repeat(72);
  expect((await set('long', `${long}-seventy`)).status).toBe(201);
  const login = (password: string, peer: string) =>
    world.ask({ method: 'POST', path: '/api/v1/login', body: { name: 'long', password }, peer });
  expect((await login(`${long}-eighty!`, '203.0.113.60')).status).toBe(401);
  expect((await login(`${long}-seventy\u0000`, '203.0.113.61')).status).toBe(401);
  expect((await login(`${long}-seventy`, '203.0.113.62')).status).toBe(200);
  await world.ask({ as: 'adm', method: 'DELETE', path: '/api/v1/users/long' });
});

describe('A09 a session ends at once', () => {
  const reads = [me, '/api/v1/sources/local1/entries/bob', '/p/alice/pkga@1/o/a.txt', '/api/v1/shares'];

  async function allRefuse(token: string): Promise<void> {
    for (const path of reads) expect((await world.ask({ path, headers: { authorization: `Bearer ${token}` } })).status, path).toBe(401);
    const presign = { method: 'POST', path: '/api/v1/sources/local1/presign/bob/secret.txt' };
    expect((await world.ask({ ...presign, headers: { authorization: `Bearer ${token}` } })).status).toBe(401);
  }

  it('by signing out', async () => {
    const token = await world.signIn('bob');
    const headers = { authorization: `Bearer ${token}` };
    expect((await world.ask({ path: me, headers })).status).toBe(200);
    const left = await world.ask({ method: 'POST', path: '/api/v1/logout', headers });
    expect([left.status, left.headers['clear-site-data']]).toEqual([204, '"cache"']);
    await allRefuse(token);
    expect((await world.ask({ as: 'bob', path: me })).status, 'other sessions go on').toBe(200);
  });

  it('by being ended from another', async () => {
    const token = await world.signIn('bob');
    const list = (await world.ask({ path: '/api/v1/sessions', headers: { authorization: `Bearer ${token}` } })).json<{
      sessions: { id: string; current: boolean }[];
    }>();
    const id = list.sessions.find(({ current }) => current)?.id ?? '';
    expect((await world.ask({ as: 'ro', method: 'DELETE', path: `/api/v1/sessions/${id}` })).status, 'not by others').toBe(404);
    expect((await world.ask({ as: 'bob', method: 'DELETE', path: `/api/v1/sessions/${id}` })).status).toBe(204);
    await allRefuse(token);
  });

  it('by a new password, with all sessions and API tokens', async () => {
    const name = 'passing';
    const old = 'a password that passes';
    const made = await world.ask({ as: 'adm', method: 'POST', path: '/api/v1/users', body: { name, password: old } });
    expect(made.status).toBe(201);
    const signedIn = await world.ask({ method: 'POST', path: '/api/v1/login', body: { name, password: old }, peer: '203.0.113.70' });
    const { token } = signedIn.json<{ token: string }>();
    const headers = { authorization: `Bearer ${token}` };
    const api = await world.ask({ method: 'POST', path: '/api/v1/tokens', headers, body: { name: 'x', actions: ['list'] } });
    const body = { current: old, password: 'another password that passes' };
    expect(
      (await world.ask({ method: 'PUT', path: '/api/v1/me/password', headers, body: { ...body, current: 'wrong password here' } })).status,
    ).not.toBe(204);
    expect((await world.ask({ method: 'PUT', path: '/api/v1/me/password', headers, body })).status).toBe(204);
    await allRefuse(token);
    await allRefuse(api.json<{ token: string }>().token);
    await world.ask({ as: 'adm', method: 'DELETE', path: `/api/v1/users/${name}` });
  });
});

it('A11 nothing secret is taken from a URL', async () => {
  const token = world.evidenceOf('alice');
  for (const name of ['auth', 'token', 'access_token', 'X-Auth']) {
    expect((await world.ask({ path: `${me}?${name}=${token}` })).status, name).toBe(401);
  }
  const { P } = world.shares;
  const path = `/s/${P.id}/o/a.txt?password=${encodeURIComponent(sharePassword)}`;
  const locked = await world.ask({ path });
  expect([locked.status, locked.json()['code'], locked.headers['referrer-policy']]).toEqual([401, 'share_locked', 'no-referrer']);
  const page = await world.ask({ path: `/s/${P.id}/`, headers: { accept: 'text/html' } });
  expect(page.headers['referrer-policy']).toBe('no-referrer');
  expect(page.text).toContain('method="post"');
});

describe('A12 raising oneself', () => {
  const user = '/api/v1/users/bob';

  it('is refused by every carrier', async () => {
    const target = { kind: 'source', name: 'local1' };
    const grant = { subject: { kind: 'user', name: 'bob' }, target, actions: all };
    const tries = [
      { method: 'PATCH', path: user, body: { admin: true } },
      { method: 'PATCH', path: '/api/v1/users/alice', body: { disabled: true } },
      { method: 'DELETE', path: '/api/v1/users/adm' },
      { method: 'POST', path: '/api/v1/users', body: { name: 'mine', admin: true } },
      { method: 'PUT', path: '/api/v1/users/alice/password', body: { password: 'a password of bob' } },
      { method: 'PUT', path: '/api/v1/grants', body: grant },
      { method: 'DELETE', path: '/api/v1/grants', body: { subject: { kind: 'user', name: 'alice' }, target } },
      { method: 'POST', path: '/api/v1/groups', body: { name: 'gods' } },
      { method: 'POST', path: '/api/v1/sources', body: { name: 'etc', driver: 'folder', options: { root: '/etc' } } },
      { method: 'PATCH', path: '/api/v1/sources/local1', body: { options: { root: '/' } } },
      { method: 'POST', path: '/api/v1/sources/local1/test' },
      { method: 'PUT', path: '/api/v1/namespaces/alice/members', body: { subject: { kind: 'user', name: 'bob' }, role: 'owner' } },
      { method: 'POST', path: '/api/v1/backup', body: { name: 'mine' } },
      { method: 'POST', path: '/api/v1/keys/rotate', body: {} },
      { method: 'GET', path: '/api/v1/users' },
      { method: 'GET', path: '/api/v1/config' },
      { method: 'GET', path: '/api/v1/events' },
      { method: 'GET', path: '/api/v1/sessions?all=true' },
      { method: 'GET', path: '/api/v1/tokens?all=true' },
      { method: 'GET', path: '/api/v1/shares?all=true' },
    ];
    for (const via of carriers) {
      for (const one of tries) {
        const answer = await world.ask({ as: 'bob', via, ...one });
        expect([403, 404], `${one.method} ${one.path} ${via} ${answer.text}`).toContain(answer.status);
      }
      expect((await world.ask({ as: 'bob', via, path: me })).json()).toMatchObject({ name: 'bob', admin: false });
    }
  });

  it('by fields that are not there is malformed, also for an administrator', async () => {
    const bodies = [
      '{"admin":false,"scope":"/"}',
      '{"admin":false,"rules":[]}',
      '{"admin":false,"id":"1"}',
      '{"Admin":true}',
      '{"admin":"true"}',
      '{"admin":false,"admin":true}',
      '{"admin":false,"\\u0061dmin":true}',
      '{"__proto__":{"admin":true}}',
      '{"constructor":{"prototype":{"admin":true}}}',
      '{"name":"adm"}',
    ];
    for (const as of ['bob', 'adm'] as Person[]) {
      for (const body of bodies) {
        const answer = await world.ask({ as, method: 'PATCH', path: user, headers: { 'content-type': 'application/json' }, body });
        expect(answer.status, body).toBe(400);
      }
    }
    expect((await world.ask({ as: 'bob', path: me })).json()).toMatchObject({ admin: false });
  });

  it('by an API token: it is narrower than its user, and makes no wider one', async () => {
    const make = async (as: Person, actions: readonly string[]) => {
      const made = await world.ask({ as, method: 'POST', path: '/api/v1/tokens', body: { name: 'narrow', actions } });
      return { authorization: `Bearer ${made.json<{ token: string }>().token}` };
    };
    const reader = await make('adm', ['list', 'stat', 'download']);
    const writes = [
      { method: 'PATCH', path: '/api/v1/sources/local1', body: { options: { root: '/' } } },
      { method: 'POST', path: '/api/v1/users', body: { name: 'mine', admin: true } },
      { method: 'POST', path: '/api/v1/shares', body: { target: 'source:local1/alice/pub' } },
      { method: 'PUT', path: '/api/v1/packages/alice/pkga/entries/x.md', body: Buffer.from('x') },
      { method: 'POST', path: '/api/v1/tokens', body: { name: 'wider', actions: all } },
    ];
    for (const one of writes) {
      const type = Buffer.isBuffer(one.body) ? 'application/octet-stream' : 'application/json';
      expect((await world.ask({ ...one, headers: { ...reader, 'content-type': type } })).status, one.path).toBe(403);
    }
    const lister = await make('alice', ['list']);
    const presign = { method: 'POST', path: '/api/v1/sources/local1/presign/alice/pub/a.txt' };
    expect((await world.ask({ ...presign, headers: lister })).status).toBe(403);
    expect((await world.ask({ path: '/p/alice/pkga@1/o/a.txt', headers: lister })).status).toBe(403);
    const wide = await make('ro', all);
    expect((await world.ask({ method: 'POST', path: '/api/v1/users', headers: wide, body: { name: 'mine' } })).status).toBe(403);
  });
});

it('A13 an account is ordinary unless an administrator says otherwise', async () => {
  const made = await world.ask({ as: 'adm', method: 'POST', path: '/api/v1/users', body: { name: 'plain' } });
  expect(made.json()).toMatchObject({ admin: false, hasPassword: false });
  const login = (password: string) =>
    world.ask({ method: 'POST', path: '/api/v1/login', body: { name: 'plain', password }, peer: '203.0.113.80' });
  expect([(await login('')).status, (await login('null')).status], 'absent is not equal').toEqual([401, 401]);
  await world.ask({ as: 'adm', method: 'DELETE', path: '/api/v1/users/plain' });
});

it('A14 headers of identity and of hosts change nothing', async () => {
  const headers = { 'x-remote-user': 'adm', x_remote_user: 'adm', 'remote-user': 'adm', 'x-forwarded-preferred-username': 'adm' };
  expect((await world.ask({ path: me, headers })).status).toBe(401);
  expect((await world.ask({ as: 'bob', path: me, headers })).json()).toMatchObject({ name: 'bob' });
  const foreign = {
    host: 'evil.example',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    'x-forwarded-prefix': '//evil.example',
  };
  const { S } = world.shares;
  const paths = [
    `/s/${S.id}`,
    `/s/${S.id}/`,
    `/s/${S.id}/api`,
    `/s/${S.id}/urls.txt`,
    `/s/${S.id}/o`,
    `/s/${S.id}/o/deep`,
    `/s/${S.id}/o/a.txt`,
  ];
  for (const path of paths) {
    const answer = await world.ask({ path, headers: foreign });
    expect(answer.status, path).toBeLessThan(400);
    expect(JSON.stringify(answer.headers) + answer.text, path).not.toContain('evil');
  }
  const made = await world.ask({ as: 'alice', path: `/api/v1/shares/${S.number}`, headers: foreign });
  expect(made.json<{ url: string }>().url.startsWith(world.packager.url)).toBe(true);
});

it('tells each person apart by every carrier', async () => {
  for (const person of people) {
    for (const via of carriers) expect((await world.ask({ as: person, via, path: me })).json()).toMatchObject({ name: person });
  }
});
