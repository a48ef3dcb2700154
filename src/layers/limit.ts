/** At most so many calls of a source at once, the others wait in the order in which they came. A body keeps its place until it ends. */
import { abortError, throwIfAborted } from '#drivers/abort.ts';
import type { Driver } from '#drivers/driver.ts';
import { intercept, watched } from '#layers/intercept.ts';

export interface LimitOptions {
  /** 64 where left out. */
  readonly concurrency?: number;
}

export function limit(driver: Driver, options: LimitOptions = {}): Driver {
  const gate = new Gate(options.concurrency ?? 64);
  return intercept(driver, {
    async call({ signal }, run) {
      await gate.enter(signal);
      try {
        return await run();
      } finally {
        gate.leave();
      }
    },
    async read({ signal }, asked, run) {
      await gate.enter(signal);
      try {
        const { info, body } = await run(asked);
        return { info, body: watched(body, { end: () => gate.leave() }) };
      } catch (error) {
        gate.leave();
        throw error;
      }
    },
  });
}

class Gate {
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(places: number) {
    this.#free = places;
  }

  /** Errors: cancelled. */
  async enter(signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal);
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const stop = (): void => {
        this.#waiting.delete(go);
        reject(abortError(signal as AbortSignal));
      };
      const go = (): void => {
        signal?.removeEventListener('abort', stop);
        resolve();
      };
      this.#waiting.add(go);
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
