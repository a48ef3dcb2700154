/**
 * Attempts slow guessing down, by account, share or peer. They are counted before the guess is judged, so that many at once get no
 * further than many in a row, and they are rows, so that a restart forgets nothing.
 */

import ipaddr from 'ipaddr.js';
import { type RawBuilder, sql } from 'kysely';
import { PackageRError } from '#errors/error.ts';
import type { Clock } from '#model/clock.ts';
import type { State, Write } from '#state/state.ts';

export interface AttemptRule {
  /** Failures that are free. */
  readonly limit: number;
  /** Milliseconds in which they count. */
  readonly window: number;
  /**
   * Milliseconds to wait after the last free failure; doubled by each further one, up to `window`. Where left out, all further ones
   * wait until the window ends.
   */
  readonly delay?: number;
}

const minute = 60_000;

export type AttemptRules = Readonly<Record<'account' | 'peer' | 'share' | 'sharePeer' | 'unknownShare', AttemptRule>>;

export const attemptRules: AttemptRules = {
  account: { limit: 5, window: 15 * minute, delay: minute / 2 },
  peer: { limit: 30, window: 15 * minute },
  share: { limit: 100, window: 60 * minute, delay: minute / 2 },
  sharePeer: { limit: 10, window: 15 * minute },
  unknownShare: { limit: 20, window: 10 * minute },
};

/** Rows that have been quiet for a day are dropped, looked for once an hour. */
const keepFor = 24 * 60 * minute;
const pruneEvery = 60 * minute;
/** Failures further in the future were counted by a clock that was wrong: they lock nobody out until then. */
const clockSlack = minute;

export class Attempts {
  readonly #state: State;
  readonly #clock: Clock;
  /** What counts here; a deployment may lower the limits. */
  readonly rules: AttemptRules;
  #prunedAt: number;

  constructor({ state, clock, rules = attemptRules }: { readonly state: State; readonly clock: Clock; readonly rules?: AttemptRules }) {
    this.#state = state;
    this.#clock = clock;
    this.rules = rules;
    this.#prunedAt = clock();
  }

  /** Errors: rate_limited with retryAfter while any of the keys is blocked. */
  async check(keys: readonly string[]): Promise<void> {
    const wait = await this.#waitOf(keys);
    if (wait > 0) throw tooMany(wait);
  }

