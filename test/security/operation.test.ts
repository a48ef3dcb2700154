/** Attacks on operation: A53–A56, and everything that is not built. */
import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { absent } from './roles.ts';
import { openWorld, sharePassword, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  // Whatever the umask of whoever starts it.
  const before = process.umask(0);
  try {
    world = await openWorld({ PACKAGE_R_LOG_LEVEL: 'trace', PACKAGE_R_LOG_FORMAT: 'json' });
  } finally {
    process.umask(before);
  }
});
afterEach(() => world.check());
afterAll(() => world.close());

const post = { method: 'POST' } as const;

describe('what is not built', () => {
  it.each(absent)('$attack: $method $path answers nothing and changes nothing', async ({ method, path }) => {
    const at = path.replace('$S', world.shares.S.id);
    const body = method === 'GET' ? undefined : { name: 'evil', admin: true };
    for (const as of ['adm', undefined] as const) {
      const answer = await world.ask({ as, method, path: at, body });
      expect([404, 405], answer.text).toContain(answer.status);
    }
    expect((await world.ask({ as: 'adm', path: '/api/v1/users/evil' })).status).toBe(404);
  });
});

it('A53 the log of every kind of request at the lowest level holds no secret', async () => {
  const { P, S, V } = world.shares;
  const unlocked = await world.ask({ ...post, path: `/s/${P.id}/unlock`, body: { password: sharePassword } });
  const { ticket, listTicket } = unlocked.json<{ ticket: string; listTicket: string }>();
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const byForm = await world.ask({
    ...post,
    path: `/s/${P.id}/unlock`,
    headers: form,
    body: new URLSearchParams({ password: sharePassword }).toString(),
  });
  expect(byForm.status).toBe(303);
  const formTicket = /~([^/]+)/.exec(byForm.headers['location'] ?? '')?.[1] ?? '';
  const links = [
    `/s/${P.id}~${ticket}/o/a.txt`,
    `/s/${P.id}~${listTicket}/o/a.txt`,
    `/s/${P.id}~${formTicket}/`,
    `/s/${S.id}/o/a.txt`,
    `/s/${V.id}/o/a.txt`,
  ];
  const tokens: string[] = [];
  for (const path of links) {
    const hop = await world.ask({
      path: `${path}?password=${encodeURIComponent(sharePassword)}`,
      headers: { 'x-share-password': sharePassword },
    });
    if (hop.status !== 307) continue;
    const { pathname } = new URL(hop.headers['location'] ?? '');
    tokens.push(pathname.split('/')[2] ?? '');
    expect((await world.ask({ path: pathname })).status).toBe(200);
    await world.ask({ path: `${pathname}?x=${tokens.at(-1)}` });
  }
  expect(tokens.length).toBeGreaterThanOrEqual(4);
  await world.ask({ path: `/s/${P.id}/o/a.txt`, headers: { 'x-share-password': `${sharePassword}!` } });
  await world.ask({ path: `/api/v1/me?token=${world.evidenceOf('adm')}`, headers: { cookie: `pr_session=${world.evidenceOf('adm')}` } });
  await world.signIn('alice');
  const log = world.packager.log().replace(world.packager.adminPassword, '');
  expect(log.split('\n').filter((line) => line.startsWith('{')).length).toBeGreaterThan(30);
  for (const secret of [ticket, listTicket, formTicket, ...tokens, sharePassword, encodeURIComponent(sharePassword)]) {
    expect(log.includes(secret), secret.slice(0, 6)).toBe(false);
  }
  const state = new DatabaseSync(join(world.packager.dataDir, 'state.sqlite'), { readOnly: true });
  const events = JSON.stringify(state.prepare('select * from event').all());
  state.close();
  for (const secret of [ticket, listTicket, formTicket, sharePassword, world.evidenceOf('adm'), world.passwordOf('alice')]) {
    expect(events.includes(secret), `events told ${secret.slice(0, 6)}`).toBe(false);
  }
});

it('A54 what lies on disk is its owner’s alone, whatever the umask, and tokens are not in it', async () => {
  const made = await world.ask({ as: 'adm', ...post, path: '/api/v1/backup', body: { name: 'one.sqlite' } });
  expect(made.status, made.text).toBe(201);
  const { dataDir } = world.packager;
  const found = readdirSync(dataDir, { recursive: true, withFileTypes: true });
  expect(found.map(({ name }) => name)).toEqual(expect.arrayContaining(['state.sqlite', 'key', 'one.sqlite', 'backups']));
  const open = [dataDir, ...found.map(({ parentPath, name }) => join(parentPath, name))].filter(
    (path) => (lstatSync(path).mode & 0o077) !== 0,
  );
  expect(open).toEqual([]);
  const backup = readFileSync(join(dataDir, 'backups/one.sqlite'), 'latin1');
  const kept = [backup, readFileSync(join(dataDir, 'state.sqlite'), 'latin1')].join('');
  const key = readFileSync(join(dataDir, 'key'), 'latin1').trim();
  for (const secret of [
    key,
    sharePassword,
    world.packager.adminPassword,
    ...(['session', 'token', 'cookie'] as const).map((via) => world.evidenceOf('alice', via)),
  ]) {
    expect(kept.includes(secret), secret.slice(0, 4)).toBe(false);
  }
});

