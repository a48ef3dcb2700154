import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SqlValue } from '#state/state.ts';
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
