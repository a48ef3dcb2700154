/** What takes too long or comes too often: with settings lowered so that each limit is reached, and the answer named. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeFiles } from '../support/files.ts';
import { type LimitedServer, startLimited } from './limited-server.ts';

let server: LimitedServer;
let share: string;

beforeAll(async () => {
  server = await startLimited({
    'http.headersTimeout': 600,
    'http.bodyTimeout': 600,
    'http.idleTimeout': 600,
    'http.inFlightPerPeer': 4,
    'http.eventStreams': 2,
    'http.eventStreamTimeout': 60_000,
    'http.searchHits': 5,
    'http.rates.exchange.perMinute': 1,
    'http.rates.exchange.burst': 3,
    'http.archivesPerShare': 1,
    'rates.loginAccount': 2,
    'rates.loginPeer': 3,
    'rates.sharePasswordPeer': 2,
    'rates.sharePassword': 4,
    'rates.unknownShare': 3,
  });
  const data = join(server.packager.folder, 'data');
  await writeFiles(data, Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`hit-${index}.txt`, 'text'])));
  await server.ask({ method: 'POST', path: '/api/v1/sources', body: { name: 'lab', driver: 'folder', options: { root: data } } });
  await server.ask({ method: 'POST', path: '/api/v1/packages', body: { reference: 'admin/p' } });
  await server.packager.json('packages', 'add', 'admin/p', 'lab');
  await server.packager.json('packages', 'freeze', 'admin/p', '-m', 'One');
  const [made] = await server.packager.json<{ id: string }>('shares', 'add', 'admin/p@1');
  share = made?.id ?? '';
});
afterAll(() => server.stop());

const json = 'Content-Type: application/json';

describe('a request that comes too slowly', () => {
  it('is refused while its head comes', async () => {
    expect(await server.raw(['GET /health HTTP/1.1\r\n', 'Host: x\r\n', '\r\n'], { pause: 50 })).toMatch(/^HTTP\/1\.1 200 /);
    const lines = Array.from({ length: 60 }, (_, index) => `X-${index}: y\r\n`);
    expect(await server.raw(['GET /health HTTP/1.1\r\n', ...lines], { pause: 100 })).toMatch(/^HTTP\/1\.1 408 .*body_timeout/s);
    expect(await server.raw(['GET /health HTT'])).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('is refused while its JSON comes, however steadily', async () => {
    const head = server.head('POST /api/v1/shares', json, 'Content-Length: 40');
    const whole = await server.raw([head, ...Array.from({ length: 4 }, () => ' '.repeat(9)), '{}  '], { pause: 20 });
    expect(whole).toMatch(/^HTTP\/1\.1 400 /);
    const trickle = Array.from({ length: 40 }, () => ' ');
    expect(await server.raw([head, ...trickle], { pause: 100 })).toMatch(/^HTTP\/1\.1 408 .*body_timeout/s);
    const chunked = server.head('POST /api/v1/shares', json, 'Transfer-Encoding: chunked');
    expect(await server.raw([chunked, ...trickle.map(() => '1\r\n \r\n')], { pause: 100 })).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('is heard as a stream while it goes on, and refused when it stops', async () => {
    const head = server.head(`POST /s/${share}/exchange`, 'Content-Type: application/x-ndjson', 'Transfer-Encoding: chunked');
    const line = '"none.txt"\n';
    const chunk = `${line.length.toString(16)}\r\n${line}\r\n`;
    const steady = await server.raw([head, ...Array.from({ length: 8 }, () => chunk), '0\r\n\r\n'], { pause: 120, milliseconds: 2500 });
    expect(steady.match(/not_found/g), steady).toHaveLength(8);
    expect(steady).not.toContain('body_timeout');
    const stopped = await server.raw([head, chunk], { milliseconds: 3000 });
    expect(stopped).toContain('body_timeout');
  });
});

describe('at once', () => {
  it('one peer has so many requests under way, and the next is told to wait', async () => {
    const peer = '203.0.113.1';
    const waiting = (more: string): string =>
      server.head('POST /api/v1/shares', json, `X-Forwarded-For: ${peer}`, 'Content-Length: 10', more);
    const held = Array.from({ length: 4 }, () => server.raw([waiting('X: y')], { milliseconds: 500 }));
    let answer = await server.ask({ path: '/health', peer });
    for (let tries = 0; tries < 20 && answer.status === 200; tries++) answer = await server.ask({ path: '/health', peer });
    expect([answer.status, answer.code, answer.headers['retry-after']]).toEqual([429, 'rate_limited', '1']);
    expect((await server.ask({ path: '/health', peer: '203.0.113.2' })).status, 'another peer').toBe(200);
    await Promise.all(held);
    for (let tries = 0; tries < 40 && answer.status !== 200; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      answer = await server.ask({ path: '/health', peer });
    }
    expect(answer.status, 'places are given back').toBe(200);
  });

  it('one peer is an IPv4 address, or 64 bits of an IPv6 one', async () => {
    const held = Array.from({ length: 4 }, (_, index) =>
      server.raw([server.head('POST /api/v1/shares', json, `X-Forwarded-For: 2001:db8:1:2::${index + 1}`, 'Content-Length: 10')], {
        milliseconds: 500,
      }),
    );
    let answer = await server.ask({ path: '/health', peer: '2001:db8:1:2:ffff::9' });
    for (let tries = 0; tries < 20 && answer.status === 200; tries++)
      answer = await server.ask({ path: '/health', peer: '2001:db8:1:2:ffff::9' });
    expect(answer.status).toBe(429);
    expect((await server.ask({ path: '/health', peer: '2001:db8:1:3::1' })).status).toBe(200);
    await Promise.all(held);
  });

  it('one actor follows so many jobs', async () => {
    const { id } = (await server.ask({ path: '/api/v1/jobs' })).json<{ jobs: { id: string }[] }>().jobs[0] ?? { id: '' };
    expect((await server.ask({ path: `/api/v1/jobs/${id}/events` })).text).toContain('event: end');
    expect((await server.ask({ path: '/api/v1/jobs/none/events' })).status).toBe(404);
  });
});

describe('too often', () => {
  const login = (name: string, peer: string) =>
    server.ask({ method: 'POST', path: '/api/v1/login', body: { name, password: 'wrong password' }, peer, token: undefined });

  it('a sign-in fails: of one account, and from one peer', async () => {
    for (const status of [401, 401, 429]) expect((await login('admin', `198.51.100.${status % 7}`)).status).toBe(status);
    const blocked = await login('admin', '198.51.100.99');
    expect([blocked.code, Number(blocked.headers['retry-after']) > 0]).toEqual(['rate_limited', true]);
    for (const [index, status] of [401, 401, 401, 429].entries())
      expect((await login(`nobody-${index}`, '198.51.100.7')).status).toBe(status);
  });

  it('an id of a share is guessed', async () => {
    const guess = (id: string, peer = '198.51.100.8') => server.ask({ path: `/s/${id}/manifest.jsonl`, peer, token: undefined });
    for (const [index, status] of [404, 404, 404, 429].entries()) expect((await guess(`${index}`.repeat(22))).status).toBe(status);
    expect((await guess('x'.repeat(22), '198.51.100.9')).status).toBe(404);
  });

  it('a password of a share is wrong', async () => {
    const body = { target: 'admin/p@1', password: 'correct horse battery' };
    const { id } = (await server.ask({ method: 'POST', path: '/api/v1/shares', body })).json<{ id: string }>();
    const unlock = (password: string, peer: string) =>
      server.ask({ method: 'POST', path: `/s/${id}/unlock`, body: { password }, peer, token: undefined });
    const statuses = [];
    for (let tries = 0; tries < 3; tries++) statuses.push((await unlock('wrong', '198.51.100.10')).status);
    expect(statuses.at(-1)).toBe(429);
    expect(statuses.slice(0, 2).every((status) => status === 401 || status === 403)).toBe(true);
    expect((await unlock(body.password, '198.51.100.10')).status, 'also the right one, from there').toBe(429);
    expect((await unlock(body.password, '198.51.100.11')).status).toBe(200);
  });

  it('a password of a share is wrong from many peers', async () => {
    const { id } = (
      await server.ask({ method: 'POST', path: '/api/v1/shares', body: { target: 'admin/p@1', password: 'correct horse battery' } })
    ).json<{ id: string }>();
    const unlock = (peer: number) =>
      server.ask({ method: 'POST', path: `/s/${id}/unlock`, body: { password: 'wrong' }, peer: `198.51.100.${peer}`, token: undefined });
    const statuses = [];
    for (let peer = 20; peer < 25; peer++) statuses.push((await unlock(peer)).status);
    expect(statuses.map((status) => status === 429)).toEqual([false, false, false, false, true]);
  });

  it('one peer exchanges files of one share', async () => {
    const get = (peer: string) => server.ask({ path: `/s/${share}/o/hit-0.txt`, peer, token: undefined });
    for (const status of [307, 307, 307, 429]) expect((await get('198.51.100.12')).status).toBe(status);
    expect((await get('198.51.100.13')).status).toBe(307);
  });

  it('hits of a search are so many, and it says that there are more', async () => {
    const search = async (limit?: number) => {
      const { text } = await server.ask({ path: `/api/v1/sources/lab/search/?text=hit${limit === undefined ? '' : `&limit=${limit}`}` });
      return text.split('\n').filter((line) => line.includes('"path"')).length;
    };
    expect([await search(4), await search(5), await search(6), await search()]).toEqual([4, 5, 5, 5]);
  });
});
