/** Names, passwords, stored texts, pages and lifetimes: below and at each limit they are taken, above they are refused by name. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeFiles } from '../support/files.ts';
import { type Asked, type LimitedServer, startLimited } from './limited-server.ts';

let server: LimitedServer;
let data: string;
beforeAll(async () => {
  server = await startLimited(
    {},
    { PACKAGE_R_SHARE_PER_OWNER: '13', PACKAGE_R_SHARE_CREATED_PER_HOUR: '15', PACKAGE_R_DRIFT_PER_SECOND: '10' },
  );
  data = join(server.packager.folder, 'data');
  await writeFiles(data, { 'a.txt': 'text', 'b/c.txt': 'more', 'b/d.txt': 'more' });
  await server.ask({ method: 'POST', path: '/api/v1/sources', body: { name: 'lab', driver: 'folder', options: { root: data } } });
  await server.ask({ method: 'POST', path: '/api/v1/packages', body: { reference: 'admin/p' } });
  await server.packager.json('packages', 'add', 'admin/p', 'lab');
  await server.packager.json('packages', 'freeze', 'admin/p', '-m', 'One');
});
afterAll(() => server.stop());

const day = 86_400;
const instant = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();
const post = (path: string, body: unknown): Asked => ({ method: 'POST', path: `/api/v1/${path}`, body });
const share = (more: object): Asked => post('shares', { target: 'admin/p@1', ...more });
const text = (length: number, character = 'x'): string => character.repeat(length);
let names = 0;
const user = (password: string): Asked => post('users', { name: `u${++names}`, password });
const yaml = (more: string): Asked => ({
  method: 'PUT',
  path: '/api/v1/packages/admin/p/entries/package.yaml',
  headers: { 'content-type': 'application/octet-stream' },
  body: more,
});
const meta = (bytes: number): Asked =>
  post('packages/admin/p/steps', { operation: 'meta', paths: ['a.txt'], patch: { k: text(bytes - '{"k":""}'.length) } });
const keywords = (count: number, length = 3): string =>
  `keywords: [${Array.from({ length: count }, (_, index) => String(index).padStart(length, 'k')).join(', ')}]\n`;

/** What is taken, and what is refused how. */
const rows: readonly (readonly [
  string,
  (size: number) => Asked,
  number,
  { readonly code: string; readonly least?: true; readonly status?: number },
])[] = [
  ['name of a user', (size) => post('users', { name: text(size, 'n'), password: 'a long password' }), 63, { code: 'request_invalid' }],
  [
    'name of a source',
    (size) => post('sources', { name: text(size, 's'), driver: 'folder', options: { root: data } }),
    63,
    { code: 'request_invalid' },
  ],
  ['name of a package', (size) => post('packages', { reference: `admin/${text(size, 'q')}` }), 63, { code: 'reference_invalid' }],
  ['least bytes of a password', (size) => user(text(size)), 12, { code: 'password_weak', least: true }],
  ['least bytes of a password, counted as bytes', (size) => user(text(size / 2, 'ü')), 12, { code: 'password_weak', least: true }],
  ['most bytes of a password', (size) => user(text(size)), 1024, { code: 'request_invalid' }],
  ['least bytes of the password of a share', (size) => share({ password: text(size) }), 8, { code: 'password_weak', least: true }],
  ['title of a share', (size) => share({ title: text(size) }), 200, { code: 'request_invalid' }],
  ['note of a share', (size) => share({ note: text(size) }), 10_240, { code: 'request_invalid' }],
  ['title of a source', (size) => ({ ...post('sources/lab', { title: text(size) }), method: 'PATCH' }), 200, { code: 'request_invalid' }],
  ['metadata of an entry', meta, 4096, { code: 'meta_invalid' }],
  ['title in package.yaml', (size) => yaml(`title: ${text(size)}\n`), 200, { code: 'metadata_invalid' }],
  ['description in package.yaml', (size) => yaml(`description: ${text(size)}\n`), 10_240, { code: 'metadata_invalid' }],
  [
    'description in package.yaml, counted as bytes',
    (size) => yaml(`description: ${text(size / 2, 'ü')}\n`),
    10_240,
    { code: 'metadata_invalid' },
  ],
  ['keywords', (size) => yaml(keywords(size)), 50, { code: 'metadata_invalid' }],
  ['length of a keyword', (size) => yaml(keywords(1, size)), 64, { code: 'metadata_invalid' }],
  ['text of a search', (size) => ({ path: `/api/v1/sources/lab/search/?text=${text(size)}` }), 256, { code: 'request_invalid' }],
  ['page of a listing', (size) => ({ path: `/api/v1/sources/lab/entries/?limit=${size}` }), 1000, { code: 'request_invalid' }],
  ['page of jobs', (size) => ({ path: `/api/v1/jobs?limit=${size}` }), 1000, { code: 'request_invalid' }],
  ['page of versions', (size) => ({ path: `/api/v1/packages/admin/p/versions?limit=${size}` }), 1000, { code: 'request_invalid' }],
  ['page of a diff', (size) => ({ path: `/api/v1/packages/admin/p/diff?from=0&limit=${size}` }), 1000, { code: 'request_invalid' }],
  [
    'life of an API token',
    (size) => post('tokens', { name: 't', actions: ['list'], expiresIn: size }),
    365 * day,
    { code: 'request_invalid' },
  ],
  ['questions of a sweep for drift', (size) => post(`packages/admin/p@1/drift?rate=${size}`, undefined), 10, { code: 'request_invalid' }],
];

