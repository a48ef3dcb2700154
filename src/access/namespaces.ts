/**
 * Namespaces: the owners of packages. Each user has one of their name; administrators make more for teams, with members in roles and
 * a source that uploads go to.
 */
import type { GrantSubject, Grants, GrantView, Role } from '#access/grants.ts';
import type { Gate, Place } from '#access/place.ts';
import { system } from '#access/place.ts';
import type { Recorder } from '#access/recorder.ts';
import { mayKnow, type Rights } from '#access/rights.ts';
import { requireFields } from '#access/self.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { Actor, UserActor } from '#model/actor.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import { type Name, parseName } from '#model/name.ts';
import { type Path, parsePath, root } from '#model/path.ts';
import type { NamespaceRow } from '#state/schema.ts';
import type { State, Write } from '#state/state.ts';

export interface NamespaceView {
  readonly id: string;
  readonly name: Name;
  /** Id of the user whose own it is. */
  readonly userId?: string;
  /** Id of the source that uploads go to, and the folder in it. */
  readonly uploadSource?: string;
  readonly uploadPrefix: Path;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export interface NamespacePatch {
  /** Id of a source in which the actor may create; null for none. */
  readonly uploadSource?: string | null | undefined;
  readonly uploadPrefix?: string | undefined;
}

export interface NamespacesOptions {
  readonly state: State;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly events: Recorder;
  readonly gate: Gate;
  readonly grants: Grants;
  readonly rightsOf: (actor: UserActor) => Promise<Rights>;
}

export class Namespaces {
  readonly #options: NamespacesOptions;

  constructor(options: NamespacesOptions) {
    this.#options = options;
  }

  /** By an administrator; `owner` names a user who becomes its owner. Errors: name_invalid, exists, not_found for the owner. */
  async create(actor: Actor, input: { readonly name: string; readonly owner?: string | undefined }): Promise<NamespaceView> {
    const { state, clock, makeId, gate, grants, events } = this.#options;
    await gate.authorize(actor, 'manage', system);
    requireFields(input, ['name', 'owner']);
    const name = parseName(input.name, 'namespace');
    if (input.owner !== undefined) await this.#requireUser(input.owner);
    const row = { id: makeId(), name, user_id: null, upload_source: null, upload_prefix: '', created_at: clock() };
    try {
      await state.write({ query: state.db.insertInto('namespace').values(row) });
    } catch (error) {
      if (isError(error, 'exists')) throw new PackageRError('exists', `There is already a namespace ${name}.`);
      throw error;
    }
    if (input.owner !== undefined)
      await grants.set(actor, {
        subject: { kind: 'user', name: input.owner },
        target: { kind: 'namespace', id: row.id },
        actions: 'owner',
      });
    events.record({ actor, action: 'namespace.create', subject: `namespace:${row.id}`, details: { name } });
    return toView(row);
  }

  /** Those in which the actor may list anything, by name. */
  async list(actor: Actor): Promise<NamespaceView[]> {
    const { state, rightsOf } = this.#options;
    const rows = await state.db.selectFrom('namespace').selectAll().orderBy('name').execute();
    if (actor.kind === 'system') return rows.map(toView);
    if (actor.kind === 'visitor') return [];
    const rights = await rightsOf(actor);
    return rows.filter((row) => mayKnow(rights, actor.only, placeOf(row.id))).map(toView);
  }

