/** `state copy` between engines, both ways, and backups of a PostgreSQL state: the same rows, the same digests, all or nothing. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type LoadedConfig, loadConfig } from '#config/config.ts';
import { isError } from '#errors/error.ts';
import { insertRows } from '#state/insert.ts';
import { lockData } from '#state/lock.ts';
import { openPostgresState } from '#state/postgres/postgres-state.ts';
import { openStep } from '#state/schema.ts';
import { openSqliteState } from '#state/sqlite/sqlite-state.ts';
import type { State } from '#state/state.ts';
import { hasPostgres, makeSchema, type PostgresServer, startPostgres, type TemporarySchema } from '#testing/postgres.ts';
import { copyState } from '../../src/copy-state.ts';

/** Texts that a format with escapes, or an order by people’s rules, would not bring over as they are. */
const hostile = [
  'back\\slash',
  '\\N',
  '\\.',
  'a\tb',
  'a\nb\r\n',
  '😀 \u{10ffff}',
  'é',
  'e\u0301',
  'Z',
  'z',
  '_',
  "'; drop table entry; --",
  '"',
  ' ',
];

/** What packages, shares and the rest leave, without them: rows of every kind of value. */
async function fill(state: State): Promise<void> {
  await state.write(
    {
      query: state.db
        .insertInto('package')
        .values({ namespace_id: 'n', name: 'p', head: 2, top: 2, frozen: 0, generation: 1, created_at: 1 }),
    },
    {
      query: state.db
        .insertInto('step')
        .values({ package: 1, step: 1, operation: 'annex', summary: '', actor: 'a', at: 1, added: 1, removed: 0 }),
    },
    ...hostile.map((value, index) => ({
      query: state.db.insertInto('setting').values({ key: `k${index}${value}`, value: JSON.stringify(value) }),
    })),
    {
      query: state.db
        .insertInto('sealed')
        .values({ owner: 'source:1', name: 'KEY', sealed: Uint8Array.from({ length: 256 }, (_, index) => index) }),
    },
  );
  const paths = [...hostile, ...Array.from({ length: 3000 }, (_, index) => `${index % 7}/x${index}`)];
  const columns = ['package', 'path', 'from_step', 'to_step', 'kind', 'size', 'key_bytes', 'inline', 'ends_range'] as const;
  const rows = paths.map((path, index) => [
    1,
    path,
    1,
    openStep,
    2,
    Number.MAX_SAFE_INTEGER - index,
    index % 2 === 0 ? null : Uint8Array.of(255, 0, index % 256),
    0,
    0,
  ]);
  await state.write(insertRows(state, 'entry', columns, rows));
  const event = { at: 1, actor: 'a', action: 'b', subject: 'c', outcome: 'ok', address: '', details: '{"nul":"\\u0000"}' };
  await state.write({ query: state.db.insertInto('event').values([event, event, event]) });
  await state.write({ query: state.db.updateTable('package').set({ frozen: 2 }) });
}

/** A version and what it points to by source, which protect each other. Its digest is that of nothing. */
async function addVersion(state: State): Promise<void> {
  const version = { package: 1, number: 1, step: 2, digest: `sha256:${'0'.repeat(64)}`, message: '', author: 'a', frozen_at: 1 };
  await state.write(
    { query: state.db.insertInto('version_source').values({ package: 1, number: 1, source: 1, entries: 1, bytes: 1 }) },
    {
      query: state.db
        .insertInto('version')
        .values({ ...version, entries: 1, bytes: 1, manifest_bytes: 1, withdrawn_at: null, withdrawn_reason: null }),
    },
  );
}

