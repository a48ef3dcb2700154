/**
 * Threads that read beside the event loop, each with a read-only connection of its own. They start when there is work and end when there
 * has been none for a while. What they run is said by their entry, which calls `serveReads` of `reader-thread.ts`.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { PackageRError } from '#errors/error.ts';
import type { ReadTask, ReadThreads } from '#state/state.ts';
import type { ThreadAnswer, ThreadData, ThreadTask } from './reader-thread.ts';

interface Waiting {
  readonly task: ReadTask;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  /** What it does now, and the cell by which it is told to stop. */
  now: Waiting | undefined;
  stop: Int32Array | undefined;
  idle: NodeJS.Timeout | undefined;
}

/** Threads for work that takes its time. Short questions have one of their own, so that they never wait behind it. */
const mostThreads = Math.max(1, Math.min(2, availableParallelism()));

/** Milliseconds without work after which a thread ends. The one of short questions stays: somebody waits for its start. */
const idleTimes = { short: 300_000, long: 15_000 } as const;

/** `path`: of the SQLite file. */
export function readThreads(path: string): ReadThreads & { close(): Promise<void> } {
  const lanes = new Map<string, Lane>();
  let isClosed = false;
  return {
    size: mostThreads,
    run<O>(task: ReadTask): Promise<O> {
      if (isClosed) return Promise.reject(new PackageRError('state_failed', 'The state is closed.'));
      const name = `${task.entry.href} ${task.isShort === true}`;
      const lane = lanes.get(name) ?? new Lane(path, task.entry, task.isShort === true ? shortLane : longLane);
      lanes.set(name, lane);
      return lane.run(task) as Promise<O>;
    },
    async close() {
      isClosed = true;
      await Promise.all([...lanes.values()].map((lane) => lane.close()));
    },
  };
}

interface LaneLimits {
  readonly most: number;
  /** Milliseconds. */
  readonly idle: number;
}

const shortLane: LaneLimits = { most: 1, idle: idleTimes.short };
const longLane: LaneLimits = { most: mostThreads, idle: idleTimes.long };

class Lane {
  readonly #path: string;
  readonly #entry: URL;
  readonly #limits: LaneLimits;
  readonly #threads = new Set<Thread>();
  readonly #queue: Waiting[] = [];

  constructor(path: string, entry: URL, limits: LaneLimits) {
    this.#path = path;
    this.#entry = entry;
    this.#limits = limits;
  }

  run(task: ReadTask): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { signal } = task;
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const waiting: Waiting = { task, resolve, reject };
      signal?.addEventListener('abort', () => this.#cancel(waiting), { once: true });
      this.#queue.push(waiting);
      this.#next();
    });
  }

  async close(): Promise<void> {
    const error = new PackageRError('state_failed', 'The state is closed.');
    for (const { reject } of this.#queue.splice(0)) reject(error);
    await Promise.all([...this.#threads].map((thread) => this.#end(thread, error)));
  }

  #next(): void {
    const idle = [...this.#threads].find((thread) => thread.now === undefined);
    if (this.#queue.length === 0) return;
    const thread = idle ?? (this.#threads.size < this.#limits.most ? this.#start() : undefined);
    if (thread === undefined) return;
    clearTimeout(thread.idle);
    const waiting = this.#queue.shift() as Waiting;
    thread.now = waiting;
    thread.stop = new Int32Array(new SharedArrayBuffer(4));
    thread.worker.ref();
    const message: ThreadTask = { name: waiting.task.name, input: waiting.task.input, stop: thread.stop };
    thread.worker.postMessage(message);
  }

  /** The asker is told at once; the thread stops at its next look. */
  #cancel(waiting: Waiting): void {
    waiting.reject(waiting.task.signal?.reason);
    const at = this.#queue.indexOf(waiting);
    if (at >= 0) this.#queue.splice(at, 1);
    for (const { now, stop } of this.#threads) if (now === waiting && stop !== undefined) Atomics.store(stop, 0, 1);
  }

  #start(): Thread {
    const workerData: ThreadData = { path: this.#path };
    const worker = new Worker(this.#entry, {
      workerData,
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 },
    });
    const thread: Thread = { worker, now: undefined, stop: undefined, idle: undefined };
    worker.on('message', (answer: ThreadAnswer) => this.#take(thread, answer));
    worker.on('error', (cause) => {
      const message = 'A thread that reads the state failed.';
      thread.now?.reject(new PackageRError('state_failed', message, { operation: 'state', cause }));
    });
    worker.on('exit', () => {
      this.#threads.delete(thread);
      thread.now?.reject(new PackageRError('state_failed', 'A thread that reads the state ended.', { operation: 'state' }));
      thread.now = undefined;
      if (this.#queue.length > 0) this.#next();
    });
    this.#threads.add(thread);
    return thread;
  }

  #take(thread: Thread, answer: ThreadAnswer): void {
    const { now } = thread;
    if (now === undefined) return;
    if ('value' in answer) {
      try {
        if (now.task.signal?.aborted !== true) now.task.onValue?.(answer.value);
      } catch (error) {
        now.reject(error);
        if (thread.stop !== undefined) Atomics.store(thread.stop, 0, 1);
      }
      return;
    }
    thread.now = undefined;
    thread.worker.unref();
    thread.idle = setTimeout(() => void this.#end(thread), this.#limits.idle).unref();
    if ('failure' in answer) now.reject(toError(answer.failure));
    else now.resolve(answer.result);
    this.#next();
  }

  async #end(thread: Thread, error?: PackageRError): Promise<void> {
    clearTimeout(thread.idle);
    thread.now?.reject(error);
    thread.now = undefined;
    this.#threads.delete(thread);
    await thread.worker.terminate();
  }
}

function toError({ code, message, operation }: Extract<ThreadAnswer, { failure: unknown }>['failure']): PackageRError {
  const where = operation ?? 'state';
  if (code !== undefined) return new PackageRError(code, message, { operation: where });
  return new PackageRError('state_failed', 'The state could not be read.', { operation: where, cause: new Error(message) });
}
