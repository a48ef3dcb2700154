/**
 * Brings the index of a package up to its head: one new segment, which takes in the newest ones before it where they are not much larger.
 * So there are few segments, and a row is indexed anew a few times only. Nothing of it is used before it is complete.
 */
import { CompiledQuery, sql } from 'kysely';
import { Turn } from '#model/turn.ts';
import { insertRows } from '#state/insert.ts';
import { openStep } from '#state/schema.ts';
import { returned, type SqlValue, type State, type Write } from '#state/state.ts';
import { buildPart, type PartInput, type PartResult } from './build-part.ts';
import type { IndexRows } from './segment-builder.ts';
import { addedSince, coveredBy, coveringSegments, type Segment } from './segments.ts';

export interface BuildRequest {
  readonly state: State;
  readonly package: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly limits: { readonly build: number; readonly blockPaths: number; readonly postings: number };
  readonly signal: AbortSignal;
}

/** A segment with at most so many times the rows that come is built anew with them. */
const takenIn = 3;
/** Rows that are put in order in memory. */
const mostSorted = 20_000;

const isSource = import.meta.url.endsWith('.ts');
const entry = new URL(isSource ? './build-thread.ts' : './search-build.js', import.meta.url);

type SegmentSize = Pick<Segment, 'paths' | 'blocks' | 'grams'>;
type Work = Pick<PartInput, 'after' | 'through' | 'order'>;

/** Errors: cancelled where the steps changed meanwhile, or by the signal; state_failed. */
export async function buildSegment(request: BuildRequest): Promise<void> {
  const { state, package: id, at, limits, signal } = request;
  const head = await headOf(state, id);
  const chain = await coveringSegments(state, id);
  const covered = coveredBy(chain);
  if (head === undefined || covered >= head) return;
  let { rows } = await addedSince(state, id, covered, head);
  if (rows < limits.build) return;
  const kept = [...chain];
  for (let last = kept.at(-1); last !== undefined && last.paths <= rows * takenIn; last = kept.at(-1)) {
    rows += last.paths;
    kept.pop();
  }
  const after = coveredBy(kept);
  const values = { package: id, after_step: after, through_step: head, paths: 0, blocks: 0, grams: 0, ready: 0, created_at: at };
  const [made] = await state.write({ query: state.db.insertInto('search_segment').values(values).returning('id') });
  const segment = Number(returned<{ id: number }>(made).id);
  try {
    const work = await planWork(state, id, after, head, rows);
    const size = await buildParts(request, segment, work);
    signal.throwIfAborted();
    await state.write(...finish(state, id, segment, size, kept));
  } catch (error) {
    await state.write({ query: state.db.deleteFrom('search_segment').where('id', '=', segment) });
    throw error;
  }
}

async function headOf(state: State, id: number): Promise<number | undefined> {
  const row = await state.db.selectFrom('package').select(['head', 'removed_at']).where('id', '=', id).executeTakeFirst();
  return row === undefined || row.removed_at !== null ? undefined : row.head;
}

async function planWork(state: State, id: number, after: number, through: number, rows: number): Promise<Work> {
  const first = await stepBehind(state, id, after);
  const second = await stepBehind(state, id, first);
  if (first <= through && second > through) return { after: first - 1, through: first, order: 'stepped' };
  return { after, through, order: rows <= mostSorted ? 'sorted' : 'scanned' };
}

/** The next step in which a row began. */
async function stepBehind(state: State, id: number, step: number): Promise<number> {
  const query = state.db.selectFrom('entry').select('from_step').where('package', '=', id).where('from_step', '>', step);
  return (await query.orderBy('from_step').orderBy('path').limit(1).executeTakeFirst())?.from_step ?? openStep;
}

async function buildParts({ state, package: id, limits, signal }: BuildRequest, segment: number, work: Work): Promise<SegmentSize> {
  let [paths, grams] = [0, 0];
  let next: PartResult['next'];
  let blocks = 0;
  for (let part = 0; part === 0 || next !== undefined; part++) {
    const { blockPaths, postings } = limits;
    const from = next === undefined ? {} : { from: next };
    const input: PartInput = {
      segment,
      package: id,
      ...work,
      part,
      firstBlock: blocks,
      blockPaths,
      postings,
      dialect: state.dialect,
      ...from,
    };
    const result = await writtenPart(state, input, signal);
    paths += result.paths;
    grams += result.grams;
    blocks = result.nextBlock;
    next = result.next;
  }
  return { paths, blocks, grams };
}

/** One part, with all its rows written: in a thread where the state has them. */
async function writtenPart(state: State, input: PartInput, signal: AbortSignal): Promise<PartResult & Pick<SegmentSize, 'grams'>> {
  let written: Promise<unknown> = Promise.resolve();
  let grams = 0;
  const emit = (rows: IndexRows): void => {
    if (rows.table === 'gram') grams += rows.keys.length;
    written = written.then(() => state.write(toWrite(state, input, rows)));
    written.catch(() => undefined);
  };
  const { threads } = state;
  const result =
    threads === undefined
      ? await buildPart(besides(state, emit, signal), input)
      : await threads.run<PartResult>({ entry, name: 'part', input, signal, onValue: (rows) => emit(rows as IndexRows) });
  await written;
  return { ...result, grams };
}

/** Between the other work of the process. */
function besides(state: State, emit: (rows: IndexRows) => void, signal: AbortSignal): Parameters<typeof buildPart>[0] {
  const turn = new Turn();
  return {
    emit,
    async all(text, ...values) {
      const { rows } = await state.db.executeQuery<Record<string, unknown>>(CompiledQuery.raw(text, [...values]));
      return rows.map((row) => Object.values(row));
    },
    async pause() {
      signal.throwIfAborted();
      await turn.pause();
    },
  };
}

function toWrite(state: State, { segment, part }: PartInput, { table, keys, ends, bytes }: IndexRows): Write {
  const blobs = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
  if (table === 'block') {
    const rows = keys.map((block, index): SqlValue[] => [segment, block, blobs[index] as Uint8Array]);
    return insertRows(state, 'search_block', ['segment', 'block', 'paths'], rows);
  }
  const rows = keys.map((gram, index): SqlValue[] => [segment, gram, part, blobs[index] as Uint8Array]);
  return insertRows(state, 'search_gram', ['segment', 'gram', 'part', 'blocks'], rows);
}

/** The segment in place of those of the package that are not kept. */
function finish(state: State, id: number, segment: number, size: SegmentSize, kept: readonly { id: number }[]): Write[] {
  const others = state.db.deleteFrom('search_segment').where('package', '=', id).where('ready', '=', 1);
  const ids = kept.map((one) => one.id);
  const there = state.db.updateTable('search_segment').set({ ready: sql<number>`ready` });
  const gone = 'The index changed while it was built.';
  return [
    { query: ids.length === 0 ? others : others.where('id', 'not in', ids) },
    ...(ids.length === 0
      ? []
      : [{ query: there.where('id', 'in', ids), expect: { changes: ids.length, code: 'cancelled', message: gone } as const }]),
    {
      query: state.db
        .updateTable('search_segment')
        .set({ ...size, ready: 1 })
        .where('id', '=', segment),
      expect: { changes: 1, code: 'cancelled', message: gone },
    },
  ];
}
