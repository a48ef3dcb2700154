/**
 * From a folder to a collaborator's disk: the whole way, with the real server, the real command line and real clients, on each engine of the
 * state.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { components, requireComponent } from '#testing/component.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '#testing/postgres.ts';
import { hashesOf, hashFiles, writeFiles } from './support/files.ts';
import { type Packager, type Ran, runCli, startPackager } from './support/packager.ts';

const bytes = (size: number, seed: number): Uint8Array => Uint8Array.from({ length: size }, (_, index) => (index * 31 + seed * 17) & 0xff);

/** Names that wget, which decodes a literal %20 twice, cannot take are told apart. */
const plain: Record<string, string | Uint8Array> = {
  'stations/davos/2024-01.csv': 'time,depth\n2024-01-01,31\n',
  'stations/davos/2024-02.csv': 'time,depth\n2024-02-01,35\n',
  'stations/arolla/2024-01.csv': 'time,depth\n2024-01-01,12\n',
  'images/big.bin': bytes(3_000_000, 1),
  'images/empty.bin': '',
  'awkward/a b  c.bin': bytes(1000, 2),
  'awkward/quotes " and \'.bin': bytes(1001, 3),
  'awkward/[1]{a,b} & $HOME `x` ;.bin': bytes(1002, 4),
  'awkward/Zürich 日本 😀.bin': bytes(1003, 5),
  'awkward/plus+hash#question?.bin': bytes(1004, 6),
  'awkward/-rf.bin': bytes(1005, 7),
};
const hostileToWget = { 'awkward/literal %20.bin': bytes(1006, 8) };
const files: Record<string, string | Uint8Array> = { ...plain, ...hostileToWget };

function shell(line: string, cwd: string): Promise<Ran> {
  return new Promise((resolve) => {
    execFile('/bin/sh', ['-c', line], { cwd, maxBuffer: 64 * 1024 * 1024, timeout: 120_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, stderr }),
    );
  });
}

const engines = hasPostgres('the journey on PostgreSQL') ? ['sqlite', 'postgres'] : ['sqlite'];

