/** Ends calls that take too long: the signal given inward is aborted, and the caller is answered even if that is not heard. */
import { abortable } from '#drivers/abort.ts';
import type { Driver } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
import { intercept } from '#layers/intercept.ts';

/** Milliseconds. */
export interface TimeoutOptions {
  /** For list, stat, presign and all that has no body; 10 s. */
  readonly call?: number;
  /** Until `read` answers; 15 s. */
  readonly firstByte?: number;
  /** Between two chunks of a body that is read, or that the store takes; 30 s. */
  readonly idle?: number;
  /** For the store to finish a write, a copy, or the joining of parts, after its last byte; 300 s. */
  readonly finish?: number;
}

export function timeout(driver: Driver, options: TimeoutOptions = {}): Driver {
  const { call = 10_000, firstByte = 15_000, idle = 30_000, finish = 300_000 } = options;
  return intercept(driver, {
    async call({ verb, signal, body }, run) {
      const isLong = verb === 'copy' || verb === 'multipart.complete';
      const watch = new Watchdog(signal, `driver.${verb}`);
      try {
        watch.set(body === undefined ? (isLong ? finish : call) : idle);
        return await abortable(run({ signal: watch.signal, ...(body && { body: fed(body, watch, idle, finish) }) }), watch.signal);
      } finally {
        watch.clear();
      }
    },
    async read({ signal }, asked, run) {
      const watch = new Watchdog(signal, 'driver.read');
      try {
        watch.set(firstByte);
        const pending = run({ ...asked, signal: watch.signal });
        pending.then(({ body }) => watch.signal.aborted && void body[Symbol.asyncIterator]().return?.()).catch(() => undefined);
        const { info, body } = await abortable(pending, watch.signal);
        return { info, body: drained(body, watch, idle) };
      } finally {
        watch.clear();
      }
    },
  });
}

class Watchdog {
  readonly signal: AbortSignal;
  readonly #own = new AbortController();
  readonly #operation: string;
  #timer: NodeJS.Timeout | undefined;

  constructor(outer: AbortSignal | undefined, operation: string) {
    this.signal = outer === undefined ? this.#own.signal : AbortSignal.any([outer, this.#own.signal]);
    this.#operation = operation;
  }

  set(milliseconds: number): void {
    this.clear();
    this.#timer = setTimeout(() => {
      const message = `The store did not answer within ${milliseconds / 1000} s.`;
      this.#own.abort(new PackageRError('timeout', message, { operation: this.#operation, retry: 'temporary' }));
    }, milliseconds);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

/** The time in which the caller makes the next chunk does not count. */
async function* fed(body: AsyncIterable<Uint8Array>, watch: Watchdog, idle: number, finish: number): AsyncGenerator<Uint8Array> {
  watch.clear();
  for await (const chunk of body) {
    watch.set(idle);
    yield chunk;
    watch.clear();
  }
  watch.set(finish);
}

function drained(body: AsyncIterable<Uint8Array>, watch: Watchdog, idle: number): AsyncIterable<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        watch.set(idle);
        try {
          return await abortable(iterator.next(), watch.signal);
        } catch (error) {
          void iterator.return?.()?.catch(() => undefined);
          throw error;
        } finally {
          watch.clear();
        }
      },
      async return() {
        await iterator.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}
