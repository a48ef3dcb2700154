/** Attacks on sources, temporary URLs and secrets: A48–A50. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { carriers, openWorld, type Share, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterEach(() => world.check());
afterAll(() => world.close());

const post = { method: 'POST' } as const;
const presign = '/api/v1/sources/local1/presign/alice/pub/a.txt';

describe('A49 the life of a temporary URL', () => {
  it('is a whole number of seconds, cut to the cap and to the end of the share, and stated', async () => {
    for (const expires of ['-1', '0', 'NaN', '1e9', '1.5', ' 60', '0x10', '99999999', '604801', '']) {
      const query = `?expires=${encodeURIComponent(expires)}`;
      expect((await world.ask({ as: 'alice', ...post, path: presign + query })).status, expires).toBe(400);
      expect((await world.ask({ path: `/s/${world.shares.S.id}/o/a.txt${query}` })).status, expires).toBe(400);
      const headers = { 'content-type': 'application/x-ndjson' };
      const bulk = await world.ask({ ...post, path: `/s/${world.shares.S.id}/exchange${query}`, headers, body: '"a.txt"\n' });
      expect(bulk.status, expires).toBe(400);
    }
    const lifeOf = async (path: string, method = 'GET', as?: 'alice'): Promise<number> => {
      const answer = await world.ask({ as, method, path, headers: { accept: 'application/json' } });
      return (Date.parse(answer.json<{ expiresAt: string }>().expiresAt) - Date.now()) / 1000;
    };
    expect(await lifeOf(`${presign}?expires=604800`, 'POST', 'alice'), 'the cap').toBeLessThanOrEqual(3600);
    expect(await lifeOf(`${presign}?expires=60`, 'POST', 'alice')).toBeLessThanOrEqual(60);
    const short = await world.share('alice', { target: 'source:local1/alice/pub', expiresAt: new Date(Date.now() + 60_000).toISOString() });
    const life = await lifeOf(`/s/${short.json<Share>().id}/o/a.txt?expires=3600`);
    expect(life).toBeGreaterThan(30);
    expect(life, 'the end of the share').toBeLessThanOrEqual(60);
    expect((await world.ask({ path: `/s/${world.shares.X.id}/o/a.txt` })).status).toBe(404);
  });

  it('is checked first when it is used, and nothing of the URL can be changed', async () => {
    const signed = await world.ask({ as: 'alice', ...post, path: `${presign}?expires=1` });
    const { pathname } = new URL(signed.json<{ url: string }>().url);
    const [, , token = '', name = ''] = pathname.split('/');
    const [key = '', sealed = ''] = token.split('.');
    const bytes = Buffer.from(sealed, 'base64url');
    expect(bytes.toString('latin1')).not.toContain('alice/pub');
    const flip = (at: number): string => {
      const changed = Buffer.from(bytes);
      changed.writeUInt8((changed.at(at) ?? 0) ^ 1, at < 0 ? changed.length + at : at);
      return changed.toString('base64url');
    };
    const forged = [
      ...[0, 13, 20, 40, Math.floor(bytes.length / 2), -17, -1].map((at) => `${key}.${flip(at)}/${name}`),
      `${key}.${bytes.subarray(0, -1).toString('base64url')}/${name}`,
      `${key}.${sealed}A/${name}`,
      `${key}.${sealed}`,
      `${key}.${sealed}/x.html`,
      `${key}/${name}`,
      `unknown.${sealed}/${name}`,
      'x/y',
    ];
    for (const one of forged) {
      const answer = await world.ask({ path: `/o/${one}` });
      expect([403, 404], one.slice(-20)).toContain(answer.status);
      expect(answer.text).not.toContain('CANARY');
    }
    for (const method of ['HEAD', 'PUT', 'POST', 'DELETE']) {
      expect([403, 404, 405, 415], method).toContain(
        (await world.ask({ method, path: pathname, body: method === 'HEAD' ? undefined : Buffer.from('x') })).status,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const late = await world.ask({ path: pathname });
    expect([late.status, late.json()['code']]).toEqual([403, 'signature_expired']);
  });

  it('is given only for what one may download', async () => {
    for (const via of carriers) {
      for (const path of ['bob/secret.txt', 'alice/deny/s.txt', 'alice/pub2/z.txt']) {
        for (const as of ['alice', 'ro', 'nodl'] as const) {
          expect((await world.ask({ as, via, ...post, path: `/api/v1/sources/local1/presign/${path}` })).status, `${as} ${path}`).toBe(404);
        }
      }
      expect((await world.ask({ as: 'ro', via, ...post, path: presign })).status).toBe(200);
      expect((await world.ask({ as: 'nodl', via, ...post, path: presign })).status).toBe(403);
      expect((await world.ask({ as: 'ro', via, ...post, path: `${presign}?method=PUT` })).status).toBe(400);
      expect((await world.ask({ as: 'ro', via, ...post, path: `${presign}?method=DELETE` })).status).toBe(400);
    }
  });
});

it('A50 a source tells its options and problems to administrators only, and a secret to nobody', async () => {
  for (const via of carriers) {
    const seen = await world.ask({ as: 'alice', via, path: '/api/v1/sources/local1' });
    expect(Object.keys(seen.json()).filter((key) => ['options', 'secrets', 'problem'].includes(key))).toEqual([]);
    const list = await world.ask({ as: 'alice', via, path: '/api/v1/sources' });
    expect(list.json<{ sources: { name: string }[] }>().sources.map(({ name }) => name)).toEqual(['local1']);
    expect((await world.ask({ as: 'adm', via, path: '/api/v1/sources/local1' })).json()).toHaveProperty('options');
  }
  const secret = 'a-secret-of-a-source';
  world.keepSecret(secret);
  const changed = await world.ask({
    as: 'adm',
    method: 'PATCH',
    path: '/api/v1/sources/local1',
    body: { secrets: { AWS_SECRET_ACCESS_KEY: secret } },
  });
  expect(changed.status, 'a driver takes only the secrets that it declares').toBe(400);
  const body = { name: 'broken', driver: 'folder', options: { root: '/nowhere/at/all' } };
  const added = await world.ask({ as: 'adm', ...post, path: '/api/v1/sources', body: { ...body, secrets: { X: secret } } });
  expect(added.status).toBe(400);
  const tested = await world.ask({ as: 'adm', ...post, path: '/api/v1/sources/local1/test' });
  expect(tested.json()).toMatchObject({ works: true });
  const config = await world.ask({ as: 'adm', path: '/api/v1/config' });
  expect(config.status).toBe(200);
});

it('A48 options of a source are what its driver declares', async () => {
  const bad = [
    { driver: 'nothing', options: {} },
    { driver: 'folder', options: {} },
    { driver: 'folder', options: { root: 'relative' } },
    { driver: 'folder', options: { root: '../..' } },
    { driver: 'folder', options: { root: world.root, command: 'id' } },
    { driver: 'folder', options: { root: world.root, env: 'A=b' } },
    { driver: 'folder', options: { root: [world.root] } },
    { driver: 'folder', options: { root: `${world.root}\u0000/x` } },
  ];
  for (const one of bad) {
    const answer = await world.ask({ as: 'adm', ...post, path: '/api/v1/sources', body: { name: 'bad', ...one } });
    expect(answer.status, JSON.stringify(one)).toBe(400);
  }
});
