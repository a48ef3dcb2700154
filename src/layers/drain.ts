/** Tells when nothing is under way any more, so that a driver that was replaced is closed only then. A body counts until it ends. */
import type { Driver } from '#drivers/driver.ts';
import { intercept, watched } from '#layers/intercept.ts';

export interface Drained {
  readonly driver: Driver;
  /** Resolves as soon as no call is under way, at once where none is. Calls may still be begun. */
  idle(): Promise<void>;
}

export function drain(inner: Driver): Drained {
  let underWay = 0;
  const waiting = new Set<() => void>();
  const leave = (): void => {
    underWay--;
    if (underWay > 0) return;
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  const driver = intercept(inner, {
    async call(_call, run) {
      underWay++;
      try {
        return await run();
      } finally {
        leave();
      }
    },
    async read(_call, asked, run) {
      underWay++;
      try {
        const { info, body } = await run(asked);
        return { info, body: watched(body, { end: leave }) };
      } catch (error) {
        leave();
        throw error;
      }
    },
  });
  return {
    driver,
    idle: () => (underWay === 0 ? Promise.resolve() : new Promise((resolve) => void waiting.add(resolve))),
  };
}
