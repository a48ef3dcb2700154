/**
 * Runs the work on drafts: claims the one open step, does an edit at once or as a job, and makes sure that what a crash, a failure or a
 * cancel leaves behind is taken back before anyone goes on.
 */
import type { Access } from '#access/access.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { Events } from '#events/events.ts';
import type { JobContext, JobView } from '#jobs/job.ts';
import type { Jobs } from '#jobs/jobs.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import { placeOfKey } from '#sources/place.ts';
import { type InlinePolicy, isInline } from '#sources/source-tree.ts';
import type { Sources } from '#sources/sources.ts';
import type { State, Write } from '#state/state.ts';
import { type AnnexCheckpoint, type AnnexCounts, annex } from './annex.ts';
import type { AnnexRequest } from './annex-request.ts';
import { actorOf } from './curator.ts';
import { DraftStep, type StepNote, type Tally } from './draft-step.ts';
import { applyEdit, type Edit, type EditCheckpoint } from './edits.ts';
import { GoneSteps, sweepGone } from './gone-steps.ts';
import type { ListObjects, StatObject } from './objects.ts';
import { abandonStep, type Claim, claimStep, expectDraft, getPackageRow, handOver, isExhausted, stepRoom } from './open-step.ts';
import type { EditResult, Operation } from './package.ts';
import type { PendingUploads } from './pending-uploads.ts';
import type { SearchIndex } from './search/search-index.ts';

export interface DraftsOptions {
  readonly state: State;
  readonly access: Access;
  readonly sources: Sources;
  readonly jobs: Jobs;
  readonly events: Events;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly stat: StatObject;
  readonly list?: ListObjects | undefined;
  readonly inline: InlinePolicy;
  readonly limits: { readonly textBytes: number };
  readonly search?: SearchIndex | undefined;
  readonly pending?: PendingUploads | undefined;
}

/** Done already, or a job that does it. */
export type EditOutcome = { readonly result: EditResult } | { readonly job: JobView };

/** What is annexed, and from where: one place from the first entry to the last, also over a restart. */
interface AnnexOrder {
  readonly operation: 'annex';
  /** Id of the source. */
  readonly source: string;
  /** See SourceHandle. Jobs that were begun by an earlier packageR have none. */
  readonly leadsTo?: string;
  readonly request: AnnexRequest;
}

/** One edit of a package. */
export interface DraftWork {
  readonly package: number;
  readonly work: Edit | AnnexOrder;
  /** One sentence. */
  readonly summary: string;
  /** Of the draft on which it was decided. Errors where it is another by now: precondition_failed. */
  readonly generation?: number;
}

/** What a job keeps between its batches. */
interface Checkpoint {
  readonly at: EditCheckpoint | AnnexCheckpoint;
  readonly tally: Tally;
  /** Set before the step becomes visible: a job that comes back then is done. */
  readonly committing?: number;
}

/** What the claim of a fork begins with: where it ends unfinished, so does the package. */
const forkClaim = 'fork-';

const operations = ['annex', 'move', 'copy', 'remove', 'meta', 'restore', 'fork'] as const satisfies readonly Operation[];

export class Drafts {
  readonly #options: DraftsOptions;
  /** Claims of this process that no job holds. */
  readonly #live = new Set<string>();
  readonly #gone: GoneSteps;

