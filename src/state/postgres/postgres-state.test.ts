import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { CompiledQuery, sql } from 'kysely';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isError } from '#errors/error.ts';
import { Secret } from '#model/secret.ts';
import { insertRows } from '#state/insert.ts';
import { openPostgresState } from '#state/postgres/postgres-state.ts';
import { openStep } from '#state/schema.ts';
import type { SqlValue, State } from '#state/state.ts';
import { hasPostgres, makeSchema, type PostgresServer, startPostgres, type TemporarySchema } from '#testing/postgres.ts';
import { testState } from '#testing/test-state.ts';

const hostile = [
  '',
  '\\',
  '\\N',
  '\\.',
  '\t',
  '\n',
  '\r\n',
  '\u0001',
  '\u2028',
  '😀',
  '\u{10ffff}',
  '\ufffe',
  "'",
  '"',
  '{}',
  'x'.repeat(200_000),
];

describe.runIf(hasPostgres('PostgreSQL'))('on PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  testState('postgres', async () => {
    const schema = await makeSchema(server.url);
    return { state: await openPostgresState(schema.url), reopen: () => openPostgresState(schema.url), remove: schema.remove };
  });

  describe('a state', () => {
    let schema: TemporarySchema;
    let state: State;
    beforeEach(async () => {
      schema = await makeSchema(server.url);
      state = await openPostgresState(schema.url);
    });
    afterEach(async () => {
      await state.close();
      await schema.remove();
    });
    const setting = (key: string, value = '1') => ({ query: state.db.insertInto('setting').values({ key, value }) });
    const keys = async () => (await state.db.selectFrom('setting').select('key').orderBy('key').execute()).map(({ key }) => key);
    const writers = `select pid from pg_stat_activity where application_name = 'package-r' and pid <> pg_backend_pid()`;
    const endSessions = () => server.run(`select pg_terminate_backend(pid) from (${writers}) as ours`);

    it('brings hostile texts and bytes back as they were, one by one and in bulk', async () => {
      for (const [index, value] of hostile.entries()) await state.write(setting(`a${index}`, value));
      const bulk = Array.from({ length: 200 }, (_, index) => [
        `b${String(index).padStart(3, '0')}`,
        hostile[index % hostile.length] as string,
      ]);
      await state.write(insertRows(state, 'setting', ['key', 'value'], bulk));
      const rows = await state.db.selectFrom('setting').select('value').where('key', 'like', 'b%').orderBy('key').execute();
      expect(rows.map(({ value }) => value)).toEqual(bulk.map(([, value]) => value));
      for (const [index, value] of hostile.entries()) {
        const row = await state.db.selectFrom('setting').select('value').where('key', '=', `a${index}`).executeTakeFirst();
        expect(row?.value).toBe(value);
      }
    });

    it('loads any rows as they are given', async () => {
      const text = fc.string({ unit: 'binary' }).filter((one) => !one.includes('\0') && one.isWellFormed());
      const row = fc.tuple(text, fc.maxSafeInteger(), fc.option(fc.uint8Array({ maxLength: 40 })), fc.option(text));
      const columns = ['package', 'path', 'from_step', 'to_step', 'kind', 'size', 'key_bytes', 'meta', 'inline', 'ends_range'] as const;
      let step = 0;
      await fc.assert(
        fc.asyncProperty(fc.uniqueArray(row, { minLength: 60, maxLength: 80, selector: ([path]) => path }), async (rows) => {
          step++;
          const values = rows.map(([path, size, bytes, meta]): SqlValue[] => [1, path, step, openStep, 2, size, bytes, meta, 0, 0]);
          await state.write(insertRows(state, 'entry', columns, values));
          const found = await state.db.selectFrom('entry').select(columns).where('from_step', '=', step).orderBy('path').execute();
          const sorted = [...values].sort((a, b) => Buffer.compare(Buffer.from(a[1] as string), Buffer.from(b[1] as string)));
          expect(found.map((one) => columns.map((column) => one[column]))).toEqual(sorted);
        }),
        { numRuns: 10 },
      );
    });

    it.each(['a\0b', '\ud800', 'x\udfff'])(
      'refuses a text that it could not give back, and keeps the rest of the group: %j',
      async (text) => {
        const bulk = Array.from({ length: 100 }, (_, index) => [`b${index}`, index === 50 ? text : '']);
        const outcomes = await Promise.allSettled([
          state.write(setting('one')),
          state.write(setting('two', text)),
          state.write(insertRows(state, 'setting', ['key', 'value'], bulk)),
          state.write(setting('three')),
        ]);
        expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
        for (const outcome of outcomes) if (outcome.status === 'rejected') expect(isError(outcome.reason, 'request_invalid')).toBe(true);
        await expect(state.db.selectFrom('setting').selectAll().where('key', '=', text).execute()).rejects.toSatisfy((error) =>
          isError(error, 'request_invalid'),
        );
        expect(await keys()).toEqual(['one', 'three']);
      },
    );

    it('gives integers exactly or not at all, and sums as numbers', async () => {
      await state.write({
        query: CompiledQuery.raw("insert into attempt values ('a', 9007199254740991, 1, 1), ('b', 9007199254740992, 1, 1)"),
      });
      const failures = (key: string) => state.db.selectFrom('attempt').select('failures').where('key', '=', key).executeTakeFirst();
      expect(await failures('a')).toEqual({ failures: Number.MAX_SAFE_INTEGER });
      await expect(failures('b')).rejects.toSatisfy((error) => isError(error, 'state_failed'));
      const read = { query: CompiledQuery.raw('update attempt set since = 2 returning failures') };
      await expect(state.write(read)).rejects.toSatisfy((error) => isError(error, 'state_failed'));
      const sums = await state.db
        .selectFrom('attempt')
        .select(({ fn }) => [fn.sum('since').as('sum'), fn.countAll().as('count')])
        .executeTakeFirst();
      expect(sums).toEqual({ sum: 2, count: 2 });
    });

    it('is one process’s at a time', async () => {
      await expect(openPostgresState(schema.url)).rejects.toSatisfy((error) => isError(error, 'data_locked'));
      await state.write(setting('a'));
    });

    it('goes on by itself where its sessions are ended, and no write is lost or done twice', async () => {
      await state.write(setting('before'));
      await keys();
      await endSessions();
      const writes = Array.from({ length: 30 }, (_, index) => state.write(setting(`k${String(index).padStart(2, '0')}`)));
      await Promise.all(writes);
      expect(await keys()).toHaveLength(31);
    });

    it('believes no decision while it cannot hear of others, and hears of them again', async () => {
      await state.write(setting('a'));
      const before = state.generation;
      expect(state.generation).toBe(before);
      await endSessions();
      await expect.poll(() => state.generation).toBeGreaterThan(before);
      const isSteady = (): boolean => {
        const { generation } = state;
        return generation === state.generation;
      };
      await expect.poll(isSteady, { timeout: 10_000 }).toBe(true);
      const back = state.generation;
      await server.run(`select pg_notify('package_r_${schema.name}', '')`);
      await expect.poll(() => state.generation).toBeGreaterThan(back);
    });

    it('says that the database does not answer, for now, and answers when it is back', async () => {
      await state.write(setting('a'));
      await server.end('SIGKILL');
      const isLost = (error: unknown) =>
        isError(error, 'state_failed') && error.retry === 'temporary' && error.message.includes('does not answer');
      await expect(keys()).rejects.toSatisfy(isLost);
      await expect(state.write(setting('b'))).rejects.toSatisfy(isLost);
      await server.start();
      await expect.poll(keys, { timeout: 20_000 }).toEqual(['a']);
      await expect
        .poll(
          () =>
            state.write(setting('c')).then(
              () => true,
              () => false,
            ),
          { timeout: 20_000 },
        )
        .toBe(true);
    });

    it('loses nothing that it told to be written, and keeps nothing half, where the database is killed while it writes', async () => {
      const told: number[] = [];
      let isOver = false;
      const write = async (): Promise<void> => {
        for (let unit = 0; !isOver; unit++) {
          const rows = Array.from({ length: 60 }, (_, row) => [`u${unit}-${row}`, '1']);
          const done = await state
            .write(insertRows(state, 'setting', ['key', 'value'], rows), {
              query: sql`delete from setting where key = ${`u${unit}-0`}`.compile(state.db),
            })
            .catch(() => undefined);
          if (done !== undefined) told.push(unit);
        }
      };
      const writing = write();
      await expect.poll(() => told.length).toBeGreaterThan(5);
      await server.end('SIGKILL');
      await server.start();
      const since = told.length;
      await expect.poll(() => told.length, { timeout: 30_000 }).toBeGreaterThan(since + 5);
      isOver = true;
      await writing;
      const found = new Map<string, number>();
      for (const key of await keys()) found.set(key.split('-')[0] as string, (found.get(key.split('-')[0] as string) ?? 0) + 1);
      expect(new Set(found.values())).toEqual(new Set([59]));
      for (const unit of told) expect(found.has(`u${unit}`)).toBe(true);
    });

    it('does not wait long for the locks of others', async () => {
      await state.write(setting('a'));
      const other = new Client({ host: new URL(server.url).searchParams.get('host') ?? '', user: 'owner', database: 'postgres' });
      await other.connect();
      await other.query(`set search_path = ${schema.name}; begin; lock table setting`);
      await expect(state.write(setting('b'))).rejects.toSatisfy((error) => isError(error, 'state_failed') && error.retry === 'temporary');
      await other.query('rollback');
      await other.end();
      await state.write(setting('b'));
    });

    it('tells no values of rows in its errors', async () => {
      const secret = `CANARY${randomBytes(8).toString('hex')}`;
      const user = { id: secret, name: secret, password: secret, admin: 0, disabled: 0, generation: 1, created_at: 1 };
      await state.write({ query: state.db.insertInto('user').values(user) });
      const faults = await Promise.all(
        [
          state.write({ query: state.db.insertInto('user').values(user) }),
          state.write({
            query: CompiledQuery.raw(`insert into "user" (id, name, password) values ('${secret}2', '${secret}2', '${secret}')`),
          }),
          state.write({ query: sql`update "user" set admin = ${secret}`.compile(state.db) }),
          state.db
            .selectFrom('user')
            .selectAll()
            .where('admin', '=', secret as unknown as number)
            .execute(),
        ].map((fault) =>
          fault.then(
            () => undefined,
            (error: unknown) => error as Error,
          ),
        ),
      );
      for (const fault of faults) {
        expect(fault).toBeInstanceOf(Error);
        for (let error: unknown = fault; error instanceof Error; error = error.cause)
          expect(JSON.stringify([error, error.message])).not.toContain(secret);
      }
    });

    it('does not lend its password to errors', async () => {
      const url = Secret.parse('postgres://me:CANARY@127.0.0.1:1/db');
      const fault = await openPostgresState(url).catch((error: unknown) => error);
      expect(isError(fault, 'state_failed') && fault.retry === 'temporary').toBe(true);
      for (let error: unknown = fault; error instanceof Error; error = error.cause)
        expect(`${JSON.stringify(error)}${error.stack}`).not.toContain('CANARY');
    });

    it('refuses a state of a newer packageR', async () => {
      await state.close();
      await server.run(`insert into ${schema.name}.kysely_migration (name, timestamp) values ('m9999-future', '')`);
      await expect(openPostgresState(schema.url)).rejects.toSatisfy((error) => isError(error, 'state_newer'));
    });
  });
});
