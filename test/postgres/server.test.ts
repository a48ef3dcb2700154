/** The real server with its state in PostgreSQL: killed in the middle of writes, beside a second one, and moved back to SQLite. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasPostgres, type PostgresServer, startPostgres } from '#testing/postgres.ts';
import { writeFiles } from '../support/files.ts';
import { type Packager, runCli, startPackager } from '../support/packager.ts';

const password = 'CANARY-password';

describe.runIf(hasPostgres('a server on PostgreSQL'))('a server on PostgreSQL', () => {
  let database: PostgresServer;
  let packager: Packager;
  let url: string;
  beforeAll(async () => {
    database = await startPostgres();
    // As the guide says: a role that owns its database, and nothing else.
    await database.run(`create role packager login password '${password}'`, 'create database packager owner packager');
    const host = new URL(database.url).searchParams.get('host') ?? '';
    url = `postgres://packager:${password}@/packager?host=${encodeURIComponent(host)}`;
    packager = await startPackager({ PACKAGE_R_STATE: url });
    await packager.json('packages', 'create', 'admin/snow');
  });
  afterAll(async () => {
    await packager?.stop();
    await database?.stop();
  });

  /** Paths of a version, by the link of a share. */
  const contents = async (): Promise<string[]> => {
    const [share] = await packager.json<{ url: string }>('shares', 'add', 'admin/snow@1');
    const manifest = await (await fetch(`${share?.url}/manifest.jsonl`)).text();
    return manifest
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { path: string }).path);
  };

  it('keeps its state there, and shows no password', async () => {
    const [row] = await database.run("select count(*)::int as found from pg_stat_activity where usename = 'packager'");
    expect(row?.['found']).toBeGreaterThan(0);
    const config = await packager.run('config', 'cat');
    expect(config.stdout).toMatch(/state +\[set\]/);
    expect(config.stdout + packager.log()).not.toContain('CANARY');
  });

  it('is alone on its database', async () => {
    const dataDir = join(packager.folder, 'other');
    const second = await runCli(['serve', '--port', '0'], {
      env: { HOME: packager.folder, PACKAGE_R_DATA_DIR: dataDir, PACKAGE_R_STATE: url },
    });
    expect([second.code, second.stderr.includes('CANARY')]).toEqual([6, false]);
    expect(second.stderr).toContain('uses the database');
  });

  it('loses nothing that it told, and keeps nothing half, when it is killed while it writes', { timeout: 240_000 }, async () => {
    const data = join(packager.folder, 'data');
    await writeFiles(data, Object.fromEntries(Array.from({ length: 800 }, (_, index) => [`d${index % 9}/f${index}.bin`, `${index}`])));
    await packager.json('sources', 'add', 'lab', 'folder', '--set', `root=${data}`);
    const told: string[] = [];
    for (let round = 0; round < 3; round++) {
      const annex = packager.run('packages', 'add', 'admin/snow', 'lab', '--to', `round${round}`);
      const puts = Promise.all(
        Array.from({ length: 2 }, async (_, index) => {
          const name = `put-${round}-${index}.txt`;
          const { code } = await packager.runWith({ input: name }, 'packages', 'put', 'admin/snow', name, '-');
          if (code === 0) told.push(name);
        }),
      );
      await Promise.race([annex, puts]);
      await packager.end('SIGKILL');
      // A verb that finds no server does its work itself, on the same database.
      await Promise.all([annex, puts]);
      await packager.restart();
    }
    const isLive = ({ state }: { readonly state: string }): boolean => state === 'queued' || state === 'running';
    const live = async () => (await packager.json<{ state: string }>('jobs', 'ls')).filter(isLive);
    await expect.poll(live, { timeout: 60_000 }).toEqual([]);
    await packager.json('packages', 'freeze', 'admin/snow', '-m', 'First');
    const found = await contents();
    for (const name of told) expect(found).toContain(name);
    for (let round = 0; round < 3; round++) expect([0, 800]).toContain(found.filter((path) => path.startsWith(`round${round}/`)).length);
    expect((await packager.run('packages', 'verify', 'admin/snow@1')).code).toBe(0);
  });

  it('moves to SQLite and back while no server runs, with the same digests', { timeout: 120_000 }, async () => {
    const running = await packager.run('state', 'copy', '--from', 'postgres', '--to', 'sqlite');
    expect(running.code).toBe(6);
    const [before] = await packager.json<{ version: { digest: string } }>('packages', 'show', 'admin/snow@1');
    const env = { HOME: packager.folder, PACKAGE_R_DATA_DIR: packager.dataDir, PACKAGE_R_STATE: url };
    await packager.end();
    const ran = await runCli(['--json', 'state', 'copy', '--from', 'postgres', '--to', 'sqlite'], { env });
    expect(ran.stderr).toBe('');
    expect(JSON.parse(ran.stdout)).toMatchObject({ versions: 1 });
    const shown = await runCli(['--json', 'packages', 'show', 'admin/snow@1'], { env: { ...env, PACKAGE_R_STATE: '' } });
    expect(JSON.parse(shown.stdout).version.digest).toBe(before?.version.digest);
    const refused = await runCli(['state', 'copy', '--from', 'sqlite', '--to', 'postgres'], { env });
    expect([refused.code, refused.stderr.includes('not empty')]).toEqual([6, true]);
    expect(ran.stdout + shown.stdout + refused.stderr).not.toContain('CANARY');
  });
});
