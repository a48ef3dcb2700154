/** Every verb once against a running server: what it prints, and what it did. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeFiles } from './support/files.ts';
import { type Packager, runCli, startPackager } from './support/packager.ts';

describe('verbs', () => {
  let packager: Packager;
  const one = async <T = Record<string, unknown>>(...args: string[]): Promise<T> => {
    const [first] = await packager.json<T>(...args);
    if (first === undefined) throw new Error(`package-r ${args.join(' ')} said nothing`);
    return first;
  };
  beforeAll(async () => {
    packager = await startPackager();
    await writeFiles(join(packager.folder, 'data'), {
      'S2_32TMS_20240101.tif': 'a',
      'S2_32TMS_20240601.tif': 'bb',
      'S2_32TNS_20240615.tif': 'ccc',
      'notes/readme.txt': 'notes',
      'odd\\name.bin': 'x',
    });
  });
  afterAll(() => packager.stop());

  it('sources: add, ls, show, browse, search, test, update, drivers', async () => {
    expect(
      await one('sources', 'add', 'lab', 'folder', '--set', `root=${join(packager.folder, 'data')}`, '--title', 'The lab'),
    ).toMatchObject({ name: 'lab', title: 'The lab' });
    expect(await packager.json('sources', 'ls')).toMatchObject([{ name: 'lab' }]);
    expect((await packager.json<{ path: string }>('sources', 'browse', 'lab/notes')).map((entry) => entry.path)).toEqual([
      'notes/readme.txt',
    ]);
    expect((await packager.json<{ path: string }>('sources', 'search', 'lab', '32TMS')).map((entry) => entry.path)).toEqual([
      'S2_32TMS_20240101.tif',
      'S2_32TMS_20240601.tif',
    ]);
    const tested = await one<{ works: boolean; checks: { name: string; outcome: string; says: string }[] }>('sources', 'test', 'lab');
    const outcomes = Object.fromEntries(tested.checks.map(({ name, outcome }) => [name, outcome]));
    expect([tested.works, outcomes]).toMatchObject([true, { list: 'ok', presign: 'ok', tampered: 'ok', clock: 'ok' }]);
    expect(await one('sources', 'update', 'lab', '--title', 'Lab')).toMatchObject({ title: 'Lab' });
    expect((await packager.run('sources', 'drivers')).stdout).toMatch(/^folder {2}/m);
    const unknown = await packager.run('sources', 'add', 'x', 'folder', '--set', 'rot=/tmp');
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('root')]);
    expect((await packager.run('sources', 'add', 'x', 'folder', '--set', 'root=/no/such/folder')).code).not.toBe(0);
    const store = ['--set', 'endpoint=http://127.0.0.1:9', '--set', 'bucket=bucket', '--set', 'credentials=anonymous'];
    const refused = await packager.run('sources', 'add', 'inside', 's3', ...store);
    expect([refused.code, refused.stdout]).toEqual([1, expect.stringMatching(/✗ .*add 127\.0\.0\.1:9 to the setting endpoints\.allow/)]);
    expect(await one('sources', 'show', 'inside')).toMatchObject({ state: 'broken', problem: { code: 'endpoint_refused' } });
    await packager.run('sources', 'rm', 'inside');
  });

  it('packages add: by what the name says, renamed, and again without a change', async () => {
    const args = [
      'packages',
      'add',
      'admin/tiles',
      'lab',
      '--create',
      '--match',
      String.raw`^S2_(?P<tile>\w{5})_(?P<date>\d{8})\.tif$`,
      '--where',
      'date>=20240601',
      '--rename',
      '{tile}/{date}{ext}',
    ];
    expect(await one(...args)).toMatchObject({ added: 2 });
    expect(await one(...args)).toMatchObject({ added: 0, unchanged: 2 });
    expect((await packager.json<{ path: string }>('packages', 'search', 'admin/tiles', '2024')).map((entry) => entry.path)).toEqual([
      '32TMS/20240601.tif',
      '32TNS/20240615.tif',
    ]);
  });

  it('packages add --list: CSV and NDJSON on stdin', async () => {
    const csv = `key,to\nnotes/readme.txt,docs/notes.txt\nnone.bin,none\n`;
    const ran = await packager.runWith({ input: csv }, '--json', 'packages', 'add', 'admin/tiles', 'lab', '--list', '-');
    expect(ran.stderr).toBe('');
    expect(JSON.parse(ran.stdout)).toMatchObject({ added: 1, missing: 1 });
    const lines = `${JSON.stringify({ key: 'odd\\name.bin', to: 'odd.bin' })}\n`;
    const again = await packager.runWith({ input: lines }, '--json', 'packages', 'add', 'admin/tiles', 'lab', '--list', '-');
    expect(JSON.parse(again.stdout)).toMatchObject({ added: 1 });
  });

  it('packages put, cat, mkdir, mv, cp, rm, meta, log, undo, redo', async () => {
    const put = await packager.runWith({ input: '# Tiles\n' }, '--json', 'packages', 'put', 'admin/tiles', 'README.md', '-');
    expect(JSON.parse(put.stdout)).toMatchObject({ added: 1 });
    expect((await packager.run('packages', 'cat', 'admin/tiles', 'README.md')).stdout).toBe('# Tiles\n');
    await one('packages', 'mkdir', 'admin/tiles', 'empty');
    await one('packages', 'mv', 'admin/tiles', 'docs/notes.txt', 'odd.bin', 'empty/');
    await one('packages', 'cp', 'admin/tiles', '32TMS', 'copy');
    await one('packages', 'rm', 'admin/tiles', '32TNS');
    await one('packages', 'meta', 'admin/tiles', '--set', 'crs=EPSG:32632', '--glob', '**/*.tif');
    const paths = async () => (await packager.json<{ path: string }>('packages', 'search', 'admin/tiles', '.')).map((entry) => entry.path);
    const after = ['32TMS/20240601.tif', 'README.md', 'copy/20240601.tif', 'empty/notes.txt', 'empty/odd.bin'];
    expect(await paths()).toEqual(after);
    await one('packages', 'undo', 'admin/tiles');
    await one('packages', 'undo', 'admin/tiles');
    expect(await paths()).toEqual([
      '32TMS/20240601.tif',
      '32TNS/20240615.tif',
      'README.md',
      'copy/20240601.tif',
      'empty/notes.txt',
      'empty/odd.bin',
    ]);
    await one('packages', 'redo', 'admin/tiles');
    await one('packages', 'redo', 'admin/tiles');
    expect(await paths()).toEqual(after);
    const log = await packager.json<{ operation: string; actor: string }>('packages', 'log', 'admin/tiles');
    expect(new Set(log.map((step) => step.actor))).toEqual(new Set(['admin']));
    expect(log.map((step) => step.operation)).toEqual(['meta', 'remove', 'copy', 'move', 'mkdir', 'put', 'annex', 'annex', 'annex']);
    const conflict = await packager.run('packages', 'mv', 'admin/tiles', 'README.md', 'README.md/inside');
    expect(conflict.code).not.toBe(0);
  });

  it('packages freeze, versions, show, diff, verify, drift, fork, restore, withdraw, delete', async () => {
    expect(await one('packages', 'freeze', 'admin/tiles', '-m', 'One')).toMatchObject({ number: 1 });
    expect((await packager.run('packages', 'freeze', 'admin/tiles', '-m', 'Nothing new')).code).toBe(6);
    await one('packages', 'rm', 'admin/tiles', 'copy');
    expect(await packager.json('packages', 'diff', 'admin/tiles')).toMatchObject([{ kind: 'removed', path: 'copy/20240601.tif' }]);
    expect(await one('packages', 'freeze', 'admin/tiles', '-m', 'Two')).toMatchObject({ number: 2 });
    expect((await packager.json<{ number: number }>('packages', 'versions', 'admin/tiles')).map((version) => version.number)).toEqual([
      2, 1,
    ]);
    await one('packages', 'verify', 'admin/tiles@1');
    expect(await one('packages', 'drift', 'admin/tiles@1')).toMatchObject({ changed: 0, gone: 0 });
    await one('packages', 'fork', 'admin/tiles@1', 'admin/fork');
    expect(await one('packages', 'freeze', 'admin/fork', '-m', 'Fork')).toMatchObject({
      digest: (await packager.json<{ digest: string }>('packages', 'versions', 'admin/tiles'))[1]?.digest,
    });
    await one('packages', 'restore', 'admin/tiles', '1');
    await one('shares', 'add', 'admin/tiles@1');
    expect(await one('packages', 'withdraw', 'admin/tiles@1', '--reason', 'wrong')).toMatchObject({ withdrawn: { reason: 'wrong' } });
    const refused = await packager.run('packages', 'delete', 'admin/tiles');
    expect([refused.code, refused.stderr]).toEqual([6, expect.stringContaining('share')]);
    expect((await packager.run('packages', 'delete', 'admin/tiles', '--force')).code).toBe(0);
    expect((await packager.run('packages', 'show', 'admin/tiles')).code).toBe(5);
  });

  it('users, groups, namespaces, grants: what a person may, and may not', async () => {
    const added = await packager.runWith({ input: 'a long password of bob' }, '--json', 'users', 'add', 'bob', '--password', '-');
    expect(JSON.parse(added.stdout)).toMatchObject({ name: 'bob', admin: false });
    expect(added.stdout).not.toContain('long password');
    await one('groups', 'add', 'team', 'bob');
    await one('namespaces', 'add', 'glacier');
    await packager.json('namespaces', 'grant', 'glacier', 'group:team', 'editor');
    const env = { PACKAGE_R_DATA_DIR: '', HOME: join(packager.folder, 'bob') };
    const login = await runCli(['login', packager.url, '-u', 'bob', '--password', '-'], { input: 'a long password of bob', env });
    expect(login.code, login.stderr).toBe(0);
    const asBob = (...args: string[]) => runCli(['--server', packager.url, '--json', ...args], { env });
    expect((await asBob('packages', 'create', 'glacier/x')).code).toBe(0);
    expect((await asBob('sources', 'ls')).stdout).toBe('');
    expect((await asBob('sources', 'add', 'mine', 'folder', '--set', 'root=/')).code).toBe(4);
    expect((await asBob('users', 'ls')).code).toBe(4);
    expect((await asBob('packages', 'show', 'admin/fork')).code).toBe(5);
    await packager.run('sources', 'grant', 'lab', 'group:team', 'list', 'stat');
    expect((await asBob('sources', 'browse', 'lab')).code).toBe(0);
    expect((await asBob('presign', 'lab/notes/readme.txt')).code).toBe(4);
    await packager.run('users', 'update', 'bob', '--disable');
    expect((await asBob('packages', 'ls')).code).toBe(3);
    const saved = JSON.parse(await readFile(join(packager.folder, 'bob/.config/package-r/logins.json'), 'utf8')) as Record<string, unknown>;
    expect(Object.keys(saved)).toEqual([`${packager.url}/`]);
  });

  it('tokens, presign, events, jobs, backup, verify', async () => {
    const url = (await one<{ url: string }>('presign', 'lab/notes/readme.txt')).url;
    expect(await (await fetch(url)).text()).toBe('notes');
    const events = await packager.json<{ action: string }>('events', 'ls');
    expect(events.map((event) => event.action)).toEqual(expect.arrayContaining(['package.freeze', 'source.add', 'user.login']));
    const jobs = await packager.json<{ id: string; state: string }>('jobs', 'ls');
    expect(jobs.length).toBeGreaterThan(3);
    expect(await one('jobs', 'show', jobs[0]?.id ?? '')).toMatchObject({ state: jobs[0]?.state });
    expect(await one('backup', 'monday.sqlite')).toMatchObject({ path: expect.stringMatching(/backups\/monday\.sqlite$/) });
    expect((await packager.run('backup', 'monday.sqlite')).code).toBe(6);
    expect(await packager.json('verify')).toEqual([expect.objectContaining({ kind: 'done', wrong: 0 })]);
    expect((await packager.run('restore', 'monday.sqlite')).code).toBe(6);
    expect((await packager.run('backup', '../evil')).code).toBe(2);
    await writeFile(join(packager.folder, 'x'), '');
  });
});
