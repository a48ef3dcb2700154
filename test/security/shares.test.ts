/** Attacks on shares: A04, A15–A22. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, carriers, openWorld, type Share, sharePassword, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterEach(() => world.check());
afterAll(() => world.close());

const below = ['', '/', '/api', '/o', '/o/', '/o/a.txt', '/o/a.txt?pointer', '/entries/', '/manifest.jsonl', '/urls.txt', '/package.zip'];

/** What a stranger is told, without the id of the request. */
function told({ status, headers, text }: Answer): object {
  const { 'x-request-id': _id, date: _date, ...rest } = headers;
  const { 'content-length': _length, ...others } = rest;
  return { status, headers: others, body: text.replace(/"instance":"[^"]*"/, '').replace(/share \d+ of/, 'share of') };
}

/** The statuses of what a share gives, by all its doors. */
async function openAll(id: string, peer: string): Promise<number[]> {
  const gets = ['/', '/api', '/o/', '/o/a.txt', '/entries/', '/manifest.jsonl', '/package.zip'];
  const answers = await Promise.all(gets.map((path) => world.ask({ path: `/s/${id}${path}`, peer })));
  const headers = { 'content-type': 'application/x-ndjson' };
  const bulk = await world.ask({ method: 'POST', path: `/s/${id}/exchange`, headers, body: '"a.txt"\n', peer });
  return [...answers, bulk].map(({ status }) => status);
}

const gone = (): number[] => Array.from({ length: 8 }, () => 404);

async function make(as: 'alice' | 'bob', body: Record<string, unknown>): Promise<Share> {
  const made = await world.share(as, body);
  expect(made.status, made.text).toBe(201);
  return made.json<Share>();
}

describe('A04 guessing ids', () => {
  it('gives one answer for what never was, is over, was revoked, or is spelt otherwise', async () => {
    const { S, X } = world.shares;
    const revoked = await make('alice', { target: 'source:local1/alice/pub' });
    const deleted = await world.ask({ as: 'alice', method: 'DELETE', path: `/api/v1/shares/${revoked.number}` });
    expect(deleted.status).toBe(200);
    const swapped = [...S.id].map((one) => (one === one.toUpperCase() ? one.toLowerCase() : one.toUpperCase())).join('');
    const ids = ['AAAAAAAAAAAAAAAAAAAAAA', 'word', X.id, revoked.id, swapped];
    let peer = 0;
    for (const path of below.slice(1)) {
      const answers = [];
      for (const id of ids) answers.push(told(await world.ask({ path: `/s/${id}${path}`, peer: `203.0.113.${++peer}` })));
      for (const answer of answers) expect(answer, path).toEqual(answers[0]);
      // Without the slash the answer is where the folder would be, whatever the id.
      expect(path === '/o' ? [307, 308, 404] : [404], path).toContain((answers[0] as { status: number }).status);
    }
  });

  it('is over for a peer after 20', async () => {
    const peer = '203.0.113.240';
    const statuses: number[] = [];
    for (let index = 0; index < 22; index++) {
      const path = `/s/${Buffer.alloc(16, index).toString('base64url')}${index % 2 === 0 ? '/api' : '/o/a.txt'}`;
      statuses.push((await world.ask({ path, peer })).status);
    }
    expect(statuses).toEqual([...Array.from({ length: 20 }, () => 404), 429, 429]);
    expect((await world.ask({ path: `/s/${world.shares.X.id}/unlock`, method: 'POST', body: { password: 'x' }, peer })).status).toBe(429);
    expect((await world.ask({ path: `/s/${world.shares.S.id}/api`, peer })).status, 'who has a link goes on').toBe(200);
  });
});

describe('locked', () => {
  it('a share gives the same constant answer everywhere, for GET, HEAD and POST', async () => {
    const { P } = world.shares;
    const first = told(await world.ask({ path: `/s/${P.id}/api` })) as { body: string };
    for (const path of below.slice(2)) {
      if (path === '/o') continue;
      for (const tail of [path, path.replace('a.txt', 'nothing.txt')]) {
        const answer = await world.ask({ path: `/s/${P.id}${tail}`, headers: { range: 'bytes=0-0', 'if-none-match': '*' } });
        expect([answer.status, (told(answer) as { body: string }).body], tail).toEqual([401, first.body]);
        const head = await world.ask({ method: 'HEAD', path: `/s/${P.id}${tail}` });
        expect([401, 404, 405], tail).toContain(head.status);
        expect(head.headers['etag']).toBeUndefined();
      }
    }
    expect((await world.ask({ method: 'POST', path: `/s/${P.id}/accept`, body: {} })).status).toBe(401);
    expect(JSON.stringify(first)).not.toContain('pub');
  });

  it('a ticket opens its own share only, and ends with the password', async () => {
    const mine = await make('alice', { target: 'source:local1/alice/pub', password: sharePassword });
    const unlock = () => world.ask({ method: 'POST', path: `/s/${mine.id}/unlock`, body: { password: sharePassword } });
    const { ticket } = (await unlock()).json<{ ticket: string }>();
    expect((await world.ask({ path: `/s/${mine.id}~${ticket}/o/`, peer: '203.0.113.9' })).status).toBe(200);
    expect((await world.ask({ path: `/s/${world.shares.P.id}~${ticket}/o/` })).status).toBe(401);
    expect((await world.ask({ path: `/s/${mine.id}~${ticket.slice(0, -2)}xx/o/` })).status).toBe(401);
    const change = {
      as: 'alice',
      method: 'PATCH',
      path: `/api/v1/shares/${mine.number}`,
      body: { password: 'another horse battery' },
    } as const;
    world.keepSecret('another horse battery');
    expect((await world.ask(change)).status).toBe(200);
    expect((await world.ask({ path: `/s/${mine.id}~${ticket}/o/` })).status).toBe(401);
    expect((await unlock()).status).toBe(401);
  });
});

describe('A15 what share answers tell', () => {
  it('owner and administrator: that there is a password, and nothing of it', async () => {
    const { P } = world.shares;
    for (const as of ['alice', 'adm'] as const) {
      for (const via of carriers) {
        const one = await world.ask({ as, via, path: `/api/v1/shares/${P.number}` });
        expect(one.json(), as).toMatchObject({ hasPassword: true, audience: 'password' });
        const list = await world.ask({ as, via, path: `/api/v1/shares${as === 'adm' ? '?all=true' : ''}` });
        for (const share of list.json<{ shares: object[] }>().shares) {
          expect(Object.keys(share).filter((key) => /hash|salt|secret|ticket|^password/i.test(key))).toEqual([]);
        }
      }
    }
  });

  it('strangers: neither source, place, owner nor what lies above', async () => {
    for (const { id } of [world.shares.S, world.shares.F, world.shares.V]) {
      for (const path of ['/', '/api', '/o/', '/entries/', '/manifest.jsonl', '/urls.txt', '/index.html', '/aria2.txt', '/curl.cfg']) {
        const { status, headers, text } = await world.ask({ path: `/s/${id}${path}` });
        expect(status, path).toBe(200);
        expect(`${JSON.stringify(headers)}${text}`, path).not.toMatch(/local1|alice|"key"|"owner"|"source"/);
      }
    }
    const pointer = await world.ask({ path: `/s/${world.shares.V.id}/o/a.txt?pointer` });
    expect(pointer.text).toContain('path a.txt');
    expect(pointer.text).not.toMatch(/local1|alice/);
  });

  it('a link never makes another link: nothing in it opens a locked share', async () => {
    const { P } = world.shares;
    const shown = await world.ask({ as: 'alice', path: `/api/v1/shares/${P.number}` });
    const { url } = shown.json<{ url: string }>();
    expect((await world.ask({ path: `${new URL(url).pathname.replace(/\/$/, '')}/` })).status).toBe(401);
  });
});

it('A16 who may not download makes no share, of anything, by any carrier', async () => {
  for (const via of carriers) {
    for (const target of ['source:local1/alice/pub', 'source:local1/alice/pub/a.txt', 'source:local1/alice', 'source:local1']) {
      for (const rights of [['view'], ['exchange'], ['view', 'exchange']]) {
        const answer = await world.ask({ as: 'nodl', via, method: 'POST', path: '/api/v1/shares', body: { target, rights } });
        expect([403, 404], `${target} ${via} ${answer.text}`).toContain(answer.status);
      }
    }
    for (const target of ['source:local1/bob', 'source:local2', 'source:local1/alice/pub', 'alice/pkga@1']) {
      expect([403, 404], target).toContain(
        (await world.ask({ as: 'ro', via, method: 'POST', path: '/api/v1/shares', body: { target } })).status,
      );
    }
  }
  const list = await world.ask({ as: 'nodl', path: '/api/v1/shares' });
  expect(list.json<{ shares: unknown[] }>().shares).toEqual([]);
});

it('A16 who holds a view-only share gets no byte, digest or validator', async () => {
  const { id } = await make('alice', { target: 'alice/pkga@1', rights: ['view'] });
  const asked = ['/o/a.txt', '/o/README.md', '/o/README.md?pointer', '/package.zip', '/SHA256SUMS'];
  for (const path of asked) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await world.ask({ method, path: `/s/${id}${path}`, headers: { range: 'bytes=0-0' } });
      expect([403, 404], `${method} ${path}`).toContain(answer.status);
      for (const name of ['etag', 'location', 'x-linked-etag', 'x-linked-checksum', 'x-linked-size'])
        expect(answer.headers[name], `${method} ${path} ${name}`).toBeUndefined();
    }
  }
  const headers = { 'content-type': 'application/x-ndjson' };
  expect((await world.ask({ method: 'POST', path: `/s/${id}/exchange`, headers, body: '"README.md"\n' })).status).toBe(403);
});

