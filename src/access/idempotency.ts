/**
 * Answers remembered under the key that a client chose, so that a request which is sent again is answered again, not done again. Keys
 * belong to an actor and to one request; they are kept for a day.
 */
import { PackageRError } from '#errors/error.ts';
import type { Actor } from '#model/actor.ts';
import type { Clock } from '#model/clock.ts';
import type { State } from '#state/state.ts';

export interface RememberedAnswer {
  readonly status: number;
  readonly answer: string;
}

export interface IdempotencyClaim {
  readonly actor: Actor;
  /** 1 to 255 printable ASCII characters. */
  readonly key: string;
  /** Hex SHA-256 of method, route and body. */
  readonly request: string;
}

const kept = 86_400_000;
const pending = 0;

export class Idempotency {
  readonly #state: State;
  readonly #clock: Clock;

  constructor({ state, clock }: { readonly state: State; readonly clock: Clock }) {
    this.#state = state;
    this.#clock = clock;
  }

  /**
   * Claims the key: undefined where the request is new and now to be done, else the answer it had.
   * Errors: idempotency_conflict for a key of another request, or of one that is still being done; request_invalid for the key.
   */
  async begin({ actor, key, request }: IdempotencyClaim): Promise<RememberedAnswer | undefined> {
    if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw new PackageRError('request_invalid', 'Idempotency-Key has 1 to 255 printable characters.');
    const { db } = this.#state;
    const owner = ownerOf(actor);
    const now = this.#clock();
    const row = { actor: owner, key, request, status: pending, answer: '', created_at: now };
    const [, inserted] = await this.#state.write(
      { query: db.deleteFrom('idempotency').where('created_at', '<=', now - kept) },
      {
        query: db
          .insertInto('idempotency')
          .values(row)
          .onConflict((on) => on.columns(['actor', 'key']).doNothing()),
      },
    );
    if (inserted?.changes === 1) return undefined;
    const known = await db.selectFrom('idempotency').selectAll().where('actor', '=', owner).where('key', '=', key).executeTakeFirst();
    if (known?.request !== request) throw new PackageRError('idempotency_conflict');
    if (known.status === pending)
      throw new PackageRError('idempotency_conflict', 'The first request with this idempotency key is still being done.');
    return { status: known.status, answer: known.answer };
  }

  /** Remembers what was answered. */
  async finish({ actor, key }: IdempotencyClaim, { status, answer }: RememberedAnswer): Promise<void> {
    const query = this.#state.db
      .updateTable('idempotency')
      .set({ status, answer })
      .where('actor', '=', ownerOf(actor))
      .where('key', '=', key);
    await this.#state.write({ query });
  }

  /** Frees the key of a request that failed, so that it may be tried again. */
  async forget({ actor, key }: IdempotencyClaim): Promise<void> {
    const query = this.#state.db.deleteFrom('idempotency').where('actor', '=', ownerOf(actor)).where('key', '=', key);
    await this.#state.write({ query: query.where('status', '=', pending) });
  }
}

function ownerOf(actor: Actor): string {
  return actor.kind === 'user' ? `user:${actor.id}` : actor.kind === 'system' ? `system:${actor.name}` : `visitor:${actor.client}`;
}