describe.each(engines)('from a folder to a collaborator, with its state in %s', (engine) => {
  let packager: Packager;
  let database: PostgresServer | undefined;
  let link: string;
  let version: { number: number; digest: string };
  const texts = { 'README.md': '# Snow\n\nTest data.\n', 'package.yaml': 'title: Snow\nlicence: CC0-1.0\n' };
  const expected = hashesOf({ ...files, ...texts });
  const exceptLists = ['curl.cfg', 'aria2.txt'];

  beforeAll(async () => {
    if (engine === 'postgres') database = await startPostgres();
    packager = await startPackager(database === undefined ? {} : { PACKAGE_R_STATE: database.url });
    const data = join(packager.folder, 'data');
    await writeFiles(data, files);
    await packager.json('sources', 'add', 'lab', 'folder', '--set', `root=${data}`);
    await packager.json('packages', 'create', 'admin/snow');
    await packager.json('packages', 'add', 'admin/snow', 'lab');
    for (const [name, text] of Object.entries(texts)) {
      const ran = await packager.runWith({ input: text }, 'packages', 'put', 'admin/snow', name, '-');
      expect(ran.stderr).toBe('');
    }
    [version] = (await packager.json<typeof version>('packages', 'freeze', 'admin/snow', '-m', 'First')) as [typeof version];
    const [share] = await packager.json<{ url: string }>('shares', 'add', 'admin/snow@1');
    link = share?.url ?? '';
  });
  afterAll(async () => {
    await packager.stop();
    await database?.stop();
  });

  const emptyFolder = async (name: string): Promise<string> => {
    const folder = join(packager.folder, 'out', name);
    await mkdir(folder, { recursive: true });
    return folder;
  };
  const pasted = async (client: string): Promise<string> => {
    const page = await (await fetch(link, { headers: { accept: 'text/html' } })).text();
    const lines = [...page.matchAll(/<code[^>]*>([\s\S]*?)<\/code>/g)].map((match) => unescapeHtml(match[1] ?? ''));
    const line = lines.find((one) => new RegExp(`(^|[ |])${client} `).test(one));
    expect(line, `the share page has a line for ${client}`).toBeDefined();
    return line as string;
  };
  const unescapeHtml = (html: string): string =>
    html.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&');

  it('freezes with a digest that the manifest proves', async () => {
    expect(version.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    const manifest = await fetch(`${link}/manifest.jsonl`);
    expect(manifest.headers.get('content-type')).toContain('application/x-ndjson');
    const lines = (await manifest.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { path: string });
    expect(lines.map((line) => line.path).sort()).toEqual(Object.keys(expected).sort());
  });

  it('answers 307 to a temporary URL, 200 with a text, and JSON to whoever asks for it', async () => {
    const hop = await fetch(`${link}/o/images/big.bin`, { redirect: 'manual' });
    expect(hop.status).toBe(307);
    expect(hop.headers.get('cache-control')).toBe('no-store');
    expect(hop.headers.get('content-length')).toBe('0');
    expect(hop.headers.get('x-linked-size')).toBe('3000000');
    expect(hop.headers.get('x-package-version')).toBe('1');
    const location = hop.headers.get('location') ?? '';
    const [get, head, ranged] = await Promise.all([
      fetch(location),
      fetch(location, { method: 'HEAD' }),
      fetch(location, { headers: { range: 'bytes=10-19' } }),
    ]);
    expect(Buffer.compare(Buffer.from(await get.arrayBuffer()), Buffer.from(files['images/big.bin'] as Uint8Array))).toBe(0);
    expect(head.status, 'a GET signature does not open HEAD').toBe(403);
    expect(ranged.status).toBe(206);
    expect(ranged.headers.get('content-range')).toBe('bytes 10-19/3000000');
    const headHop = await fetch(`${link}/o/images/big.bin`, { method: 'HEAD', redirect: 'manual' });
    expect((await fetch(headHop.headers.get('location') ?? '', { method: 'HEAD' })).headers.get('content-length')).toBe('3000000');
    const text = await fetch(`${link}/o/README.md`, { redirect: 'manual' });
    expect([text.status, await text.text()]).toEqual([200, texts['README.md']]);
    const answer = (await (await fetch(`${link}/o/images/big.bin`, { headers: { accept: 'application/json' } })).json()) as {
      method: string;
      url: string;
    };
    expect(answer.method).toBe('GET');
    expect((await fetch(answer.url)).status).toBe(200);
  });

  it('exchanges pointer files', async () => {
    const pointer = await (await fetch(`${link}/o/images/big.bin?pointer`)).text();
    expect(pointer.split('\n')[0]).toMatch(/^version /);
    const lines = [JSON.stringify('images/empty.bin'), JSON.stringify({ pointer }), JSON.stringify('nothing/here')].join('\n');
    const answer = await fetch(`${link}/exchange`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: lines });
    const results = (await answer.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { path?: string; url?: string; error?: { code: string } });
    expect(results.map((one) => one.path)).toEqual(['images/empty.bin', 'images/big.bin', 'nothing/here']);
    expect((await fetch(results[1]?.url ?? '')).status).toBe(200);
    expect(results[2]?.error?.code).toBe('not_found');
  });

  it.runIf(requireComponent('curl', components.curl))('is fetched by the pasted curl line', async () => {
    const folder = await emptyFolder('curl');
    const ran = await shell(await pasted('curl'), folder);
    expect(await hashFiles(folder, exceptLists), ran.stderr).toEqual(expected);
  });

  it.runIf(requireComponent('wget', components.wget))('is fetched by the pasted wget line', async () => {
    const folder = await emptyFolder('wget');
    const ran = await shell(await pasted('wget'), folder);
    const found = await hashFiles(folder, exceptLists);
    for (const name of Object.keys(plain)) expect(found[name], `${name}\n${ran.stderr}`).toBe(expected[name]);
  });

  it.runIf(requireComponent('aria2', components.aria2))('is fetched by the pasted aria2 line', async () => {
    const folder = await emptyFolder('aria2');
    const ran = await shell(await pasted('aria2c'), folder);
    expect(await hashFiles(folder, exceptLists), ran.stdout).toEqual(expected);
  });

  it.runIf(requireComponent('rclone', components.rclone))('is fetched by the pasted rclone line, and by a crawl of wget', async () => {
    const folder = await emptyFolder('rclone');
    const line = (await pasted('rclone')).replace(/\S+$/, folder);
    await shell(line, packager.folder);
    expect(await hashFiles(folder)).toEqual(expected);
  });

  it('is fetched by package-r get, which goes on after a kill and repairs what is wrong', async () => {
    const folder = await emptyFolder('get');
    const first = await runCli(['--json', 'get', link, '-o', folder]);
    expect(first.code, first.stderr).toBe(0);
    expect(await hashFiles(folder)).toEqual(expected);
    const again = JSON.parse((await runCli(['--json', 'get', link, '-o', folder])).stdout) as { present: number; files: number };
    expect(again.present).toBe(again.files);
    await writeFile(join(folder, 'stations/davos/2024-01.csv'), 'mine');
    const refused = await runCli(['--json', 'get', link, '-o', folder]);
    expect(refused.code).toBe(1);
    expect((JSON.parse(refused.stdout) as { failed: unknown[] }).failed).toMatchObject([
      { path: 'stations/davos/2024-01.csv', code: 'exists' },
    ]);
    expect(String(await readFile(join(folder, 'stations/davos/2024-01.csv')))).toBe('mine');
    expect((await runCli(['get', link, '-o', folder, '--overwrite'])).code).toBe(0);
    expect(await hashFiles(folder)).toEqual(expected);
  });

  it('gives only what get is asked for, and lists it with --dry-run', async () => {
    const folder = await emptyFolder('part');
    const dry = await runCli(['--json', 'get', link, 'stations/davos', '--dry-run', '-o', folder]);
    expect(
      dry.stdout
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { path: string }).path),
    ).toEqual(['stations/davos/2024-01.csv', 'stations/davos/2024-02.csv']);
    expect(await hashFiles(folder)).toEqual({});
    await runCli(['get', link, 'stations/davos/', 'README.md', '-o', folder]);
    expect(Object.keys(await hashFiles(folder)).sort()).toEqual(['README.md', 'stations/davos/2024-01.csv', 'stations/davos/2024-02.csv']);
    expect((await runCli(['get', link, 'no/such', '-o', folder])).code).toBe(5);
  });

  it.runIf(requireComponent('unzip', components.unzip))('is unpacked from the ZIP, whose script fetches the rest in place', async () => {
    const folder = await emptyFolder('zip');
    const answer = await fetch(`${link}/package.zip`);
    const zip = Buffer.from(await answer.arrayBuffer());
    expect(Number(answer.headers.get('content-length'))).toBe(zip.length);
    await writeFile(join(packager.folder, 'package.zip'), zip);
    expect((await shell('unzip -q ../../package.zip && sh fetch-packageR.sh curl', folder)).code).toBe(0);
    const found = await hashFiles(folder);
    for (const name of Object.keys(expected)) expect(found[name], name).toBe(expected[name]);
  });

  it('keeps old versions when data and draft go on', async () => {
    await packager.json('packages', 'rm', 'admin/snow', 'stations');
    await packager.json('packages', 'mv', 'admin/snow', 'images', 'pictures');
    await packager.json('packages', 'freeze', 'admin/snow', '-m', 'Second');
    const changes = await packager.json<{ kind: string; path: string }>('packages', 'diff', 'admin/snow', '1', '2');
    expect(new Set(changes.map((one) => one.kind))).toEqual(new Set(['moved', 'removed']));
    const manifest = await (await fetch(`${link}/manifest.jsonl`)).text();
    expect(manifest.split('\n').length - 1).toBe(Object.keys(expected).length);
    const [restored] = await packager.json('packages', 'restore', 'admin/snow', '1');
    expect(restored).toBeDefined();
    const [third] = await packager.json<{ digest: string }>('packages', 'freeze', 'admin/snow', '-m', 'As the first');
    expect(third?.digest).toBe(version.digest);
    const [verified] = await packager.json('packages', 'verify', 'admin/snow@1');
    expect(verified).toBeDefined();
  });

  it('says when an object is not what it was, and gives no other bytes', async () => {
    const path = join(packager.folder, 'data/images/empty.bin');
    await writeFile(path, 'no longer empty');
    const answer = await fetch(`${link}/o/images/empty.bin`);
    expect(answer.status).toBe(409);
    expect(((await answer.json()) as { code: string }).code).toBe('drifted');
    const drift = await packager.run('--json', 'packages', 'drift', 'admin/snow@1');
    expect(JSON.parse(drift.stdout)).toMatchObject({ changed: 1, gone: 0 });
    expect(drift.code).toBe(1);
  });

  it('opens a share with a password by a ticket, for every client', async () => {
    const made = await packager.runWith({ input: 'correct horse battery' }, '--json', 'shares', 'add', 'admin/snow@2', '--password', '-');
    const { url } = JSON.parse(made.stdout) as { url: string };
    for (const path of ['', '/', '/manifest.jsonl', '/o/pictures/big.bin', '/package.zip', '/urls.txt', '/nothing']) {
      const answer = await fetch(`${url}${path}`, { redirect: 'manual', headers: { accept: 'application/json' } });
      expect(answer.status, path).toBe(401);
    }
    const wrong = await runCli(['get', url, '-o', await emptyFolder('wrong'), '--password', '-'], { input: 'wrong password' });
    expect(wrong.code).toBe(3);
    const folder = await emptyFolder('ticket');
    const ran = await runCli(['--json', 'get', url, 'pictures', '-o', folder, '--password', '-'], { input: 'correct horse battery' });
    expect(Object.keys(await hashFiles(folder))).toContain('pictures/big.bin');
    expect(ran.stdout + ran.stderr).not.toContain('correct horse');
    const unlocked = await fetch(`${url}/unlock`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ password: 'correct horse battery' }),
    });
    const { listTicket } = (await unlocked.json()) as { listTicket: string };
    const urls = await (await fetch(`${url}~${listTicket}/urls.txt`)).text();
    expect(urls).toContain(`~${listTicket}/o/`);
    const pointer = await (await fetch(`${url}~${listTicket}/o/pictures/big.bin?pointer`)).text();
    expect(pointer).not.toContain(listTicket);
  });

  it('stops at once when it is paused, rotated or revoked', async () => {
    const [share] = await packager.json<{ url: string; number: number }>('shares', 'add', 'admin/snow@2');
    const { url, number } = share as { url: string; number: number };
    const status = async (address: string): Promise<number> => (await fetch(`${address}/manifest.jsonl`)).status;
    expect(await status(url)).toBe(200);
    await packager.json('shares', 'pause', String(number));
    expect(await status(url)).toBe(404);
    await packager.json('shares', 'resume', String(number));
    expect(await status(url)).toBe(200);
    const [rotated] = await packager.json<{ url: string }>('shares', 'rotate', String(number));
    expect(await status(url)).toBe(404);
    expect(await status(rotated?.url ?? '')).toBe(200);
    await packager.run('shares', 'revoke', String(number));
    expect(await status(rotated?.url ?? '')).toBe(404);
  });

  it('serves the same links after a restart, also after a kill', async () => {
    await packager.restart('SIGKILL');
    const manifest = await (await fetch(`${link}/manifest.jsonl`)).text();
    expect(manifest.split('\n').length - 1).toBe(Object.keys(expected).length);
    const [shown] = await packager.json<{ version: { digest: string } }>('packages', 'show', 'admin/snow@1');
    expect(shown?.version.digest).toBe(version.digest);
  });

  it('has told nothing secret to its log', () => {
    const log = packager.log().replace(packager.adminPassword, '');
    expect(log).not.toContain('correct horse');
    expect([...log.matchAll(/\/s\/[A-Za-z0-9_-]+~(?!\[ticket\]).{0,20}/g)].map(([found]) => found)).toEqual([]);
    expect(log).not.toContain(packager.adminPassword);
  });
});