describe('A17 a right that its owner lost closes the share at once', () => {
  const all = ['list', 'stat', 'download', 'create', 'modify', 'delete', 'share'];
  const open = [200, 200, 200, 307, 200, 200, 200, 200];
  let peer = 0;
  const statuses = () => openAll(world.shares.S.id, `198.18.0.${++peer}`);
  const restored = async () => {
    await world.grant('alice', 'alice/pub', all);
    expect(await statuses()).toEqual(open);
  };

  it.each([
    [
      'the share right',
      () =>
        world.grant(
          'alice',
          'alice/pub',
          all.filter((one) => one !== 'share'),
        ),
    ],
    [
      'the download right',
      () =>
        world.grant(
          'alice',
          'alice/pub',
          all.filter((one) => one !== 'download'),
        ),
    ],
    ['the whole grant', () => world.revokeGrant('alice', 'alice/pub')],
    [
      'the grant, for one of a sub-folder',
      async () => {
        await world.grant('alice', 'alice/pub/deep', all);
        await world.revokeGrant('alice', 'alice/pub');
      },
    ],
  ])('%s', async (_name, take) => {
    await restored();
    await take();
    expect(await statuses()).toEqual(gone());
    await restored();
  });

  it('the account', async () => {
    await restored();
    const set = (disabled: boolean) => world.ask({ as: 'adm', method: 'PATCH', path: '/api/v1/users/alice', body: { disabled } });
    const link = await world.ask({ path: `/s/${world.shares.S.id}/o/a.txt` });
    expect((await set(true)).status).toBe(200);
    expect(await statuses()).toEqual(gone());
    expect((await world.ask({ as: 'alice', via: 'token', path: '/api/v1/me' })).status).toBe(401);
    expect(link.status).toBe(307);
    expect((await set(false)).status).toBe(200);
    expect(await statuses()).toEqual(open);
    expect((await world.ask({ as: 'alice', via: 'token', path: '/api/v1/me' })).status, 'old evidence stays dead').toBe(401);
    await world.equip('alice');
  });
});

