/** The side of a reading thread: it does one task after the other on its own read-only connection. */
import { parentPort, workerData } from 'node:worker_threads';
import { isError, PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';
import type { SqlValue } from '#state/state.ts';
import { type Database, openDatabase } from './database.ts';

export interface ThreadData {
  readonly path: string;
}

export interface ThreadTask {
  readonly name: string;
  readonly input: unknown;
  /** Not 0: stop. */
  readonly stop: Int32Array;
}

export type ThreadAnswer =
  | { readonly value: unknown }
  | { readonly result: unknown }
  | { readonly failure: { readonly code?: ErrorCode; readonly message: string; readonly operation?: string | undefined } };

/** What a task works with. */
export interface ThreadContext {
  /** All rows of a statement, each as the list of its columns. Ask for bounded batches: the log of the state waits for whoever reads. */
  all(sql: string, ...values: readonly SqlValue[]): readonly (readonly SqlValue[])[];
  /** Hands something to the asker while the work goes on. */
  emit(value: unknown): void;
  /** Errors: cancelled. To be called between batches. */
  throwIfStopped(): void;
}

export type ThreadTasks = Readonly<Record<string, (context: ThreadContext, input: never) => unknown>>;

/** To be called once by the entry of a thread. Does nothing in the main thread. */
export function serveReads(tasks: ThreadTasks): void {
  const port = parentPort;
  if (port === null) return;
  const database = openDatabase((workerData as ThreadData).path, { readOnly: true });
  const answer = (message: ThreadAnswer): void => port.postMessage(message);
  port.on('message', async ({ name, input, stop }: ThreadTask) => {
    try {
      const task = tasks[name];
      if (task === undefined) throw new TypeError(`there is no task ${name}`);
      answer({ result: await task(contextOf(database, answer, stop), input as never) });
    } catch (error) {
      answer({ failure: describe(error) });
    }
  });
}

function contextOf(database: Database, answer: (message: ThreadAnswer) => void, stop: Int32Array): ThreadContext {
  return {
    all(sql, ...values) {
      const statement = database.prepare(sql);
      statement.setReturnArrays(true);
      return statement.all(...values) as unknown as readonly (readonly SqlValue[])[];
    },
    emit: (value) => answer({ value }),
    throwIfStopped() {
      if (Atomics.load(stop, 0) !== 0) throw new PackageRError('cancelled');
    },
  };
}

function describe(error: unknown): Extract<ThreadAnswer, { failure: unknown }>['failure'] {
  if (isError(error)) return { code: error.code, message: error.message, operation: error.operation };
  return { message: error instanceof Error ? error.message : String(error) };
}
