/** Who watches which job, and the waking of them when something about it changed. */

export interface Changes {
  /** Aborts when this process has done with the job. */
  readonly ended: AbortSignal;
  /** From here on a change counts. */
  reset(): void;
  /** Resolves at once where something changed since `reset`, so that no change is missed; else with the next one, or after `patience` ms. */
  next(signal: AbortSignal, patience: number | undefined): Promise<void>;
  close(): void;
}

export class JobChanges {
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #isRunning: (id: string) => boolean;

  constructor(isRunning: (id: string) => boolean) {
    this.#isRunning = isRunning;
  }

  notify(id: string): void {
    for (const listener of this.#listeners.get(id) ?? []) listener();
  }

  listen(id: string): Changes {
    let isChanged = false;
    let wake = (): void => undefined;
    const ended = new AbortController();
    const listener = (): void => {
      isChanged = true;
      wake();
      if (!this.#isRunning(id)) ended.abort();
    };
    const set = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, set.add(listener));
    return {
      ended: ended.signal,
      reset() {
        isChanged = false;
      },
      async next(signal, patience) {
        if (isChanged || signal.aborted) return;
        await new Promise<void>((resolve) => {
          const timer = patience === undefined ? undefined : setTimeout(resolve, patience).unref();
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
          signal.addEventListener('abort', wake, { once: true });
        });
        signal.removeEventListener('abort', wake);
      },
      close: () => {
        set.delete(listener);
        if (set.size === 0) this.#listeners.delete(id);
      },
    };
  }
}

/** Ends early with the signal, without an error. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds <= 0 || signal.aborted) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}
