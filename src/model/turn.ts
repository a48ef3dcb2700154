/** Work in pieces: others go first where it took its turn of the event loop. */
import { setImmediate } from 'node:timers/promises';

/** Milliseconds. */
const longest = 8;

export class Turn {
  #since = performance.now();

  /** At once, or with the next turn. */
  pause(): Promise<void> | undefined {
    return performance.now() - this.#since < longest ? undefined : this.#next();
  }

  async #next(): Promise<void> {
    await setImmediate();
    this.#since = performance.now();
  }
}
