/** Clears rows of the index that belong to no segment any more: of segments that were replaced, damaged, or went with their step. */
import { setImmediate } from 'node:timers/promises';
import type { State } from '#state/state.ts';

export interface SweepOptions {
  readonly state: State;
  /** Segments that are not complete and began before then are left-overs too (milliseconds since 1970). */
  readonly leftBefore: number | undefined;
  /** A search reads it. */
  isRead(segment: number): boolean;
  readonly signal: AbortSignal;
}

/** Rows that go at once. */
const batch = 500;
/** Milliseconds for which another process may be building a segment. */
const patience = 3_600_000;

type Table = 'search_block' | 'search_gram';

export async function sweepSegments({ state, leftBefore, isRead, signal }: SweepOptions): Promise<void> {
  if (leftBefore !== undefined) {
    const before = state.dialect === 'sqlite' ? leftBefore + 1 : leftBefore - patience;
    await state.write({ query: state.db.deleteFrom('search_segment').where('ready', '=', 0).where('created_at', '<', before) });
  }
  for (const table of ['search_gram', 'search_block'] as const) {
    for (let segment = await nextSegment(state, table, -1); segment !== undefined; segment = await nextSegment(state, table, segment)) {
      const known = await state.db.selectFrom('search_segment').select('id').where('id', '=', segment).executeTakeFirst();
      if (known === undefined && !isRead(segment)) await clear(state, table, segment, signal);
    }
  }
}

async function nextSegment(state: State, table: Table, after: number): Promise<number | undefined> {
  const query = state.db.selectFrom(table).select('segment').where('segment', '>', after).orderBy('segment').limit(1);
  return (await query.executeTakeFirst())?.segment;
}

async function clear(state: State, table: Table, segment: number, signal: AbortSignal): Promise<void> {
  const key = table === 'search_gram' ? 'gram' : 'block';
  for (;;) {
    signal.throwIfAborted();
    const query = state.db.selectFrom(table).select(state.db.dynamic.ref<'bound'>(key)).where('segment', '=', segment);
    const rows = await query.orderBy(state.db.dynamic.ref(key)).offset(batch).limit(1).execute();
    const bound = (rows[0] as Record<string, number> | undefined)?.[key];
    const some = state.db.deleteFrom(table).where('segment', '=', segment);
    await state.write({ query: bound === undefined ? some : some.where(state.db.dynamic.ref(key), '<=', bound) });
    if (bound === undefined) return;
    await setImmediate();
  }
}
