/** Who may tend their own account: a signed-in user, or their API token where it holds `manage`. */
import { PackageRError } from '#errors/error.ts';
import type { Actor, UserActor } from '#model/actor.ts';

/** Errors: forbidden for anyone who is no user, and for an API token without `manage`. */
export function requireUser(actor: Actor): UserActor {
  if (actor.kind !== 'user') throw new PackageRError('forbidden', 'Only a user has this.');
  if (actor.only !== undefined && !actor.only.includes('manage'))
    throw new PackageRError('forbidden', 'This API token may not manage the account.');
  return actor;
}

/** Refuses fields that are not in `known`, own or inherited. Errors: request_invalid. */
export function requireFields(input: object, known: readonly string[]): void {
  const prototype: unknown = Object.getPrototypeOf(input);
  const unknown = Object.keys(input).find((key) => !known.includes(key));
  if (unknown !== undefined || (prototype !== Object.prototype && prototype !== null)) {
    const field = unknown === undefined ? 'an inherited field' : `the field ${JSON.stringify(unknown.slice(0, 60))}`;
    throw new PackageRError('request_invalid', `The request has ${field}, which is not known here.`);
  }
}