it('A55 strangers learn nothing of the server', async () => {
  for (const path of ['/metrics', '/openapi.json', '/api/v1/config', '/api/v1/drivers']) {
    const peer = '203.0.113.7';
    expect((await world.ask({ path, peer })).status, path).toBe(401);
  }
  expect((await world.ask({ as: 'alice', path: '/metrics', peer: '203.0.113.7' })).status).toBe(403);
  const broken = ['{', '{"name":}', '\u0000', '[1,', '{"name":"a","password":"b"', '\ud800'];
  for (const body of broken) {
    const answer = await world.ask({ ...post, path: '/api/v1/login', headers: { 'content-type': 'application/json' }, body });
    expect(answer.status).toBe(400);
    expect(answer.text).not.toMatch(/position|token|Unexpected|fastify|node|ajv/i);
  }
  for (const path of ['/', '/health', '/nothing', `/s/${world.shares.S.id}/`]) {
    const { headers, text } = await world.ask({ path });
    expect([headers['server'], headers['x-powered-by']], path).toEqual([undefined, undefined]);
    expect(text.replaceAll('127.0.0.1', ''), path).not.toMatch(/\b\d+\.\d+\.\d+\b(?!\.\d)/);
  }
});

describe('A56 faults cost what is faulty, and nothing else', () => {
  async function othersWork(): Promise<void> {
    expect((await world.ask({ as: 'alice', path: '/api/v1/sources/local1/entries/alice/pub' })).status).toBe(200);
    expect((await world.ask({ path: `/s/${world.shares.S.id}/o/a.txt` })).status).toBe(307);
    expect((await world.ask({ as: 'adm', path: '/api/v1/sources' })).status).toBe(200);
  }

  function change(statement: string, ...values: string[]): void {
    const state = new DatabaseSync(join(world.packager.dataDir, 'state.sqlite'), { timeout: 5000 });
    try {
      expect(state.prepare(statement).run(...values).changes).toBeGreaterThan(0);
    } finally {
      state.close();
    }
  }

  it('a source whose folder is gone', async () => {
    const folder = join(world.packager.folder, 'local2');
    await rename(folder, `${folder}-gone`);
    await world.packager.restart();
    expect((await world.ask({ as: 'adm', path: '/api/v1/sources/local2/entries/' })).status).toBe(503);
    await othersWork();
    const tested = await world.ask({ as: 'adm', ...post, path: '/api/v1/sources/local2/test' });
    expect(tested.json()).toMatchObject({ works: false });
    await rename(`${folder}-gone`, folder);
    expect((await world.ask({ as: 'adm', ...post, path: '/api/v1/sources/local2/test' })).json()).toMatchObject({ works: true });
  });

  it.each(['{not json', '{"root":"/","command":"id"}'])('a source whose options are %j', async (options) => {
    change("update source set options = ? where name = 'local2'", options);
    await world.packager.restart();
    const broken = await world.ask({ as: 'adm', path: '/api/v1/sources/local2/entries/' });
    expect(broken.status, broken.text).toBeGreaterThanOrEqual(500);
    const listed = await world.ask({ as: 'adm', path: '/api/v1/sources' });
    expect(listed.json<{ sources: object[] }>().sources).toContainEqual(expect.objectContaining({ name: 'local2', state: 'broken' }));
    await othersWork();
  });

  it('settings that are damaged', async () => {
    const state = new DatabaseSync(join(world.packager.dataDir, 'state.sqlite'), { timeout: 5000 });
    state.exec(
      "insert or replace into setting (key, value) values ('share.defaultDays', '{broken'), ('nobody.knows', '1'), ('port', '\"x\"')",
    );
    state.close();
    await world.packager.restart();
    await othersWork();
    expect((await world.ask({ as: 'adm', path: '/api/v1/config' })).status).toBe(200);
  });

  it('a state that is locked for a while', async () => {
    const state = new DatabaseSync(join(world.packager.dataDir, 'state.sqlite'), { timeout: 5000 });
    state.exec('begin immediate');
    const writing = world.ask({ as: 'alice', ...post, path: '/api/v1/packages', body: { reference: 'alice/later' } });
    expect((await world.ask({ as: 'alice', path: '/api/v1/packages/alice/pkga' })).status, 'reading goes on').toBe(200);
    state.exec('rollback');
    state.close();
    expect([201, 503]).toContain((await writing).status);
    await othersWork();
  });
});

it('A48 no child process was started', () => {
  const task = `/proc/${world.packager.pid}/task/${world.packager.pid}/children`;
  let children = '';
  try {
    children = readFileSync(task, 'utf8').trim();
  } catch {
    children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(world.packager.pid)], { encoding: 'utf8' }).trim();
  }
  expect(children).toBe('');
});
