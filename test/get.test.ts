/** `package-r get`, `exchange` and `presign` against the real server, over a network that cuts, holds back, refuses and is killed. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openHostileLink } from '#testing/hostile-link.ts';
import { type BadNetwork, openBadNetwork } from './support/bad-network.ts';
import { hashesOf, hashFiles, writeFiles } from './support/files.ts';
import { freePort } from './support/free-port.ts';
import { type Packager, program, type Ran, runCli, startPackager } from './support/packager.ts';

const MiB = 1024 * 1024;

/** Bytes that repeat at no short distance. */
function noise(size: number, seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed * 2_654_435_761 + 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return Buffer.from(words.buffer).subarray(0, size);
}

const small = Object.fromEntries(
  Array.from({ length: 300 }, (_, index) => [`small/${index % 7}/file ${index}.bin`, noise(4000 + index * 13, index + 1)]),
);
const files: Record<string, Buffer> = { 'big.bin': noise(64 * MiB + 4321, 99), ...small };

describe('over a bad network', () => {
  let packager: Packager;
  let content: BadNetwork;
  let front: BadNetwork;
  let link: string;
  let data: string;
  const expected = hashesOf(files);

  beforeAll(async () => {
    const contentPort = await freePort();
    content = await openBadNetwork(contentPort);
    packager = await startPackager({
      PACKAGE_R_CONTENT_PORT: String(contentPort),
      PACKAGE_R_CONTENT_URL: content.url,
      PACKAGE_R_EXCHANGE_DEFAULT_SECONDS: '15',
      PACKAGE_R_EXCHANGE_FLOOR_SECONDS: '1',
    });
    front = await openBadNetwork(Number(new URL(packager.url).port));
    data = join(packager.folder, 'data');
    await writeFiles(data, files);
    await packager.json('sources', 'add', 'lab', 'folder', '--set', `root=${data}`);
    await packager.json('packages', 'create', 'admin/snow');
    await packager.json('packages', 'add', 'admin/snow', 'lab');
    await packager.json('packages', 'freeze', 'admin/snow', '-m', 'First');
    link = await share();
  });
  afterAll(async () => {
    await Promise.all([content?.close(), front?.close()]);
    await packager?.stop();
  });
  beforeEach(() => {
    content.weather = {};
    front.weather = {};
  });

  /** Reached through the bad network. */
  const share = async (...more: string[]): Promise<string> => {
    const [made] = await packager.json<{ url: string; number: number }>('shares', 'add', 'admin/snow@1', ...more);
    return (made?.url ?? '').replace(packager.url, front.url);
  };
  const folder = (name: string): string => join(packager.folder, 'out', name);
  const result = ({ stdout }: Ran): Record<string, number> & { failed: { path: string; code: string }[] } => JSON.parse(stdout);

  it('that cuts every connection, refuses some and is slow: all files, byte for byte, in one run', async () => {
    content.weather = { cutAfter: 3 * MiB, refuseEvery: 37, hold: 5 };
    front.weather = { cutAfter: 150_000, refuseEvery: 23 };
    const before = content.connections;
    const ran = await runCli(['--json', 'get', link, '-o', folder('cut'), '-j', '16']);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    expect(await hashFiles(folder('cut'))).toEqual(expected);
    expect(content.connections - before).toBeGreaterThan(20);
    expect(result(ran)['received']).toBeLessThan(1.1 * Object.values(files).reduce((sum, bytes) => sum + bytes.length, 0));
    expect(ran.stdout + ran.stderr).not.toContain(content.url);
  });

  it('that holds a request until its signature has ended', async () => {
    content.weather = { hold: 17_000 };
    const waiting = runCli(['--json', 'get', `${link}/o/small/0/file%200.bin`, '-o', folder('late')]);
    for (const before = content.connections; content.connections === before; ) await new Promise((resolve) => setTimeout(resolve, 50));
    content.weather = {};
    const ran = await waiting;
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    expect(await hashFiles(folder('late'))).toEqual({ 'small/0/file 0.bin': expected['small/0/file 0.bin'] });
    expect(content.statuses, 'the store refused the old signature').toContain(403);
  });

  it('goes on after kill -9 with what is there', async () => {
    content.weather = { speed: 24 * MiB };
    const out = folder('killed');
    const child = spawn(program, ['get', link, 'big.bin', '-o', out], { stdio: 'ignore' });
    const partOf = async (): Promise<number> => {
      const names = (await readdir(out).catch(() => [])).filter((name) => name.endsWith('.part'));
      return names[0] === undefined ? 0 : (await stat(join(out, names[0])).catch(() => ({ size: 0 }))).size;
    };
    while ((await partOf()) < 16 * MiB && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    expect(await readdir(out)).not.toContain('big.bin');
    content.weather = {};
    const before = content.down;
    const ran = await runCli(['--json', 'get', link, 'big.bin', '-o', out]);
    expect(ran.code, ran.stderr).toBe(0);
    expect(content.down - before).toBeLessThan(49 * MiB);
    expect(await hashFiles(out)).toEqual({ 'big.bin': expected['big.bin'] });
  });

  it('stops where the share is revoked in the middle, and gives what it has', async () => {
    const doomed = await share();
    const shares = await packager.json<{ id: string; number: number }>('shares', 'ls');
    const number = shares.find(({ id }) => doomed.endsWith(id))?.number;
    content.weather = { hold: 100 };
    const running = runCli(['--json', 'get', doomed, 'small', '-o', folder('revoked'), '-j', '1', '--tries', '2']);
    while ((await readdir(folder('revoked')).catch(() => [])).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await packager.json('shares', 'revoke', String(number));
    const ran = await running;
    expect(ran.code, ran.stdout + ran.stderr).toBe(1);
    expect(result(ran).failed.map(({ code }) => code)).toEqual(['share_not_found']);
    expect(result(ran)['untried']).toBeGreaterThan(0);
    for (const [path, hash] of Object.entries(await hashFiles(folder('revoked')))) expect(hash).toBe(expected[path]);
  });

  it('opens a locked share by password, and replaces the pointers of an unpacked archive', async () => {
    const locked = await packager.runWith(
      { input: 'correct horse battery\n' },
      '--json',
      'shares',
      'add',
      'admin/snow@1',
      '--password',
      '-',
    );
    const url = (JSON.parse(locked.stdout) as { url: string }).url;
    expect((await runCli(['get', url, '-o', folder('locked')])).code).toBe(2);
    const ran = await runCli(['--json', 'get', url, 'small/3', '-o', folder('locked'), '--password', '-'], {
      input: 'correct horse battery',
    });
    expect(ran.code, ran.stderr).toBe(0);
    const names = Object.keys(small).filter((name) => name.startsWith('small/3/'));
    expect(Object.keys(await hashFiles(folder('locked'))).sort()).toEqual(names.sort());
    for (const name of names) {
      const pointer = await (await fetch(`${link}/o/${encodeURI(name)}?pointer`)).text();
      await mkdir(join(folder('unpacked'), 'small', '3'), { recursive: true });
      await writeFile(`${join(folder('unpacked'), name)}.pointer`, pointer.replace(/^url .*\/s\/[^/]+/m, `url ${url.replace(/\/$/, '')}`));
    }
    const replaced = await runCli(['--json', 'get', '--pointers', folder('unpacked'), '--password', '-'], {
      input: 'correct horse battery',
    });
    expect(replaced.code, replaced.stdout + replaced.stderr).toBe(0);
    expect(await hashFiles(folder('unpacked'))).toEqual(Object.fromEntries(names.map((name) => [name, expected[name]])));
  });

  it('exchanges lines while they come, and says by its exit code that one failed', async () => {
    const child = spawn(program, ['exchange', link, '-'], { stdio: ['pipe', 'pipe', 'pipe'] });
    const answers: { path?: string; url?: string; error?: { code: string } }[] = [];
    let rest = '';
    const nextAnswer = async (count: number): Promise<void> => {
      while (answers.length < count && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    child.stdout.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      answers.push(...lines.map((line) => JSON.parse(line)));
    });
    child.stdin.write('big.bin\n');
    await nextAnswer(1);
    expect(answers[0]?.path, 'answered while stdin is open').toBe('big.bin');
    expect((await fetch(answers[0]?.url ?? '', { headers: { range: 'bytes=0-9' } })).status).toBe(206);
    child.stdin.write('{"path":"small/1/file 1.bin"}\n"small/2/file 2.bin"\nno/such\n');
    child.stdin.end();
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(answers.map((one) => one.path)).toEqual(['big.bin', 'small/1/file 1.bin', 'small/2/file 2.bin', 'no/such']);
    expect(answers[3]?.error?.code).toBe('not_found');
    expect(code).toBe(1);
    const many = `${Object.keys(small).join('\n')}\n`.repeat(10);
    const bulk = await runCli(['exchange', link, '-'], { input: many });
    expect(bulk.code, bulk.stderr).toBe(0);
    expect(bulk.stdout.trimEnd().split('\n')).toHaveLength(3000);
  });

  it('presigns for the method and the life that were asked', async () => {
    const [get] = await packager.json<{ url: string; method: string; expiresAt: string }>(
      'presign',
      'lab/small/0/file 0.bin',
      '--expires',
      '15s',
    );
    expect(get?.method).toBe('GET');
    expect(Date.parse(get?.expiresAt ?? '') - Date.now()).toBeLessThanOrEqual(15_000);
    expect((await fetch(get?.url ?? '')).status).toBe(200);
    expect((await fetch(get?.url ?? '', { method: 'HEAD' })).status).toBe(403);
    const [head] = await packager.json<{ url: string }>('presign', 'lab/small/0/file 0.bin', '--head');
    expect((await fetch(head?.url ?? '', { method: 'HEAD' })).headers.get('content-length')).toBe('4000');
    expect((await fetch(head?.url ?? '')).status).toBe(403);
    expect((await packager.run('presign', 'lab/small/none.bin')).code).toBe(5);
  });

  it('leaves out what has drifted or is gone, and gives the rest', async () => {
    const [changed, gone] = ['small/1/file 8.bin', 'small/2/file 9.bin'];
    await writeFile(join(data, changed), 'other bytes');
    await rm(join(data, gone));
    const ran = await runCli(['--json', 'get', link, 'small', '-o', folder('drift'), '--tries', '2']);
    expect(ran.code).toBe(1);
    expect(result(ran).failed.map(({ path }) => path)).toEqual([changed, gone]);
    expect(result(ran).failed[0]?.code).toBe('drifted');
    const found = await hashFiles(folder('drift'));
    expect(Object.keys(found)).toHaveLength(298);
    for (const [path, hash] of Object.entries(found)) expect(hash).toBe(expected[path]);
  });
});

describe('with a manifest of many lines', () => {
  /** Kilobytes at most, told by the process itself at its end. */
  const peak = `data:text/javascript,process.on('exit',()=>process.stderr.write('peak '+process.resourceUsage().maxRSS+'\\n'))`;

  it('takes little memory besides that of the program, to list it and where all is there', async () => {
    const count = Number(process.env['PACKAGE_R_TEST_LINES'] ?? 20_000);
    const out = await mkdtemp(join(tmpdir(), 'package-r-many-'));
    const folderOf = (index: number): string => `folder-${String(Math.floor(index / 1000)).padStart(5, '0')}`;
    const pathOf = (index: number): string => `${folderOf(index)}/object-with-a-name-${String(index).padStart(8, '0')}.bin`;
    const lineOf = (index: number): string =>
      `{"path":"${pathOf(index)}","kind":"pointer","size":0,"etag":"${'e'.repeat(32)}","checksums":{"md5":"d41d8cd98f00b204e9800998ecf8427e"}}\n`;
    for (let index = 0; index < count; index++) {
      if (index % 1000 === 0) mkdirSync(join(out, folderOf(index)));
      writeFileSync(join(out, pathOf(index)), '');
    }
    const link = await openHostileLink({
      front: {
        'manifest.jsonl': async (response) => {
          for (let index = 0; index < count; index++) {
            if (!response.write(lineOf(index))) await new Promise((resolve) => response.once('drain', resolve));
          }
          response.end();
        },
      },
    });
    const run = async (...args: string[]): Promise<{ megabytes: number; stdout: string }> => {
      const ran = await runCli(['get', link.url, '-o', out, ...args], { env: { NODE_OPTIONS: `--import "${peak}"` } });
      expect(ran.code, ran.stderr).toBe(0);
      return { megabytes: Number(/peak (\d+)/.exec(ran.stderr)?.[1]) / 1024, stdout: ran.stdout };
    };
    const idle = await runCli(['version'], { env: { NODE_OPTIONS: `--import "${peak}"` } });
    const least = Number(/peak (\d+)/.exec(idle.stderr)?.[1]) / 1024;
    const [listed, checked] = [await run('--dry-run'), await run()];
    if (process.env['PACKAGE_R_TEST_LINES'] !== undefined) console.log(count, least, listed.megabytes, checked.megabytes);
    await Promise.all([link.close(), rm(out, { recursive: true })]);
    expect(listed.stdout).toContain(`${count} files`);
    expect(checked.stdout).toContain(`${count} already there`);
    expect(listed.megabytes - least).toBeLessThan(80);
    expect(checked.megabytes - least).toBeLessThan(80);
  }, 180_000);
});
