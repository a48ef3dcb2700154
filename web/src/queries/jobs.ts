/** Long work on the server: its state as it goes on, and its end. */
import type { Job, JobPage } from '#api/jobs.ts';
import { apiPath } from '#client/client.ts';
import { ClientError } from '#client/error.ts';
import { client, codeOf } from './client.ts';

export function isEnded({ state }: Job): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled';
}

/** Newest first. */
export function listJobs(
  query: { readonly cursor?: string | undefined; readonly state?: Job['state']; readonly limit?: number } = {},
): Promise<JobPage> {
  return client.get<JobPage>('api/v1/jobs', { mine: true, ...query });
}

/** Asks it to end; that it has is told by `followJob`. */
export function cancelJob(id: string): Promise<Job> {
  return client.post<Job>(apiPath`api/v1/jobs/${id}/cancel`);
}

/** What a look at a job needs of the server; another one in tests. */
export interface JobFeed {
  events(id: string, signal: AbortSignal): AsyncIterable<Job>;
  get(id: string, signal: AbortSignal): Promise<Job>;
  /** Resolves also where the signal aborts. */
  pause(milliseconds: number, signal: AbortSignal): Promise<void>;
}

const feed: JobFeed = {
  events: (id, signal) => client.events<Job>(apiPath`api/v1/jobs/${id}/events`, { signal }),
  get: (id, signal) => client.call<Job>('GET', apiPath`api/v1/jobs/${id}`, { signal }),
  pause: (milliseconds, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    }),
};

/** Milliseconds between looks where there is no stream, and how many looks may fail in a row. */
const lookEvery = 1500;
const mostFailures = 40;

/**
 * A job until it has ended, by its stream of events; where that breaks off, or too many are open, by looking again and again.
 * Ends quietly with the signal. Errors: those of the server, but for what passes.
 */
export async function* followJob(id: string, signal: AbortSignal, { events, get, pause }: JobFeed = feed): AsyncGenerator<Job> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      for await (const job of events(id, signal)) {
        failures = 0;
        yield job;
        if (isEnded(job)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!mayPass(error)) throw error;
    }
    await pause(lookEvery, signal);
    if (signal.aborted) return;
    try {
      const job = await get(id, signal);
      failures = 0;
      yield job;
      if (isEnded(job)) return;
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      if (!mayPass(error) || failures > mostFailures) throw error;
    }
  }
}

/** What another try may mend; a stream that breaks off is none of our errors. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof ClientError)) return true;
  return error.status === 0 || error.status === 200 || error.status >= 500 || codeOf(error) === 'rate_limited';
}
