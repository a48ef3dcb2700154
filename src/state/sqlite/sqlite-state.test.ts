import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isError } from '#errors/error.ts';
import { lockData } from '#state/lock.ts';
import { openSqliteState } from '#state/sqlite/sqlite-state.ts';
import { testState } from '#testing/test-state.ts';

testState('sqlite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'package-r-state-'));
  const path = join(folder, 'state.sqlite');
  return { state: await openSqliteState(path), reopen: () => openSqliteState(path), remove: () => rm(folder, { recursive: true }) };
});

describe('sqlite file', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'package-r-state-'));
    path = join(folder, 'state.sqlite');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('is private whatever the umask', async () => {
    const mask = process.umask(0);
    try {
      const state = await openSqliteState(path);
      await state.write({ query: state.db.insertInto('setting').values({ key: 'a', value: '1' }) });
      for (const name of ['', '-wal', '-shm']) expect((await stat(`${path}${name}`)).mode & 0o777).toBe(0o600);
      await state.backup(join(folder, 'copy.sqlite'));
      expect((await stat(join(folder, 'copy.sqlite'))).mode & 0o777).toBe(0o600);
      await state.close();
    } finally {
      process.umask(mask);
    }
  });

  it('backs up while it is written, and refuses to write over a file', async () => {
    const state = await openSqliteState(path);
    await state.write({ query: state.db.insertInto('setting').values({ key: 'a', value: '1' }) });
    const target = join(folder, 'copy.sqlite');
    await state.backup(target);
    await expect(state.backup(target)).rejects.toSatisfy((error) => isError(error, 'exists'));
    await state.close();
    const copy = await openSqliteState(target);
    expect(await copy.db.selectFrom('setting').selectAll().execute()).toEqual([{ key: 'a', value: '1' }]);
    await copy.close();
  });

  it('refuses a state of a newer packageR and a file that is none', async () => {
    await (await openSqliteState(path)).close();
    const raw = new DatabaseSync(path);
    raw.exec("insert into kysely_migration (name, timestamp) values ('m9999-future', '')");
    raw.close();
    await expect(openSqliteState(path)).rejects.toSatisfy((error) => isError(error, 'state_newer'));
    const junk = join(folder, 'junk');
    await writeFile(junk, 'this is no database at all, but long enough to be looked at as one'.repeat(50));
    await expect(openSqliteState(junk)).rejects.toSatisfy((error) => isError(error, 'state_failed'));
  });
});

describe('lock of the data folder', () => {
  it('is held by one at a time', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'package-r-lock-'));
    const lock = lockData(folder);
    expect(() => lockData(folder)).toThrow(expect.objectContaining({ code: 'data_locked' }));
    lock.release();
    lockData(folder).release();
    await rm(folder, { recursive: true });
  });
});
