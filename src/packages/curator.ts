/** Who stands behind a step or a version, as a text that can be kept, and as an actor with the rights of now. */
import type { Access } from '#access/access.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { Actor, SystemActor, UserActor } from '#model/actor.ts';
import type { Name } from '#model/name.ts';

/** Id of a user, or `system:name`. Errors: forbidden for visitors, who edit nothing. */
export function writeActorId(actor: Actor): string {
  if (actor.kind === 'visitor') throw new PackageRError('forbidden', 'A share gives no right to packages.');
  return actor.kind === 'user' ? actor.id : `system:${actor.name}`;
}

/** The twin of writeActorId. Errors: not_found where the user is gone or disabled. */
export function actorOf(access: Access, id: string): Promise<UserActor | SystemActor> {
  return id.startsWith('system:') ? Promise.resolve({ kind: 'system', name: id.slice('system:'.length) }) : access.actorOf(id);
}

/** As actorOf; somebody who is gone may do nothing, but what they made stays. */
export async function curatorOf(access: Access, id: string): Promise<UserActor | SystemActor> {
  try {
    return await actorOf(access, id);
  } catch (error) {
    if (isError(error, 'not_found')) return { kind: 'user', id, name: 'gone' as Name, admin: false, only: [] };
    throw error;
  }
}
