/** One run of one job by this process: its signal, its progress, and the writing of how it ended. */

import { PackageRError } from '#errors/error.ts';
import { describeFailure, type JobProgress, type JobRunner } from '#jobs/job.ts';
import type { Clock } from '#model/clock.ts';
import type { JobRow } from '#state/schema.ts';
import type { State, Write } from '#state/state.ts';

/** Where faults of packageR go; the owner of the job is told only that there was one. */
export interface JobLog {
  error(context: object, message: string): void;
}

export interface JobRunOptions {
  readonly state: State;
  readonly row: JobRow;
  readonly leaseOwner: string;
  readonly clock: Clock;
  readonly log: JobLog | undefined;
  readonly onChange: () => void;
}

/** cancel: by its owner · close: packageR stops, the job resumes later · lost: another process has taken it over. */
export type StopReason = 'cancel' | 'close' | 'lost';

type Ending = Partial<JobRow> & Pick<JobRow, 'state'>;

/** Milliseconds between two writes of the progress. */
const writeEvery = 1000;
const noteLimit = 200;

export class JobRun {
  readonly #options: JobRunOptions;
  readonly #controller = new AbortController();
  #progress: JobProgress;
  #checkpoint: string | null;
  #attempts: number;
  #timer: NodeJS.Timeout | undefined;
  #stopped: StopReason | undefined;

  constructor(options: JobRunOptions) {
    this.#options = options;
    this.#progress = JSON.parse(options.row.progress) as JobProgress;
    this.#checkpoint = options.row.checkpoint;
    this.#attempts = options.row.attempts;
  }

  get latest(): JobProgress {
    return this.#progress;
  }

  /** A cancel after a close still counts; nothing counts after the job was lost. */
  stop(reason: StopReason): void {
    if (this.#stopped === 'lost' || (this.#stopped === 'cancel' && reason === 'close')) return;
    this.#stopped = reason;
    this.#controller.abort(new PackageRError('cancelled', reason === 'cancel' ? 'The job was cancelled.' : 'packageR is stopping.'));
  }

  /** Resolves when how it ended is written. */
  async run(runner: JobRunner<unknown> | undefined): Promise<void> {
    const ending = await this.#settle(runner);
    clearTimeout(this.#timer);
    if (this.#stopped === 'lost') return;
    const { state, row, leaseOwner } = this.#options;
    const progress = JSON.stringify(this.#progress);
    await state.write({
      query: state.db
        .updateTable('job')
        .set({ ...ending, progress, lease_owner: null, leased_until: 0 })
        .where('id', '=', row.id)
        .where('lease_owner', '=', leaseOwner),
    });
  }

  async #settle(runner: JobRunner<unknown> | undefined): Promise<Ending> {
    const { row, clock, log } = this.#options;
    try {
      if (runner === undefined) throw new PackageRError('unsupported', `There is no kind of job ${JSON.stringify(row.kind)}.`);
      const result = JSON.stringify(await runner.run(this.#context()));
      return { state: 'done', result, finished_at: clock() };
    } catch (error) {
      if (this.#stopped === 'close') return { state: 'queued', attempts: Math.max(0, this.#attempts - 1) };
      const finished = { finished_at: clock() };
      if (this.#stopped === 'cancel')
        return { state: 'cancelled', error_code: 'cancelled', error_message: 'The job was cancelled.', ...finished };
      const { code, message } = describeFailure(error);
      if (code === 'internal') log?.error({ job: row.id, kind: row.kind, error }, 'a job failed');
      return { state: 'failed', error_code: code, error_message: message, ...finished };
    }
  }

  #context() {
    const { row } = this.#options;
    return {
      id: row.id,
      input: JSON.parse(row.input) as unknown,
      ownerId: row.owner_id,
      lease: this.#options.leaseOwner,
      checkpoint: row.checkpoint === null ? undefined : (JSON.parse(row.checkpoint) as unknown),
      signal: this.#controller.signal,
      isCancelled: () => this.#stopped === 'cancel',
      progress: (progress: JobProgress) => this.#note(progress),
      save: (checkpoint: unknown) => this.#save(checkpoint),
      saving: (checkpoint: unknown) => this.#saving(checkpoint),
    };
  }

  #note({ done, total, note }: JobProgress): void {
    this.#progress = {
      done,
      ...(total === undefined ? {} : { total }),
      ...(note === undefined ? {} : { note: note.slice(0, noteLimit).toWellFormed() }),
    };
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#writeProgress();
    }, writeEvery).unref();
    this.#options.onChange();
  }

  #writeProgress(): void {
    const { state, log, row } = this.#options;
    state
      .write({ query: this.#updating({ progress: JSON.stringify(this.#progress) }) })
      .catch((error: unknown) => log?.error({ job: row.id, error }, 'the progress of a job could not be written'));
  }

  async #save(checkpoint: unknown): Promise<void> {
    await this.#options.state.write(this.#saving(checkpoint));
  }

  #saving(checkpoint: unknown): Write {
    const text = JSON.stringify(checkpoint);
    const before = this.#checkpoint;
    this.#attempts = text === before ? this.#attempts : 0;
    this.#checkpoint = text;
    const values = { checkpoint: text, progress: JSON.stringify(this.#progress), attempts: this.#attempts };
    const query = this.#updating(values).where('checkpoint', 'is not distinct from', before);
    return { query, expect: { changes: 1, code: 'cancelled', message: 'The job is no longer held by this process.' } };
  }

  #updating(values: Partial<Pick<JobRow, 'progress' | 'checkpoint' | 'attempts'>>) {
    const { state, row, leaseOwner } = this.#options;
    const held = state.db.updateTable('job').set(values).where('id', '=', row.id).where('lease_owner', '=', leaseOwner);
    return held.where('state', '=', 'running');
  }
}
