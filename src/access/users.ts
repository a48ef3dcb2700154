/**
 * Users, each with a namespace of their name. Administrators make, change and delete them; a user changes their own password, with
 * the present one. Ids are random and never used again, so nothing of a deleted user passes to a namesake.
 */
import type { Attempts } from '#access/attempts.ts';
import { accountKey } from '#access/login.ts';
import { checkPasswordPolicy, hashPassword, verifyPassword } from '#access/password.ts';
import type { Gate } from '#access/place.ts';
import { system } from '#access/place.ts';
import type { Recorder } from '#access/recorder.ts';
import { requireFields, requireUser } from '#access/self.ts';
import type { AccessSettings } from '#access/settings.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { Actor } from '#model/actor.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import { type Name, parseName } from '#model/name.ts';
import { Secret } from '#model/secret.ts';
import type { UserRow } from '#state/schema.ts';
import { type Expectation, returned, type State, type Write } from '#state/state.ts';

export interface UserView {
  readonly id: string;
  readonly name: Name;
  readonly admin: boolean;
  readonly disabled: boolean;
  readonly hasPassword: boolean;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export interface UserInput {
  readonly name: string;
  /** Left out: the user cannot sign in by password. */
  readonly password?: Secret | undefined;
  readonly admin?: boolean | undefined;
}

export interface UserPatch {
  readonly admin?: boolean | undefined;
  readonly disabled?: boolean | undefined;
}

export interface UsersOptions {
  readonly state: State;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly events: Recorder;
  readonly gate: Gate;
  readonly settings: AccessSettings;
  readonly attempts: Attempts;
}

export class Users {
  readonly #options: UsersOptions;

  constructor(options: UsersOptions) {
    this.#options = options;
  }

  /** With a namespace of the same name, in one unit. Errors: name_invalid, exists, password_weak, too_large, request_invalid. */
  async create(actor: Actor, input: UserInput): Promise<UserView> {
    await this.#options.gate.authorize(actor, 'manage', system);
    requireFields(input, ['name', 'password', 'admin']);
    const row = await this.#makeRow(parseName(input.name, 'user'), input.password, requireFlag(input.admin ?? false, 'admin'));
    await this.#insert(row);
    this.#record(actor, 'user.create', row.id, { name: row.name, admin: row.admin === 1 });
    return toView(row);
  }

  /** All users by name, for administrators. */
  async list(actor: Actor, { after, limit = 1000 }: { readonly after?: string; readonly limit?: number } = {}): Promise<UserView[]> {
    const { gate, state } = this.#options;
    await gate.authorize(actor, 'manage', system);
    let query = state.db
      .selectFrom('user')
      .selectAll()
      .orderBy('name')
      .limit(Math.min(Math.max(1, limit), 1000));
    if (after !== undefined) query = query.where('name', '>', after);
    return (await query.execute()).map(toView);
  }

  /** Oneself, or anyone for administrators. Errors: not_found. */
  async get(actor: Actor, name: string): Promise<UserView> {
    const isAdmin = await this.#options.gate.can(actor, 'manage', system);
    const row = await this.#find(name);
    if (row === undefined || !(isAdmin || (actor.kind === 'user' && actor.id === row.id))) throw absent(name);
    return toView(row);
  }

  /** Name → id, for naming users in grants and shares; for anyone who is signed in. Errors: not_found. */
  async resolve(actor: Actor, name: string): Promise<{ readonly id: string; readonly name: Name }> {
    if (actor.kind === 'visitor') throw new PackageRError('forbidden');
    const row = await this.#find(name);
    if (row === undefined) throw absent(name);
    return { id: row.id, name: row.name as Name };
  }

  /** Names of the users that are still there. */
  async names(ids: readonly string[]): Promise<Map<string, Name>> {
    if (ids.length === 0) return new Map();
    const rows = await this.#options.state.db.selectFrom('user').select(['id', 'name']).where('id', 'in', ids).execute();
    return new Map(rows.map((row) => [row.id, row.name as Name]));
  }

