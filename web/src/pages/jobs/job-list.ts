/** One’s jobs as they go on: pages of them, newest first, those that run followed live, and new ones as they come. */
import { type ShallowRef, shallowReactive, shallowRef } from 'vue';
import type { Job } from '#api/jobs.ts';
import { followJob, isEnded, listJobs } from '../../queries/jobs.ts';

/** Streams at once: the server allows four a person, and the tray may need one. Other jobs are seen when the list is. */
const mostStreams = 2;
/** Milliseconds. */
const lookEvery = 4000;
const pageSize = 50;

export class JobList {
  readonly jobs: ShallowRef<readonly Job[]> = shallowRef([]);
  readonly state: { isLoaded: boolean; isWhole: boolean; isLoading: boolean; error: unknown } = shallowReactive({
    isLoaded: false,
    isWhole: false,
    isLoading: false,
    error: undefined,
  });
  readonly #end = new AbortController();
  readonly #followed = new Set<string>();
  #cursor: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** The newest ones, and again from time to time. */
  async start(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const { jobs, cursor } = await listJobs({ limit: pageSize });
      if (this.#end.signal.aborted) return;
      if (!this.state.isLoaded) {
        this.#cursor = cursor;
        this.state.isWhole = cursor === undefined;
      }
      this.state.isLoaded = true;
      this.state.error = undefined;
      for (const job of jobs) this.put(job);
    } catch (error) {
      this.state.error = error;
    }
    if (!this.#end.signal.aborted) this.#timer = setTimeout(() => void this.start(), lookEvery);
  }

  async more(): Promise<void> {
    if (this.state.isWhole || this.state.isLoading) return;
    this.state.isLoading = true;
    try {
      const { jobs, cursor } = await listJobs({ limit: pageSize, cursor: this.#cursor });
      this.#cursor = cursor;
      this.state.isWhole = cursor === undefined;
      for (const job of jobs) this.put(job);
    } catch (error) {
      this.state.error = error;
    } finally {
      this.state.isLoading = false;
    }
  }

  /** What is known of a job now. One that has ended stays so, whatever an older look says. */
  put(job: Job): void {
    this.jobs.value = merged(this.jobs.value, job);
    if (!isEnded(job)) void this.#follow(job.id);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#end.abort();
  }

  async #follow(id: string): Promise<void> {
    if (this.#followed.has(id) || this.#followed.size >= mostStreams || this.#end.signal.aborted) return;
    this.#followed.add(id);
    try {
      for await (const job of followJob(id, this.#end.signal)) this.put(job);
    } catch {
      // The list tells what is wrong when it looks again.
    } finally {
      this.#followed.delete(id);
    }
  }
}

/** In its place, newest first. */
export function merged(jobs: readonly Job[], job: Job): readonly Job[] {
  const known = jobs.find(({ id }) => id === job.id);
  if (known === undefined) {
    const at = jobs.findIndex(({ createdAt, id }) => createdAt < job.createdAt || (createdAt === job.createdAt && id < job.id));
    return at < 0 ? [...jobs, job] : jobs.toSpliced(at, 0, job);
  }
  if (isEnded(known) && !isEnded(job)) return jobs;
  if (known.state === 'running' && job.state === 'running' && known.progress.done > job.progress.done) return jobs;
  return jobs.map((one) => (one.id === job.id ? job : one));
}
