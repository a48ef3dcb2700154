/** Segments of the index of one package: which there are, which of them together cover a step, and how many rows are not in any. */
import type { Selectable } from 'kysely';
import type { SearchSegmentRow } from '#state/schema.ts';
import type { State } from '#state/state.ts';

export type Segment = Selectable<SearchSegmentRow>;

/** In order of their steps, without a gap: the first begins behind step 0. */
export async function coveringSegments(state: State, packageId: number): Promise<Segment[]> {
  const all = await state.db
    .selectFrom('search_segment')
    .selectAll()
    .where('package', '=', packageId)
    .where('ready', '=', 1)
    .orderBy('after_step')
    .orderBy('through_step', 'desc')
    .execute();
  const chain: Segment[] = [];
  for (const segment of all) if (segment.after_step === coveredBy(chain)) chain.push(segment);
  return chain;
}

/** The last step whose rows are all in one of the segments. */
export function coveredBy(segments: readonly Segment[]): number {
  return segments.at(-1)?.through_step ?? 0;
}

export interface Uncovered {
  /** Rows that were added in these steps, less those that were dropped again. */
  readonly rows: number;
  /** Steps that added any. */
  readonly steps: number;
}

/** What steps (after, through] added, as they tell it themselves. */
export async function addedSince(state: State, packageId: number, after: number, through: number): Promise<Uncovered> {
  const row = await state.db
    .selectFrom('step')
    .select((on) => [on.fn.sum<number | string | null>('added').as('rows'), on.fn.countAll<number | string>().as('steps')])
    .where('package', '=', packageId)
    .where('step', '>', after)
    .where('step', '<=', through)
    .where('added', '>', 0)
    .executeTakeFirst();
  return { rows: Number(row?.rows ?? 0), steps: Number(row?.steps ?? 0) };
}