  /** Ends all sessions and API tokens of the user. Errors: not_found, request_invalid, last_admin. */
  async update(actor: Actor, name: string, patch: UserPatch): Promise<UserView> {
    const { gate, state } = this.#options;
    await gate.authorize(actor, 'manage', system);
    requireFields(patch, ['admin', 'disabled']);
    const row = await this.#get(name);
    const changed = {
      ...(patch.admin === undefined ? {} : { admin: Number(requireFlag(patch.admin, 'admin')) }),
      ...(patch.disabled === undefined ? {} : { disabled: Number(requireFlag(patch.disabled, 'disabled')) }),
    };
    const { admin = row.admin, disabled = row.disabled } = changed;
    if (admin === row.admin && disabled === row.disabled) return toView(row);
    // Only what was asked for: whoever changes the rest at the same time is not undone.
    const query = state.db
      .updateTable('user')
      .set((on) => ({ ...changed, generation: on('generation', '+', 1) }))
      .where('id', '=', row.id)
      .returningAll();
    const [written] = await state.write(
      { query, expect: changesOne(name) },
      ...(admin === 1 && disabled === 0 ? [] : [this.#anAdminRemains()]),
    );
    const after = returned<UserRow>(written);
    this.#record(actor, 'user.update', row.id, { name: row.name, admin: after.admin === 1, disabled: after.disabled === 1 });
    return toView(after);
  }

  /** By an administrator. Ends all sessions and API tokens of the user. Errors: not_found, password_weak, too_large. */
  async setPassword(actor: Actor, name: string, password: Secret): Promise<void> {
    await this.#options.gate.authorize(actor, 'manage', system);
    const row = await this.#get(name);
    await this.#writePassword(row, password);
    await this.#options.attempts.succeed([accountKey(row.name)]);
    this.#record(actor, 'user.set_password', row.id, { name: row.name });
  }

  /**
   * One’s own. Guesses at the present password count like sign-ins; the session that asks ends too.
   * Errors: login_failed, rate_limited, password_weak, too_large, forbidden for API tokens.
   */
  async changePassword(actor: Actor, current: Secret, next: Secret): Promise<void> {
    const { attempts } = this.#options;
    const user = requireUser(actor);
    if (user.only !== undefined) throw new PackageRError('forbidden', 'An API token cannot change a password; sign in for that.');
    checkPasswordPolicy(next.reveal(), { min: this.#options.settings.passwordMin });
    const row = await this.#get(user.name);
    if (row.id !== user.id || row.disabled !== 0) throw new PackageRError('unauthenticated');
    await attempts.reserve([accountKey(row.name), attempts.rules.account]);
    if (!(await verifyPassword(current, row.password))) {
      this.#options.events.record({ actor, action: 'user.change_password', subject: `user:${row.id}`, outcome: 'login_failed' });
      throw new PackageRError('login_failed', 'The present password is wrong.');
    }
    await this.#writePassword(row, next);
    await attempts.succeed([accountKey(row.name)]);
    this.#record(actor, 'user.change_password', row.id, { name: row.name });
  }

  /**
   * With sessions, API tokens, grants and the empty namespace of their own. Errors: not_found, last_admin; in_use while their
   * namespace holds packages.
   */
  async delete(actor: Actor, name: string): Promise<void> {
    const { gate, state } = this.#options;
    await gate.authorize(actor, 'manage', system);
    const { id } = await this.#get(name);
    const { db } = state;
    const own = db.selectFrom('namespace').select('id').where('user_id', '=', id);
    const packages = db.selectFrom('package').select('id').where('namespace_id', 'in', own).where('removed_at', 'is', null).limit(1);
    const inUse: Expectation = { changes: 'none', code: 'in_use', message: `The namespace of ${name} still holds packages.` };
    await state.write(
      { query: packages, expect: inUse },
      { query: db.deleteFrom('session').where('user_id', '=', id) },
      { query: db.deleteFrom('token').where('user_id', '=', id) },
      { query: db.deleteFrom('group_member').where('user_id', '=', id) },
      { query: db.deleteFrom('grant').where('subject_kind', '=', 'user').where('subject_id', '=', id) },
      { query: db.deleteFrom('grant').where('target_kind', '=', 'namespace').where('target_id', 'in', own) },
      { query: db.deleteFrom('namespace').where('user_id', '=', id) },
      { query: db.deleteFrom('user').where('id', '=', id), expect: changesOne(name) },
      this.#anAdminRemains(),
    );
    this.#record(actor, 'user.delete', id, { name });
  }

  /** The user `admin`, where there is no user yet. Of several at once one makes it. */
  async ensureAdmin(): Promise<{ readonly name: string; readonly password: Secret } | undefined> {
    const { state, makeId } = this.#options;
    const anyone = state.db.selectFrom('user').select('id').limit(1);
    if ((await anyone.execute()).length > 0) return undefined;
    const password = Secret.parse(makeId());
    const row = await this.#makeRow(parseName('admin'), password, true);
    try {
      await this.#insert(row, { query: anyone, expect: { changes: 'none', code: 'exists', message: 'There is a user already.' } });
    } catch (error) {
      if (isError(error, 'exists')) return undefined;
      throw error;
    }
    this.#record({ kind: 'system', name: 'start' }, 'user.create', row.id, { name: row.name, admin: true });
    return { name: row.name, password };
  }

  async #makeRow(name: Name, password: Secret | undefined, admin: boolean): Promise<UserRow> {
    const { clock, makeId } = this.#options;
    const hashed = password === undefined ? null : await this.#hash(password);
    return { id: makeId(), name, password: hashed, admin: Number(admin), disabled: 0, generation: 1, created_at: clock() };
  }

  async #insert(row: UserRow, ...before: Write[]): Promise<void> {
    const { state, makeId } = this.#options;
    const namespace = { id: makeId(), name: row.name, user_id: row.id, upload_source: null, upload_prefix: '', created_at: row.created_at };
    try {
      await state.write(
        ...before,
        { query: state.db.insertInto('user').values(row) },
        { query: state.db.insertInto('namespace').values(namespace) },
      );
    } catch (error) {
      if (isError(error, 'exists')) throw new PackageRError('exists', `The name ${row.name} is taken by a user or namespace.`);
      throw error;
    }
  }

  async #writePassword(row: UserRow, password: Secret): Promise<void> {
    const { state } = this.#options;
    const hashed = await this.#hash(password);
    const query = state.db
      .updateTable('user')
      .set((on) => ({ password: hashed, generation: on('generation', '+', 1) }))
      .where('id', '=', row.id)
      .where('generation', '=', row.generation);
    const expect: Expectation = { changes: 1, code: 'precondition_failed', message: 'The user changed in the meantime.' };
    await state.write({ query, expect });
  }

  #hash(password: Secret): Promise<string> {
    checkPasswordPolicy(password.reveal(), { min: this.#options.settings.passwordMin });
    return hashPassword(password);
  }

  /** Stands at the end of a unit that may take an administrator away. */
  #anAdminRemains(): Write {
    const query = this.#options.state.db.selectFrom('user').select('id').where('admin', '=', 1).where('disabled', '=', 0).limit(1);
    return { query, expect: { changes: 'some', code: 'last_admin', message: 'The last administrator cannot be taken away.' } };
  }

  async #get(name: string): Promise<UserRow> {
    const row = await this.#find(name);
    if (row === undefined) throw absent(name);
    return row;
  }

  #find(name: string): Promise<UserRow | undefined> {
    return this.#options.state.db.selectFrom('user').selectAll().where('name', '=', name).executeTakeFirst();
  }

  #record(actor: Actor, action: string, id: string, details: Record<string, string | boolean>): void {
    this.#options.events.record({ actor, action, subject: `user:${id}`, details });
  }
}

function toView(row: UserRow): UserView {
  return {
    id: row.id,
    name: row.name as Name,
    admin: row.admin === 1,
    disabled: row.disabled !== 0,
    hasPassword: row.password !== null,
    createdAt: row.created_at,
  };
}

function requireFlag(value: unknown, field: string): boolean {
  if (typeof value !== 'boolean') throw new PackageRError('request_invalid', `The field ${field} is true or false.`);
  return value;
}

function changesOne(name: string): Expectation {
  return { changes: 1, code: 'not_found', message: `There is no user ${JSON.stringify(name)}.` };
}

function absent(name: string): PackageRError {
  return new PackageRError('not_found', `There is no user ${JSON.stringify(name.slice(0, 80))}.`);
}