  /**
   * Counts an attempt as failed, in advance, for all keys or, where one of them is blocked, for none. Judge the guess only after it
   * resolved; then `succeed` or `release` what was right. Errors: rate_limited with retryAfter.
   */
  async reserve(...rules: readonly (readonly [key: string, rule: AttemptRule])[]): Promise<void> {
    const now = this.#clock();
    const unit = rules.map(([key, rule]) => this.#count(key, rule, now, true));
    try {
      await this.#state.write(...unit, ...this.#prune(now));
    } catch (error) {
      if (error instanceof PackageRError && error.code === 'rate_limited') throw tooMany(await this.#waitOf(rules.map(([key]) => key)));
      throw error;
    }
  }

  /** Counts a failure for each key, blocked or not. */
  async fail(keys: readonly string[], rule: AttemptRule): Promise<void> {
    const now = this.#clock();
    await this.#state.write(...keys.map((key) => this.#count(key, rule, now, false)), ...this.#prune(now));
  }

  /** Forgets all failures of the keys. */
  async succeed(keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await this.#state.write({ query: this.#state.db.deleteFrom('attempt').where('key', 'in', keys) });
  }

  /** Takes one reserved attempt back and keeps the earlier failures. */
  async release(key: string, rule: AttemptRule): Promise<void> {
    const query = this.#state.db
      .updateTable('attempt')
      .set({
        failures: sql<number>`failures - 1`,
        blocked_until: sql<number>`case when failures <= ${sql.lit(rule.limit)} then 0 else blocked_until end`,
      })
      .where('key', '=', key)
      .where('failures', '>', 0);
    await this.#state.write({ query });
  }

  #count(key: string, rule: AttemptRule, now: number, refuse: boolean): Write {
    const { limit, window, delay } = { limit: sql.lit(rule.limit), window: sql.lit(rule.window), delay: rule.delay };
    const at = sql<number>`cast(${now} as bigint)`;
    const quietAfter = delay === undefined ? sql`attempt.blocked_until` : sql`attempt.blocked_until + ${window}`;
    const isOver = sql`(case when attempt.failures < ${limit} then attempt.since + ${window} else ${quietAfter} end) <= ${at}`;
    const isFresh = sql`(${isOver} or attempt.since > ${now + clockSlack})`;
    const failures = sql<number>`(case when ${isFresh} then 1 else attempt.failures + 1 end)`;
    const since = sql<number>`(case when ${isFresh} then ${at} else attempt.since end)`;
    const until = delay === undefined ? sql`${since} + ${window}` : sql`${at} + ${delays(failures, rule.limit, delay, rule.window)}`;
    const first = rule.limit > 1 ? 0 : now + (delay ?? rule.window);
    const query = this.#state.db
      .insertInto('attempt')
      .values({ key, failures: 1, since: now, blocked_until: first })
      .onConflict((conflict) => {
        const update = conflict.column('key').doUpdateSet({
          failures,
          since,
          blocked_until: sql<number>`case when ${failures} < ${limit} then 0 else ${until} end`,
        });
        if (!refuse) return update;
        return update.where((on) => on.or([on('attempt.blocked_until', '<=', now), on('attempt.since', '>', now + clockSlack)]));
      });
    return refuse ? { query, expect: { changes: 1, code: 'rate_limited', message: 'Too many failed attempts.' } } : { query };
  }

  #prune(now: number): Write[] {
    if (now - this.#prunedAt < pruneEvery) return [];
    this.#prunedAt = now;
    const quietSince = now - keepFor;
    return [{ query: this.#state.db.deleteFrom('attempt').where('since', '<', quietSince).where('blocked_until', '<', quietSince) }];
  }

  /** Seconds until none of the keys is blocked. */
  async #waitOf(keys: readonly string[]): Promise<number> {
    const now = this.#clock();
    const counted = this.#state.db
      .selectFrom('attempt')
      .select('blocked_until')
      .where('since', '<=', now + clockSlack);
    const rows = await counted.where('key', 'in', keys).execute();
    return Math.ceil(Math.max(0, ...rows.map((row) => row.blocked_until - now)) / 1000);
  }
}

/** `delay` doubled for each failure beyond the limit, at most `window`, as an expression over the count of failures. */
function delays(failures: RawBuilder<number>, limit: number, delay: number, window: number): RawBuilder<number> {
  const cases: RawBuilder<unknown>[] = [];
  for (let wait = delay, count = limit; wait < window; wait *= 2, count++) cases.push(sql`when ${sql.lit(count)} then ${sql.lit(wait)}`);
  if (cases.length === 0) return sql<number>`${sql.lit(window)}`;
  return sql<number>`(case ${failures} ${sql.join(cases, sql` `)} else ${sql.lit(window)} end)`;
}

function tooMany(wait: number): PackageRError {
  const retryAfter = Math.max(1, wait);
  return new PackageRError('rate_limited', `Too many failed attempts; wait ${retryAfter} s.`, { retry: 'temporary', retryAfter });
}

/** Who counts as one peer: an IPv4 address, or the /64 of an IPv6 address. Text that is no address is one peer of its own. */
export function peerOf(address: string): string {
  const bare = address.replace(/%.*$/, '');
  if (!ipaddr.isValid(bare)) return 'unknown';
  const parsed = ipaddr.process(bare);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  const parts = (parsed as ipaddr.IPv6).parts.slice(0, 4).map((part) => part.toString(16));
  return `${parts.join(':')}::/64`;
}