describe('fields', () => {
  it.each(rows)('%s', async (_, make, limit, { code, least, status = 400 }) => {
    const step =
      code === 'password_weak' && make(limit).body !== undefined && String(JSON.stringify(make(limit).body)).includes('ü') ? 2 : 1;
    const wide = JSON.stringify(make(limit).body ?? '').includes('ü') ? 2 : step;
    const isLeast = least === true;
    for (const size of isLeast ? [limit, limit + wide] : [limit - wide, limit]) {
      const answer = await server.ask(make(size));
      expect(answer.status, `${size}: ${answer.text}`).toBeLessThan(300);
    }
    const beyond = await server.ask(make(isLeast ? limit - wide : limit + wide));
    expect([beyond.status, beyond.code], beyond.text).toEqual([status, code]);
    expect(beyond.says.length, 'says what').toBeGreaterThan(10);
  });

  it('lives of a share end within the longest, and never only where that is allowed', async () => {
    expect((await server.ask(share({ expiresAt: instant(364 * day) }))).status).toBe(201);
    for (const expiresAt of [instant(366 * day), instant(-1), null]) {
      const answer = await server.ask(share({ expiresAt }));
      expect([answer.status, answer.code], String(expiresAt)).toEqual([400, 'request_invalid']);
    }
    for (const expiresAt of ['NaN', '1e99', '', '9999999-01-01T00:00:00Z', '2026-02-30T00:00:00Z'])
      expect((await server.ask(share({ expiresAt }))).code, expiresAt).toBe('instant_invalid');
  });

  it('of temporary URLs are cut to the cap, and no number is refused', async () => {
    const asked = (expires: string) => server.ask({ method: 'POST', path: `/api/v1/sources/lab/presign/a.txt?expires=${expires}` });
    for (const [expires, seconds] of [
      ['3599', 3599],
      ['3600', 3600],
      ['3601', 3600],
      ['604800', 3600],
    ] as const) {
      const before = Date.now();
      const { expiresAt = '' } = (await asked(expires)).json<{ expiresAt?: string }>();
      expect(Math.abs((Date.parse(expiresAt) - before) / 1000 - seconds), expires).toBeLessThan(30);
    }
    for (const expires of ['0', '-1', '1e3', 'NaN', '1.5', '999999999999', '']) expect((await asked(expires)).status, expires).toBe(400);
  });

  it('that are numbers in a query are plain ones', async () => {
    for (const limit of ['0', '-1', '1e2', '0x10', 'NaN', '1.5', '99999', '', '%20', '%EF%BC%91'])
      expect((await server.ask({ path: `/api/v1/sources/lab/entries/?limit=${limit}` })).status, limit).toBe(400);
  });
});

describe('cursors', () => {
  it('are those that were given out, for their place and actor, and short', async () => {
    const page = await server.ask({ path: '/api/v1/sources/lab/entries/b?limit=1' });
    const { cursor = '' } = page.json<{ cursor?: string }>();
    expect(cursor.length).toBeGreaterThan(10);
    expect(cursor.length).toBeLessThanOrEqual(2048);
    const at = (folder: string, given: string) => server.ask({ path: `/api/v1/sources/lab/entries/${folder}?cursor=${given}` });
    expect((await at('b', cursor)).status).toBe(200);
    const changed = `${cursor.slice(0, 8)}${cursor[8] === 'A' ? 'B' : 'A'}${cursor.slice(9)}`;
    const forged = Buffer.from('b/c.txt').toString('base64url');
    for (const [folder, given] of [
      ['', cursor],
      ['b', changed],
      ['b', forged],
      ['b', cursor.slice(0, -4)],
      ['b', `${cursor}AAAA`],
      ['b', 'x'.repeat(2048)],
    ] as const) {
      const answer = await at(folder, given);
      expect([answer.status, answer.code], given.slice(0, 20)).toEqual([400, 'cursor_invalid']);
    }
    const long = await at('b', 'x'.repeat(2049));
    expect([long.status, long.code]).toEqual([400, 'request_invalid']);
    const bob = { name: 'bob', password: 'bob has a long password' };
    await server.ask(post('users', bob));
    await server.packager.run('sources', 'grant', 'lab', 'bob', 'list');
    const grant = { subject: { kind: 'user', name: 'bob' }, target: { kind: 'source', name: 'lab' }, path: '', actions: ['list', 'stat'] };
    expect((await server.ask({ ...post('grants', grant), method: 'PUT' })).status).toBe(200);
    const { token } = (await server.ask({ ...post('login', bob), token: undefined })).json<{ token: string }>();
    expect((await server.ask({ path: '/api/v1/sources/lab/entries/b?limit=1', token })).status).toBe(200);
    expect((await server.ask({ path: `/api/v1/sources/lab/entries/b?cursor=${cursor}`, token })).code, 'of somebody else').toBe(
      'cursor_invalid',
    );
  });
});

it('shares of one person are so many at once, and so many an hour', async () => {
  let answer = await server.ask(share({}));
  for (let tries = 0; tries < 20 && answer.status === 201; tries++) answer = await server.ask(share({}));
  expect([answer.status, answer.code]).toEqual([expect.any(Number), expect.stringMatching(/^(too_many|rate_limited)$/)]);
  expect([413, 429]).toContain(answer.status);
});
