/**
 * Grants: what a user, a group or everyone may do at and below a path of a source or namespace. Administrators grant on sources;
 * whoever may manage a namespace grants on it.
 */
import type { Gate, Place } from '#access/place.ts';
import { system } from '#access/place.ts';
import type { Recorder } from '#access/recorder.ts';
import { parseActions, writeActions } from '#access/rights.ts';
import { requireFields } from '#access/self.ts';
import { PackageRError } from '#errors/error.ts';
import { type Action, type Actor, actions } from '#model/actor.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import type { Name } from '#model/name.ts';
import { type Path, parsePath, root } from '#model/path.ts';
import type { GrantRow } from '#state/schema.ts';
import { returned, type State, type Write } from '#state/state.ts';

const viewer = ['list', 'stat', 'download'] as const satisfies readonly Action[];
const editor = [...viewer, 'create', 'modify', 'delete'] as const satisfies readonly Action[];

/** Usual sets of actions. */
export const roles = { viewer, editor, owner: [...editor, 'share', 'manage'] } as const satisfies Record<string, readonly Action[]>;
export type Role = keyof typeof roles;

export type GrantSubject = { readonly kind: 'user' | 'group'; readonly name: string } | { readonly kind: 'everyone' };

/** Ids, since names may change. */
export interface GrantTarget {
  readonly kind: 'source' | 'namespace';
  readonly id: string;
}

export interface GrantInput {
  readonly subject: GrantSubject;
  readonly target: GrantTarget;
  /** '' where left out: all of it. */
  readonly path?: string | undefined;
  readonly actions: readonly Action[] | Role;
}

export interface GrantView {
  readonly id: string;
  readonly subject: { readonly kind: 'user' | 'group'; readonly id: string; readonly name: Name } | { readonly kind: 'everyone' };
  readonly target: GrantTarget;
  readonly path: Path;
  readonly actions: readonly Action[];
  /** Where the actions are exactly those of a role. */
  readonly role?: Role;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export interface GrantsOptions {
  readonly state: State;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly events: Recorder;
  readonly gate: Gate;
}

export class Grants {
  readonly #options: GrantsOptions;

  constructor(options: GrantsOptions) {
    this.#options = options;
  }

  /**
   * Replaces what the same subject held at the same path. Errors: not_found for the subject or target, forbidden, request_invalid,
   * path_invalid.
   */
  async set(actor: Actor, input: GrantInput): Promise<GrantView> {
    const { state, clock, makeId, gate, events } = this.#options;
    requireFields(input, ['subject', 'target', 'path', 'actions']);
    await gate.authorize(actor, 'manage', managing(input.target));
    const granted = writeActions(parseGranted(input.actions));
    const path = parsePath(input.path ?? root);
    const subject = await this.#subject(input.subject);
    const query = state.db
      .insertInto('grant')
      .values({
        id: makeId(),
        subject_kind: subject.kind,
        subject_id: subject.id,
        target_kind: input.target.kind,
        target_id: input.target.id,
        path,
        actions: granted,
        created_at: clock(),
      })
      .onConflict((conflict) =>
        conflict.columns(['subject_kind', 'subject_id', 'target_kind', 'target_id', 'path']).doUpdateSet({ actions: granted }),
      )
      .returningAll();
    const results = await state.write(this.#targetIsThere(input.target), ...this.#subjectIsThere(subject), { query });
    const row = returned<GrantRow>(results.at(-1));
    const details = { subject: `${subject.kind}:${subject.id}`, path, actions: granted };
    events.record({ actor, action: 'grant.set', subject: `${input.target.kind}:${input.target.id}`, details });
    return this.#view(row, new Map([[`${subject.kind}:${subject.id}`, subject.name]]));
  }

  /** Of one target, for those who may manage it; of one subject or all, for administrators. */
  async list(
    actor: Actor,
    { target, subject }: { readonly target?: GrantTarget; readonly subject?: GrantSubject } = {},
  ): Promise<GrantView[]> {
    const { state, gate } = this.#options;
    await gate.authorize(actor, 'manage', target === undefined ? system : managing(target));
    let query = state.db.selectFrom('grant').selectAll().orderBy('target_kind').orderBy('target_id').orderBy('path').orderBy('id');
    if (target !== undefined) query = query.where('target_kind', '=', target.kind).where('target_id', '=', target.id);
    if (subject !== undefined) {
      const { kind, id } = await this.#subject(subject);
      query = query.where('subject_kind', '=', kind).where('subject_id', '=', id);
    }
    const names = await this.#names();
    return (await query.execute()).map((row) => this.#view(row, names));
  }

  /** Errors: not_found, also for one that the actor may not manage. */
  async remove(actor: Actor, id: string): Promise<void> {
    const { state, gate, events } = this.#options;
    const row = await state.db.selectFrom('grant').selectAll().where('id', '=', id).executeTakeFirst();
    const target = row === undefined ? undefined : ({ kind: row.target_kind, id: row.target_id } as const);
    if (row === undefined || target === undefined || !(await gate.can(actor, 'manage', managing(target))))
      throw new PackageRError('not_found', 'There is no such grant.');
    await state.write({ query: state.db.deleteFrom('grant').where('id', '=', id) });
    const details = { subject: `${row.subject_kind}:${row.subject_id}`, path: row.path, actions: row.actions };
    events.record({ actor, action: 'grant.remove', subject: `${target.kind}:${target.id}`, details });
  }

  async #subject(subject: GrantSubject): Promise<{ kind: GrantRow['subject_kind']; id: string; name: Name }> {
    if (subject.kind === 'everyone') return { kind: 'everyone', id: '', name: '' as Name };
    if (subject.kind !== 'user' && subject.kind !== 'group')
      throw new PackageRError('request_invalid', 'A grant is for a user, a group or everyone.');
    const { db } = this.#options.state;
    const row = await db.selectFrom(subject.kind).select(['id', 'name']).where('name', '=', subject.name).executeTakeFirst();
    if (row === undefined)
      throw new PackageRError('not_found', `There is no ${subject.kind} ${JSON.stringify(subject.name.slice(0, 80))}.`);
    return { kind: subject.kind, id: row.id, name: row.name as Name };
  }

  /** Inside of the unit, so that a grant is never made for what was deleted meanwhile. */
  #targetIsThere(target: GrantTarget): Write {
    const { db } = this.#options.state;
    const query =
      target.kind === 'namespace'
        ? db.selectFrom('namespace').select('id').where('id', '=', target.id)
        : db.selectFrom('source').select('id').where('id', '=', Number(target.id)).where('removed_at', 'is', null);
    return { query, expect: { changes: 1, code: 'not_found', message: `There is no such ${target.kind}.` } };
  }