describe.runIf(hasPostgres('state copy'))('state copy', () => {
  let server: PostgresServer;
  let schema: TemporarySchema;
  let folder: string;
  let loaded: LoadedConfig;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    schema = await makeSchema(server.url);
    folder = await mkdtemp(join(tmpdir(), 'package-r-copy-'));
    loaded = loadConfig({ env: { PACKAGE_R_STATE: schema.url.reveal(), PACKAGE_R_DATA_DIR: folder, HOME: folder }, cwd: folder });
  });
  afterEach(async () => {
    await schema.remove();
    await rm(folder, { recursive: true });
  });

  const copy = (from: string, to: string, signal = new AbortController().signal, onProgress?: (table: string, rows: number) => void) =>
    copyState(loaded, { from, to, cwd: folder, signal, ...(onProgress === undefined ? {} : { onProgress }) });
  const sqlite = () => openSqliteState(join(folder, 'state.sqlite'));
  const filled = async () => {
    const state = await sqlite();
    await fill(state);
    await state.close();
  };
  const countSettings = async (): Promise<number> => {
    const state = await openPostgresState(schema.url);
    try {
      return (await state.db.selectFrom('setting').selectAll().execute()).length;
    } finally {
      await state.close();
    }
  };

  it('goes to PostgreSQL and back without a change', async () => {
    await filled();
    const there = await copy('sqlite', 'postgres');
    expect(there.tables.find(({ table }) => table === 'entry')?.rows).toBe(3000 + hostile.length);
    const back = await copy('postgres', 'again.sqlite');
    expect(back).toEqual(there);
    const rows = (path: string) => {
      const raw = new DatabaseSync(path, { readOnly: true });
      try {
        return raw.prepare('select * from entry order by path').all();
      } finally {
        raw.close();
      }
    };
    expect(rows(join(folder, 'again.sqlite'))).toEqual(rows(join(folder, 'state.sqlite')));
  });

  it('protects what was frozen there too, and gives no number twice', async () => {
    await filled();
    await copy('sqlite', 'postgres');
    const state = await openPostgresState(schema.url);
    const change = state.write({ query: state.db.updateTable('entry').set({ size: 1 }) });
    await expect(change).rejects.toThrow(/protected row/);
    const event = { at: 1, actor: 'a', action: 'b', subject: 'c', outcome: 'ok', address: '', details: '{}' };
    const [result] = await state.write({ query: state.db.insertInto('event').values(event).returning('id') });
    expect(result?.rows).toEqual([{ id: 4 }]);
    await state.close();
  });

  it('refuses a target that is not empty, and leaves it as it was', async () => {
    await filled();
    const state = await openPostgresState(schema.url);
    await state.write({ query: state.db.insertInto('setting').values({ key: 'mine', value: '1' }) });
    await state.close();
    await expect(copy('sqlite', 'postgres')).rejects.toSatisfy((error) => isError(error, 'exists'));
    expect(await countSettings()).toBe(1);
    await expect(copy('postgres', 'sqlite')).rejects.toSatisfy((error) => isError(error, 'exists'));
  });

  it.each(['postgres', 'new.sqlite'])('leaves nothing in %s where it is stopped', async (to) => {
    await filled();
    const stop = new AbortController();
    const stopped = copy('sqlite', to, stop.signal, (table) => table === 'setting' && stop.abort());
    await expect(stopped).rejects.toSatisfy((error) => isError(error, 'cancelled'));
    if (to === 'postgres') expect(await countSettings()).toBe(0);
    else expect((await readdir(folder)).filter((name) => name.startsWith('new'))).toEqual([]);
    await copy('sqlite', to);
  });

  it('waits for nobody who uses the data folder or the database', async () => {
    await filled();
    const lock = lockData(folder);
    await expect(copy('sqlite', 'postgres')).rejects.toSatisfy((error) => isError(error, 'data_locked'));
    lock.release();
    const state = await openPostgresState(schema.url);
    await expect(copy('sqlite', 'postgres')).rejects.toSatisfy((error) => isError(error, 'data_locked'));
    await expect(copy('postgres', 'new.sqlite')).rejects.toSatisfy((error) => isError(error, 'data_locked'));
    await state.close();
  });

  it('takes no password from the command line, and shows none', async () => {
    for (const to of ['postgres://me:CANARY@localhost/db', 'postgres://localhost/db?password=CANARY']) {
      const refused = await copy('sqlite', to).catch((error: unknown) => error);
      expect(isError(refused, 'argument_invalid')).toBe(true);
      expect(JSON.stringify([refused, String(refused)])).not.toContain('CANARY');
    }
    await expect(copy('missing.sqlite', 'postgres')).rejects.toSatisfy((error) => isError(error, 'not_found'));
  });

  it('refuses a version that does not match its digest', async () => {
    await filled();
    const state = await sqlite();
    await addVersion(state);
    await state.close();
    await expect(copy('sqlite', 'postgres')).rejects.toSatisfy((error) => isError(error, 'verify_failed'));
    await expect(copy('postgres', 'again.sqlite')).rejects.toSatisfy((error) => isError(error, 'verify_failed'));
  });

  it('is how a PostgreSQL state is backed up while it is written, to a file of its owner alone', async () => {
    const state = await openPostgresState(schema.url);
    await fill(state);
    const writing = (async () => {
      for (let index = 0; index < 200; index++)
        await state.write({ query: state.db.insertInto('setting').values({ key: `w${index}`, value: '1' }) });
    })();
    const path = join(folder, 'backup.sqlite');
    await Promise.all([state.backup(path), writing]);
    await expect(state.backup(path)).rejects.toSatisfy((error) => isError(error, 'exists'));
    await state.close();
    const raw = new DatabaseSync(path);
    const written = raw.prepare("select key from setting where key like 'w%'").all() as { key: string }[];
    raw.close();
    const numbers = written.map(({ key }) => Number(key.slice(1))).sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, index) => index));
    const other = await makeSchema(server.url);
    const restored = loadConfig({ env: { PACKAGE_R_STATE: other.url.reveal(), PACKAGE_R_DATA_DIR: folder, HOME: folder }, cwd: folder });
    const { tables } = await copyState(restored, { from: path, to: 'postgres', cwd: folder, signal: new AbortController().signal });
    expect(tables.find(({ table }) => table === 'entry')?.rows).toBe(3000 + hostile.length);
    await other.remove();
  });

  it('is made once where two ask for a backup of one name at once', async () => {
    const state = await openPostgresState(schema.url);
    await fill(state);
    const path = join(folder, 'twice.sqlite');
    const [one, other] = await Promise.allSettled([state.backup(path), state.backup(path)]);
    expect([one?.status, other?.status]).toEqual(['fulfilled', 'rejected']);
    expect(isError((other as PromiseRejectedResult).reason, 'exists')).toBe(true);
    await state.close();
    const raw = new DatabaseSync(path);
    expect(raw.prepare('select count(*) as n from entry').get()).toEqual({ n: 3000 + hostile.length });
    expect(raw.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' });
    raw.close();
    expect((await readdir(folder)).filter((name) => name.includes('copying'))).toEqual([]);
  });

  it('fails clearly where the file is no state', async () => {
    await writeFile(join(folder, 'junk'), 'no database, but long enough to be looked at as one '.repeat(50));
    await expect(copy('junk', 'postgres')).rejects.toSatisfy((error) => isError(error, 'state_failed'));
  });
});