it('A18 someone else’s share is not there', async () => {
  const { S } = world.shares;
  const path = `/api/v1/shares/${S.number}`;
  const future = new Date(Date.now() + 1e9).toISOString();
  const tries = [
    { method: 'GET', path },
    { method: 'PATCH', path, body: { title: 'mine' } },
    { method: 'PATCH', path, body: { audience: 'password', password: 'a password of bob' } },
    { method: 'PATCH', path, body: { expiresAt: future } },
    { method: 'DELETE', path },
    { method: 'POST', path: `${path}/pause` },
    { method: 'POST', path: `${path}/resume` },
    { method: 'POST', path: `${path}/rotate` },
  ];
  for (const via of carriers) {
    for (const one of tries) {
      const answer = await world.ask({ as: 'bob', via, ...one });
      const never = await world.ask({ as: 'bob', via, ...one, path: one.path.replace(String(S.number), '999999') });
      expect(answer.status, `${one.method} ${one.path}`).toBe(404);
      expect(told(answer)).toEqual(told(never));
    }
    for (const query of ['?user=alice', '?owner=alice']) {
      expect((await world.ask({ as: 'bob', via, path: `/api/v1/shares${query}` })).status).toBe(400);
    }
    expect((await world.ask({ as: 'bob', via, path: '/api/v1/shares' })).json()).toEqual({ shares: [] });
  }
  expect((await world.ask({ path: `/s/${S.id}/api` })).json()).toMatchObject({ title: 'pub' });
});

