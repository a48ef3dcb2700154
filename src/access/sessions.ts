/** Sessions: sign-ins that are under way, listed and ended by their user or an administrator. */
import type { Gate } from '#access/place.ts';
import { system } from '#access/place.ts';
import type { Recorder } from '#access/recorder.ts';
import { requireUser } from '#access/self.ts';
import { PackageRError } from '#errors/error.ts';
import type { Actor, UserActor } from '#model/actor.ts';
import type { Clock } from '#model/clock.ts';
import type { State } from '#state/state.ts';

export interface SessionView {
  /** Not the token: knowing it opens nothing. */
  readonly id: string;
  readonly userId: string;
  readonly userName: string;
  /** Milliseconds since 1970, as all instants here. */
  readonly createdAt: number;
  readonly seenAt: number;
  readonly expiresAt: number;
  readonly address: string;
  readonly agent: string;
  /** It is the one that asks. */
  readonly current: boolean;
}

export interface SessionsOptions {
  readonly state: State;
  readonly clock: Clock;
  readonly events: Recorder;
  readonly gate: Gate;
}

export class Sessions {
  readonly #state: State;
  readonly #clock: Clock;
  readonly #events: Recorder;
  readonly #gate: Gate;

  constructor({ state, clock, events, gate }: SessionsOptions) {
    this.#state = state;
    this.#clock = clock;
    this.#events = events;
    this.#gate = gate;
  }

  /** Live sessions of the actor, or of everyone for an administrator who asks for `all`; newest first. */
  async list(actor: Actor, { all = false }: { readonly all?: boolean } = {}): Promise<SessionView[]> {
    if (all) await this.#gate.authorize(actor, 'manage', system);
    const owner = all ? undefined : requireUser(actor);
    let query = this.#state.db
      .selectFrom('session')
      .innerJoin('user', 'user.id', 'session.user_id')
      .select(['session.id', 'user_id', 'user.name', 'session.created_at', 'seen_at', 'expires_at', 'address', 'agent'])
      .where('revoked_at', 'is', null)
      .where('expires_at', '>', this.#clock())
      .whereRef('user_generation', '=', 'user.generation')
      .orderBy('session.created_at', 'desc')
      .limit(1000);
    if (owner !== undefined) query = query.where('user_id', '=', owner.id);
    const current = actor.kind === 'user' ? actor.credential : undefined;
    return (await query.execute()).map((row) => ({
      id: row.id,
      userId: row.user_id,
      userName: row.name,
      createdAt: row.created_at,
      seenAt: row.seen_at,
      expiresAt: row.expires_at,
      address: row.address,
      agent: row.agent,
      current: row.id === current,
    }));
  }

  /** Errors: not_found for one of somebody else, as for one that never was. */
  async revoke(actor: Actor, id: string): Promise<void> {
    const isAdmin = await this.#gate.can(actor, 'manage', system);
    let query = this.#state.db
      .updateTable('session')
      .set({ revoked_at: this.#clock() })
      .where('id', '=', id)
      .where('revoked_at', 'is', null);
    if (!isAdmin) query = query.where('user_id', '=', requireUser(actor).id);
    await this.#state.write({ query, expect: { changes: 1, code: 'not_found', message: 'There is no such session.' } });
    this.#events.record({ actor, action: 'session.revoke', subject: `session:${id.slice(0, 12)}` });
  }

  /** Ends the session that the actor presented. Errors: unsupported where none was. */
  async logout(actor: Actor): Promise<void> {
    const { id, credential } = actor.kind === 'user' ? actor : ({} as Partial<UserActor>);
    const isSession = credential !== undefined && id !== undefined && /^[0-9a-f]{64}$/.test(credential);
    if (!isSession) throw new PackageRError('unsupported', 'Only a session can be signed out; an API token is revoked.');
    const query = this.#state.db
      .updateTable('session')
      .set({ revoked_at: this.#clock() })
      .where('id', '=', credential)
      .where('user_id', '=', id);
    await this.#state.write({ query });
    this.#events.record({ actor, action: 'user.logout', subject: `user:${id}` });
  }
}
