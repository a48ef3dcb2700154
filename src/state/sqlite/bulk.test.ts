import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { insertRows } from '#state/insert.ts';
import { openSqliteState } from '#state/sqlite/sqlite-state.ts';
import type { SqlValue, State, Write } from '#state/state.ts';
import { packRows, runsOf } from './bulk.ts';

describe('rows on their way to the writer', () => {
  const value = fc.oneof(fc.constantFrom<SqlValue>(null, 0, 1, '', 'x', 'é\u0000😀', -1.5), fc.uint8Array({ maxLength: 3 }));
  const rows = fc.integer({ min: 1, max: 4 }).chain((width) =>
    fc.array(fc.array(value, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 130 }).chain((many) =>
      fc.record({
        rows: fc.constantFrom(
          many,
          many.map((row) => [...row, ...row]),
          many.map((row) => ['same', ...row]),
        ),
        isInsert: fc.boolean(),
      }),
    ),
  );

  it('are bound as they were given, each once and in order', () => {
    fc.assert(
      fc.property(rows, ({ rows: given, isInsert }) => {
        const width = given[0]?.length ?? 0;
        const columns = Array.from({ length: width }, (_, index) => `c${index}`);
        const packed = packRows(given, isInsert ? { table: 't', columns } : undefined);
        const bound: unknown[][] = [];
        for (const { sql: text, parameters } of runsOf('one row', packed)) {
          for (const values of parameters) {
            if (text === 'one row') bound.push(values);
            else for (const [, places = ''] of text.matchAll(/\(((?:\?\d+,?)+)\)/g)) bound.push(placed(places, values));
          }
        }
        expect(bound).toEqual(given);
      }),
    );
  });

  function placed(places: string, values: readonly unknown[]): unknown[] {
    return places.split(',').map((place) => values[Number(place.slice(1)) - 1]);
  }
});

describe('bulk and small writes', () => {
  let folder: string;
  let state: State;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'package-r-bulk-'));
    state = await openSqliteState(join(folder, 'state.sqlite'));
  });
  afterEach(async () => {
    await state.close();
    await rm(folder, { recursive: true });
  });

  const rowsOf = (batch: number): SqlValue[][] => Array.from({ length: 1000 }, (_, index) => [`${batch}.${index}`, 'x'.repeat(100)]);
  const bulk = (batch: number): Write => ({ ...insertRows(state, 'setting', ['key', 'value'], rowsOf(batch)), isBulk: true });

  it('a small write is served between the units of a bulk, which keep their order', async () => {
    const order: string[] = [];
    const told = (name: string) => () => order.push(name);
    const long = Array.from({ length: 30 }, (_, batch) => state.write(bulk(batch)).then(told(`bulk ${batch}`)));
    const small = state.write({ query: state.db.insertInto('setting').values({ key: 'small', value: '1' }) }).then(told('small'));
    await Promise.all([...long, small]);
    expect(order.indexOf('small')).toBeLessThan(29);
    expect(order.filter((name) => name !== 'small')).toEqual(long.map((_, batch) => `bulk ${batch}`));
  });

  it('a bulk that is refused takes all of its rows with it, and leaves its neighbours', async () => {
    const never: Write = {
      query: sql`delete from setting where key = ''`.compile(state.db),
      expect: { changes: 1, code: 'exists', message: 'no' },
    };
    const results = await Promise.allSettled([
      state.write(bulk(1)),
      state.write(bulk(2), never),
      state.write(bulk(3), bulk(1)),
      state.write(bulk(4)),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    const { rows } = await sql<{ n: number }>`select count(*) as n from setting`.execute(state.db);
    expect(rows).toEqual([{ n: 2000 }]);
  });
});