  constructor(options: DraftsOptions) {
    this.#options = options;
    this.#gone = new GoneSteps(options);
    for (const operation of operations) {
      options.jobs.register<DraftWork>(`package.${operation}`, { run: (context) => this.#runJob(context) });
    }
  }

  /** At once, with the step claimed for the while. What fails leaves nothing behind. `alongside`: in the unit of the step. Errors: step_open, and those of `work`. */
  async now(
    packageId: number,
    note: Omit<StepNote, 'at'>,
    work: (step: DraftStep) => Promise<void>,
    { generation, alongside }: { readonly generation?: number | undefined; readonly alongside?: readonly Write[] } = {},
  ): Promise<EditResult> {
    const { state, clock } = this.#options;
    return this.claiming(packageId, async (job) => {
      const claim = { package: packageId, job };
      await state.write(...this.#claimOf(claim, generation));
      let step: DraftStep | undefined;
      try {
        step = await DraftStep.open(state, claim);
        await work(step);
        const result = await step.commit({ ...note, at: clock() }, alongside);
        await this.#sweep(step);
        return result;
      } catch (error) {
        await step?.settle();
        await abandonStep(state, claim);
        throw error;
      }
    });
  }

  /** An edit at once. */
  async edit(input: DraftWork & { readonly work: Edit }, actor: string, signal: AbortSignal): Promise<EditResult> {
    const { state } = this.#options;
    const { package: id, work, summary, generation } = input;
    const alongside = (): [] => {
      signal.throwIfAborted();
      return [];
    };
    const apply = (step: DraftStep) => applyEdit(work, { state, step, signal, resume: undefined, alongside });
    return this.now(id, { operation: work.operation, summary, actor }, apply, { generation });
  }

  /** As a job, which holds the step from now on. Errors: step_open, which names the other job. */
  async start(input: DraftWork, ownerId: string): Promise<JobView> {
    const { jobs } = this.#options;
    return this.claiming(input.package, () =>
      jobs.start({
        kind: `package.${input.work.operation}`,
        subject: `package:${input.package}`,
        ownerId,
        input,
        alongside: (job) => this.#claimOf({ package: input.package, job }, input.generation, stepRoom),
      }),
    );
  }

  /**
   * A package that begins as a copy is there with all that it holds, or it is not there: what fails or crashes takes it away again.
   * `insert` writes its row, which holds the claim from its first instant on.
   */
  async fork(
    insert: (claim: string) => Promise<number>,
    makeWork: (packageId: number) => DraftWork & { readonly work: Edit },
    { actor, isJob }: { readonly actor: string; readonly isJob: boolean },
  ): Promise<EditOutcome> {
    const { state, jobs, clock } = this.#options;
    const job = `${forkClaim}${this.#options.makeId()}`;
    this.#live.add(job);
    try {
      const claim = { package: await insert(job), job };
      const input = makeWork(claim.package);
      const { work, summary } = input;
      let step: DraftStep | undefined;
      try {
        if (isJob) {
          const kind = `package.${work.operation}`;
          const subject = `package:${claim.package}`;
          return { job: await jobs.start({ kind, subject, ownerId: actor, input, alongside: (id) => [handOver(state, claim, id)] }) };
        }
        step = await DraftStep.open(state, claim);
        await applyEdit(work, { state, step, signal: new AbortController().signal, resume: undefined, alongside: () => [] });
        return { result: await step.commit({ operation: work.operation, summary, actor, at: clock() }) };
      } catch (error) {
        await step?.settle();
        await abandonStep(state, claim);
        await this.#discardFork(claim.package);
        throw error;
      }
    } finally {
      this.#live.delete(job);
    }
  }

  /** Runs what claims the draft under a name of its own. A claim that nobody holds any more is taken back first. Errors: step_open. */
  async claiming<T>(packageId: number, run: (claim: string) => Promise<T>): Promise<T> {
    const claim = `edit-${this.#options.makeId()}`;
    this.#live.add(claim);
    try {
      return await run(claim).catch(async (error: unknown) => {
        if (!isError(error, 'step_open')) throw error;
        if (!(await this.release(packageId))) throw await this.#stepOpen(packageId);
        return run(claim);
      });
    } finally {
      this.#live.delete(claim);
    }
  }

  /** Takes back an open step whose job or request has ended, or what is gone where no step fits before it. Whether the draft is free now. */
  async release(packageId: number): Promise<boolean> {
    const { state } = this.#options;
    const row = await getPackageRow(state, packageId);
    const { open_job: job } = row;
    if (row.removed_at !== null) throw new PackageRError('not_found', 'The package is gone.');
    if (job === null) {
      if (isExhausted(row)) await sweepGone(state, packageId);
      return true;
    }
    if (this.#live.has(job)) return false;
    const holder = await state.db.selectFrom('job').select(['state', 'kind']).where('id', '=', job).executeTakeFirst();
    if (holder?.state === 'queued' || holder?.state === 'running') return false;
    await abandonStep(state, { package: packageId, job });
    if (holder?.kind === 'package.fork' || job.startsWith(forkClaim)) await this.#discardFork(packageId);
    return true;
  }

  /** At start, after the jobs: takes back what a crash left. Steps of jobs that resume stay open. */
  async recover(): Promise<void> {
    const { state } = this.#options;
    const open = await state.db
      .selectFrom('package')
      .select('id')
      .where('open_step', 'is not', null)
      .where('removed_at', 'is', null)
      .execute();
    for (const { id } of open) await this.release(id);
    await this.#gone.recover();
  }

  /** In the background: the step is done. What cannot be started now is at the next edit or start. */
  async #sweep({ package: id, leavesGone }: DraftStep): Promise<void> {
    if (leavesGone) await this.#gone.start(id).catch(() => undefined);
  }

  #claimOf(claim: Claim, generation: number | undefined, room = 0): Write[] {
    const { state } = this.#options;
    const decided = generation === undefined ? [] : [expectDraft(state, { id: claim.package, generation })];
    return [...decided, claimStep(state, claim, { room })];
  }

  async #stepOpen(packageId: number): Promise<PackageRError> {
    const { open_job: job } = await getPackageRow(this.#options.state, packageId);
    const context = job === null || this.#live.has(job) ? {} : { job };
    const by = 'job' in context ? `: job ${context.job}` : '';
    return new PackageRError('step_open', `Another change of this draft is under way${by}.`, { context });
  }

  async #runJob(context: JobContext<DraftWork>): Promise<Record<string, unknown>> {
    const { state, access, events, clock, search } = this.#options;
    const { input, signal, ownerId } = context;
    const claim = { package: input.package, job: context.id, lease: context.lease };
    const checkpoint = context.checkpoint as Checkpoint | undefined;
    let step: DraftStep | undefined;
    try {
      const done = await this.#committed(claim.package, checkpoint);
      if (done !== undefined) return { ...done };
      step = await DraftStep.open(state, claim);
      Object.assign(step.tally, checkpoint?.tally);
      signal.throwIfAborted();
      const actor = await actorOf(access, ownerId);
      const { counts, at } = await this.#apply(step, context, checkpoint);
      await step.flush();
      await context.save({ at, tally: step.tally, committing: step.step } satisfies Checkpoint);
      const note = { operation: input.work.operation, summary: input.summary, actor: ownerId, at: clock() };
      const result = await step.commit(note);
      await this.#sweep(step);
      search?.refresh(claim.package);
      events.record({
        actor,
        action: 'package.change',
        subject: `package:${claim.package}`,
        details: { operation: note.operation, step: result.step },
      });
      return { ...result, ...counts };
    } catch (error) {
      await step?.settle();
      if (!signal.aborted || context.isCancelled()) {
        await abandonStep(state, claim);
        if (input.work.operation === 'fork') await this.#discardFork(claim.package);
      }
      throw error;
    }
  }

  /** Takes a package away that never came to hold anything; the job that clears deleted ones sweeps up the texts. */
  async #discardFork(packageId: number): Promise<void> {
    const { state, jobs, clock } = this.#options;
    const removal: Write = {
      query: state.db
        .updateTable('package')
        .set({ removed_at: clock() })
        .where('id', '=', packageId)
        .where('head', '=', 0)
        .where('open_step', 'is', null)
        .where('removed_at', 'is', null),
      expect: { changes: 1, code: 'not_found', message: 'The package was removed already.' },
    };
    const start = { kind: 'package.purge', subject: `package:${packageId}`, ownerId: 'system:packages', input: { package: packageId } };
    await jobs.start({ ...start, alongside: () => [removal] }).catch((error: unknown) => {
      if (!isError(error, 'not_found')) throw error;
    });
  }

