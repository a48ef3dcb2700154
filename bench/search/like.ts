/** The peer `sqlite-like`: the same names in a plain table, looked through by LIKE. Arguments: file of the table, entries, shape. */
import { DatabaseSync } from 'node:sqlite';
import type { Done } from '../bench.ts';
import { serveSide } from '../processes.ts';
import type { Shape } from '../size/entries.ts';
import { type Kind, queriesOf, toLike } from './queries.ts';

const [file = '', size = '', shape = 'flat'] = process.argv.slice(2) as [string?, string?, Shape?];
const database = new DatabaseSync(file, { readOnly: true });
const statement = database.prepare('select name from p where name like ? limit 1000');

function query(variant: string): Done & { readonly hits: readonly number[] } {
  const hits: number[] = [];
  const times: number[] = [];
  for (const text of queriesOf(variant as Kind, Number(size), shape)) {
    const since = performance.now();
    hits.push(statement.all(toLike(text)).length);
    times.push(performance.now() - since);
  }
  const sorted = times.toSorted((a, b) => a - b);
  return { units: hits.length, facts: { 'p50 ms': sorted[50] ?? 0, 'p99 ms': sorted[99] ?? 0 }, hits };
}

serveSide({ query });
