/** Signing in with name and password: every failure looks, costs and counts the same. */
import { type Attempts, peerOf } from '#access/attempts.ts';
import { hashToken, makeToken } from '#access/credentials.ts';
import { passwordLimits, verifyPassword } from '#access/password.ts';
import type { Recorder } from '#access/recorder.ts';
import type { AccessSettings } from '#access/settings.ts';
import { PackageRError } from '#errors/error.ts';
import type { UserActor } from '#model/actor.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import type { Name } from '#model/name.ts';
import { Secret } from '#model/secret.ts';
import type { UserRow } from '#state/schema.ts';
import type { State } from '#state/state.ts';

export interface LoginOptions {
  /** Of the connection, or of the hop that a configured proxy names. */
  readonly address: string;
  readonly agent?: string;
}

export interface LoginResult {
  /** `ps_…`: shown once, only its digest is kept. */
  readonly token: string;
  readonly actor: UserActor;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface LoginParts {
  readonly state: State;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly events: Recorder;
  readonly settings: AccessSettings;
  readonly attempts: Attempts;
}

export class Login {
  readonly #parts: LoginParts;

  constructor(parts: LoginParts) {
    this.#parts = parts;
  }

  async login(name: string, password: string | Secret, { address, agent = '' }: LoginOptions): Promise<LoginResult> {
    const { attempts, events, state } = this.#parts;
    const text = password instanceof Secret ? password.reveal() : password;
    if (Buffer.byteLength(text) > passwordLimits.max)
      throw new PackageRError('too_large', `A password has at most ${passwordLimits.max} bytes.`);
    const account = accountKey(name);
    const peer = `peer:${peerOf(address)}`;
    await attempts.reserve([account, attempts.rules.account], [peer, attempts.rules.peer]);
    const row = await state.db.selectFrom('user').selectAll().where('name', '=', name).executeTakeFirst();
    const isRight = await verifyPassword(text, row?.password ?? null).catch(async (error: unknown) => {
      // It was not judged, so it is not a failure of the account either.
      await attempts.release(account, attempts.rules.account);
      throw error;
    });
    if (row === undefined || !isRight || row.disabled !== 0) {
      const subject = row === undefined ? 'user:unknown' : `user:${row.id}`;
      events.record({ actor: anybody(address), action: 'user.login_failed', subject, outcome: 'login_failed' });
      throw new PackageRError('login_failed');
    }
    await attempts.succeed([account]);
    await attempts.release(peer, attempts.rules.peer);
    return this.#start(row, address, agent);
  }

  async #start(row: UserRow, address: string, agent: string): Promise<LoginResult> {
    const { clock, makeId, events, settings, state } = this.#parts;
    const now = clock();
    const token = makeToken('session', makeId);
    const id = hashToken(token);
    const expiresAt = now + (row.admin === 1 ? settings.adminSessionLife : settings.sessionLife);
    const session = {
      id,
      user_id: row.id,
      // The generation that the password was checked under: a session begun while it changed is dead at once.
      user_generation: row.generation,
      created_at: now,
      seen_at: now,
      expires_at: expiresAt,
      revoked_at: null,
      address: address.slice(0, 64),
      agent: agent.replace(/[^\x20-\x7e]/g, '?').slice(0, 200),
    };
    await state.write(
      { query: state.db.deleteFrom('session').where('user_id', '=', row.id).where('expires_at', '<=', now) },
      { query: state.db.insertInto('session').values(session) },
    );
    const actor: UserActor = { kind: 'user', id: row.id, name: row.name as Name, admin: row.admin === 1, credential: id, address };
    events.record({ actor, action: 'user.login', subject: `user:${row.id}` });
    return { token, actor, expiresAt };
  }
}

/** What is no name is nobody’s: such attempts share one key, so that text typed into the wrong field is not kept. */
export function accountKey(name: string): string {
  return /^[a-z0-9][a-z0-9._-]{0,62}$/.test(name) ? `account:${name}` : 'account:';
}

function anybody(address: string) {
  return { kind: 'visitor', share: '', client: peerOf(address), address } as const;
}
