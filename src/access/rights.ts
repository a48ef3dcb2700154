/**
 * What a user holds now, and the pure decision over it. Rights are read as a whole and kept under one generation of the state.
 * Places are compared by segment.
 */
import type { Place } from '#access/place.ts';
import { type Action, actions } from '#model/actor.ts';
import type { Name } from '#model/name.ts';
import { isWithin, type Path } from '#model/path.ts';
import type { State } from '#state/state.ts';

/** A set of actions at and below a path. */
export interface HeldGrant {
  readonly path: Path;
  readonly actions: ReadonlySet<Action>;
}

export interface Rights {
  readonly userId: string;
  readonly name: Name;
  readonly admin: boolean;
  /** Groups that the user is a member of. */
  readonly groups: ReadonlySet<string>;
  readonly ownNamespaces: ReadonlySet<string>;
  /** By `source:3` or `namespace:<id>`. */
  readonly grants: ReadonlyMap<string, readonly HeldGrant[]>;
}

export type TreePlace = Exclude<Place, { kind: 'system' }>;

/** Undefined where the user is gone or disabled. */
export async function loadRights(state: State, userId: string): Promise<Rights | undefined> {
  const { db } = state;
  const user = await db.selectFrom('user').select(['name', 'admin', 'disabled']).where('id', '=', userId).executeTakeFirst();
  if (user === undefined || user.disabled !== 0) return undefined;
  const groups = await db.selectFrom('group_member').select('group_id').where('user_id', '=', userId).execute();
  const own = await db.selectFrom('namespace').select('id').where('user_id', '=', userId).execute();
  const groupIds = groups.map((row) => row.group_id);
  const rows = await db
    .selectFrom('grant')
    .select(['target_kind', 'target_id', 'path', 'actions'])
    .where((on) =>
      on.or([
        on('subject_kind', '=', 'everyone'),
        on.and([on('subject_kind', '=', 'user'), on('subject_id', '=', userId)]),
        ...(groupIds.length === 0 ? [] : [on.and([on('subject_kind', '=', 'group'), on('subject_id', 'in', groupIds)])]),
      ]),
    )
    .execute();
  const grants = new Map<string, HeldGrant[]>();
  for (const row of rows) {
    const target = `${row.target_kind}:${row.target_id}`;
    const held = { path: row.path as Path, actions: new Set(parseActions(row.actions)) };
    grants.set(target, [...(grants.get(target) ?? []), held]);
  }
  return {
    userId,
    name: user.name as Name,
    admin: user.admin === 1,
    groups: new Set(groupIds),
    ownNamespaces: new Set(own.map((row) => row.id)),
    grants,
  };
}

/** Unknown words give nothing. */
export function parseActions(text: string): Action[] {
  const words = new Set(text.split(' '));
  return actions.filter((action) => words.has(action));
}

/** Each once, in the order of `actions`. */
export function writeActions(list: Iterable<Action>): string {
  const given = new Set(list);
  return actions.filter((action) => given.has(action)).join(' ');
}

/** The action is held at the place itself. */
export function holds(rights: Rights, only: readonly Action[] | undefined, action: Action, place: Place): boolean {
  if (!actions.includes(action) || (only !== undefined && !only.includes(action))) return false;
  if (rights.admin) return true;
  if (place.kind === 'system') return false;
  if (place.kind === 'namespace' && rights.ownNamespaces.has(place.id)) return true;
  return grantsAt(rights, place).some((grant) => grant.actions.has(action) && isWithin(place.path, grant.path));
}

/** Somebody who may do one of these at a place knows that it is there. */
export const knowing = ['list', 'stat', 'download'] as const satisfies readonly Action[];

/** The actor may know that the place is there. */
export function mayKnow(rights: Rights, only: readonly Action[] | undefined, place: TreePlace): boolean {
  return knowing.some((action) => holds(rights, only, action, place)) || isOnTheWay(rights, only, place);
}

/** Below the place, not at it, there is something that may be listed. */
export function isOnTheWay(rights: Rights, only: readonly Action[] | undefined, place: TreePlace): boolean {
  if (only !== undefined && !only.includes('list')) return false;
  return grantsAt(rights, place).some(
    (grant) => grant.actions.has('list') && grant.path !== place.path && isWithin(grant.path, place.path),
  );
}

/** `action` as authorize decides it: listing is also allowed on the way to a granted place, where the guard hides the rest. */
export function decide(rights: Rights, only: readonly Action[] | undefined, action: Action, place: Place): boolean {
  if (holds(rights, only, action, place)) return true;
  return (action === 'list' || action === 'stat') && place.kind !== 'system' && isOnTheWay(rights, only, place);
}

function grantsAt(rights: Rights, place: TreePlace): readonly HeldGrant[] {
  return rights.grants.get(`${place.kind}:${place.id}`) ?? [];
}
