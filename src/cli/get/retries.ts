/** Tries again what failed for a while: at once where the last try brought something, else later and later, or when the other side says. */
import { setTimeout as sleep } from 'node:timers/promises';
import { asError, PackageRError } from '#errors/error.ts';

export interface RetryOptions {
  /** Tries in a row that brought nothing before it is given up. */
  readonly tries: number;
  readonly signal: AbortSignal;
  /** Bytes so far: a try that went beyond the furthest one before counts as a step forward. */
  reached(): number;
  /** 0 to 1. */
  random?(): number;
}

export async function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { tries, signal, reached, random = Math.random } = options;
  let furthest = reached();
  for (let failures = 0; ; ) {
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted) throw new PackageRError('cancelled');
      const fault = asError(error);
      if (fault.retry !== 'temporary') throw fault;
      failures = reached() > furthest ? 0 : failures + 1;
      furthest = Math.max(furthest, reached());
      if (failures >= tries) throw fault;
      await sleep(waitBefore(failures, fault.retryAfter, random()), undefined, { signal }).catch(() => {
        throw new PackageRError('cancelled');
      });
    }
  }
}

/** Milliseconds. */
function waitBefore(failures: number, retryAfter: number | undefined, random: number): number {
  if (retryAfter !== undefined) return retryAfter * 1000;
  return failures === 0 ? 20 : Math.min(30_000, 125 * 2 ** failures) * (0.5 + random / 2);
}
