/** Groups of users, kept by administrators. What a group is granted, its members hold, at once and for as long as they are in it. */
import type { Gate } from '#access/place.ts';
import { system } from '#access/place.ts';
import type { Recorder } from '#access/recorder.ts';
import { requireFields } from '#access/self.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { Actor } from '#model/actor.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import { type Name, parseName } from '#model/name.ts';
import type { State } from '#state/state.ts';

export interface GroupView {
  readonly id: string;
  readonly name: Name;
  /** Names of users, in order. */
  readonly members: readonly Name[];
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export interface GroupsOptions {
  readonly state: State;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly events: Recorder;
  readonly gate: Gate;
}

export class Groups {
  readonly #options: GroupsOptions;

  constructor(options: GroupsOptions) {
    this.#options = options;
  }

  /** Errors: name_invalid, exists. */
  async create(actor: Actor, input: { readonly name: string }): Promise<GroupView> {
    const { gate, state, makeId, clock, events } = this.#options;
    await gate.authorize(actor, 'manage', system);
    requireFields(input, ['name']);
    const row = { id: makeId(), name: parseName(input.name, 'group'), created_at: clock() };
    try {
      await state.write({ query: state.db.insertInto('group').values(row) });
    } catch (error) {
      if (isError(error, 'exists')) throw new PackageRError('exists', `There is already a group ${row.name}.`);
      throw error;
    }
    events.record({ actor, action: 'group.create', subject: `group:${row.id}`, details: { name: row.name } });
    return { id: row.id, name: row.name, members: [], createdAt: row.created_at };
  }

  /** All groups by name, for administrators. */
  async list(actor: Actor): Promise<GroupView[]> {
    const { gate, state } = this.#options;
    await gate.authorize(actor, 'manage', system);
    const rows = await state.db.selectFrom('group').selectAll().orderBy('name').execute();
    const members = await this.#members();
    return rows.map((row) => ({ id: row.id, name: row.name as Name, members: members.get(row.id) ?? [], createdAt: row.created_at }));
  }

  /** For administrators and members. Errors: not_found. */
  async get(actor: Actor, name: string): Promise<GroupView> {
    const { gate, state } = this.#options;
    const row = await state.db.selectFrom('group').selectAll().where('name', '=', name).executeTakeFirst();
    const members = row === undefined ? [] : ((await this.#members(row.id)).get(row.id) ?? []);
    const mayKnow = (await gate.can(actor, 'manage', system)) || (actor.kind === 'user' && members.includes(actor.name));
    if (row === undefined || !mayKnow) throw absent(name);
    return { id: row.id, name: row.name as Name, members, createdAt: row.created_at };
  }

  /** Name → id, for naming groups in grants and shares; for anyone who is signed in. Errors: not_found. */
  async resolve(actor: Actor, name: string): Promise<{ readonly id: string; readonly name: Name }> {
    if (actor.kind === 'visitor') throw new PackageRError('forbidden');
    return { id: await this.#idOf(name), name: name as Name };
  }

  /** With its memberships and grants. Errors: not_found. */
  async delete(actor: Actor, name: string): Promise<void> {
    const { gate, state, events } = this.#options;
    await gate.authorize(actor, 'manage', system);
    const id = await this.#idOf(name);
    await state.write(
      { query: state.db.deleteFrom('group_member').where('group_id', '=', id) },
      { query: state.db.deleteFrom('grant').where('subject_kind', '=', 'group').where('subject_id', '=', id) },
      {
        query: state.db.deleteFrom('group').where('id', '=', id),
        expect: { changes: 1, code: 'not_found', message: 'The group is gone.' },
      },
    );
    events.record({ actor, action: 'group.delete', subject: `group:${id}`, details: { name } });
  }

  /** Idempotent. Errors: not_found for the group or the user. */
  async addMember(actor: Actor, name: string, userName: string): Promise<void> {
    const { state } = this.#options;
    const { groupId, userId } = await this.#pair(actor, name, userName);
    const user = state.db.selectFrom('user').select('id').where('id', '=', userId);
    const group = state.db.selectFrom('group').select('id').where('id', '=', groupId);
    await state.write(
      { query: user, expect: { changes: 1, code: 'not_found', message: 'The user is gone.' } },
      { query: group, expect: { changes: 1, code: 'not_found', message: 'The group is gone.' } },
      {
        query: state.db
          .insertInto('group_member')
          .values({ group_id: groupId, user_id: userId })
          .onConflict((conflict) => conflict.columns(['group_id', 'user_id']).doNothing()),
      },
    );
    this.#options.events.record({ actor, action: 'group.add_member', subject: `group:${groupId}`, details: { name, user: userName } });
  }

  /** Idempotent. Errors: not_found for the group or the user. */
  async removeMember(actor: Actor, name: string, userName: string): Promise<void> {
    const { state } = this.#options;
    const { groupId, userId } = await this.#pair(actor, name, userName);
    await state.write({ query: state.db.deleteFrom('group_member').where('group_id', '=', groupId).where('user_id', '=', userId) });
    this.#options.events.record({ actor, action: 'group.remove_member', subject: `group:${groupId}`, details: { name, user: userName } });
  }

  async #pair(actor: Actor, name: string, userName: string): Promise<{ groupId: string; userId: string }> {
    const { gate, state } = this.#options;
    await gate.authorize(actor, 'manage', system);
    const groupId = await this.#idOf(name);
    const user = await state.db.selectFrom('user').select('id').where('name', '=', userName).executeTakeFirst();
    if (user === undefined) throw new PackageRError('not_found', `There is no user ${JSON.stringify(userName.slice(0, 80))}.`);
    return { groupId, userId: user.id };
  }

  async #idOf(name: string): Promise<string> {
    const row = await this.#options.state.db.selectFrom('group').select('id').where('name', '=', name).executeTakeFirst();
    if (row === undefined) throw absent(name);
    return row.id;
  }

  async #members(groupId?: string): Promise<Map<string, Name[]>> {
    let query = this.#options.state.db
      .selectFrom('group_member')
      .innerJoin('user', 'user.id', 'group_member.user_id')
      .select(['group_id', 'name'])
      .orderBy('name');
    if (groupId !== undefined) query = query.where('group_id', '=', groupId);
    const members = new Map<string, Name[]>();
    for (const row of await query.execute()) {
      const list = members.get(row.group_id);
      if (list === undefined) members.set(row.group_id, [row.name as Name]);
      else list.push(row.name as Name);
    }
    return members;
  }
}

function absent(name: string): PackageRError {
  return new PackageRError('not_found', `There is no group ${JSON.stringify(name.slice(0, 80))}.`);
}
