/**
 * The way into a share: the link, its lock, its audience, and what its owner may do at this moment. Whoever may not know of a share
 * gets one answer, whether it never existed, ended, was revoked, or its owner lost a right.
 */
import { createHash, createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { Access } from '#access/access.ts';
import { peerOf } from '#access/attempts.ts';
import { verifyPassword } from '#access/password.ts';
import type { Place, Proof } from '#access/place.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { Events } from '#events/events.ts';
import type { Action, UserActor } from '#model/actor.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import { type Path, root } from '#model/path.ts';
import type { ListTicket, PublicShareView, Unlocked, Visitor } from '#shares/share.ts';
import type { ShareCounters } from '#shares/share-counters.ts';
import { ShareHandle } from '#shares/share-handle.ts';
import { clientOfAddress, clientOfTicket, clientOfUser, hashTicket, makeTicket, parseShareLink } from '#shares/share-link.ts';
import { gives, isNothing, makeOpening, type Opening, Openings, placeIn } from '#shares/share-opening.ts';
import { rightsOf, type ShareRows, type StoredShare, stateOf } from '#shares/share-rows.ts';
import type { ShareTargets } from '#shares/share-targets.ts';
import { shareTree } from '#shares/share-tree.ts';
import type { ShareUses } from '#shares/share-uses.ts';
import type { State } from '#state/state.ts';

export interface ShareDoorOptions {
  readonly state: State;
  readonly access: Access;
  readonly events: Events;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly hashKey: Uint8Array;
  readonly rows: ShareRows;
  readonly targets: ShareTargets;
  readonly counters: ShareCounters;
  readonly uses: ShareUses;
}

/** Milliseconds. */
const pageTicketLife = 3_600_000;
const day = 86_400_000;
const listTicketLife = 7 * day;
const passwordKept = 5 * 60_000;
const keptPasswords = 1000;

interface Entered {
  readonly row: StoredShare;
  readonly client: string;
  /** Milliseconds since 1970; undefined where no ticket that holds was shown. */
  readonly ticketEndsAt: number | undefined;
}

export class ShareDoor {
  readonly #state: State;
  readonly #access: Access;
  readonly #events: Events;
  readonly #clock: Clock;
  readonly #makeId: MakeId;
  readonly #hashKey: KeyObject;
  readonly #rows: ShareRows;
  readonly #targets: ShareTargets;
  readonly #counters: ShareCounters;
  readonly #uses: ShareUses;
  readonly #openings: Openings;
  /** Keyed hashes of passwords that were right, and until when that is believed. */
  readonly #passwords = new Map<string, number>();

  constructor(options: ShareDoorOptions) {
    this.#state = options.state;
    this.#access = options.access;
    this.#events = options.events;
    this.#clock = options.clock;
    this.#makeId = options.makeId;
    this.#hashKey = createSecretKey(options.hashKey);
    this.#rows = options.rows;
    this.#targets = options.targets;
    this.#counters = options.counters;
    this.#uses = options.uses;
    this.#openings = new Openings(options);
  }

  async open(visitor: Visitor, action: Action, path: Path): Promise<ShareHandle> {
    const opening = this.#openings.find(visitor, action) ?? (await this.#begin(visitor, action));
    if (isNothing(opening, path)) throw nothingAt(path);
    const { actor, owner } = opening;
    const proof = await this.#access.authorizeShared(actor, owner, action, placeIn(opening, path)).catch((error: unknown) => {
      throw isHidden(error) ? nothingAt(path) : error;
    });
    return this.#handle(opening, proof, path);
  }

  /** As open for who came before, where nothing has changed since, without waiting. Undefined where open is to be asked, for any reason. */
  openAgain(visitor: Visitor, action: Action, path: Path): ShareHandle | undefined {
    const opening = this.#openings.find(visitor, action);
    if (opening === undefined || isNothing(opening, path)) return undefined;
    const proof = this.#access.proveLoaded(opening.owner, action, placeIn(opening, path), opening.actor);
    return proof === undefined ? undefined : this.#handle(opening, proof, path);
  }

  /** The twin of open for handles that live on: nothing more comes out once the share, or its owner’s right, has ended. */
  async stillOpen(handle: ShareHandle): Promise<void> {
    if (this.#isAsFound(handle)) return;
    const { checked } = handle;
    if (isOver(handle, this.#clock())) throw shareNotFound();
    const { generation } = this.#state;
    const row = await this.#rows.find(handle.share.id);
    if (row === undefined || row.generation !== checked.share || stateOf(row, this.#clock()) !== 'open') throw shareNotFound();
    if (gives(row) !== checked.gives) throw shareNotFound();
    try {
      await this.#targets.check(row);
      await this.#mayShare(await this.#access.actorOf(row.owner_id), handle.place);
    } catch (error) {
      throw isHidden(error) ? shareNotFound() : error;
    }
    handle.checked = { ...checked, state: generation };
  }

  /** Nothing has changed by which it could have ended since it was looked at. */
  #isAsFound(handle: ShareHandle): boolean {
    return handle.checked.state === this.#state.generation && !isOver(handle, this.#clock());
  }

  async countUse(handle: ShareHandle, leaf: Parameters<ShareUses['claim']>[1]): Promise<void> {
    await this.#claim(handle, leaf);
    this.#counters.exchanged(handle.share.number);
  }

  async unlock(id: string, password: string, { address }: { readonly address: string }): Promise<Unlocked> {
    const link = parseShareLink(id);
    const row = link === undefined ? undefined : await this.#rows.find(link.id);
    if (row === undefined || stateOf(row, this.#clock()) !== 'open' || !(await this.isReachable(row))) {
      await verifyPassword(password, null);
      return this.#refuse(address);
    }
    if (row.audience !== 'password')
      throw new PackageRError('request_invalid', 'This share needs no password.', { operation: 'share.unlock' });
    await this.#guess(row, password, address);
    return this.#makeTickets(row, clientOfAddress(this.#hashKey, row.number, address));
  }

  /**
   * The ticket for lists of whoever came in by password: the one they came with, else the one that belongs to their page ticket, else
   * one for this client and day.
   */
  async listTicket(visitor: Visitor): Promise<ListTicket | undefined> {
    const { row, client } = await this.#enter(visitor);
    if (row.audience !== 'password') return undefined;
    const given = parseShareLink(visitor.share)?.ticket;
    const known = given === undefined ? undefined : await this.#rows.findTicket(row, hashTicket(given));
    if (given !== undefined && known?.kind === 'list') return { ticket: given, expiresAt: known.expires_at };
    const owner =
      given !== undefined && known !== undefined ? clientOfTicket(given) : clientOfAddress(this.#hashKey, row.number, visitor.address);
    const seed = given !== undefined && known !== undefined ? given : `${client} ${Math.floor(this.#clock() / day)}`;
    const ticket = this.#listTicketOf(row, owner, seed);
    const kept = await this.#rows.findTicket(row, hashTicket(ticket));
    if (kept !== undefined) return { ticket, expiresAt: kept.expires_at };
    return { ticket, ...(await this.#keepTicket(row, 'list', ticket)) };
  }

  async accept(visitor: Visitor): Promise<PublicShareView> {
    const { view, share, actor, subject } = await this.open(visitor, 'stat', root);
    if (!view.needsAcceptance) return view;
    const terms = hashTerms(view.terms);
    const at = this.#clock();
    await this.#state.write({
      query: this.#state.db
        .insertInto('share_acceptance')
        .values({ share: share.number, client: share.client, at, terms })
        .onConflict((conflict) => conflict.columns(['share', 'client']).doUpdateSet({ at, terms })),
    });
    this.#events.record({ actor, action: 'share.accept', subject, details: { terms } });
    return { ...view, needsAcceptance: false };
  }

  /** Whether its owner still may share what it shows. */
  async isReachable(row: StoredShare): Promise<boolean> {
    try {
      await this.#targets.open(row, 'download', (owner, place) => this.#mayShare(owner, place));
      return true;
    } catch (error) {
      if (isHidden(error) || isError(error, 'version_withdrawn')) return false;
      throw error;
    }
  }

  async #begin(visitor: Visitor, action: Action): Promise<Opening> {
    const { generation } = this.#state;
    const { row, client, ticketEndsAt } = await this.#enter(visitor);
    checkRight(row, action, visitor.user);
    const isAccepted = await this.#hasAccepted(row, client);
    const { owner, inner, isFile } = await this.#reach(row, action, visitor.address);
    if (action === 'download' && !isAccepted) throw new PackageRError('terms_not_accepted');
    const opening = makeOpening({ generation, row, client, owner, inner, isFile, isAccepted, ticketEndsAt }, visitor.address);
    this.#openings.keep(visitor, action, opening);
    return opening;
  }

  #handle(opening: Opening, proof: Proof, path: Path): ShareHandle {
    const { row, inner, actor, isFile } = opening;
    const handle: ShareHandle = new ShareHandle({
      proof,
      tree: shareTree({
        tree: inner.tree,
        path: opening.path,
        isFile,
        beforeRead: proof.action === 'download' ? (leaf) => this.#claim(handle, leaf) : undefined,
        stillOpen: () => (this.#isAsFound(handle) ? undefined : this.stillOpen(handle)),
      }),
      path,
      about: opening.about,
      subject: `share:${row.number}`,
      curator: inner.curator,
      endsAt: row.expires_at ?? undefined,
      onDrift: row.on_drift,
      share: opening.share,
      view: opening.view,
      checked: opening.checked,
    });
    if (this.#counters.opened(row.number, actor.client)) this.#events.record({ actor, action: 'share.open', subject: handle.subject });
    return handle;
  }

  /** The row and the client, past link, audience and lock. */
  async #enter(visitor: Visitor): Promise<Entered> {
    const link = parseShareLink(visitor.share);
    const row = link === undefined ? undefined : await this.#rows.find(link.id);
    if (row === undefined || stateOf(row, this.#clock()) !== 'open') return this.#refuse(visitor.address);
    const { user } = visitor;
    if (row.audience === 'users' || row.audience === 'named') {
      if (user === undefined) throw new PackageRError('unauthenticated', 'This share is for people who are signed in.');
      if (row.audience === 'named' && !(await this.#isNamed(row, user))) return this.#refuse(visitor.address);
    }
    const ticket = link?.ticket === undefined ? undefined : await this.#rows.findTicket(row, hashTicket(link.ticket));
    if (row.audience === 'password' && ticket === undefined) await this.#unlockBy(row, visitor);
    const ofTicket = ticket === undefined || link?.ticket === undefined ? undefined : clientOfTicket(link.ticket);
    const client = user === undefined ? (ofTicket ?? clientOfAddress(this.#hashKey, row.number, visitor.address)) : clientOfUser(user.id);
    return { row, client, ticketEndsAt: ticket?.expires_at };
  }

  async #isNamed(row: StoredShare, user: UserActor): Promise<boolean> {
    if (user.admin || user.id === row.owner_id) return true;
    return this.#rows.isInAudience(row, user.id, await this.#access.groupsOf(user.id));
  }

  async #reach(row: StoredShare, action: Action, address: string) {
    try {
      return await this.#targets.open(row, action, (owner, place) => this.#mayShare(owner, place));
    } catch (error) {
      if (isHidden(error)) return this.#refuse(address);
      throw error;
    }
  }

  /** A share lives while its owner may both share and download what it shows. */
  async #mayShare(owner: UserActor, place: Place): Promise<void> {
    await this.#access.authorize(owner, 'share', place);
    await this.#access.authorize(owner, 'download', place);
  }

  async #claim(handle: ShareHandle, leaf: Parameters<ShareUses['claim']>[1]): Promise<void> {
    await this.stillOpen(handle);
    await this.#uses.claim(handle.share, leaf);
  }

  /** With the password of the request, for clients that send it each time. Errors: share_locked, share_password_wrong, rate_limited. */
  async #unlockBy(row: StoredShare, { password, address }: Visitor): Promise<void> {
    if (password === undefined || password === '') throw new PackageRError('share_locked');
    const mark = createHmac('sha256', this.#hashKey).update(`${row.number} ${row.generation} ${password}`).digest('base64url');
    if ((this.#passwords.get(mark) ?? 0) > this.#clock()) return;
    await this.#guess(row, password, address);
    if (this.#passwords.size >= keptPasswords) this.#passwords.clear();
    this.#passwords.set(mark, this.#clock() + passwordKept);
  }

  /** Counted before it is judged, per share and peer and per share. */
  async #guess(row: StoredShare, password: string, address: string): Promise<void> {
    const { attempts } = this.#access;
    const keys = { peer: `share:${row.number}:${peerOf(address)}`, share: `share:${row.number}` };
    await attempts.reserve([keys.peer, this.#access.attempts.rules.sharePeer], [keys.share, this.#access.attempts.rules.share]);
    if (!(await verifyPassword(password, row.password))) throw new PackageRError('share_password_wrong');
    await attempts.succeed([keys.peer]);
    await attempts.release(keys.share, this.#access.attempts.rules.share);
  }

  async #makeTickets(row: StoredShare, client: string): Promise<Unlocked> {
    const page = makeTicket(client, this.#makeId);
    const list = this.#listTicketOf(row, client, page);
    const [{ expiresAt }, { expiresAt: listExpiresAt }] = await Promise.all([
      this.#keepTicket(row, 'page', page),
      this.#keepTicket(row, 'list', list),
    ]);
    return { ticket: page, expiresAt, listTicket: list, listExpiresAt };
  }

  /** Found again from what it was made of, so that asking twice makes one row. Without the key nobody gets from the one to the other. */
  #listTicketOf({ number, generation }: StoredShare, client: string, seed: string): string {
    const mac = createHmac('sha256', this.#hashKey).update(`list ticket ${number} ${generation} ${seed}`).digest('base64url');
    return makeTicket(client, () => mac.slice(0, 22));
  }

  /** Keeps a ticket with its end; one that is there stays as it is. Those that ended go. */
  async #keepTicket(row: StoredShare, kind: 'page' | 'list', text: string): Promise<{ readonly expiresAt: number }> {
    const now = this.#clock();
    const end = row.expires_at ?? Number.MAX_SAFE_INTEGER;
    const expiresAt = Math.min(now + (kind === 'page' ? pageTicketLife : listTicketLife), end);
    const id = hashTicket(text);
    const { db } = this.#state;
    const values = { id, share: row.number, generation: row.generation, kind, created_at: now, expires_at: expiresAt };
    await this.#state.write(
      { query: db.deleteFrom('ticket').where('share', '=', row.number).where('expires_at', '<=', now) },
      {
        query: db
          .insertInto('ticket')
          .values(values)
          .onConflict((conflict) => conflict.doNothing()),
      },
    );
    return { expiresAt };
  }

  async #hasAccepted(row: StoredShare, client: string): Promise<boolean> {
    if (row.terms === '') return true;
    const accepted = await this.#state.db
      .selectFrom('share_acceptance')
      .select('terms')
      .where('share', '=', row.number)
      .where('client', '=', client)
      .executeTakeFirst();
    return accepted?.terms === hashTerms(row.terms);
  }

  /** The one answer. It counts: after 20 in ten minutes a peer is told to wait. Errors: share_not_found, rate_limited. */
  async #refuse(address: string): Promise<never> {
    await this.#access.attempts.reserve([`share-unknown:${peerOf(address)}`, this.#access.attempts.rules.unknownShare]);
    throw shareNotFound();
  }
}

function checkRight(row: StoredShare, action: Action, user: UserActor | undefined): void {
  const rights = rightsOf(row);
  const isGiven =
    action === 'stat' || (action === 'list' && rights.includes('view')) || (action === 'download' && rights.includes('exchange'));
  const isNarrowed = row.audience !== 'link' && user?.only !== undefined && !user.only.includes(action);
  if (!isGiven || isNarrowed)
    throw new PackageRError('forbidden', 'This share does not give the right to do this.', { context: { action } });
}

function hashTerms(terms: string): string {
  return createHash('sha256').update(terms).digest('hex');
}

function isOver({ endsAt }: ShareHandle, now: number): boolean {
  return endsAt !== undefined && endsAt <= now;
}

/** What nobody but the owner may tell apart from a share that is not there. */
function isHidden(error: unknown): boolean {
  return isError(error, 'not_found') || isError(error, 'forbidden') || isError(error, 'unauthenticated');
}

function shareNotFound(): PackageRError {
  return new PackageRError('share_not_found', undefined, { operation: 'share.open' });
}

function nothingAt(path: Path): PackageRError {
  return new PackageRError('not_found', `There is nothing at ${JSON.stringify(path)}.`, { operation: 'share.open' });
}
