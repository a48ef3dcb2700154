/**
 * Sessions (`ps_…`) and API tokens (`pr_…`): opaque random text, of which only the SHA-256 is kept. Whatever they claim, the row and
 * its user decide: expiry, revocation, generation and status are looked at with each use.
 */
import { hash } from 'node:crypto';
import { parseActions } from '#access/rights.ts';
import type { AccessSettings } from '#access/settings.ts';
import { PackageRError } from '#errors/error.ts';
import type { Action, UserActor } from '#model/actor.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import type { Name } from '#model/name.ts';
import type { State, Write } from '#state/state.ts';

export interface Credential {
  readonly userId: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export const tokenPrefixes = { session: 'ps_', api: 'pr_' } as const;

/** Milliseconds between two notes of when a session or token was used. */
const noteEvery = 60_000;
const keptNotes = 10_000;

/** At least 256 random bits where ids have 128. */
export function makeToken(kind: keyof typeof tokenPrefixes, makeId: MakeId): string {
  return `${tokenPrefixes[kind]}${makeId()}${makeId()}`;
}

export function hashToken(token: string): string {
  return hash('sha256', token, 'hex');
}

export class Credentials {
  readonly #state: State;
  readonly #clock: Clock;
  readonly #settings: AccessSettings;
  /** When each was last noted as used, by this process. */
  readonly #noted = new Map<string, number>();

  constructor({ state, clock, settings }: { readonly state: State; readonly clock: Clock; readonly settings: AccessSettings }) {
    this.#state = state;
    this.#clock = clock;
    this.#settings = settings;
  }

  async authenticate(token: string, address: string): Promise<UserActor> {
    if (typeof token !== 'string' || !/^p[rs]_[A-Za-z0-9_-]{22,128}$/.test(token)) throw new PackageRError('unauthenticated');
    const digest = hashToken(token);
    return token.startsWith(tokenPrefixes.session) ? this.#bySession(digest, address) : this.#byToken(digest, address);
  }

  /** A live session or token by its id; without the idle time, which is looked at when a session is presented. */
  async find(id: string): Promise<Credential | undefined> {
    for (const table of ['session', 'token'] as const) {
      const row = await this.#state.db
        .selectFrom(table)
        .innerJoin('user', 'user.id', `${table}.user_id`)
        .select([`${table}.user_id as userId`, `${table}.expires_at as expiresAt`])
        .where(`${table}.id`, '=', id)
        .where(`${table}.revoked_at`, 'is', null)
        .where('user.disabled', '=', 0)
        .whereRef(`${table}.user_generation`, '=', 'user.generation')
        .executeTakeFirst();
      if (row !== undefined) return row;
    }
    return undefined;
  }

  async #bySession(id: string, address: string): Promise<UserActor> {
    const row = await this.#state.db
      .selectFrom('session')
      .innerJoin('user', 'user.id', 'session.user_id')
      .select(['session.seen_at', 'session.expires_at', 'user.id', 'user.name', 'user.admin'])
      .where('session.id', '=', id)
      .where('session.revoked_at', 'is', null)
      .where('user.disabled', '=', 0)
      .whereRef('session.user_generation', '=', 'user.generation')
      .executeTakeFirst();
    const now = this.#clock();
    if (row === undefined) throw new PackageRError('unauthenticated');
    const idle = row.admin === 1 ? this.#settings.adminSessionIdle : this.#settings.sessionIdle;
    const seenAt = Math.max(row.seen_at, this.#noted.get(id) ?? 0);
    if (row.expires_at <= now || seenAt + idle <= now) throw new PackageRError('unauthenticated');
    await this.#note(id, row.seen_at, () => this.#state.db.updateTable('session').set({ seen_at: now }).where('id', '=', id));
    return actorOf(row, { credential: id, address });
  }

  async #byToken(digest: string, address: string): Promise<UserActor> {
    const row = await this.#state.db
      .selectFrom('token')
      .innerJoin('user', 'user.id', 'token.user_id')
      .select(['token.id as token', 'token.actions', 'token.expires_at', 'token.used_at', 'user.id', 'user.name', 'user.admin'])
      .where('token.hash', '=', digest)
      .where('token.revoked_at', 'is', null)
      .where('user.disabled', '=', 0)
      .whereRef('token.user_generation', '=', 'user.generation')
      .executeTakeFirst();
    const now = this.#clock();
    if (row === undefined || row.expires_at <= now) throw new PackageRError('unauthenticated');
    const id = row.token;
    await this.#note(id, row.used_at ?? 0, () => this.#state.db.updateTable('token').set({ used_at: now }).where('id', '=', id));
    return actorOf(row, { credential: id, address, only: parseActions(row.actions) });
  }

  /** Writes at most once a minute, however many requests come at once. */
  async #note(id: string, notedAt: number, query: () => Write['query']): Promise<void> {
    const now = this.#clock();
    if (now - Math.max(notedAt, this.#noted.get(id) ?? 0) < noteEvery) return;
    if (this.#noted.size >= keptNotes) this.#noted.clear();
    this.#noted.set(id, now);
    await this.#state.write({ query: query() });
  }
}

function actorOf(
  row: { readonly id: string; readonly name: string; readonly admin: number },
  more: { readonly credential: string; readonly address: string; readonly only?: readonly Action[] },
): UserActor {
  return { kind: 'user', id: row.id, name: row.name as Name, admin: row.admin === 1, ...more };
}
