/** The drill: a backup under load, the state lost, restored by the command, and the same links and digests as before. */
import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeFiles } from '../support/files.ts';
import { type Packager, runCli, startPackager } from '../support/packager.ts';

const files: Record<string, string> = Object.fromEntries(
  Array.from({ length: 40 }, (_, index) => [`set/${String(index).padStart(2, '0')}.csv`, `time,value\n${index},${index * 7}\n`]),
);

describe('a backup that is restored', () => {
  let packager: Packager;
  let token: string;
  let link: string;
  let locked: string;
  let ticket: string;
  /** Version → digest, as the server answered. */
  const digests = new Map<number, string>();
  let versionsBefore = 0;

  const api = async (method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(`${packager.url}/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const freeze = async (): Promise<void> => {
    const answer = await api('POST', 'packages/admin/p/versions', { message: 'Drill' });
    const { number, digest } = (await answer.json()) as { number?: number; digest: string };
    if (answer.ok && number !== undefined) digests.set(number, digest);
  };
  const put = (name: string, text: string): Promise<Response> =>
    fetch(`${packager.url}/api/v1/packages/admin/p/entries/${name}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
      body: text,
    });
  const checkLinks = async (): Promise<void> => {
    const [name, text] = ['set/07.csv', files['set/07.csv']];
    expect(await (await fetch(`${link}/o/${name}`)).text()).toBe(text);
    expect(await (await fetch(`${link}/o/README.md`)).text()).toBe('# Drill\n');
    expect((await fetch(`${locked}/o/${name}`)).status).toBe(401);
    expect(await (await fetch(`${locked}~${ticket}/o/${name}`)).text()).toBe(text);
    const bulk = await fetch(`${link}/exchange`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: `${JSON.stringify(name)}\n`,
    });
    const { url } = JSON.parse(await bulk.text()) as { url: string };
    expect(await (await fetch(url)).text()).toBe(text);
  };

  beforeAll(async () => {
    packager = await startPackager({
      PACKAGE_R_LIMITS_HTTP_RATES_PEER_PER_MINUTE: '60000',
      PACKAGE_R_LIMITS_HTTP_RATES_USER_PER_MINUTE: '60000',
    });
    const data = join(packager.folder, 'data');
    await writeFiles(data, files);
    await packager.json('sources', 'add', 'lab', 'folder', '--set', `root=${data}`);
    await packager.json('packages', 'create', 'admin/p');
    await packager.json('packages', 'add', 'admin/p', 'lab');
    [{ token } = { token: '' }] = await packager.json<{ token: string }>('tokens', 'add', 'drill');
    expect((await put('README.md', '# Drill\n')).ok).toBe(true);
    await freeze();
    [{ url: link } = { url: '' }] = await packager.json<{ url: string }>('shares', 'add', 'admin/p@1');
    const shared = await packager.runWith(
      { input: 'a password of the drill' },
      '--json',
      'shares',
      'add',
      'admin/p@1',
      '--audience',
      'password',
      '--password',
      '-',
    );
    locked = (JSON.parse(shared.stdout) as { url: string }).url;
    const unlocked = await fetch(`${locked}/unlock`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ password: 'a password of the drill' }),
    });
    ticket = ((await unlocked.json()) as { listTicket: string }).listTicket;
    await checkLinks();
  }, 300_000);
  afterAll(() => packager.stop());

  it('is made under load', async () => {
    versionsBefore = digests.size;
    let isOn = true;
    const load = [
      async (turn: number) => void (await put(`texts/${turn % 20}.md`, `text ${turn}\n`)),
      freeze,
      async () => void (await (await fetch(`${link}/o/set/11.csv`)).text()),
      async (turn: number) => {
        const request = { source: 'lab', select: { folder: 'set' }, to: `again/${turn}` };
        const { id } = (await (await api('POST', 'packages/admin/p/annex', request)).json()) as { id?: string };
        if (id !== undefined)
          await expect
            .poll(async () => ((await (await api('GET', `jobs/${id}`)).json()) as { state: string }).state, { timeout: 30_000 })
            .toBe('done');
      },
    ].map(async (act) => {
      for (let turn = 0; isOn; turn++) await act(turn);
    });
    for (const name of ['first.sqlite', 'drill.sqlite']) {
      const ran = await packager.run('--json', 'backup', name);
      expect(ran.stderr).toBe('');
    }
    isOn = false;
    await Promise.all(load);
    expect((await readdir(join(packager.dataDir, 'backups'))).sort()).toEqual(['drill.sqlite', 'first.sqlite']);
    const verified = await packager.run('--json', 'verify', join(packager.dataDir, 'backups', 'drill.sqlite'));
    expect(verified.code, verified.stdout).toBe(0);
  }, 300_000);

  it('is not restored under a running server, nor where it is damaged, newer, or no state at all', async () => {
    const backup = join(packager.dataDir, 'backups', 'drill.sqlite');
    expect((await packager.run('restore', 'drill.sqlite')).code).toBe(6);
    const empty = join(packager.folder, 'elsewhere');
    const restore = async (file: string) => {
      const ran = await runCli(['--json', '--data-dir', empty, 'restore', file]);
      expect(await readdir(empty).catch(() => [])).not.toContain('state.sqlite');
      return [ran.code, (JSON.parse(ran.stderr) as { error: { code: string } }).error.code];
    };
    const change = async (name: string, sql: string): Promise<string> => {
      const copy = join(packager.folder, name);
      await cp(backup, copy);
      const database = new DatabaseSync(copy);
      database.exec(sql);
      database.close();
      return copy;
    };
    expect(await restore(await change('flipped', "drop trigger text_update; update text set bytes = cast('x' as blob)"))).toEqual([
      70,
      'verify_failed',
    ]);
    expect(await restore(await change('newer', "insert into kysely_migration values ('m9999-future', '2099-01-01')"))).toEqual([
      7,
      'state_newer',
    ]);
    const torn = await change('torn', 'select 1');
    await truncate(torn, 100_000);
    expect((await restore(torn))[1]).toMatch(/verify_failed|state_failed/);
    await writeFile(join(packager.folder, 'none'), 'no state');
    expect(await restore(join(packager.folder, 'none'))).toEqual([70, 'verify_failed']);
    expect(await restore(join(packager.folder, 'missing'))).toEqual([5, 'not_found']);
  }, 300_000);

  it('serves the same links, tickets and digests', async () => {
    await packager.whileDown(async () => {
      await rm(join(packager.dataDir, 'state.sqlite'));
      await writeFile(join(packager.dataDir, 'state.sqlite-wal'), 'what was left of a log');
      const ran = await packager.run('--json', 'restore', 'drill.sqlite');
      expect(ran.stderr).toBe('');
      expect(JSON.parse(ran.stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
        packages: 1,
        key: expect.stringContaining('sealed with this key'),
      });
    });
    await checkLinks();
    const versions = await packager.json<{ number: number; digest: string }>('packages', 'versions', 'admin/p');
    expect(versions.length).toBeGreaterThanOrEqual(versionsBefore);
    for (const { number, digest } of versions) expect(digest).toBe(digests.get(number));
    expect((await packager.run('verify')).code).toBe(0);
    expect((await put('after.md', 'after')).ok).toBe(true);
  }, 300_000);

  it('keeps aside what was there, and tells where', async () => {
    await packager.whileDown(async () => {
      const before = await readFile(join(packager.dataDir, 'state.sqlite'));
      const [{ replaced } = { replaced: '' }] = await packager.json<{ replaced: string }>('restore', 'first.sqlite');
      expect(await readFile(join(replaced, 'state.sqlite'))).toEqual(before);
    });
    await checkLinks();
  }, 300_000);

  it('comes to an end at the next start where the restoring process was killed', async () => {
    await packager.whileDown(async () => {
      await mkdir(join(packager.dataDir, 'replaced'), { recursive: true });
      await cp(join(packager.dataDir, 'backups', 'drill.sqlite'), join(packager.dataDir, 'restore.ready'));
      await writeFile(join(packager.dataDir, 'restore.partial'), 'half a copy of another attempt');
    });
    expect(await readdir(packager.dataDir)).not.toContain('restore.ready');
    await checkLinks();
  }, 300_000);
});
