/** The demo as a newcomer starts it: what it prints, what it keeps, how it stops, and how much memory it takes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashFiles } from './support/files.ts';
import { freePort, runCli } from './support/packager.ts';

const project = fileURLToPath(new URL('..', import.meta.url));

interface Answer {
  readonly url: string;
  readonly admin: { readonly name: string; readonly password: string };
  readonly token: string;
  readonly share: string;
  readonly package: string;
  readonly version: number;
  readonly digest: string;
}

interface Demo {
  readonly child: ChildProcess;
  stdout(): string;
  /** The exit code after Ctrl-C. */
  interrupt(): Promise<number | null>;
}

async function startDemo(folder: string, port: number, args: readonly string[], until: RegExp): Promise<Demo> {
  const { PATH, LANG } = process.env;
  const env = { PATH, LANG, HOME: folder, PORT: String(port), DATA_DIR: join(folder, 'data') };
  const child = spawn(join(project, 'bin/package-r'), ['demo', ...args], { env, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  for (let waited = 0; !until.test(stdout); waited += 50) {
    if (child.exitCode !== null || waited > 100_000) throw new Error(`the demo did not get ready:\n${stderr}${stdout}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    child,
    stdout: () => stdout,
    interrupt: () =>
      new Promise((resolve) => {
        child.once('exit', (code) => resolve(code));
        child.kill('SIGINT');
      }),
  };
}

describe('the demo', () => {
  let folder: string;
  let port: number;
  let demo: Demo;
  let answer: Answer;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'package-r-demo-'));
    port = await freePort();
    demo = await startDemo(folder, port, ['--json'], /\n/);
    answer = JSON.parse(demo.stdout()) as Answer;
  });
  afterAll(async () => {
    demo.child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it('prints one line of JSON, once ready', () => {
    expect(demo.stdout().trimEnd().split('\n')).toHaveLength(1);
    expect(Object.keys(answer)).toEqual(['url', 'admin', 'token', 'share', 'package', 'version', 'digest']);
    expect(answer).toMatchObject({
      url: `http://127.0.0.1:${port}`,
      admin: { name: 'admin' },
      package: 'admin/snow-and-stations',
      version: 1,
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

  it('is fetched, and stays under 150 MB', async () => {
    const out = join(folder, 'out');
    await mkdir(out);
    const ran = await runCli(['--json', 'get', answer.share, '-o', out]);
    expect(ran.code, ran.stderr).toBe(0);
    expect(Object.keys(await hashFiles(out)).length).toBe((JSON.parse(ran.stdout) as { files: number }).files);
    expect((await fetch(`${answer.share}/package.zip`)).status).toBe(200);
    const status = await readFile(`/proc/${demo.child.pid}/status`, 'utf8').catch(() => '');
    const resident = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0);
    expect(resident).toBeLessThan(150_000);
  });

  it('stops at Ctrl-C, and keeps everything for the second start, which says what to paste', async () => {
    expect(await demo.interrupt()).toBe(0);
    demo = await startDemo(folder, port, [], /Ctrl-C stops/);
    const said = demo.stdout();
    expect(said).toContain(answer.admin.password);
    expect(said).toContain(answer.digest);
    expect(said).toContain(answer.share);
    const curl = said.indexOf('curl -sS');
    expect(curl).toBeGreaterThan(0);
    expect(said.indexOf('wget')).toBeGreaterThan(curl);
    expect(said.indexOf('aria2c')).toBeGreaterThan(curl);
    expect(said).not.toContain(`${answer.share}//`);
    expect(await demo.interrupt()).toBe(0);
  });
});
