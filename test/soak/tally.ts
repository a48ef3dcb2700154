/** Counts what was right and wrong, and decides which failures are excused. */
import type { ErrorCode } from '#errors/table.ts';

export interface Totals {
  /** Checked answers by duty. */
  readonly right: Readonly<Record<string, number>>;
  /** What was answered wrongly, or failed while nothing was down. */
  readonly wrong: readonly string[];
  /** Failures while something was down, by code. */
  readonly excused: Readonly<Record<string, number>>;
}

/** What may be answered while the store is down or packageR restarts. */
const codesOfOutage: readonly ErrorCode[] = ['source_unavailable', 'source_down', 'store_response', 'timeout', 'cancelled', 'overloaded'];

/** An error that the product answered: its code, not its text, decides whether it was allowed. */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

/** Milliseconds in which what was down comes back. */
export const graceAfterOutage = 5000;

export class Tally {
  readonly #right: Record<string, number> = {};
  readonly #excused: Record<string, number> = {};
  readonly #wrong: string[] = [];
  #down = 0;
  #downUntil = 0;

  /** Errors are excused that began or ended while something was down, or a moment after. */
  async outage(run: () => Promise<unknown>): Promise<void> {
    this.#down++;
    await run();
    this.#down--;
    this.#downUntil = Date.now() + graceAfterOutage;
  }

  async take(name: string, check: () => Promise<void>): Promise<void> {
    const wasDown = this.#isDown();
    try {
      await check();
      this.#right[name] = (this.#right[name] ?? 0) + 1;
    } catch (error) {
      const code = codeOf(error);
      const isExcused = (wasDown || this.#isDown()) && code !== undefined;
      if (isExcused) this.#excused[code] = (this.#excused[code] ?? 0) + 1;
      else this.#wrong.push(`${new Date().toISOString().slice(11, 23)} ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  summary(): string {
    const counts = Object.entries(this.#right).map(([name, count]) => `${name} ${count}`);
    return `${counts.join(' · ')} · excused ${total(this.#excused)} · wrong ${this.#wrong.length}`;
  }

  result(): Totals {
    return { right: this.#right, wrong: this.#wrong, excused: this.#excused };
  }

  #isDown(): boolean {
    return this.#down > 0 || Date.now() < this.#downUntil;
  }
}

/** The code under which a failure may be excused; undefined for an answer that was wrong. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof Refusal) return codesOfOutage.some((code) => code === error.code) ? error.code : undefined;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  return code !== undefined && /^(ECONNREFUSED|ECONNRESET|EPIPE|UND_ERR_SOCKET|UND_ERR_[A-Z_]*TIMEOUT)$/.test(code) ? code : undefined;
}

export function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
