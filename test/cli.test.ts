/** The command line by itself: help, versions, completion, configuration, exit codes, and what must never be taken from arguments. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ran, type RunOptions, runCli } from './support/packager.ts';

describe('package-r', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'package-r-cli-'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const run = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
    runCli(args, { cwd: folder, ...options, env: { HOME: folder, DATA_DIR: join(folder, 'state'), ...options.env } });

  it('explains itself', async () => {
    const { stdout, code } = await run(['--help']);
    expect(code).toBe(0);
    for (const verb of [
      'serve',
      'login',
      'sources',
      'namespaces',
      'packages',
      'shares',
      'get',
      'presign',
      'exchange',
      'users',
      'groups',
      'tokens',
      'jobs',
      'events',
      'config',
      'backup',
      'demo',
      'version',
      'completion',
    ]) {
      expect(stdout).toMatch(new RegExp(`^  ${verb}\\b`, 'm'));
    }
    const packages = (await run(['packages', '--help'])).stdout;
    for (const verb of [
      'ls',
      'add',
      'rm',
      'put',
      'mv',
      'meta',
      'undo',
      'redo',
      'freeze',
      'log',
      'diff',
      'verify',
      'drift',
      'withdraw',
      'fork',
    ]) {
      expect(packages).toMatch(new RegExp(`^  ${verb}\\b`, 'm'));
    }
  });

  it('runs on Node 24 and says so', async () => {
    const { stdout } = await run(['--json', 'version']);
    expect((JSON.parse(stdout) as { node: string }).node).toMatch(/^v24\./);
  });

  it('completes verbs in bash', async () => {
    const { stdout } = await run(['completion', 'bash']);
    expect(stdout).toContain('complete -F _package_r package-r');
    expect(stdout).toMatch(/'packages'\) words='create ls /);
  });

  it('says where a setting comes from, and refuses unknown ones with the nearest name', async () => {
    await writeFile(join(folder, '.package-r.yaml'), 'exchange:\n  maxSeconds: 1800\n');
    const rows = (await run(['--json', 'config', 'cat'], { env: { PACKAGE_R_PORT: '9999', PORT: '1' } })).stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { key: string; value: string; origin: string });
    const row = (key: string) => rows.find((one) => one.key === key);
    expect(row('port')).toMatchObject({ value: '9999', origin: expect.stringContaining('PACKAGE_R_PORT') });
    expect(row('exchange.maxSeconds')?.origin).toContain('.package-r.yaml');
    expect(row('host')?.origin).toBe('default');
    await writeFile(join(folder, '.package-r.yaml'), 'exchange:\n  maxSecond: 600\n');
    const refused = await run(['config', 'cat']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('exchange.maxSeconds');
    await rm(join(folder, '.package-r.yaml'));
  });

  it('tells kinds of failure apart by the exit code', async () => {
    expect((await run(['nonsense'])).code).toBe(2);
    expect((await run(['packages', 'show', 'admin/none'])).code).toBe(5);
    expect((await run(['packages', 'show', 'no reference'])).code).toBe(2);
    expect((await run(['get', 'https://example.org/'])).code).toBe(2);
    const { stderr } = await run(['--json', 'sources', 'show', 'none']);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'not_found' } });
  });

  it('takes no secret from its arguments', async () => {
    for (const args of [
      ['users', 'add', 'eve', '--password', 'hunter2-hunter2'],
      ['users', 'update', 'admin', '--password', 'hunter2-hunter2'],
      ['sources', 'add', 'x', 'folder', '--secret', 'key=hunter2'],
      ['sources', 'add', 'x', 'folder', '--secrets', '{"key":"hunter2"}'],
      ['login', 'http://127.0.0.1:1', '--password', 'hunter2-hunter2'],
    ]) {
      const ran = await run(args);
      expect(ran.code, args.join(' ')).toBe(2);
      expect(ran.stdout + ran.stderr).not.toContain('hunter2');
    }
  });

  it('sends no password over plain HTTP to another machine', async () => {
    const ran = await run(['login', 'http://example.org', '--password', '-'], { input: 'hunter2-hunter2' });
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain('https');
  });

  it('works in process on a data folder that nobody serves, and resets the admin’s password there', async () => {
    const ran = await run(['--json', 'users', 'update', 'admin', '--password', '-'], { input: 'a new and long password' });
    expect(ran.stderr).toBe('');
    expect(ran.code).toBe(0);
    expect((await stat(join(folder, 'state'))).mode & 0o777).toBe(0o700);
    for (const name of ['state.sqlite', 'key']) expect((await stat(join(folder, 'state', name))).mode & 0o777, name).toBe(0o600);
    expect(await readFile(join(folder, 'state', 'state.sqlite'), 'latin1')).not.toContain('a new and long password');
  });

  it('holds to what is stored in the state, below file and environment, and passes over what is broken there', async () => {
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(join(folder, 'state', 'state.sqlite'));
    const put = database.prepare('insert or replace into setting (key, value) values (?, ?)');
    put.run('share.maxDays', '7');
    put.run('share.defaultDays', '5');
    put.run('limits.rates.loginAccount', '{broken');
    database.close();
    await run(['packages', 'create', 'admin/p']);
    await run(['packages', 'put', 'admin/p', 'a.txt', '-'], { input: 'a' });
    await run(['packages', 'freeze', 'admin/p']);
    const tooLong = await run(['shares', 'add', 'admin/p@1', '--expires', '8d']);
    expect([tooLong.code, tooLong.stderr]).toEqual([2, expect.stringContaining('at most 7 days')]);
    expect(tooLong.stderr).toContain('limits.rates.loginAccount');
    const env = { PACKAGE_R_SHARE_MAX_DAYS: '9', PACKAGE_R_SHARE_DEFAULT_DAYS: '9' };
    expect((await run(['shares', 'add', 'admin/p@1', '--expires', '8d'], { env })).code).toBe(0);
  });
});
