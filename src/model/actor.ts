/**
 * An Actor is who is asking. Only `access` makes one, from verified evidence; everyone else receives it.
 */
import type { Name } from '#model/name.ts';

/** What may be done with a place. Anything derived from content (bytes, digests, previews, archives) is `download`. */
export const actions = ['list', 'stat', 'download', 'create', 'modify', 'delete', 'share', 'manage'] as const;
export type Action = (typeof actions)[number];

export interface UserActor {
  readonly kind: 'user';
  readonly id: string;
  readonly name: Name;
  readonly admin: boolean;
  /** Set when a token or session narrowed the rights: only these actions, at most. */
  readonly only?: readonly Action[];
  /** Id of the session or API token that was presented; undefined for the local socket. */
  readonly credential?: string;
  readonly address?: string;
}

/** Somebody with a share link. Limits count per `client`: token, user or ticket, else a keyed hash of the address. */
export interface VisitorActor {
  readonly kind: 'visitor';
  readonly share: string;
  readonly client: string;
  readonly address?: string;
}

/** packageR itself: jobs, start-up, the operator at the local socket. */
export interface SystemActor {
  readonly kind: 'system';
  readonly name: string;
}

export type Actor = UserActor | VisitorActor | SystemActor;