it('A19 nothing above or beside what is shared', async () => {
  const { S, F } = world.shares;
  const listed = (await world.ask({ path: `/s/${S.id}/entries/` })).json<{ entries: { path: string }[] }>();
  expect(listed.entries.map(({ path }) => path).sort()).toEqual(['a.txt', 'deep']);
  const outwards = ['..', '../pub2/z.txt', '%2e%2e/pub2/z.txt', '..%2fpub2/z.txt', 'deep/../../pub2/z.txt', '/pub2/z.txt', './a.txt'];
  const absent = ['pub2/z.txt', 'alice/pub2/z.txt', '2/z.txt', 'pub/a.txt'];
  const bases = [`/s/${S.id}/o/`, `/s/${S.id}/entries/`, `/s/${F.id}/o/`, `/s/${F.id}/entries/`];
  for (const base of bases) {
    for (const path of outwards) expect([400, 404], base + path).toContain((await world.ask({ path: base + path })).status);
    for (const path of absent) expect((await world.ask({ path: base + path })).status, base + path).toBe(404);
  }
  const single = (await world.ask({ path: `/s/${F.id}/entries/` })).json<{ entries: { path: string }[] }>();
  expect(single.entries.map(({ path }) => path)).toEqual(['a.txt']);
  expect((await world.ask({ path: `/s/${F.id}/o/deep/b.bin` })).status).toBe(404);
  const only = { only: ['../pub2/z.txt'] };
  for (const name of ['urls.txt', 'manifest.jsonl', 'package.zip']) {
    expect((await world.ask({ method: 'POST', path: `/s/${S.id}/${name}`, body: only })).status, name).toBe(400);
    expect([400, 404]).toContain((await world.ask({ path: `/s/${S.id}/${name}?folder=../pub2` })).status);
  }
});

