/**
 * What a client has used of a share: distinct objects and their bytes over 24 hours, from the first use. Counted before the first byte
 * or URL, in one unit that is refused where it would pass a limit, so that of two that redeem the last use one gets it.
 */
import type { HandleShare } from '#access/handle.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { Clock } from '#model/clock.ts';
import type { Leaf } from '#model/entry.ts';
import type { State, Write } from '#state/state.ts';

const useWindow = 24 * 3_600_000;
const pruneEvery = 3_600_000;

export class ShareUses {
  readonly #state: State;
  readonly #clock: Clock;
  #prunedAt = 0;

  constructor({ state, clock }: { readonly state: State; readonly clock: Clock }) {
    this.#state = state;
    this.#clock = clock;
  }

  /**
   * Counts a leaf with its size now; one that counted already in this window is free. May run twice.
   * Errors: share_limit_reached with retryAfter.
   */
  async claim(share: HandleShare, leaf: Leaf): Promise<void> {
    if (share.maxObjects === undefined && share.maxBytes === undefined) return;
    const now = this.#clock();
    const since = await this.#countedSince(share, leaf, now);
    if (since !== undefined) return;
    try {
      await this.#state.write(...this.#prune(now), ...this.#countUnit(share, leaf, now));
    } catch (error) {
      if (isError(error, 'share_limit_reached')) throw await this.#limitReached(share, now);
      throw error;
    }
  }

  async #countedSince({ number, client }: HandleShare, leaf: Leaf, now: number): Promise<number | undefined> {
    const row = await this.#state.db
      .selectFrom('share_use_object')
      .select('since')
      .where('share', '=', number)
      .where('client', '=', client)
      .where('path', '=', leaf.path)
      .where('since', '>', now - useWindow)
      .executeTakeFirst();
    return row?.since;
  }

  #countUnit({ number, client, maxObjects, maxBytes }: HandleShare, leaf: Leaf, now: number): Write[] {
    const { db } = this.#state;
    const ended = now - useWindow;
    const use = db.selectFrom('share_use').where('share', '=', number).where('client', '=', client);
    const object = db.selectFrom('share_use_object').where('share', '=', number).where('client', '=', client);
    return [
      {
        query: db
          .insertInto('share_use')
          .values({ share: number, client, since: now, objects: 0, bytes: 0 })
          .onConflict((conflict) =>
            conflict.columns(['share', 'client']).doUpdateSet({ since: now, objects: 0, bytes: 0 }).where('share_use.since', '<=', ended),
          ),
      },
      { query: db.deleteFrom('share_use_object').where('share', '=', number).where('client', '=', client).where('since', '<=', ended) },
      {
        query: db
          .updateTable('share_use')
          .set((eb) => ({ objects: eb('objects', '+', 1), bytes: eb('bytes', '+', leaf.size) }))
          .where('share', '=', number)
          .where('client', '=', client)
          .where((eb) => eb.not(eb.exists(object.select('path').where('path', '=', leaf.path)))),
      },
      {
        query: db
          .insertInto('share_use_object')
          .columns(['share', 'client', 'since', 'path'])
          .expression(use.select((eb) => ['share', 'client', 'since', eb.val(leaf.path).as('path')]))
          .onConflict((conflict) => conflict.doNothing()),
      },
      {
        query: use
          .select('since')
          .where((eb) =>
            eb.or([eb('objects', '>', maxObjects ?? Number.MAX_SAFE_INTEGER), eb('bytes', '>', maxBytes ?? Number.MAX_SAFE_INTEGER)]),
          ),
        expect: { changes: 'none', code: 'share_limit_reached', message: 'The limit of this share is reached for you.' },
      },
    ];
  }

  async #limitReached({ number, client }: HandleShare, now: number): Promise<PackageRError> {
    const row = await this.#state.db
      .selectFrom('share_use')
      .select('since')
      .where('share', '=', number)
      .where('client', '=', client)
      .executeTakeFirst();
    const retryAfter = Math.max(1, Math.ceil(((row?.since ?? now) + useWindow - now) / 1000));
    return new PackageRError('share_limit_reached', undefined, { operation: 'share.exchange', retry: 'temporary', retryAfter });
  }

  #prune(now: number): Write[] {
    if (now - this.#prunedAt < pruneEvery) return [];
    this.#prunedAt = now;
    const { db } = this.#state;
    const ended = now - useWindow;
    return [
      { query: db.deleteFrom('share_use_object').where('since', '<=', ended) },
      { query: db.deleteFrom('share_use').where('since', '<=', ended) },
    ];
  }
}
