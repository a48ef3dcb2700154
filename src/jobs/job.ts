/** A Job: long work with progress, cancel and restart. What a kind of job must promise, and what is shown of one. */
import { asError, PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';
import type { Actor } from '#model/actor.ts';
import type { JobRow } from '#state/schema.ts';
import type { Write } from '#state/state.ts';

export type JobState = JobRow['state'];

export interface JobProgress {
  readonly done: number;
  readonly total?: number;
  /** A few words on what is being done. */
  readonly note?: string;
}

export interface JobContext<I> {
  readonly id: string;
  readonly input: I;
  readonly ownerId: string;
  /** `lease_owner` of the row while this run holds the job: writes that ask for it are refused once another process took it over. */
  readonly lease: string;
  /** What was saved last; undefined at the first start. */
  readonly checkpoint: unknown;
  /** Aborts when the job is cancelled, and when packageR stops. */
  readonly signal: AbortSignal;
  /** True once somebody cancelled it, false where packageR merely stops: then what was begun is kept for the resumption. */
  readonly isCancelled: () => boolean;
  /** Cheap: kept in memory, written at most once a second. */
  progress(progress: JobProgress): void;
  /** Durable when it resolves. Plain JSON. Errors: cancelled where another process took the job over. */
  save(checkpoint: unknown): Promise<void>;
  /**
   * The same as a write, for a unit with the work that it stands for. It follows the checkpoint that was saved or asked for last, or nothing
   * of its unit happens: units that are on their way together never leave a gap.
   */
  saving(checkpoint: unknown): Write;
}

/**
 * `run` may be called again with its last checkpoint after a restart, so every step must be safe to do twice. A job that was cancelled
 * before it began is run too, with a signal that is aborted already, so that it can put away what was written alongside its start.
 * The result is plain JSON, shown to the owner: no secret.
 */
export interface JobRunner<I> {
  run(context: JobContext<I>): Promise<Record<string, unknown>>;
}

export interface JobView {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  readonly ownerId: string;
  readonly state: JobState;
  readonly progress: JobProgress;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: ErrorCode; readonly message: string };
  /** Milliseconds since 1970, as all instants here. */
  readonly createdAt: number;
  readonly startedAt?: number;
  readonly finishedAt?: number;
}

export function isEnded(state: JobState): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled';
}

/** How a job ends that was started `attempts` times and never got on. */
export function givenUp(
  isCancelled: boolean,
  attempts: number,
  at: number,
): Pick<JobRow, 'state' | 'error_code' | 'error_message' | 'finished_at'> {
  if (isCancelled) return { state: 'cancelled', error_code: 'cancelled', error_message: 'The job was cancelled.', finished_at: at };
  const message = `The job was given up: packageR ended while it ran, ${attempts} times in a row, and it never got on.`;
  return { state: 'failed', error_code: 'internal', error_message: message, finished_at: at };
}

/** `progress` where the job runs here and more is known than the row says. */
export function toView(row: JobRow, progress?: JobProgress): JobView {
  return {
    id: row.id,
    kind: row.kind,
    subject: row.subject,
    ownerId: row.owner_id,
    state: row.state,
    progress: progress ?? (JSON.parse(row.progress) as JobProgress),
    ...(row.result === null ? {} : { result: JSON.parse(row.result) as Record<string, unknown> }),
    ...(row.error_code === null ? {} : { error: { code: row.error_code as ErrorCode, message: row.error_message ?? '' } }),
    createdAt: row.created_at,
    ...(row.started_at === null ? {} : { startedAt: row.started_at }),
    ...(row.finished_at === null ? {} : { finishedAt: row.finished_at }),
  };
}

/** Sees the jobs of everyone. */
export function seesAllJobs(actor: Actor): boolean {
  if (actor.kind === 'system') return true;
  return actor.kind === 'user' && actor.admin && (actor.only === undefined || actor.only.includes('manage'));
}

/** Errors: not_found for jobs of others, as for those that never were. */
export function requireJob(actor: Actor, row: JobRow | undefined): JobRow {
  const isOwner = actor.kind === 'user' && row !== undefined && actor.id === row.owner_id;
  if (row === undefined || !(isOwner || seesAllJobs(actor))) throw new PackageRError('not_found', 'There is no such job.');
  return row;
}

/** What is kept of a failure: our own code and message, and of anything else that it was a fault of packageR. */
export function describeFailure(error: unknown): { readonly code: ErrorCode; readonly message: string } {
  const { code, message } = asError(error);
  return { code, message };
}
