/** The edge as it stands on a network: bytes on a listener of their own, both roots of exports, crawlers, tickets and keys over a restart. */
import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { components, requireComponent } from '#testing/component.ts';
import { hashesOf, hashFiles, writeFiles } from './support/files.ts';
import { freePort } from './support/free-port.ts';
import { type Packager, startPackager } from './support/packager.ts';

const files = { 'stations/a b.csv': 'a,b\n1,2\n', 'stations/ä.bin': 'bytes', 'one.bin': 'x'.repeat(5000) };
const texts = { 'README.md': '# Snow\n\n| a | b |\n|---|---|\n| 1 | 2 |\n', 'package.yaml': 'title: Snow\n' };
const run = promisify(execFile);

describe('the edge', () => {
  let packager: Packager;
  let content: string;
  let link: string;
  let token: string;
  let locked: string;

  beforeAll(async () => {
    const port = await freePort();
    content = `http://127.0.0.1:${port}`;
    packager = await startPackager({ PACKAGE_R_CONTENT_PORT: String(port), PACKAGE_R_CONTENT_URL: content });
    const data = join(packager.folder, 'data');
    await writeFiles(data, files);
    await packager.json('sources', 'add', 'lab', 'folder', '--set', `root=${data}`);
    await packager.json('packages', 'create', 'admin/snow');
    await packager.json('packages', 'add', 'admin/snow', 'lab');
    for (const [name, text] of Object.entries(texts)) await packager.runWith({ input: text }, 'packages', 'put', 'admin/snow', name, '-');
    await packager.json('packages', 'freeze', 'admin/snow', '-m', 'First');
    const share = async (input: string, ...args: string[]) => {
      const { stdout } = await packager.runWith({ input }, '--json', 'shares', 'add', 'admin/snow@1', ...args);
      return (JSON.parse(stdout) as { url: string }).url;
    };
    link = await share('');
    locked = await share('correct horse\n', '--audience', 'password', '--password', '-');
    const signedIn = await post(`${packager.url}/api/v1/login`, { name: 'admin', password: packager.adminPassword });
    token = ((await signedIn.json()) as { token: string }).token;
  });
  afterAll(() => packager.stop());

  const post = (url: string, body: object, headers: Record<string, string> = {}) =>
    fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
  const locationOf = async (url: string): Promise<string> =>
    (await fetch(url, { redirect: 'manual', headers: { authorization: `Bearer ${token}` } })).headers.get('location') ?? '';

  it('gives bytes on their own listener and nothing else there, and no bytes on the main one', async () => {
    const location = await locationOf(`${link}/o/one.bin`);
    expect(location.startsWith(`${content}/o/`)).toBe(true);
    expect(await (await fetch(location)).text()).toBe(files['one.bin']);
    expect((await fetch(location.replace(content, packager.url))).status).toBe(404);
    for (const path of ['/health', '/api/v1/me', new URL(link).pathname, `${new URL(link).pathname}/`, '/metrics', '/']) {
      expect([path, (await fetch(`${content}${path}`, { redirect: 'manual' })).status]).toEqual([path, 404]);
    }
  });

  it('gives the same exports under both roots, but for the links in them', async () => {
    const own = `${packager.url}/p/admin/snow@1`;
    const headers = { authorization: `Bearer ${token}` };
    for (const name of ['urls.txt', 'aria2.txt', 'curl.cfg', 'manifest.jsonl', 'manifest.jsonl.sha256', 'index.html', 'SHA256SUMS']) {
      const [mine, shared] = await Promise.all([fetch(`${own}/${name}`, { headers }), fetch(`${link}/${name}`)]);
      expect([name, mine.status, shared.status]).toEqual([name, 200, 200]);
      const text = (await mine.text()).replaceAll(own, link).replaceAll('admin/snow', 'snow');
      expect(text.replace(/cut-dirs=\d/, ''), name).toBe((await shared.text()).replace(/cut-dirs=\d/, ''));
      expect((await fetch(`${own}/${name}`)).status).toBe(401);
    }
    const zip = await fetch(`${own}/package.zip`, { headers });
    expect([zip.status, zip.headers.get('content-length')]).toEqual([200, String((await zip.arrayBuffer()).byteLength)]);
    const page = await (await fetch(`${own}/`, { headers })).text();
    expect(page).toContain(`package-r get ${own}`);
    expect(page).toContain('package-r shares add admin/snow@1');
    expect(page).toMatch(/Files<\/dt><dd>5</);
    expect(page).not.toMatch(/curl\.cfg|urls\.txt/);
    expect(page).not.toContain(token);
  });

  it('counts what an archive and the page read against the limits of a share, and says so before the first byte', async () => {
    const { stdout } = await packager.runWith({}, '--json', 'shares', 'add', 'admin/snow@1', '--max-objects', '1');
    const { url } = JSON.parse(stdout) as { url: string };
    const codeOf = async (name: string) => {
      const answer = await fetch(`${url}/${name}`, { redirect: 'manual' });
      return [
        answer.status,
        answer.headers.get('content-type')?.includes('problem') ? ((await answer.json()) as { code: string }).code : '',
      ];
    };
    expect(await codeOf('package.zip')).toEqual([429, 'share_limit_reached']);
    expect(await codeOf('o/package.yaml')).toEqual([429, 'share_limit_reached']);
    expect(await codeOf('o/one.bin')).toEqual([429, 'share_limit_reached']);
    expect(await codeOf('o/README.md')).toEqual([200, '']);
    expect((await (await fetch(`${url}/`)).text()).includes('<td>1</td>')).toBe(true);
    expect(await codeOf('urls.txt')).toEqual([200, '']);
  });

  it('fetches a package with a token in the environment, by the line of its page', async () => {
    const { token: narrow } = (await (
      await post(
        `${packager.url}/api/v1/tokens`,
        { name: 'get', actions: ['list', 'stat', 'download'] },
        { authorization: `Bearer ${token}` },
      )
    ).json()) as { token: string };
    const out = join(packager.folder, 'own');
    const ran = await packager.runWith({ env: { PACKAGE_R_TOKEN: narrow } }, 'get', `${packager.url}/p/admin/snow@1`, '-o', out);
    expect(ran.code, ran.stderr).toBe(0);
    expect(await hashFiles(out)).toEqual(hashesOf({ ...files, ...texts }));
  });

  it.runIf(requireComponent('wget', components.wget))('is crawled by wget to exactly the files', async () => {
    const folder = join(packager.folder, 'crawl');
    await mkdir(folder);
    const arguments_ = ['-q', '-r', '-np', '-nH', '--cut-dirs=3', '-e', 'robots=off', '--restrict-file-names=nocontrol', `${link}/o/`];
    await run('wget', arguments_, { cwd: folder });
    const got = await hashFiles(folder);
    const indexes = Object.keys(got).filter((name) => name.endsWith('index.html'));
    for (const name of indexes) delete got[name];
    expect(got).toEqual(hashesOf({ ...files, ...texts }));
    expect(indexes.sort()).toEqual(['index.html', 'stations/index.html']);
    expect(await readFile(join(folder, 'index.html'), 'utf8')).toContain('stations/');
  });

  it('does a repeated request once, also when both come at the same time, and refuses its key for another one', async () => {
    const send = (key: string, target: string) =>
      fetch(`${packager.url}/api/v1/shares`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify({ target }),
      });
    const count = async () => (await packager.json('shares', 'ls')).length;
    const before = await count();
    const first = await send('key-1', 'admin/snow@1');
    const again = await send('key-1', 'admin/snow@1');
    expect([first.status, again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 201, 'true']);
    expect(await again.text()).toBe(await first.text());
    const both = await Promise.all([send('key-2', 'admin/snow@1'), send('key-2', 'admin/snow@1')]);
    expect(both.filter(({ status }) => status === 201).length).toBeGreaterThan(0);
    expect(await count()).toBe(before + 2);
    const other = await send('key-1', 'admin/snow@latest');
    expect([other.status, ((await other.json()) as { code: string }).code]).toEqual([409, 'idempotency_conflict']);
    expect(await count()).toBe(before + 2);
  });

  it('keeps the lines of a locked share over a restart; keys rotate without harm, and with it on demand', async () => {
    const unlocked = await fetch(`${locked}/unlock`, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'password=correct+horse',
    });
    const page = new URL(unlocked.headers.get('location') ?? '', `${locked}/unlock`);
    const linesOf = async () => {
      const about = (await (await fetch(new URL('api', page))).json()) as { lines: { line: string }[]; linesExpireAt: string };
      return [about.lines.map(({ line }) => line), about.linesExpireAt] as const;
    };
    const before = await linesOf();
    const listed = /http\S+\/urls\.txt/.exec(before[0].join(' '))?.[0] ?? '';
    expect(listed).not.toContain(page.pathname);
    const old = await locationOf(`${link}/o/one.bin`);
    await packager.restart();
    expect(await linesOf()).toEqual(before);
    expect((await fetch(listed)).status).toBe(200);

    expect((await packager.run('keys', 'rotate')).code).toBe(0);
    expect((await fetch(old)).status).toBe(200);
    expect((await packager.run('keys', 'rotate', '--now')).code).toBe(0);
    expect((await fetch(old)).status).toBe(403);
    expect((await fetch(`${link}/o/one.bin`)).status).toBe(200);
    expect((await post(`${packager.url}/api/v1/keys/rotate`, { now: true })).status).toBe(401);
    const events = await packager.json<{ action: string; details: { now: boolean } }>('events', 'ls');
    expect(events.filter(({ action }) => action === 'key.rotate').map(({ details }) => details.now)).toEqual([true, false]);
  });
});
