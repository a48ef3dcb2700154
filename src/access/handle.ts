/**
 * A Handle is an opened, authorised place: the only thing that listings, bytes and signatures come out of. Sources, packages and
 * shares extend it. It needs the proof that `Access` gave for exactly this opening.
 */
import { isProof } from '#access/access.ts';
import type { Place, Proof } from '#access/place.ts';
import { PackageRError } from '#errors/error.ts';
import type { Action, Actor, SystemActor, UserActor } from '#model/actor.ts';
import type { Path } from '#model/path.ts';
import type { Tree } from '#model/tree.ts';

export type DriftPolicy = 'refuse' | 'warn' | 'follow';

/** What may be told of the opened thing. */
export interface HandleAbout {
  readonly title: string;
  readonly version?: number;
  readonly digest?: string;
  readonly description?: string;
  /** Milliseconds since 1970: when it was frozen, or when it was opened. */
  readonly at: number;
}

/** Set where the place was opened by way of a share. */
export interface HandleShare {
  readonly number: number;
  readonly id: string;
  /** Whom limits count for. */
  readonly client: string;
  readonly maxObjects?: number;
  readonly maxBytes?: number;
  /** The share gives the right to exchange, not only to view. */
  readonly exchange: boolean;
  /** Text to accept before an exchange; '' for none. */
  readonly terms?: string;
}

export interface HandleOptions {
  readonly proof: Proof;
  readonly tree: Tree;
  readonly path: Path;
  readonly about: HandleAbout;
  readonly subject: string;
  readonly curator: UserActor | SystemActor;
  readonly endsAt?: number | undefined;
  /** refuse where left out. */
  readonly onDrift?: DriftPolicy;
  readonly share?: HandleShare | undefined;
  /** False where left out. */
  readonly mayLocate?: boolean;
}

export class Handle {
  readonly actor: Actor;
  readonly action: Action;
  readonly place: Place;
  /** Guarded, and rooted at the opened place. */
  readonly tree: Tree;
  /** What was asked for, within `tree`. */
  readonly path: Path;
  readonly about: HandleAbout;
  /** For events: `package:12@3`, `source:1`, `share:4`. */
  readonly subject: string;
  /** Whose rights on sources count when a pointer is exchanged. */
  readonly curator: UserActor | SystemActor;
  /** Milliseconds since 1970 after which nothing that came out of it may live. */
  readonly endsAt: number | undefined;
  readonly onDrift: DriftPolicy;
  readonly share: HandleShare | undefined;
  /** The actor may see source and key. */
  readonly mayLocate: boolean;

  /** Errors: internal for a proof that `Access` did not give. */
  constructor(options: HandleOptions) {
    if (!isProof(options.proof)) throw new PackageRError('internal', 'A place was opened without a proof of the right to it.');
    this.actor = options.proof.actor;
    this.action = options.proof.action;
    this.place = options.proof.place;
    this.tree = options.tree;
    this.path = options.path;
    this.about = options.about;
    this.subject = options.subject;
    this.curator = options.curator;
    this.endsAt = options.endsAt;
    this.onDrift = options.onDrift ?? 'refuse';
    this.share = options.share;
    this.mayLocate = options.mayLocate ?? false;
  }
}
