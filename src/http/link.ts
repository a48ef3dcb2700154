/**
 * A Link is a base under which a tree is given out: `/s/<share>[~ticket]/` for whoever holds it, `/p/<namespace>/<name>[@n]/` for signed-in
 * people. Everything below the base (objects, exports, exchange) is the same for both and asks the link to open places.
 */
import type { FastifyRequest } from 'fastify';
import type { Handle } from '#access/handle.ts';
import type { PastedLine } from '#exports/lines.ts';
import type { Action } from '#model/actor.ts';
import { encodePath, type Path } from '#model/path.ts';
import type { PublicShareView } from '#shares/share.ts';

export interface Link {
  /** Route pattern without a slash at the end: `/s/:share`. */
  readonly pattern: string;
  /** Segments of the raw URL that the base has. */
  readonly segments: number;
  readonly isPublic: boolean;
  open(request: FastifyRequest, action: Action, path: Path): Promise<OpenedLink>;
  /** What whoever opened this may paste; left out where other programs cannot come in. */
  findLines?(request: FastifyRequest, asked: LinesRequest): Promise<LinkLines>;
  /** Whom rates and slots count for. */
  keyOf(request: FastifyRequest): string;
}

export interface LinesRequest {
  readonly view: PublicShareView;
  /** Of the lists, without `?`: a folder. */
  readonly query?: string;
}

export interface LinkLines {
  /** None where people must sign in. */
  readonly lines: readonly PastedLine[];
  /** Where they hold a ticket, which ends before the link may. */
  readonly expiresAt?: number;
  /** From the page to lists that hold the same ticket; undefined where the page has none that ends before. */
  readonly listBase?: string;
}

export interface OpenedLink {
  readonly handle: Handle;
  /** Absolute, ends in a slash; holds the ticket that was used. */
  readonly base: string;
  /** What strangers may be told; undefined under `/p/`. */
  readonly view?: PublicShareView;
}

/** The stable URL of an entry. */
export function linkTo(base: string, path: Path): string {
  return `${base}o/${encodePath(path)}`;
}
