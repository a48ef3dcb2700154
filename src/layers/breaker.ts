/** Marks a source down after failures in a row, and lets one call through every while to see whether it is back. */
import type { Driver } from '#drivers/driver.ts';
import { isError, PackageRError } from '#errors/error.ts';
import { intercept } from '#layers/intercept.ts';
import { type Clock, systemClock } from '#model/clock.ts';

export interface BreakerOptions {
  /** 5 where left out. */
  readonly failures?: number;
  /** Milliseconds between two probes; 30 s where left out. */
  readonly probeIn?: number;
  readonly clock?: Clock;
  readonly onChange?: (down: boolean) => void;
}

/** Errors: source_down, temporary, with the seconds until the next probe. */
export function breaker(driver: Driver, options: BreakerOptions = {}): Driver {
  const { failures = 5, probeIn = 30_000, clock = systemClock, onChange } = options;
  let inRow = 0;
  let probeAt = 0;
  const isDown = (): boolean => inRow >= failures;
  const admit = (): void => {
    if (!isDown()) return;
    const left = probeAt - clock();
    if (left > 0) {
      throw new PackageRError('source_down', undefined, { operation: 'driver.call', retryAfter: Math.ceil(left / 1000) });
    }
    probeAt = clock() + probeIn;
  };
  const succeeded = (): void => {
    const wasDown = isDown();
    inRow = 0;
    if (wasDown) onChange?.(false);
  };
  const failed = (error: unknown): void => {
    if (isError(error, 'cancelled')) return;
    if (!isOutage(error)) {
      succeeded();
      return;
    }
    inRow++;
    if (isDown()) probeAt = clock() + probeIn;
    if (inRow === failures) onChange?.(true);
  };
  return intercept(driver, {
    async call(_, run) {
      admit();
      try {
        const result = await run();
        succeeded();
        return result;
      } catch (error) {
        failed(error);
        throw error;
      }
    },
  });
}

/** An answer, be it a refusal, shows that the store is there. */
function isOutage(error: unknown): boolean {
  return isError(error, 'source_unavailable') || isError(error, 'timeout') || isError(error, 'store_response');
}
