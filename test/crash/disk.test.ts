/**
 * A disk that takes no more: what is refused says so, nothing is lost, and the server goes on by itself when there is room again. First by a
 * limit of the process on the size of its files, which needs no rights; then by a real disk that is full, and by one that is read-only.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config.ts';
import { isError } from '#errors/error.ts';
import { openSqliteState } from '#state/sqlite/sqlite-state.ts';
import { requireComponent } from '#testing/component.ts';
import { copyState } from '../../src/copy-state.ts';
import { type Packager, startPackager } from '../support/packager.ts';

const isRoot = process.getuid?.() === 0;

interface Health {
  readonly status: string;
  readonly problem?: string;
}

const healthOf = async (packager: Packager): Promise<Health> => (await (await fetch(`${packager.url}/health`)).json()) as Health;

/** Puts until it is refused, then until it is taken again; what was acknowledged is there, before and after a restart. */
async function fillAndRecover(packager: Packager, fill: () => void, makeRoom: () => void): Promise<void> {
  const acknowledged = new Map<string, string>();
  const put = async (name: string, text: string) => {
    const ran = await packager.runWith({ input: text }, '--json', 'packages', 'put', 'admin/p', name, '-');
    if (ran.code === 0) acknowledged.set(name, text);
    return ran;
  };
  await packager.json('packages', 'create', 'admin/p');
  await put('before.txt', 'before');
  const [version] = await packager.json<{ digest: string }>('packages', 'freeze', 'admin/p', '-m', 'One');
  fill();
  let refused: Awaited<ReturnType<typeof put>> | undefined;
  for (let at = 0; at < 20 && refused === undefined; at++) {
    const ran = await put(`full-${at}.txt`, `${at} `.repeat(200_000));
    if (ran.code !== 0) refused = ran;
  }
  expect(refused?.code).toBe(7);
  expect(JSON.parse(refused?.stderr ?? '')).toMatchObject({ error: { code: 'state_failed', message: expect.stringMatching(/disk/) } });
  expect(await healthOf(packager)).toMatchObject({ status: 'failing', problem: expect.stringMatching(/disk/) });
  expect(packager.log()).toMatch(/the state cannot be written/);
  expect((await packager.run('packages', 'cat', 'admin/p@1', 'before.txt')).stdout, 'reading goes on').toBe('before');
  makeRoom();
  await expect.poll(() => healthOf(packager), { timeout: 20_000, interval: 200 }).toEqual({ status: 'ok' });
  expect((await put('after.txt', 'after')).stderr).toBe('');
  for (const isAgain of [false, true]) {
    if (isAgain) await packager.restart();
    for (const [name, text] of acknowledged) expect((await packager.run('packages', 'cat', 'admin/p', name)).stdout).toBe(text);
    expect((await packager.run('packages', 'verify', 'admin/p@1')).code).toBe(0);
    expect(await packager.json('packages', 'versions', 'admin/p')).toMatchObject([{ digest: version?.digest }]);
    expect((await packager.run('verify')).code).toBe(0);
  }
}

describe.runIf(requireComponent('a limit on files', { command: 'prlimit', install: 'apt-get install util-linux' }))(
  'a process whose files may not grow',
  () => {
    let packager: Packager;
    beforeAll(async () => {
      packager = await startPackager();
    });
    afterAll(() => packager.stop());

    it('refuses writes, says so, and goes on when they may', async () => {
      const limit = (size: string): void => void execFileSync('prlimit', ['--pid', String(packager.pid), `--fsize=${size}:`]);
      await fillAndRecover(
        packager,
        () => limit(String(statSync(join(packager.dataDir, 'state.sqlite-wal')).size)),
        () => limit('unlimited'),
      );
    }, 400_000);
  },
);

/** Folders on a small disk in memory. Needs the right to mount. */
function mountDisk(options: string): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'package-r-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    process.stderr.write('skipped: a full and a read-only disk, since this user may not mount one\n');
    return undefined;
  }
}

const disks = isRoot ? [mountDisk('size=6m'), mountDisk('size=6m')] : [];
afterAll(() => {
  for (const disk of disks) {
    if (disk === undefined) continue;
    execFileSync('umount', ['-l', disk]);
    rmSync(disk, { recursive: true });
  }
});

describe.runIf(disks[1] !== undefined)('a disk of 6 MB', () => {
  const [folder = '', other = ''] = disks;

  it('may fill up and be cleared under a running server', async () => {
    const packager = await startPackager({ PACKAGE_R_DATA_DIR: join(folder, 'state') });
    try {
      const ballast = join(folder, 'ballast');
      const fill = (): void => {
        for (const size of [65_536, 4096, 1]) {
          try {
            for (;;) writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' });
          } catch {
            // No room for a piece of this size.
          }
        }
      };
      await fillAndRecover(packager, fill, () => rmSync(ballast));
      fill();
      const backup = await packager.run('--json', 'backup', 'full.sqlite');
      expect(JSON.parse(backup.stderr)).toMatchObject({ error: { code: 'file_failed', message: expect.stringContaining('full') } });
      expect(existsSync(join(folder, 'state/backups/full.sqlite'))).toBe(false);
      rmSync(ballast);
    } finally {
      await packager.stop();
    }
  }, 400_000);

  it('takes no copy of a state for which it has no room, and keeps nothing of it', async () => {
    const home = mkdtempSync(join(tmpdir(), 'package-r-large-'));
    const state = await openSqliteState(join(home, 'state.sqlite'));
    for (let at = 0; at < 80; at++)
      await state.write({ query: state.db.insertInto('setting').values({ key: `k${at}`, value: JSON.stringify('x'.repeat(100_000)) }) });
    await state.close();
    const loaded = loadConfig({ env: { HOME: home, PACKAGE_R_DATA_DIR: home }, cwd: home });
    const request = { from: 'sqlite', to: join(other, 'copy.sqlite'), cwd: home, signal: new AbortController().signal };
    await expect(copyState(loaded, { ...request, onProgress: () => undefined })).rejects.toSatisfy(
      (error) => isError(error, 'file_failed') && error.message.includes('full'),
    );
    expect(readdirSync(other)).toEqual([]);
    rmSync(home, { recursive: true });
  });

  it('may be read-only', async () => {
    const data = join(other, 'state');
    mkdirSync(data);
    await (await openSqliteState(join(data, 'state.sqlite'))).close();
    execFileSync('mount', ['-o', 'remount,ro', other]);
    try {
      const opened = openSqliteState(join(data, 'state.sqlite'));
      await expect(opened).rejects.toSatisfy((error) => isError(error, 'state_failed'));
    } finally {
      execFileSync('mount', ['-o', 'remount,rw', other]);
    }
    await (await openSqliteState(join(data, 'state.sqlite'))).close();
  });
});
