/**
 * The one open step of a draft: claimed, trimmed, abandoned. Rows beyond `head` are seen by nobody, so what a crash or a cancel leaves is
 * swept away in bounded batches before the next step begins. Every batch checks that the claim still holds.
 */
import { type Selectable, sql } from 'kysely';
import { isError, PackageRError } from '#errors/error.ts';
import { openStep, type PackageRow } from '#state/schema.ts';
import type { State, Write } from '#state/state.ts';

/** The step that `job` holds open in a package. */
export interface Claim {
  readonly package: number;
  /** Id of the job, or of the request where no job is needed. */
  readonly job: string;
  /** The lease under which the job runs here: what another process took over writes nothing more. Left out where no job is needed. */
  readonly lease?: string;
}

/** A package as it is read. */
export type KeptPackage = Selectable<PackageRow>;

/** Rows of one statement: a small write waits for it. */
const batchRows = 2000;

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

/**
 * Goes before a claim where what shall be done was decided on the draft as it was read: nothing is done to another one.
 * Errors: precondition_failed.
 */
export function expectDraft(state: State, { id, generation }: Pick<KeptPackage, 'id' | 'generation'>): Write {
  return {
    query: state.db.selectFrom('package').select('id').where('id', '=', id).where('generation', '=', generation),
    expect: { changes: 1, code: 'precondition_failed', message: 'The draft was changed in the meantime.' },
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

/** What the claim holds belongs to a job from now on. Errors: cancelled. */
export function handOver(state: State, claim: Claim, job: string): Write {
  const expect = { changes: 1, code: 'cancelled', message: 'This change was given up meanwhile.' } as const;
  return { query: ofClaim(state, claim).set({ open_job: job }), expect };
}

/** Goes first in every unit of a claim’s work: what was abandoned meanwhile writes nothing more. Errors: cancelled. */
export function holdClaim(state: State, claim: Claim): Write {
  return {
    query: ofClaim(state, claim).set({ open_job: claim.job }),
    expect: { changes: 1, code: 'cancelled', message: 'This change was given up meanwhile.' },
    isCount: true,
  };
}

/** The package while the claim holds. */
function ofClaim(state: State, { package: id, job, lease }: Claim) {
  const held = state.db.updateTable('package').where('id', '=', id).where('open_job', '=', job);
  if (lease === undefined) return held;
  return held.where((on) =>
    on.exists(on.selectFrom('job').select('job.id').where('job.id', '=', job).where('job.lease_owner', '=', lease)),
  );
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
    await state.write({ query: ofClaim(state, claim).set({ open_step: null, open_job: null }) });
  } catch (error) {
    if (!isError(error, 'cancelled')) throw error;
  }
}

/** Rows that began within (head, before) go, rows that ended there begin again, and so do the steps. */
async function trim(state: State, claim: Claim, head: number, before: number): Promise<void> {
  const ended = sql`to_step < ${sql.lit(openStep)}`;
  const within = (step: 'from_step' | 'to_step') => sql`
    (package, path, from_step) in (select package, path, from_step from entry
      where package = ${claim.package} and ${sql.ref(step)} > ${head} and ${sql.ref(step)} < ${before}
      ${step === 'to_step' ? sql`and ${ended}` : sql``} limit ${sql.lit(batchRows)})`;
  const sweep = async (query: Write['query']): Promise<void> => {
    for (let rows = batchRows; rows === batchRows; ) {
      const [, swept] = await state.write({ ...holdClaim(state, claim), isBulk: true }, { query });
      rows = swept?.changes ?? 0;
    }
  };
  await sweep(sql`delete from entry where ${within('from_step')}`.compile(state.db));
  await sweep(sql`update entry set to_step = ${openStep} where ${within('to_step')}`.compile(state.db));
  const steps = state.db.deleteFrom('step').where('package', '=', claim.package).where('step', '>', head).where('step', '<', before);
  await state.write(holdClaim(state, claim), { query: steps });
}

/** Takes back the manifest ranges that no version has. There are few: one for about 256 entries. */
export async function trimRanges(state: State, claim: Claim, frozen: number): Promise<void> {
  const remove = state.db.deleteFrom('manifest_range').where('package', '=', claim.package).where('from_step', '>', frozen);
  const reopen = state.db
    .updateTable('manifest_range')
    .set({ to_step: openStep })
    .where('package', '=', claim.package)
    .where('to_step', '>', frozen)
    .where('to_step', '<', openStep);
  await state.write(holdClaim(state, claim), { query: remove }, { query: reopen });
}