  #subjectIsThere({ kind, id }: { readonly kind: GrantRow['subject_kind']; readonly id: string }): Write[] {
    if (kind === 'everyone') return [];
    const query = this.#options.state.db.selectFrom(kind).select('id').where('id', '=', id);
    return [{ query, expect: { changes: 1, code: 'not_found', message: `There is no such ${kind}.` } }];
  }

  async #names(): Promise<Map<string, Name>> {
    const { db } = this.#options.state;
    const names = new Map<string, Name>();
    for (const kind of ['user', 'group'] as const)
      for (const row of await db.selectFrom(kind).select(['id', 'name']).execute()) names.set(`${kind}:${row.id}`, row.name as Name);
    return names;
  }

  #view(row: GrantRow, names: ReadonlyMap<string, Name>): GrantView {
    const { subject_kind: kind, subject_id: id } = row;
    const role = (Object.keys(roles) as Role[]).find((one) => writeActions(roles[one]) === row.actions);
    return {
      id: row.id,
      subject: kind === 'everyone' ? { kind } : { kind, id, name: names.get(`${kind}:${id}`) ?? ('' as Name) },
      target: { kind: row.target_kind, id: row.target_id },
      path: row.path as Path,
      actions: parseActions(row.actions),
      ...(role === undefined ? {} : { role }),
      createdAt: row.created_at,
    };
  }
}

/** What one must hold `manage` on: all of the namespace, or packageR itself for a source. */
function managing(target: GrantTarget): Place {
  if (target.kind !== 'source' && target.kind !== 'namespace')
    throw new PackageRError('request_invalid', 'A grant is on a source or a namespace.');
  return target.kind === 'source' ? system : { kind: 'namespace', id: target.id, path: root };
}

function parseGranted(given: readonly Action[] | Role): readonly Action[] {
  if (typeof given === 'string') {
    if (!Object.hasOwn(roles, given)) throw new PackageRError('request_invalid', `A role is one of ${Object.keys(roles).join(', ')}.`);
    return roles[given];
  }
  if (!Array.isArray(given) || given.length === 0 || given.some((action) => !actions.includes(action)))
    throw new PackageRError('request_invalid', `The actions of a grant are some of ${actions.join(', ')}.`);
  return given;
}
