/**
 * An opening: what was decided for one visitor of one share before a place in it is asked for. Deciding it is dear, and the same for all
 * places, so it is kept, under the generation of the state that it was decided in, and for as long as share and ticket last.
 */
import type { Handle, HandleAbout, HandleShare } from '#access/handle.ts';
import type { Place } from '#access/place.ts';
import type { Action, UserActor, VisitorActor } from '#model/actor.ts';
import type { Clock } from '#model/clock.ts';
import { joinPath, nameOf, type Path, root } from '#model/path.ts';
import { PackageHandle } from '#packages/package-handle.ts';
import type { PublicShareView, Visitor } from '#shares/share.ts';
import type { CheckedUnder } from '#shares/share-handle.ts';
import { pathOf, rightsOf, type StoredShare, stateOf } from '#shares/share-rows.ts';
import type { State } from '#state/state.ts';

export interface Opening {
  /** Of the state, before anything was looked up. */
  readonly generation: number;
  readonly row: StoredShare;
  readonly actor: VisitorActor;
  readonly owner: UserActor;
  /** At the root of the share, with the rights of the owner; its tree begins at the root of the package or source. */
  readonly inner: Handle;
  /** Root of the share in the tree of `inner`. */
  readonly path: Path;
  readonly isFile: boolean;
  readonly share: HandleShare;
  readonly about: HandleAbout;
  readonly view: PublicShareView;
  readonly checked: CheckedUnder;
  /** Milliseconds since 1970; undefined where it depends on no ticket. */
  readonly ticketEndsAt: number | undefined;
}

export interface Decided extends Pick<Opening, 'generation' | 'row' | 'owner' | 'inner' | 'isFile' | 'ticketEndsAt'> {
  readonly client: string;
  readonly isAccepted: boolean;
}

export function makeOpening({ client, isAccepted, ...decided }: Decided, address: string): Opening {
  const { row, inner } = decided;
  const about = describe(row, inner);
  return {
    ...decided,
    actor: Object.freeze({ kind: 'visitor', share: String(row.number), client, address }),
    path: pathOf(row),
    share: {
      number: row.number,
      id: row.id,
      client,
      exchange: rightsOf(row).includes('exchange'),
      terms: row.terms,
      ...(row.max_objects === null ? {} : { maxObjects: row.max_objects }),
      ...(row.max_bytes === null ? {} : { maxBytes: row.max_bytes }),
    },
    about,
    checked: { state: decided.generation, share: row.generation, gives: gives(row) },
    view: publicView(row, inner, about, !isAccepted),
  };
}

/** All that a handle takes from its share: one that was opened before this changed gives out nothing more. */
export function gives({ rights, terms, on_drift, max_objects, max_bytes, not_before, expires_at }: StoredShare): string {
  return JSON.stringify([rights, terms, on_drift, max_objects, max_bytes, not_before, expires_at]);
}

/** Where a path of the share lies: for the rights of its owner. */
export function placeIn({ inner, isFile }: Opening, path: Path): Place {
  const { place } = inner;
  if (place.kind === 'system' || isFile || path === root) return place;
  return { ...place, path: joinPath(place.path, path) };
}

/** A share of a file holds that file and nothing else. */
export function isNothing({ isFile, path: own }: Opening, path: Path): boolean {
  return isFile && path !== root && path !== nameOf(own);
}

const keptOpenings = 2000;

export class Openings {
  readonly #state: State;
  readonly #clock: Clock;
  #generation = 0;
  readonly #kept = new Map<string, Opening>();

  constructor({ state, clock }: { readonly state: State; readonly clock: Clock }) {
    this.#state = state;
    this.#clock = clock;
  }

  /** One that would be decided in the same way now; undefined where it must be decided. */
  find(visitor: Visitor, action: Action): Opening | undefined {
    if (!isPlain(visitor)) return undefined;
    if (this.#generation !== this.#state.generation) {
      this.#generation = this.#state.generation;
      this.#kept.clear();
    }
    const opening = this.#kept.get(keyOf(visitor, action));
    if (opening === undefined) return undefined;
    const now = this.#clock();
    const { row, ticketEndsAt } = opening;
    return stateOf(row, now) === 'open' && (ticketEndsAt === undefined || ticketEndsAt > now) ? opening : undefined;
  }

  /** Keeps what follows from the state alone: not what a store was asked, who signed in, sent a password or accepted terms. */
  keep(visitor: Visitor, action: Action, opening: Opening): void {
    const { row, generation } = opening;
    if (!isPlain(visitor) || row.target === 'live' || row.terms !== '' || generation !== this.#generation) return;
    if (this.#kept.size >= keptOpenings) this.#kept.clear();
    this.#kept.set(keyOf(visitor, action), opening);
  }
}

function isPlain({ user, password }: Visitor): boolean {
  return user === undefined && password === undefined;
}

function keyOf({ share, address }: Visitor, action: Action): string {
  return `${action} ${address} ${share}`;
}

function describe(row: StoredShare, inner: Handle): HandleAbout {
  if (!(inner instanceof PackageHandle)) return { title: row.title || nameOf(pathOf(row)) || 'files', at: inner.about.at };
  const isWhole = pathOf(row) === root;
  return {
    title: inner.package.name,
    at: inner.about.at,
    ...(inner.about.version === undefined ? {} : { version: inner.about.version }),
    ...(inner.about.digest === undefined ? {} : { digest: inner.about.digest }),
    ...(inner.about.description === undefined || !isWhole ? {} : { description: inner.about.description }),
  };
}

function publicView(row: StoredShare, inner: Handle, about: HandleAbout, needsAcceptance: boolean): PublicShareView {
  const version = inner instanceof PackageHandle ? inner.version : undefined;
  const whole = pathOf(row) === root ? version : undefined;
  return {
    title: row.title || about.title,
    note: row.note,
    terms: row.terms,
    needsAcceptance,
    needsSignIn: row.audience === 'users' || row.audience === 'named',
    needsTicket: row.audience === 'password',
    kind: row.target,
    rights: rightsOf(row),
    onDrift: row.on_drift,
    expiresAt: row.expires_at ?? undefined,
    maxObjects: row.max_objects ?? undefined,
    maxBytes: row.max_bytes ?? undefined,
    version: version?.number,
    digest: version?.digest,
    frozenAt: version?.frozenAt,
    description: about.description,
    entries: whole?.entries,
    bytes: whole?.bytes,
  };
}
