/** Restoring and copying a whole state, killed at any of its points. `npm run soak -- --crash 5000` does the same for longer. */
import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config.ts';
import { isError } from '#errors/error.ts';
import { parsePath } from '#model/path.ts';
import { openSqliteState } from '#state/sqlite/sqlite-state.ts';
import { hasPostgres, startPostgres } from '#testing/postgres.ts';
import { copyState } from '../../src/copy-state.ts';
import { fastFolder } from './fast-folder.ts';
import { see } from './snapshot.ts';
import { crashWhole } from './whole.ts';
import { curator, openWorld, prepare, reference, stateFile } from './world.ts';

const withPostgres = hasPostgres('a copy of the state that is killed');

describe('a state that is restored or copied', () => {
  it('is there as a whole or not at all, wherever the process is killed, and so is what it was made from', async () => {
    const postgres = withPostgres ? await startPostgres() : undefined;
    try {
      const { killed, wrong } = await crashWhole({ points: 42, seed: 4, postgres });
      expect(wrong).toEqual([]);
      const kinds = ['restore', 'restore of an old schema', 'restore without links', 'copy to a file'];
      if (withPostgres) kinds.push('copy to PostgreSQL', 'copy from PostgreSQL');
      for (const kind of kinds) expect(killed[kind], kind).toBeGreaterThan(3);
    } finally {
      await postgres?.stop();
    }
  }, 600_000);
});

describe('a copy of a state', () => {
  let folder: string;
  /** As a killed server leaves it, with a log. */
  const left = (): string => join(folder, 'left');
  beforeAll(async () => {
    folder = await fastFolder();
    await mkdir(join(folder, 'made'));
    await prepare(join(folder, 'made'));
    const world = await openWorld(join(folder, 'made'));
    await world.packages.put(curator, reference, parsePath('late.md'), Buffer.from('In the log only.\n'));
    await cp(join(folder, 'made'), left(), { recursive: true });
    await world.close();
  });
  afterAll(() => rm(folder, { recursive: true }));

  const copy = (data: string, from: string, to: string) => {
    const loaded = loadConfig({ env: { HOME: folder, PACKAGE_R_DATA_DIR: data }, cwd: folder });
    return copyState(loaded, { from, to, cwd: folder, signal: new AbortController().signal, onProgress: () => undefined });
  };
  const look = async (file: string): Promise<string> => {
    const state = await openSqliteState(file);
    try {
      return await see(state);
    } finally {
      await state.close();
    }
  };

  it('is not put beside the log of another state, which would be read into it', async () => {
    const data = join(folder, 'beside');
    await cp(left(), data, { recursive: true });
    await rm(stateFile(data));
    const backup = join(folder, 'backup.sqlite');
    const state = await openSqliteState(stateFile(join(folder, 'made')));
    await state.backup(backup);
    await state.close();
    await expect(copy(data, backup, 'sqlite')).rejects.toSatisfy(
      (error) => isError(error, 'exists') && error.message.includes('state.sqlite-wal') && error.message.includes('move it away'),
    );
    for (const end of ['-wal', '-shm']) await rm(`${stateFile(data)}${end}`);
    await copy(data, backup, 'sqlite');
    expect(await look(stateFile(data))).toBe(await look(backup));
  });

  it('is one of the state that a restore had decided on', async () => {
    const data = join(folder, 'decided');
    await cp(left(), data, { recursive: true });
    const world = await openWorld(join(folder, 'made'));
    await world.packages.put(curator, reference, parsePath('later.md'), Buffer.from('In the backup.\n'));
    await world.state.backup(join(data, 'restore.ready'));
    await world.close();
    const decided = await look(stateFile(join(folder, 'made')));
    await copy(data, 'sqlite', join(folder, 'decided.sqlite'));
    expect(await look(join(folder, 'decided.sqlite'))).toBe(decided);
    expect(await look(stateFile(data))).toBe(decided);
    expect(await readdir(join(data, 'replaced'))).toHaveLength(1);
  });
});
