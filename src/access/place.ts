/** A Place is what a decision is about. Paths of a namespace begin with the name of the package. */
import type { Action, Actor } from '#model/actor.ts';
import type { Path } from '#model/path.ts';

export type Place =
  | { readonly kind: 'source'; readonly id: string; readonly path: Path }
  | { readonly kind: 'namespace'; readonly id: string; readonly path: Path }
  | { readonly kind: 'system' };

declare const brand: unique symbol;

/** What `Access.authorize` gives: this actor may do this action at this place, now. It cannot be made or copied. */
export interface Proof {
  readonly actor: Actor;
  readonly action: Action;
  readonly place: Place;
  readonly [brand]: 'Proof';
}

/** The one decision, as the parts of this folder see it. Errors: unauthenticated, not_found, forbidden. */
export interface Gate {
  authorize(actor: Actor | undefined, action: Action, place: Place): Promise<Proof>;
  can(actor: Actor | undefined, action: Action, place: Place): Promise<boolean>;
}

export const system: Place = { kind: 'system' };
