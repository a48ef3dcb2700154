/**
 * Jobs run long work beside the requests. A running job holds a lease in the state; when its process ends, or stops renewing, another one
 * queues it again and it resumes from its checkpoint. Leases are judged by watching them, not by their instants: clocks may jump.
 */

import { sql } from 'kysely';
import { PackageRError } from '#errors/error.ts';
import {
  givenUp,
  isEnded,
  type JobProgress,
  type JobRunner,
  type JobState,
  type JobView,
  requireJob,
  seesAllJobs,
  toView,
} from '#jobs/job.ts';
import { JobChanges, pause } from '#jobs/job-changes.ts';
import { type JobLog, JobRun } from '#jobs/job-run.ts';
import type { Actor } from '#model/actor.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import type { JobRow } from '#state/schema.ts';
import type { State, Write } from '#state/state.ts';

export interface JobsOptions {
  readonly state: State;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly log?: JobLog;
  /** Jobs that run at the same time; 2 where left out. */
  readonly concurrency?: number;
  /** Milliseconds that only go forward, whatever is done to the clock; those of the process where left out. */
  readonly monotonic?: Clock;
}

export interface JobStart {
  readonly kind: string;
  /** `package:12` */
  readonly subject: string;
  readonly ownerId: string;
  /** Plain JSON, never a secret. */
  readonly input: unknown;
  /** Writes that happen in one unit with the row of the job, or not at all. */
  readonly alongside?: (jobId: string) => readonly Write[];
}

export interface JobQuery {
  readonly subject?: string | undefined;
  readonly state?: JobState | undefined;
  /** Only those of the actor, also where it may see all. */
  readonly mine?: boolean | undefined;
  readonly cursor?: string | undefined;
  /** 1 to 1000; 200 where left out. */
  readonly limit?: number | undefined;
}

/** Milliseconds. */
const leaseFor = 60_000;
const tendEvery = 20_000;
/** Starts without any progress of the checkpoint, after which a job is given up: it may be what ends the process. */
const mostAttempts = 3;
const watchEvery = 200;
const pollEvery = 1000;

export class Jobs {
  readonly #state: State;
  readonly #clock: Clock;
  readonly #makeId: MakeId;
  readonly #log: JobLog | undefined;
  readonly #concurrency: number;
  readonly #leaseOwner: string;
  readonly #runners = new Map<string, JobRunner<unknown>>();
  readonly #queue: string[] = [];
  readonly #runs = new Map<string, JobRun>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #changes = new JobChanges((id) => this.#runs.has(id));
  readonly #monotonic: Clock;
  /** Jobs that this process has in its hands, from before they are claimed until their end is written. */
  readonly #active = new Set<string>();
  /** Those of them that were cancelled between their claim and their run. */
  readonly #cancelling = new Set<string>();
  /** Leases of others, and since when they are unchanged. */
  #watched = new Map<string, { readonly lease: string; readonly since: number }>();
  #timer: NodeJS.Timeout | undefined;
  #tending: Promise<void> | undefined;
  #isClosed = false;

  constructor({ state, clock, makeId, log, concurrency = 2, monotonic = () => performance.now() }: JobsOptions) {
    this.#state = state;
    this.#clock = clock;
    this.#makeId = makeId;
    this.#log = log;
    this.#concurrency = concurrency;
    this.#leaseOwner = makeId();
    this.#monotonic = monotonic;
  }

