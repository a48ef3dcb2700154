/** A Clock that stands still until a test moves it. */
import type { Clock } from '#model/clock.ts';

export interface FakeClock {
  readonly now: Clock;
  /** Milliseconds since 1970. */
  set(at: number): void;
  /** Forward by milliseconds. */
  advance(by: number): void;
}

export function fakeClock(at: number = Date.UTC(2026, 0, 1)): FakeClock {
  let current = at;
  return {
    now: () => current,
    set(next) {
      current = next;
    },
    advance(by) {
      current += by;
    },
  };
}