it('A19 of a whole source, and of a folder one level deep', async () => {
  for (const [target, expected] of [
    ['source:local1', ['alice', 'bob']],
    ['source:local1/bob', ['a', 'secret.txt']],
  ] as const) {
    const made = await world.ask({ as: 'adm', method: 'POST', path: '/api/v1/shares', body: { target } });
    const { id, number } = made.json<Share>();
    const { entries } = (await world.ask({ path: `/s/${id}/entries/` })).json<{ entries: { path: string }[] }>();
    expect(entries.map(({ path }) => path).sort()).toEqual(expected);
    expect((await world.ask({ path: `/s/${id}/o/../x` })).status).toBe(400);
    await world.ask({ as: 'adm', method: 'DELETE', path: `/api/v1/shares/${number}` });
  }
});

it('A20 a share holds what its owner holds, and no more', async () => {
  for (const target of [
    'source:local1/alice',
    'source:local1',
    'source:local1/alice/deny',
    'source:local1/alice/pub2',
    'source:local1/bob',
  ]) {
    expect([403, 404], target).toContain((await world.share('alice', { target })).status);
  }
});

it('A21 a share follows its own thing, and nobody else’s', async () => {
  const folder = join(world.root, 'bob');
  await mkdir(join(folder, 'alicia'));
  await writeFile(join(folder, 'alicia/x.txt'), 'x');
  const made = await make('bob', { target: 'source:local1/bob/alicia' });
  expect((await world.ask({ path: `/s/${made.id}/o/x.txt` })).status).toBe(307);
  await rename(join(folder, 'alicia'), join(folder, 'alicia2'));
  expect((await world.ask({ path: `/s/${made.id}/o/x.txt` })).status, 'gone with its folder').toBe(404);
  expect((await world.ask({ as: 'bob', method: 'DELETE', path: `/api/v1/shares/${made.number}` })).status).toBe(200);
  await rm(join(folder, 'alicia2'), { recursive: true });
  expect(await openAll(world.shares.S.id, '198.18.1.1')).toEqual([200, 200, 200, 307, 200, 200, 200, 200]);
});

it('A57 every capability is listed for its owner and for administrators, and can be revoked', async () => {
  const mine = (await world.ask({ as: 'alice', path: '/api/v1/shares?limit=1000' })).json<{ shares: Share[] }>().shares;
  const every = (await world.ask({ as: 'adm', path: '/api/v1/shares?all=true&limit=1000' })).json<{ shares: Share[] }>().shares;
  const numbers = new Set(every.map(({ number }) => number));
  for (const { number } of [...Object.values(world.shares), ...mine]) expect(numbers.has(number)).toBe(true);
  const tokens = await world.ask({ as: 'adm', path: '/api/v1/tokens?all=true' });
  expect(tokens.json<{ tokens: { user: string }[] }>().tokens.some(({ user }) => user === 'bob')).toBe(true);
  const sessions = await world.ask({ as: 'adm', path: '/api/v1/sessions?all=true' });
  expect(sessions.json<{ sessions: { user: string }[] }>().sessions.some(({ user }) => user === 'bob')).toBe(true);
  const token = await world.signIn('bob');
  const headers = { authorization: `Bearer ${token}` };
  const api = await world.ask({ method: 'POST', path: '/api/v1/tokens', headers, body: { name: 'x', actions: ['list'] } });
  const made = api.json<{ token: string; details: { id: string } }>();
  expect((await world.ask({ as: 'ro', method: 'DELETE', path: `/api/v1/tokens/${made.details.id}` })).status).toBe(404);
  expect((await world.ask({ as: 'adm', method: 'DELETE', path: `/api/v1/tokens/${made.details.id}` })).status).toBe(204);
  expect((await world.ask({ path: '/api/v1/me', headers: { authorization: `Bearer ${made.token}` } })).status).toBe(401);
  const share = await make('bob', { target: 'source:local1/bob' });
  expect((await world.ask({ as: 'adm', method: 'DELETE', path: `/api/v1/shares/${share.number}` })).status).toBe(200);
  expect((await world.ask({ path: `/s/${share.id}/api` })).status).toBe(404);
});