  /** Once per kind, before `recover`. */
  register<I>(kind: string, runner: JobRunner<I>): void {
    if (this.#runners.has(kind)) throw new TypeError(`the kind of job ${kind} is registered twice`);
    this.#runners.set(kind, runner as JobRunner<unknown>);
  }

  /** Resolves when the job is durable; it runs as soon as there is room. Errors: those of the writes alongside; unavailable states. */
  async start({ kind, subject, ownerId, input, alongside }: JobStart): Promise<JobView> {
    if (this.#isClosed) throw new PackageRError('state_failed', 'packageR is stopping.', { retry: 'temporary' });
    if (!this.#runners.has(kind)) throw new PackageRError('unsupported', `There is no kind of job ${JSON.stringify(kind)}.`);
    const row: JobRow = {
      id: this.#makeId(),
      kind,
      subject,
      owner_id: ownerId,
      state: 'queued',
      input: JSON.stringify(input),
      progress: '{"done":0}',
      checkpoint: null,
      result: null,
      error_code: null,
      error_message: null,
      lease_owner: null,
      leased_until: 0,
      cancel_asked: 0,
      attempts: 0,
      created_at: this.#clock(),
      started_at: null,
      finished_at: null,
    };
    await this.#state.write({ query: this.#state.db.insertInto('job').values(row) }, ...(alongside?.(row.id) ?? []));
    this.#queue.push(row.id);
    this.#pump();
    return toView(row);
  }

  /** For its owner, administrators and the system. Errors: not_found. */
  async get(actor: Actor, id: string): Promise<JobView> {
    return this.#view(requireJob(actor, await this.#find(id)));
  }

  /** Newest first: one’s own, or all for administrators and the system. Errors: cursor_invalid, request_invalid. */
  async list(
    actor: Actor,
    { subject, state, mine = false, cursor, limit = 200 }: JobQuery = {},
  ): Promise<{ jobs: JobView[]; cursor?: string }> {
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
      throw new PackageRError('request_invalid', 'The limit of a page is 1 to 1000.');
    let query = this.#state.db.selectFrom('job').selectAll().orderBy('created_at', 'desc').orderBy('id', 'desc');
    if (mine || !seesAllJobs(actor)) {
      if (actor.kind !== 'user') return { jobs: [] };
      query = query.where('owner_id', '=', actor.id);
    }
    if (subject !== undefined) query = query.where('subject', '=', subject);
    if (state !== undefined) query = query.where('state', '=', state);
    if (cursor !== undefined) {
      const { at, id } = parseCursor(cursor);
      query = query.where((on) => on.or([on('created_at', '<', at), on.and([on('created_at', '=', at), on('id', '<', id)])]));
    }
    const rows = await query.limit(limit + 1).execute();
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const jobs = page.map((row) => this.#view(row));
    return rows.length > limit && last !== undefined ? { jobs, cursor: `${last.created_at}.${last.id}` } : { jobs };
  }

  /** Asks the job to end; it is `cancelled` when its runner has put its work away. One that ended stays as it is. Errors: not_found. */
  async cancel(actor: Actor, id: string): Promise<JobView> {
    const row = requireJob(actor, await this.#find(id));
    if (isEnded(row.state)) return this.#view(row);
    await this.#state.write({
      query: this.#state.db.updateTable('job').set({ cancel_asked: 1 }).where('id', '=', id).where('state', 'in', ['queued', 'running']),
    });
    const run = this.#runs.get(id);
    if (run !== undefined) run.stop('cancel');
    else if (this.#forgetQueued(id)) this.#begin(id);
    else if (this.#active.has(id)) this.#cancelling.add(id);
    this.#changes.notify(id);
    return this.get(actor, id);
  }

  /** The present state, then each change (at most 5 a second), and the end. Ends quietly with the signal. Errors: not_found. */
  async *watch(actor: Actor, id: string, signal: AbortSignal): AsyncGenerator<JobView, void, undefined> {
    const changes = this.#changes.listen(id);
    try {
      while (!signal.aborted) {
        changes.reset();
        const view = await this.get(actor, id);
        yield view;
        if (isEnded(view.state)) return;
        const [yieldedAt, patience] = [performance.now(), this.#runs.has(id) ? undefined : pollEvery];
        await changes.next(signal, patience);
        await pause(watchEvery - (performance.now() - yieldedAt), AbortSignal.any([signal, changes.ended]));
      }
    } finally {
      changes.close();
    }
  }

  /** Resolves when the job has ended, however it ended. Errors: not_found. */
  async wait(id: string, signal: AbortSignal = new AbortController().signal): Promise<JobView> {
    let last: JobView | undefined;
    for await (const view of this.watch({ kind: 'system', name: 'jobs' }, id, signal)) last = view;
    if (last === undefined || !isEnded(last.state)) throw new PackageRError('cancelled');
    return last;
  }

  /**
   * At start, when all kinds are registered: queues again what a process that is dead was running. Every earlier process is dead, since
   * this one holds the lock of the data folder, or that of the database.
   */
  async recover(): Promise<void> {
    const { db } = this.#state;
    const query = db
      .updateTable('job')
      .set({ state: 'queued', lease_owner: null, leased_until: 0 })
      .where('state', '=', 'running')
      .where('lease_owner', 'is distinct from', this.#leaseOwner);
    await this.#state.write({ query });
    const rows = await db.selectFrom('job').select(['id']).where('state', '=', 'queued').orderBy('created_at').execute();
    this.#enqueue(rows.map(({ id }) => id));
    this.#keepTending();
  }

  /**
   * Renews the leases of what runs here, and takes over what nobody renews any more: jobs of a process that is dead or asleep, and those
   * whose begin or end could not be written. Called every 20 seconds by itself. Never fails: what went wrong is logged and tried again.
   */
  tend(): Promise<void> {
    this.#tending ??= this.#tend()
      .catch((error: unknown) => this.#log?.error({ error }, 'the leases of jobs could not be tended'))
      .then(() => {
        this.#tending = undefined;
      });
    return this.#tending;
  }

  /** Stops what runs; it is queued, and resumes from its checkpoint at the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#queue.length = 0;
    for (const run of this.#runs.values()) run.stop('close');
    await Promise.all(this.#tasks);
    await this.#tending;
  }

  #pump(): void {
    while (!this.#isClosed && this.#tasks.size < this.#concurrency) {
      const id = this.#queue.shift();
      if (id === undefined) return;
      this.#begin(id);
    }
  }

  #begin(id: string): void {
    this.#active.add(id);
    this.#keepTending();
    const task = this.#claimAndRun(id)
      .catch((error: unknown) => this.#log?.error({ job: id, error }, 'the state of a job could not be written'))
      .then(() => {
        this.#tasks.delete(task);
        this.#runs.delete(id);
        this.#active.delete(id);
        this.#cancelling.delete(id);
        this.#changes.notify(id);
        this.#pump();
      });
    this.#tasks.add(task);
  }

  async #claimAndRun(id: string): Promise<void> {
    const row = await this.#claim(id);
    if (row === undefined) return;
    if (row.attempts > mostAttempts) return this.#giveUp(row);
    const runner = this.#runners.get(row.kind);
    const run = new JobRun({
      state: this.#state,
      row,
      leaseOwner: this.#leaseOwner,
      clock: this.#clock,
      log: this.#log,
      onChange: () => this.#changes.notify(id),
    });
    this.#runs.set(id, run);
    if (row.cancel_asked === 1 || this.#cancelling.has(id)) run.stop('cancel');
    if (this.#isClosed) run.stop('close');
    this.#changes.notify(id);
    await run.run(runner);
  }

  /** Undefined where another process has it, or it ended meanwhile. */
  async #claim(id: string): Promise<JobRow | undefined> {
    const now = this.#clock();
    const [result] = await this.#state.write({
      query: this.#state.db
        .updateTable('job')
        .set((on) => ({
          state: 'running',
          lease_owner: this.#leaseOwner,
          leased_until: now + leaseFor,
          attempts: sql<number>`attempts + 1`,
          started_at: on.fn.coalesce('started_at', on.val(now)),
        }))
        .where('id', '=', id)
        .where('state', '=', 'queued'),
    });
    return result?.changes === 1 ? this.#find(id) : undefined;
  }

  /** It is not run again, not even to put its work away: whoever needs what it holds takes it back. */
  async #giveUp({ id, kind, attempts, cancel_asked }: JobRow): Promise<void> {
    const ending = givenUp(cancel_asked === 1, attempts - 1, this.#clock());
    if (ending.state === 'failed') this.#log?.error({ job: id, kind, attempts }, 'a job was given up');
    const query = this.#state.db
      .updateTable('job')
      .set({ ...ending, lease_owner: null, leased_until: 0 })
      .where('id', '=', id)
      .where('lease_owner', '=', this.#leaseOwner);
    await this.#state.write({ query });
  }

  #keepTending(): void {
    if (this.#isClosed) return;
    this.#timer ??= setInterval(() => void this.tend(), tendEvery).unref();
  }

  async #tend(): Promise<void> {
    await this.#renew();
    await this.#takeOver();
  }

  /** What this process holds without having it in its hands: its end could not be written. It is run again from its checkpoint. */
  async #renew(): Promise<void> {
    const { db } = this.#state;
    const own = db.updateTable('job').where('lease_owner', '=', this.#leaseOwner).where('state', '=', 'running');
    const until = this.#clock() + leaseFor;
    // Always another instant, also where the clock was set back to the one before: that it changed is what others see.
    const changed = sql<number>`case when leased_until = ${sql.lit(until)} then ${sql.lit(until + 1)} else ${sql.lit(until)} end`;
    const renewal = own.set({ leased_until: changed }).returning(['id', 'cancel_asked']);
    const [result] = await this.#state.write({ query: renewal });
    const held = new Map(result?.rows.map((row) => [row['id'] as string, row['cancel_asked']]));
    for (const [id, run] of this.#runs) {
      if (!held.has(id)) run.stop('lost');
      else if (held.get(id) === 1) run.stop('cancel');
    }
    const dropped = [...held.keys()].filter((id) => !this.#active.has(id));
    if (dropped.length === 0) return;
    await this.#state.write({ query: own.set({ state: 'queued', lease_owner: null, leased_until: 0 }).where('id', 'in', dropped) });
  }

  /** A lease that did not change for as long as one lasts is nobody’s. */
  async #takeOver(): Promise<void> {
    const { db } = this.#state;
    const now = this.#monotonic();
    const live = db.selectFrom('job').select(['id', 'state', 'lease_owner', 'leased_until']).where('state', 'in', ['queued', 'running']);
    const free: string[] = [];
    const watched = new Map<string, { readonly lease: string; readonly since: number }>();
    for (const { id, state, lease_owner, leased_until } of await live.orderBy('created_at').execute()) {
      if (this.#active.has(id) || lease_owner === this.#leaseOwner) continue;
      const lease = `${lease_owner} ${leased_until}`;
      const before = this.#watched.get(id);
      const since = before?.lease === lease ? before.since : now;
      watched.set(id, { lease, since });
      if (state === 'queued') free.push(id);
      else if (now - since >= leaseFor) {
        const [result] = await this.#state.write({
          query: db
            .updateTable('job')
            .set({ state: 'queued', lease_owner: null, leased_until: 0 })
            .where('id', '=', id)
            .where('state', '=', 'running')
            .where('lease_owner', 'is not distinct from', lease_owner)
            .where('leased_until', '=', leased_until),
        });
        if (result?.changes === 1) free.push(id);
      }
    }
    this.#watched = watched;
    this.#enqueue(free);
  }

  #enqueue(ids: readonly string[]): void {
    const queued = new Set(this.#queue);
    for (const id of ids) if (!queued.has(id) && !this.#active.has(id)) this.#queue.push(id);
    this.#pump();
  }

  #view(row: JobRow): JobView {
    const progress: JobProgress | undefined = isEnded(row.state) ? undefined : this.#runs.get(row.id)?.latest;
    return toView(row, progress);
  }

  #find(id: string): Promise<JobRow | undefined> {
    return this.#state.db.selectFrom('job').selectAll().where('id', '=', id).executeTakeFirst();
  }

  #forgetQueued(id: string): boolean {
    const index = this.#queue.indexOf(id);
    if (index >= 0) this.#queue.splice(index, 1);
    return index >= 0 && !this.#isClosed;
  }
}

function parseCursor(cursor: string): { at: number; id: string } {
  const match = /^(\d{1,15})\.([A-Za-z0-9_-]{1,64})$/.exec(cursor);
  if (match === null) throw new PackageRError('cursor_invalid');
  return { at: Number(match[1]), id: match[2] as string };
}
