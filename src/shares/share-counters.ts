/** What the owner sees of the use of a share: collected in memory and written at most once a second, never on the way of a request. */
import type { Clock } from '#model/clock.ts';
import type { State } from '#state/state.ts';

interface Count {
  opened: number;
  exchanged: number;
  usedAt: number;
  horizonAt: number;
}

const flushAfter = 1000;
const openedOncePer = 3_600_000;
const rememberedClients = 50_000;

export class ShareCounters {
  readonly #state: State;
  readonly #clock: Clock;
  #counts = new Map<number, Count>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  readonly #openedAt = new Map<string, number>();

  constructor({ state, clock }: { readonly state: State; readonly clock: Clock }) {
    this.#state = state;
    this.#clock = clock;
  }

  /** True where this client is counted as having opened the share: once an hour. */
  opened(share: number, client: string): boolean {
    const now = this.#clock();
    const key = `${share} ${client}`;
    const last = this.#openedAt.get(key);
    if (last !== undefined && now - last < openedOncePer) return false;
    if (this.#openedAt.size >= rememberedClients) this.#openedAt.clear();
    this.#openedAt.set(key, now);
    this.#count(share).opened++;
    return true;
  }

  exchanged(share: number): void {
    this.#count(share).exchanged++;
  }

  /** Keeps the latest instant at which a temporary URL of this share ends. */
  horizon(share: number, expiresAt: number): void {
    const count = this.#count(share);
    count.horizonAt = Math.max(count.horizonAt, expiresAt);
  }

  /** Resolves when all that was counted before is written. What cannot be written is kept for the next time. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  #count(share: number): Count {
    this.#timer ??= setTimeout(() => void this.flush(), flushAfter).unref();
    let count = this.#counts.get(share);
    if (count === undefined) {
      count = { opened: 0, exchanged: 0, usedAt: 0, horizonAt: 0 };
      this.#counts.set(share, count);
    }
    count.usedAt = this.#clock();
    return count;
  }

  async #write(): Promise<void> {
    if (this.#counts.size === 0) return;
    const counts = this.#counts;
    this.#counts = new Map();
    const unit = [...counts].map(([number, count]) => ({
      query: this.#state.db
        .updateTable('share')
        .set((eb) => ({
          opened: eb('opened', '+', count.opened),
          exchanged: eb('exchanged', '+', count.exchanged),
          used_at: count.usedAt,
          horizon_at: eb.case().when('horizon_at', '<', count.horizonAt).then(count.horizonAt).else(eb.ref('horizon_at')).end(),
        }))
        .where('number', '=', number),
      isCount: true as const,
    }));
    await this.#state.write(...unit).catch(() => this.#keep(counts));
  }

  #keep(counts: Map<number, Count>): void {
    for (const [number, count] of counts) {
      const kept = this.#count(number);
      kept.opened += count.opened;
      kept.exchanged += count.exchanged;
      kept.usedAt = Math.max(kept.usedAt, count.usedAt);
      kept.horizonAt = Math.max(kept.horizonAt, count.horizonAt);
    }
  }
}
