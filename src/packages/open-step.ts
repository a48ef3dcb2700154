/**
 * The one open step of a draft: claimed, trimmed, abandoned. Rows beyond `head` are seen by nobody, so what a crash or a cancel leaves is
 * swept away in bounded batches before the next step begins; what large undone steps leave stays out of sight, and goes in the background
 * (gone-steps.ts). Every batch checks that the claim still holds.
 */
import { type CompiledQuery, type Selectable, sql } from 'kysely';
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
export const batchRows = 2000;

/**
 * Numbers that stay free before a step that may be large. Where it is undone, what is done instead takes them: no row of a later step is
 * seen there, so nobody waits for those rows to go.
 */
export const stepRoom = 999;

/**
 * Claims the next step for a job; what could be redone is given up, and gone from the first step on before which numbers are free. Behind
 * undone steps without such room numbers beyond them are used, so that their left-over rows differ from new ones. `room`: numbers left
 * free before it, as far as there are. Errors: step_open, also where what is gone must go first.
 */
export function claimStep(state: State, { package: id, job }: Claim, { room = 0 }: { readonly room?: number } = {}): Write {
  const free = sql`coalesce(least.gone, ${sql.lit(openStep)}) - least.first`;
  const query = sql`
    update package set open_job = ${job}, top = least.head, gone_from = least.gone,
      open_step = least.first + case when ${free} > ${sql.lit(2 * room)} then ${sql.lit(room)} else (${free}) / 2 end
    from (
      select head, top, coalesce(gap, gone_from) as gone, 1 + case when gap is null then top
        else (select coalesce(max(step), 0) from step where package = ${id} and step < gap) end as first
      from (
        select head, top, gone_from, (
          select min(undone.step) from step as undone
          where undone.package = ${id} and undone.step > package.head + 1 and undone.step <= package.top
            and not exists (select 1 from step where step.package = ${id} and step.step = undone.step - 1)
        ) as gap
        from package where id = ${id}
      ) as known
    ) as least
    where package.id = ${id} and package.open_step is null and package.removed_at is null
      and package.head = least.head and package.top = least.top and (least.gone is null or least.first < least.gone)`;
  return {
    query: query.compile(state.db),
    expect: { changes: 1, code: 'step_open', message: 'Another change of this draft is under way.' },
  };
}

/** Whether all numbers before what is gone are used. */
export function isExhausted({ top, gone_from: gone }: KeptPackage): boolean {
  return gone !== null && top + 1 >= gone;
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
    if (row.open_step > row.head) await trim(state, claim, row.head, row.gone_from ?? openStep);
    await trimRanges(state, claim, row.frozen);
    await state.write({ query: ofClaim(state, claim).set({ open_step: null, open_job: null }) });
  } catch (error) {
    if (!isError(error, 'cancelled')) throw error;
  }
}

/** Rows that began within (head, before) go, rows that ended there begin again, and the steps beyond the head go. */
async function trim(state: State, claim: Claim, head: number, before: number): Promise<void> {
  for (const query of takeBack(state, claim.package, head + 1, before)) {
    for (let rows = batchRows; rows === batchRows; ) {
      const [, swept] = await state.write({ ...holdClaim(state, claim), isBulk: true }, { query });
      rows = swept?.changes ?? 0;
    }
  }
  const steps = state.db.deleteFrom('step').where('package', '=', claim.package).where('step', '>', head);
  await state.write(holdClaim(state, claim), { query: steps });
}

/** Each takes back `batchRows` rows of steps from `from` on and before another; fewer where no more are there. */
export function takeBack(state: State, packageId: number, from: number, before: number): CompiledQuery[] {
  const within = (step: 'from_step' | 'to_step') => sql`
    (package, path, from_step) in (select package, path, from_step from entry
      where package = ${packageId} and ${sql.ref(step)} >= ${from} and ${sql.ref(step)} < ${before}
      ${step === 'to_step' ? sql`and to_step < ${sql.lit(openStep)}` : sql``} limit ${sql.lit(batchRows)})`;
  return [
    sql`delete from entry where ${within('from_step')}`.compile(state.db),
    sql`update entry set to_step = ${openStep} where ${within('to_step')}`.compile(state.db),
  ];
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