  /** Errors: not_found, also where the actor may list nothing in it. */
  async get(actor: Actor, name: string): Promise<NamespaceView> {
    const row = await this.#row(name);
    if (row === undefined || !(await this.#options.gate.can(actor, 'list', placeOf(row.id)))) throw absent(name);
    return toView(row);
  }

  /** Id of a namespace, for those who go on to authorise the place. */
  async idOf(name: string): Promise<string | undefined> {
    return (await this.#row(name))?.id;
  }

  /** Names of the namespaces that are still there. */
  async names(ids: readonly string[]): Promise<Map<string, Name>> {
    if (ids.length === 0) return new Map();
    const rows = await this.#options.state.db.selectFrom('namespace').select(['id', 'name']).where('id', 'in', ids).execute();
    return new Map(rows.map((row) => [row.id, row.name as Name]));
  }

  /** By those who may manage it. Errors: not_found, forbidden, path_invalid, request_invalid. */
  async update(actor: Actor, name: string, patch: NamespacePatch): Promise<NamespaceView> {
    const { state, gate, events } = this.#options;
    const row = await this.#authorized(actor, name);
    requireFields(patch, ['uploadSource', 'uploadPrefix']);
    const prefix = parsePath(patch.uploadPrefix ?? row.upload_prefix);
    const source = patch.uploadSource === undefined ? row.upload_source : parseSourceId(patch.uploadSource);
    const sourceIsThere: Write[] = [];
    if (source !== null) {
      await gate.authorize(actor, 'create', { kind: 'source', id: String(source), path: prefix });
      const query = state.db.selectFrom('source').select('id').where('id', '=', source).where('removed_at', 'is', null);
      sourceIsThere.push({ query, expect: { changes: 1, code: 'not_found', message: 'There is no such source.' } });
    }
    const changed = { upload_source: source, upload_prefix: prefix };
    const query = state.db.updateTable('namespace').set(changed).where('id', '=', row.id);
    await state.write(...sourceIsThere, { query, expect: { changes: 1, code: 'not_found', message: 'The namespace is gone.' } });
    const details = { name, source: source ?? '', prefix };
    events.record({ actor, action: 'namespace.update', subject: `namespace:${row.id}`, details });
    return toView({ ...row, ...changed });
  }

  /** With its grants. Errors: not_found, forbidden, in_use while it holds packages or is a user’s own. */
  async delete(actor: Actor, name: string): Promise<void> {
    const { state, events } = this.#options;
    const { db } = state;
    const row = await this.#authorized(actor, name);
    if (row.user_id !== null) throw new PackageRError('in_use', `The namespace ${name} is a user’s own and goes with the user.`);
    const packages = db.selectFrom('package').select('id').where('namespace_id', '=', row.id).where('removed_at', 'is', null).limit(1);
    await state.write(
      { query: packages, expect: { changes: 'none', code: 'in_use', message: `The namespace ${name} still holds packages.` } },
      { query: db.deleteFrom('grant').where('target_kind', '=', 'namespace').where('target_id', '=', row.id) },
      { query: db.deleteFrom('namespace').where('id', '=', row.id) },
    );
    events.record({ actor, action: 'namespace.delete', subject: `namespace:${row.id}`, details: { name } });
  }

  /** Grants on it, for those who may manage it. Errors: not_found, forbidden. */
  async members(actor: Actor, name: string): Promise<GrantView[]> {
    const row = await this.#authorized(actor, name);
    return this.#options.grants.list(actor, { target: { kind: 'namespace', id: row.id } });
  }

  /** Gives the subject this role in all of it, in place of an earlier one. Errors: not_found, forbidden. */
  async setMember(actor: Actor, name: string, subject: GrantSubject, role: Role): Promise<GrantView> {
    const row = await this.#authorized(actor, name);
    return this.#options.grants.set(actor, { subject, target: { kind: 'namespace', id: row.id }, actions: role });
  }

  /** Takes away all that the subject was granted in it. Errors: not_found, forbidden. */
  async removeMember(actor: Actor, name: string, subject: GrantSubject): Promise<void> {
    const row = await this.#authorized(actor, name);
    const found = await this.#options.grants.list(actor, { target: { kind: 'namespace', id: row.id }, subject });
    for (const grant of found) await this.#options.grants.remove(actor, grant.id);
  }

  async #authorized(actor: Actor, name: string): Promise<NamespaceRow> {
    const row = await this.#row(name);
    if (row === undefined) throw absent(name);
    try {
      await this.#options.gate.authorize(actor, 'manage', placeOf(row.id));
    } catch (error) {
      throw isError(error, 'not_found') ? absent(name) : error;
    }
    return row;
  }

  #row(name: string): Promise<NamespaceRow | undefined> {
    return this.#options.state.db.selectFrom('namespace').selectAll().where('name', '=', name).executeTakeFirst();
  }

  async #requireUser(name: string): Promise<void> {
    const row = await this.#options.state.db.selectFrom('user').select('id').where('name', '=', name).executeTakeFirst();
    if (row === undefined) throw new PackageRError('not_found', `There is no user ${JSON.stringify(name.slice(0, 80))}.`);
  }
}

function placeOf(id: string): Place & { kind: 'namespace' } {
  return { kind: 'namespace', id, path: root };
}

function toView(row: NamespaceRow): NamespaceView {
  return {
    id: row.id,
    name: row.name as Name,
    ...(row.user_id === null ? {} : { userId: row.user_id }),
    ...(row.upload_source === null ? {} : { uploadSource: String(row.upload_source) }),
    uploadPrefix: row.upload_prefix as Path,
    createdAt: row.created_at,
  };
}

function parseSourceId(id: string | null): number | null {
  if (id === null) return null;
  if (!/^[1-9]\d{0,14}$/.test(id)) throw new PackageRError('request_invalid', 'The id of a source is a number.');
  return Number(id);
}

function absent(name: string): PackageRError {
  return new PackageRError('not_found', `There is no namespace ${JSON.stringify(name.slice(0, 80))}.`);
}
