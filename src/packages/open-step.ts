/**
 * The one open step of a draft: claimed, trimmed, abandoned. Rows beyond `head` are seen by nobody, so what a crash or a cancel leaves is
 * swept away in bounded batches before the next step begins. Every batch checks that the claim still holds.
 */
import { type Selectable, sql } from 'kysely';
import { isError, PackageRError } from '#errors/error.ts';
import { openStep, type PackageRow } from '#state/schema.ts';
import type { SqlValue, State, Write } from '#state/state.ts';

/** The step that `job` holds open in a package. */
export interface Claim {
  readonly package: number;
  /** Id of the job, or of the request where no job is needed. */
  readonly job: string;
}

/** A package as it is read. */
export type KeptPackage = Selectable<PackageRow>;

const batchRows = 1000;

/**
 * Claims the next step for a job; what could be redone is given up. Numbers beyond an old `top` are used, so that left-over rows of
 * undone steps differ from new ones. Errors: step_open.
 */
export function claimStep(state: State, { package: id, job }: Claim): Write {
  return {
    query: state.db
      .updateTable('package')
      .set({ open_step: sql<number>`top + 1`, open_job: job, top: sql<number>`head` })
      .where('id', '=', id)
      .where('open_step', 'is', null)
      .where('removed_at', 'is', null),
    expect: { changes: 1, code: 'step_open', message: 'Another change of this draft is under way.' },
  };
}

/** Claims the draft as it is, for a freeze: nothing is given up. Errors: step_open, also where `head` has moved. */
export function claimHead(state: State, { package: id, job }: Claim, head: number): Write {
  return {
    query: state.db
      .updateTable('package')
      .set({ open_step: head, open_job: job })
      .where('id', '=', id)
      .where('head', '=', head)
      .where('open_step', 'is', null)
      .where('removed_at', 'is', null),
    expect: { changes: 1, code: 'step_open', message: 'Another change of this draft is under way.' },
  };
}

/** Goes first in every unit of a claim’s work: what was abandoned meanwhile writes nothing more. Errors: cancelled. */
export function holdClaim(state: State, { package: id, job }: Claim): Write {
  return {
    query: state.db.updateTable('package').set({ open_job: job }).where('id', '=', id).where('open_job', '=', job),
    expect: { changes: 1, code: 'cancelled', message: 'This change was given up meanwhile.' },
  };
}

export async function getPackageRow(state: State, id: number): Promise<KeptPackage> {
  const row = await state.db.selectFrom('package').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw new PackageRError('not_found', 'There is no such package.');
  return row;
}

/** Removes what undone steps left between `head` and the open step. May run twice. */
export function trimUndone(state: State, claim: Claim, head: number, step: number): Promise<void> {
  return trim(state, claim, head, step);
}

/** Takes back everything that the claim wrote, and ends it. Idempotent; does nothing where the claim has ended. */
export async function abandonStep(state: State, claim: Claim): Promise<void> {
  const row = await getPackageRow(state, claim.package);
  if (row.open_job !== claim.job || row.open_step === null) return;
  try {
    if (row.open_step > row.head) await trim(state, claim, row.head, openStep);
    await trimRanges(state, claim, row.frozen);
    const end = state.db
      .updateTable('package')
      .set({ open_step: null, open_job: null })
      .where('id', '=', claim.package)
      .where('open_job', '=', claim.job);
    await state.write({ query: end });
  } catch (error) {
    if (!isError(error, 'cancelled')) throw error;
  }
}

/** Rows that began within (head, before) go, rows that ended there begin again, and so do the steps. */
async function trim(state: State, claim: Claim, head: number, before: number): Promise<void> {
  const remove = sql`delete from entry where package = ${0} and path = ${0} and from_step = ${0}`.compile(state.db);
  const reopen = sql`update entry set to_step = ${0} where package = ${0} and path = ${0} and from_step = ${0}`.compile(state.db);
  const rows = () => state.db.selectFrom('entry').select(['path', 'from_step']).where('package', '=', claim.package).limit(batchRows);
  const sweep = async (
    find: () => Promise<readonly { path: string; from_step: number }[]>,
    query: Write['query'],
    values: readonly SqlValue[],
  ) => {
    for (let found = await find(); found.length > 0; found = await find()) {
      const parameters = found.map((row) => [...values, claim.package, row.path, row.from_step]);
      await state.write(holdClaim(state, claim), { query, rows: parameters });
    }
  };
  await sweep(() => rows().where('from_step', '>', head).where('from_step', '<', before).execute(), remove, []);
  await sweep(() => rows().where('to_step', '>', head).where('to_step', '<', before).execute(), reopen, [openStep]);
  const steps = state.db.deleteFrom('step').where('package', '=', claim.package).where('step', '>', head).where('step', '<', before);
  await state.write(holdClaim(state, claim), { query: steps });
}

/** Manifest ranges that no version has. There are few: one for about 256 entries. */
async function trimRanges(state: State, claim: Claim, frozen: number): Promise<void> {
  const remove = state.db.deleteFrom('manifest_range').where('package', '=', claim.package).where('from_step', '>', frozen);
  const reopen = state.db
    .updateTable('manifest_range')
    .set({ to_step: openStep })
    .where('package', '=', claim.package)
    .where('to_step', '>', frozen)
    .where('to_step', '<', openStep);
  await state.write(holdClaim(state, claim), { query: remove }, { query: reopen });
}