  async #committed(packageId: number, checkpoint: Checkpoint | undefined): Promise<EditResult | undefined> {
    const step = checkpoint?.committing;
    if (checkpoint === undefined || step === undefined) return undefined;
    const query = this.#options.state.db.selectFrom('step').select('step').where('package', '=', packageId).where('step', '=', step);
    return (await query.executeTakeFirst()) === undefined ? undefined : { step, ...checkpoint.tally };
  }

  async #apply(
    step: DraftStep,
    context: JobContext<DraftWork>,
    checkpoint: Checkpoint | undefined,
  ): Promise<{ readonly counts: Partial<AnnexCounts>; readonly at: Checkpoint['at'] }> {
    const { state, sources, access, stat, inline, limits, pending } = this.#options;
    const { input, signal } = context;
    const { work } = input;
    let last: Checkpoint['at'] = checkpoint?.at ?? { part: 0, after: '' };
    const alongside = (at: Checkpoint['at']): readonly Write[] => {
      last = at;
      signal.throwIfAborted();
      const { added, removed, skipped, unchanged } = step.tally;
      if (work.operation !== 'annex') context.progress({ done: added + removed + skipped + unchanged });
      return [context.saving({ at, tally: step.tally } satisfies Checkpoint)];
    };
    if (work.operation !== 'annex') {
      await applyEdit(work, { state, step, signal, resume: checkpoint?.at, alongside });
      return { counts: {}, at: last };
    }
    const actor = await actorOf(access, context.ownerId);
    const counts = await annex(work.request, {
      step,
      signal,
      resume: checkpoint?.at as AnnexCheckpoint | undefined,
      limits,
      async open(action, path) {
        const handle = await sources.openById(actor, action, work.source, path);
        if (work.leadsTo === undefined || handle.leadsTo === work.leadsTo) return handle;
        throw new PackageRError('source_unavailable', `The source ${handle.source.name} was changed meanwhile: begin again.`, {
          operation: 'packages.annex',
          retry: 'temporary',
        });
      },
      stat,
      placeOf: placeOfKey,
      isInline: (path, size) => isInline(path, size, inline),
      ...(pending === undefined ? {} : { without: (leaves) => pending.without(leaves) }),
      progress: ({ seen, expectedTexts, expectedTextBytes }) =>
        context.progress({
          done: seen,
          ...(expectedTexts === 0 ? {} : { note: `${expectedTexts} texts of ${expectedTextBytes} bytes are copied` }),
        }),
      alongside,
    });
    return { counts, at: last };
  }
}
