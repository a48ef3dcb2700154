/** Token buckets and counts of what is under way, in this process. Bounded: the least recently used bucket is forgotten first. */
import { PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';
import type { Clock } from '#model/clock.ts';
import type { Rate } from './limits.ts';

const mostBuckets = 20_000;

export class Rates {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes one from the bucket of `key`. Errors: rate_limited, with the seconds until there is one again. */
  take(key: string, rate: Rate): void {
    const missing = this.#takeOrWait(key, rate);
    if (missing === 0) return;
    const retryAfter = Math.max(1, Math.ceil(missing / 1000));
    throw new PackageRError('rate_limited', undefined, { operation: 'http.rate', retry: 'temporary', retryAfter });
  }

  /** As `take`; false, and nothing is taken, where there is none. */
  tryTake(key: string, rate: Rate): boolean {
    return this.#takeOrWait(key, rate) === 0;
  }

  /** Takes back a `take` for what then was not done. */
  giveBack(key: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket !== undefined) bucket.tokens++;
  }

  /** Milliseconds until there is one; 0 where one was taken. */
  #takeOrWait(key: string, { perMinute, burst }: Rate): number {
    const now = this.#clock();
    const perMillisecond = perMinute / 60_000;
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, bucket.tokens + Math.max(0, now - bucket.at) * perMillisecond);
    bucket.tokens = tokens < 1 ? tokens : tokens - 1;
    bucket.at = now;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > mostBuckets) this.#buckets.delete(this.#buckets.keys().next().value as string);
    return tokens < 1 ? (1 - tokens) / perMillisecond : 0;
  }
}

/** At most so many at once for each key. */
export class Slots {
  readonly #used = new Map<string, number>();

  /** Gives the function that frees the slot; it may be called twice. Errors: `code`, where all are taken. */
  take(key: string, most: number, code: ErrorCode = 'rate_limited', message?: string): () => void {
    const used = this.#used.get(key) ?? 0;
    if (used >= most) throw new PackageRError(code, message, { operation: 'http.slots', retry: 'temporary', retryAfter: 1 });
    this.#used.set(key, used + 1);
    let isFreed = false;
    return () => {
      if (isFreed) return;
      isFreed = true;
      const left = (this.#used.get(key) ?? 1) - 1;
      if (left > 0) this.#used.set(key, left);
      else this.#used.delete(key);
    };
  }

  count(key: string): number {
    return this.#used.get(key) ?? 0;
  }
}
