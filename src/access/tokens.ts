/** API tokens: a user’s rights, narrowed to some actions, for a program. The token is shown once. */
import { hashToken, makeToken } from '#access/credentials.ts';
import type { Gate } from '#access/place.ts';
import { system } from '#access/place.ts';
import type { Recorder } from '#access/recorder.ts';
import { parseActions, writeActions } from '#access/rights.ts';
import { requireFields, requireUser } from '#access/self.ts';
import type { AccessSettings } from '#access/settings.ts';
import { PackageRError } from '#errors/error.ts';
import { type Action, type Actor, actions } from '#model/actor.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import type { State } from '#state/state.ts';

export interface TokenView {
  readonly id: string;
  readonly userId: string;
  readonly userName: string;
  readonly name: string;
  readonly actions: readonly Action[];
  /** Milliseconds since 1970, as all instants here. */
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly usedAt?: number;
}

export interface TokenInput {
  /** For people: 1 to 100 characters. */
  readonly name: string;
  readonly actions: readonly Action[];
  /** Milliseconds; 90 days where left out, 365 at most. */
  readonly expiresIn?: number | undefined;
}

export interface TokensOptions {
  readonly state: State;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly events: Recorder;
  readonly gate: Gate;
  readonly settings: AccessSettings;
}

export class Tokens {
  readonly #options: TokensOptions;

  constructor(options: TokensOptions) {
    this.#options = options;
  }

  /**
   * `token` (`pr_…`) is shown here and never again. An API token makes no API tokens, or it could outlive itself.
   * Errors: request_invalid, forbidden.
   */
  async create(actor: Actor, input: TokenInput): Promise<TokenView & { readonly token: string }> {
    const { state, clock, makeId, settings, events } = this.#options;
    const user = requireUser(actor);
    if (user.only !== undefined) throw new PackageRError('forbidden', 'An API token cannot make API tokens; sign in for that.');
    requireFields(input, ['name', 'actions', 'expiresIn']);
    const { name, actions: granted, expiresIn = settings.tokenLife } = input;
    checkToken(name, granted, expiresIn, settings.tokenMaxLife);
    const token = makeToken('api', makeId);
    const now = clock();
    const id = makeId();
    const expiresAt = now + expiresIn;
    const generation = await this.#generationOf(user.id);
    const row = { id, user_id: user.id, name, hash: hashToken(token), actions: writeActions(granted), user_generation: generation };
    await state.write(
      { query: state.db.deleteFrom('token').where('user_id', '=', user.id).where('expires_at', '<=', now) },
      { query: state.db.insertInto('token').values({ ...row, created_at: now, expires_at: expiresAt, used_at: null, revoked_at: null }) },
    );
    events.record({ actor, action: 'token.create', subject: `token:${id}`, details: { actions: row.actions, expiresAt } });
    return { id, userId: user.id, userName: user.name, name, actions: parseActions(row.actions), createdAt: now, expiresAt, token };
  }

  /** Live tokens of the actor, or of everyone for an administrator who asks for `all`; newest first. */
  async list(actor: Actor, { all = false }: { readonly all?: boolean } = {}): Promise<TokenView[]> {
    const { state, clock, gate } = this.#options;
    if (all) await gate.authorize(actor, 'manage', system);
    const owner = all ? undefined : requireUser(actor);
    let query = state.db
      .selectFrom('token')
      .innerJoin('user', 'user.id', 'token.user_id')
      .select(['token.id', 'user_id', 'user.name as userName', 'token.name', 'actions', 'token.created_at', 'expires_at', 'used_at'])
      .where('revoked_at', 'is', null)
      .where('expires_at', '>', clock())
      .whereRef('user_generation', '=', 'user.generation')
      .orderBy('token.created_at', 'desc')
      .limit(1000);
    if (owner !== undefined) query = query.where('user_id', '=', owner.id);
    return (await query.execute()).map((row) => ({
      id: row.id,
      userId: row.user_id,
      userName: row.userName,
      name: row.name,
      actions: parseActions(row.actions),
      createdAt: row.created_at,
      expiresAt: row.expires_at,
      ...(row.used_at === null ? {} : { usedAt: row.used_at }),
    }));
  }

  /** Errors: not_found for one of somebody else, as for one that never was. */
  async revoke(actor: Actor, id: string): Promise<void> {
    const { state, clock, gate, events } = this.#options;
    const isAdmin = await gate.can(actor, 'manage', system);
    let query = state.db.updateTable('token').set({ revoked_at: clock() }).where('id', '=', id).where('revoked_at', 'is', null);
    if (!isAdmin) query = query.where('user_id', '=', requireUser(actor).id);
    await state.write({ query, expect: { changes: 1, code: 'not_found', message: 'There is no such API token.' } });
    events.record({ actor, action: 'token.revoke', subject: `token:${id}` });
  }

  async #generationOf(userId: string): Promise<number> {
    const { db } = this.#options.state;
    const row = await db.selectFrom('user').select('generation').where('id', '=', userId).where('disabled', '=', 0).executeTakeFirst();
    if (row === undefined) throw new PackageRError('unauthenticated');
    return row.generation;
  }
}

function checkToken(name: string, granted: readonly Action[], expiresIn: number, maxLife: number): void {
  if (typeof name !== 'string' || !/^[^\p{Cc}\p{Cs}]{1,100}$/u.test(name))
    throw new PackageRError('request_invalid', 'The name of an API token has 1 to 100 characters, without control characters.');
  if (!Array.isArray(granted) || granted.length === 0 || granted.some((action) => !actions.includes(action)))
    throw new PackageRError('request_invalid', `The actions of an API token are some of ${actions.join(', ')}.`);
  if (!Number.isSafeInteger(expiresIn) || expiresIn < 1000 || expiresIn > maxLife)
    throw new PackageRError('request_invalid', `An API token lives for 1 s to ${Math.floor(maxLife / 86_400_000)} days.`);
}
