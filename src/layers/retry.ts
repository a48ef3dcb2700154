/**
 * Repeats idempotent calls that failed for a while, with full jitter. A body that breaks is continued where it broke, if the
 * object is still the same; one that ends early counts as broken. What is given up is marked `exhausted`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { throwIfAborted } from '#drivers/abort.ts';
import type { Driver, ObjectBody, ReadObjectOptions } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
import { type Call, intercept, type Verb } from '#layers/intercept.ts';
import { type Clock, systemClock } from '#model/clock.ts';

export interface RetryOptions {
  /** 2 where left out. */
  readonly retries?: number;
  /** Milliseconds for a call with all its retries; for a body, from the last byte that arrived. 20 s where left out. */
  readonly deadline?: number;
  readonly clock?: Clock;
  /** From 0 to 1. */
  readonly random?: () => number;
  readonly wait?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
}

const idempotent: ReadonlySet<Verb> = new Set(['list', 'stat', 'presign', 'cors.get', 'inspect', 'multipart.list', 'multipart.abort']);
const firstDelay = 200;
const longestDelay = 5000;

export function retry(driver: Driver, options: RetryOptions = {}): Driver {
  const policy = new Policy(options);
  return intercept(driver, {
    call: (call, run) => (idempotent.has(call.verb) ? repeat(policy, call, () => run()) : run()),
    async read(call, asked, run) {
      const first = await repeat(policy, call, () => run(asked));
      return { info: first.info, body: continued(policy, call, asked, first, run) };
    },
  });
}

async function repeat<T>(policy: Policy, call: Call, run: () => Promise<T>): Promise<T> {
  const began = policy.clock();
  for (let attempt = 0; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      await policy.pause(error, attempt, began, call);
    }
  }
}

class Policy {
  readonly clock: Clock;
  readonly #retries: number;
  readonly #deadline: number;
  readonly #random: () => number;
  readonly #wait: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;

  constructor(options: RetryOptions) {
    this.clock = options.clock ?? systemClock;
    this.#retries = options.retries ?? 2;
    this.#deadline = options.deadline ?? 20_000;
    this.#random = options.random ?? Math.random;
    this.#wait = options.wait ?? ((milliseconds, signal) => sleep(milliseconds, undefined, signal && { signal }));
  }

  /** Waits before the next attempt, or throws the error where there is none. */
  async pause(error: unknown, attempt: number, began: number, { signal }: Call): Promise<void> {
    throwIfAborted(signal);
    if (!(error instanceof PackageRError) || error.retry !== 'temporary') throw error;
    const jittered = this.#random() * Math.min(longestDelay, firstDelay * 2 ** attempt);
    const delay = Math.max(jittered, (error.retryAfter ?? 0) * 1000);
    if (attempt >= this.#retries || this.clock() + delay - began > this.#deadline) throw exhausted(error);
    await this.#wait(delay, signal).catch((reason: unknown) => {
      throwIfAborted(signal);
      throw reason;
    });
  }
}

function exhausted(error: PackageRError): PackageRError {
  const { operation, context, retryAfter } = error;
  return new PackageRError(error.code, error.message, {
    ...(operation !== undefined && { operation }),
    ...(retryAfter !== undefined && { retryAfter }),
    context,
    retry: 'exhausted',
    cause: error,
  });
}

function continued(
  policy: Policy,
  call: Call,
  asked: ReadObjectOptions,
  first: ObjectBody,
  run: (options: ReadObjectOptions) => Promise<ObjectBody>,
): AsyncIterable<Uint8Array> {
  const { info } = first;
  const end = Math.min(asked.range?.end ?? info.size, info.size);
  let at = asked.range?.start ?? 0;
  let attempt = 0;
  let began = policy.clock();
  let current = first.body[Symbol.asyncIterator]();
  const open = async (cause: unknown): Promise<void> => {
    const next = await run({ ...asked, version: asked.version ?? info.version, range: { start: at, end } });
    if (info.etag !== undefined && next.info.etag === info.etag && next.info.size === info.size) {
      current = next.body[Symbol.asyncIterator]();
      return;
    }
    await next.body[Symbol.asyncIterator]().return?.();
    throw new PackageRError('precondition_failed', 'The object changed while it was read.', { operation: 'driver.read', cause });
  };
  const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
    let broken: unknown;
    for (;;) {
      try {
        if (broken !== undefined) await open(broken);
        broken = undefined;
        const { value, done } = await current.next();
        if (done === true && at < end) throw endedEarly();
        if (done === true) return { done, value: undefined };
        if (at + value.length > end)
          throw new PackageRError('store_response', 'The body is longer than its size.', { operation: 'driver.read' });
        at += value.length;
        began = policy.clock();
        return { done: false, value };
      } catch (error) {
        await policy.pause(error, attempt++, began, call);
        broken = error;
        if (at >= end) return { done: true, value: undefined };
      }
    }
  };
  return {
    [Symbol.asyncIterator]: () => ({
      next,
      async return() {
        await current.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}

function endedEarly(): PackageRError {
  return new PackageRError('source_unavailable', 'The body ended before its size.', { operation: 'driver.read', retry: 'temporary' });
}
