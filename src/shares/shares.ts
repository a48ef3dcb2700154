/**
 * Shares: made and kept by their owner, opened by whoever holds the link, always with the rights that the owner has now.
 * The way in is `open`; `countUse` comes before each byte or URL that is given out.
 */
import type { Access } from '#access/access.ts';
import type { Handle } from '#access/handle.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { Events } from '#events/events.ts';
import type { Action, Actor, UserActor } from '#model/actor.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import type { Leaf } from '#model/entry.ts';
import type { Path } from '#model/path.ts';
import type { Packages } from '#packages/packages.ts';
import {
  type ListTicket,
  type NewShare,
  type PublicShareView,
  type ShareChange,
  type ShareLimits,
  type ShareView,
  shareLimits,
  type Unlocked,
  type Visitor,
} from '#shares/share.ts';
import { ShareCounters } from '#shares/share-counters.ts';
import { ShareDoor } from '#shares/share-door.ts';
import { ShareHandle } from '#shares/share-handle.ts';
import { closedState, ShareRows, type StoredShare } from '#shares/share-rows.ts';
import { endsTickets, writeSettings } from '#shares/share-settings.ts';
import { ShareTargets } from '#shares/share-targets.ts';
import { ShareUses } from '#shares/share-uses.ts';
import type { Sources } from '#sources/sources.ts';
import type { State, Write } from '#state/state.ts';

export interface SharesOptions {
  readonly state: State;
  readonly access: Access;
  readonly sources: Sources;
  readonly packages: Packages;
  readonly events: Events;
  readonly clock: Clock;
  readonly makeId: MakeId;
  /** 32 secret bytes under which addresses are hashed; kept, or limits begin anew. */
  readonly hashKey: Uint8Array;
  readonly limits?: Partial<ShareLimits> | undefined;
}

export interface ShareListRequest {
  /** Those of everybody, for administrators. */
  readonly all?: boolean | undefined;
  readonly cursor?: string | undefined;
  /** 1 to 1000; 200 where left out. */
  readonly limit?: number | undefined;
}

/** Newest first. */
export interface SharePage {
  readonly shares: readonly ShareView[];
  readonly cursor?: string;
}

const hour = 3_600_000;

export class Shares {
  readonly #state: State;
  readonly #events: Events;
  readonly #clock: Clock;
  readonly #makeId: MakeId;
  readonly #limits: ShareLimits;
  readonly #rows: ShareRows;
  readonly #targets: ShareTargets;
  readonly #counters: ShareCounters;
  readonly #door: ShareDoor;

  /** Registers with packages and sources: what live shares show is not removed unless forced. */
  constructor(options: SharesOptions) {
    const { state, access, events, clock, makeId, packages, sources } = options;
    this.#state = state;
    this.#events = events;
    this.#clock = clock;
    this.#makeId = makeId;
    this.#limits = { ...shareLimits, ...options.limits };
    this.#rows = new ShareRows({ state, clock });
    this.#targets = new ShareTargets({ state, access, sources, packages, clock });
    this.#counters = new ShareCounters({ state, clock });
    const uses = new ShareUses({ state, clock });
    this.#door = new ShareDoor({ ...options, rows: this.#rows, targets: this.#targets, counters: this.#counters, uses });
    packages.onDelete(
      (id) => this.#describeLive('package', id),
      (id) => [this.#expectNone('package', id)],
    );
    sources.onRemove(
      (id) => this.#describeLive('source', Number(id)),
      (id) => [this.#expectNone('source', Number(id))],
    );
  }

  /**
   * Errors: unauthenticated, forbidden, not_found for what may not be shared; request_invalid, password_weak, too_large for the
   * settings; too_many, rate_limited.
   */
  async create(actor: Actor, share: NewShare): Promise<ShareView> {
    const owner = asUser(actor);
    const now = this.#clock();
    const target = await this.#targets.parse(owner, share.target, share.path);
    const settings = await writeSettings(share, undefined, { now, limits: this.#limits });
    const id = this.#makeId();
    const row = {
      ...target,
      ...settings,
      id,
      owner_id: owner.id,
      generation: 1,
      paused_at: null,
      revoked_at: null,
      horizon_at: 0,
      opened: 0,
      exchanged: 0,
      used_at: null,
      created_at: now,
    };
    const named = await this.#nameAudience(id, share);
    const isThere = this.#targets.isThere(target, owner);
    const unit = [...isThere, ...this.#limitCreation(owner, now), { query: this.#state.db.insertInto('share').values(row) }, ...named];
    await this.#state.write(...unit).catch((error: unknown) => this.#failCreation(error, owner, now));
    const stored = await this.#rows.find(id);
    if (stored === undefined) throw new PackageRError('internal', 'A share was lost while it was made.');
    this.#record(actor, 'create', stored.number, { audience: stored.audience, kind: stored.target });
    return this.#view(stored);
  }

  /** Those of the actor, or of everybody. Errors: forbidden, cursor_invalid, request_invalid. */
  async list(actor: Actor, { all = false, cursor, limit = 200 }: ShareListRequest = {}): Promise<SharePage> {
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
      throw new PackageRError('request_invalid', 'The limit of a page is 1 to 1000.');
    if (cursor !== undefined && !/^[1-9]\d{0,14}$/.test(cursor)) throw new PackageRError('cursor_invalid');
    if (all && !isAdmin(actor)) throw new PackageRError('forbidden', 'Only administrators see the shares of everybody.');
    await this.#counters.flush();
    let query = this.#state.db.selectFrom('share').selectAll().orderBy('number', 'desc');
    if (!all) query = query.where('owner_id', '=', asUser(actor).id);
    if (cursor !== undefined) query = query.where('number', '<', Number(cursor));
    const rows = await query.limit(limit + 1).execute();
    const shares = await this.#rows.view(rows.slice(0, limit));
    const last = shares.at(-1);
    return rows.length > limit && last !== undefined ? { shares, cursor: String(last.number) } : { shares };
  }

  /** For its owner and administrators; its state says `closed` where the owner lost a right. Errors: not_found. */
  async get(actor: Actor, number: number): Promise<ShareView> {
    await this.#counters.flush();
    const row = await this.#owned(actor, number);
    const view = await this.#view(row);
    if (view.state !== 'open' || (await this.#door.isReachable(row))) return view;
    return { ...view, state: closedState(row, this.#clock()) };
  }

  /** Errors: not_found, forbidden, request_invalid (also for a share that was revoked), password_weak, too_large. */
  async update(actor: Actor, number: number, change: ShareChange): Promise<ShareView> {
    const row = await this.#changeable(actor, number);
    const settings = await writeSettings(change, row, { now: this.#clock(), limits: this.#limits });
    const isNamedAnew = settings.audience !== 'named' || change.users !== undefined || change.groups !== undefined;
    const clear = { query: this.#state.db.deleteFrom('share_audience').where('share', '=', number) };
    const named = isNamedAnew ? [clear, ...(await this.#nameAudience(row.id, change))] : [];
    return this.#change(actor, row, 'update', settings, { endTickets: endsTickets(change), alongside: named });
  }

  async pause(actor: Actor, number: number): Promise<ShareView> {
    const row = await this.#changeable(actor, number);
    if (row.paused_at !== null) return this.#view(row);
    return this.#change(actor, row, 'pause', { paused_at: this.#clock() }, { endTickets: true });
  }

  async resume(actor: Actor, number: number): Promise<ShareView> {
    const row = await this.#changeable(actor, number);
    return this.#change(actor, row, 'resume', { paused_at: null }, { endTickets: false });
  }

  /** For ever, whatever else is changed at the same time. May be called twice. Errors: not_found, forbidden. */
  async revoke(actor: Actor, number: number): Promise<ShareView> {
    for (;;) {
      const row = await this.#owned(actor, number);
      checkScope(actor);
      if (row.revoked_at !== null) return this.#view(row);
      try {
        return await this.#change(actor, row, 'revoke', { revoked_at: this.#clock() }, { endTickets: true });
      } catch (error) {
        if (!isError(error, 'precondition_failed')) throw error;
      }
    }
  }

  /** A new id; the old link and all tickets are dead. */
  async rotate(actor: Actor, number: number): Promise<ShareView> {
    const row = await this.#changeable(actor, number);
    return this.#change(actor, row, 'rotate', { id: this.#makeId() }, { endTickets: true });
  }

  /**
   * Tickets for the password of a share, bound to it and its generation.
   * Errors: share_password_wrong, share_not_found, rate_limited with retryAfter, request_invalid where there is no password.
   */
  unlock(id: string, password: string, peer: { readonly address: string }): Promise<Unlocked> {
    return this.#door.unlock(id, password, peer);
  }

  /**
   * The ticket that lists and pasted lines carry, for whoever may open a share with a password; undefined for the others. Asked again,
   * it is the same one with the same end, also after a restart. Errors: those of open.
   */
  listTicket(visitor: Visitor): Promise<ListTicket | undefined> {
    return this.#door.listTicket(visitor);
  }

  /** Notes that this client accepted the terms as they stand now. Errors: those of open. */
  accept(visitor: Visitor): Promise<PublicShareView> {
    return this.#door.accept(visitor);
  }

  /**
   * A place of the share, `path` as seen from its root. `stat` at the root tells what the share says of itself.
   * Errors: share_not_found for whatever is not open to this visitor, whyever; rate_limited after many of those; share_locked and
   * share_password_wrong; unauthenticated where people must sign in; forbidden for a right it does not give; terms_not_accepted for
   * `download`; not_found below its root; version_withdrawn.
   */
  open(visitor: Visitor, action: Action, path: Path): Promise<ShareHandle> {
    return this.#door.open(visitor, action, path);
  }

  /**
   * As `open`, without waiting, for who has come in before and where nothing has changed since that could be decided otherwise.
   * Undefined where `open` is to be asked, whatever it says: nothing was counted then.
   */
  openAgain(visitor: Visitor, action: Action, path: Path): ShareHandle | undefined {
    return this.#door.openAgain(visitor, action, path);
  }

  /**
   * Counts a leaf, with its path in the share, against the limits of the client: before its first byte or URL. Handles that came in
   * by no share are not counted. May run twice for one leaf. Errors: share_limit_reached with retryAfter; share_not_found where the
   * share ended meanwhile.
   */
  async countUse(handle: Handle, leaf: Leaf): Promise<void> {
    if (handle instanceof ShareHandle) await this.#door.countUse(handle, leaf);
  }

  /** Errors: share_not_found where the share, or the right of its owner, ended since the handle was opened. */
  async stillOpen(handle: Handle): Promise<void> {
    if (handle instanceof ShareHandle) await this.#door.stillOpen(handle);
  }

  /** Keeps when the last temporary URL of a share ends. Costs nothing: written later, shown at once. */
  noteHorizon(handle: Handle, expiresAt: number): void {
    if (handle.share !== undefined) this.#counters.horizon(handle.share.number, expiresAt);
  }

  /** Writes what was counted. */
  flush(): Promise<void> {
    return this.#counters.flush();
  }

  close(): Promise<void> {
    return this.#counters.flush();
  }

  async #view(row: StoredShare): Promise<ShareView> {
    const [view] = await this.#rows.view([row]);
    return view as ShareView;
  }

  async #owned(actor: Actor, number: number): Promise<StoredShare> {
    const row = await this.#rows.get(number);
    if (isAdmin(actor) || (actor.kind === 'user' && actor.id === row.owner_id)) return row;
    throw new PackageRError('not_found', `There is no share ${number} of yours.`);
  }

  async #changeable(actor: Actor, number: number): Promise<StoredShare> {
    const row = await this.#owned(actor, number);
    checkScope(actor);
    if (row.revoked_at !== null) throw new PackageRError('request_invalid', `Share ${number} was revoked for ever; make a new one.`);
    return row;
  }

  /** Refused where somebody changed the share in the meantime. */
  async #change(
    actor: Actor,
    row: StoredShare,
    verb: string,
    columns: Partial<StoredShare>,
    { endTickets, alongside = [] }: { readonly endTickets: boolean; readonly alongside?: readonly Write[] },
  ): Promise<ShareView> {
    const { db } = this.#state;
    const generation = row.generation + 1;
    const unchanged = db
      .updateTable('share')
      .set({ ...columns, ...(endTickets ? { generation } : {}) })
      .where('number', '=', row.number)
      .where('id', '=', row.id)
      .where('generation', '=', row.generation)
      .where('revoked_at', 'is', null);
    // What was decided on what was there is not written over what came between, column by column.
    const change = columnsOf(columns).reduce((query, column) => query.where(column, 'is not distinct from', row[column]), unchanged);
    const message = `Share ${row.number} was changed in the meantime.`;
    const tickets = endTickets ? [{ query: db.deleteFrom('ticket').where('share', '=', row.number) }] : [];
    await this.#state.write({ query: change, expect: { changes: 1, code: 'precondition_failed', message } }, ...tickets, ...alongside);
    this.#record(actor, verb, row.number, {});
    await this.#counters.flush();
    return this.#view(await this.#rows.get(row.number));
  }

  async #nameAudience(id: string, { users = [], groups = [] }: ShareChange): Promise<Write[]> {
    const found = [...(await this.#idsOf('user', users)), ...(await this.#idsOf('group', groups))];
    const { db } = this.#state;
    return found.map(({ kind, subject }) => ({
      query: db
        .insertInto('share_audience')
        .columns(['share', 'subject_kind', 'subject_id'])
        .expression(
          db
            .selectFrom('share')
            .select((eb) => ['number', eb.val(kind).as('subject_kind'), eb.val(subject).as('subject_id')])
            .where('id', '=', id),
        ),
    }));
  }

  async #idsOf(kind: 'user' | 'group', names: readonly string[]): Promise<{ kind: 'user' | 'group'; subject: string }[]> {
    const asked = [...new Set(names)];
    if (asked.length === 0) return [];
    if (asked.length > 500) throw new PackageRError('too_many', 'A share names at most 500 users and 500 groups.');
    const rows = await this.#state.db.selectFrom(kind).select(['id', 'name']).where('name', 'in', asked).execute();
    const missing = asked.find((name) => !rows.some((row) => row.name === name));
    if (missing !== undefined) throw new PackageRError('request_invalid', `There is no ${kind} ${JSON.stringify(missing.slice(0, 80))}.`);
    return rows.map((row) => ({ kind, subject: row.id }));
  }

  #limitCreation(owner: UserActor, now: number): Write[] {
    const { perOwner, createdPerHour } = this.#limits;
    const own = this.#state.db.selectFrom('share').select('number').where('owner_id', '=', owner.id).limit(1);
    const live = own.where('revoked_at', 'is', null).where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]));
    return [
      {
        query: live.offset(perOwner - 1),
        expect: { changes: 'none', code: 'too_many', message: `You have ${perOwner} shares; revoke some first.` },
      },
      {
        query: own.where('created_at', '>', now - hour).offset(createdPerHour - 1),
        expect: { changes: 'none', code: 'rate_limited', message: `You made ${createdPerHour} shares in the last hour.` },
      },
    ];
  }

  async #failCreation(error: unknown, owner: UserActor, now: number): Promise<never> {
    if (!isError(error, 'rate_limited')) throw error;
    const oldest = await this.#state.db
      .selectFrom('share')
      .select('created_at')
      .where('owner_id', '=', owner.id)
      .orderBy('created_at', 'desc')
      .limit(1)
      .offset(this.#limits.createdPerHour - 1)
      .executeTakeFirst();
    const retryAfter = Math.max(1, Math.ceil(((oldest?.created_at ?? now) + hour - now) / 1000));
    throw new PackageRError('rate_limited', error.message, { operation: 'shares.create', retry: 'temporary', retryAfter });
  }

  async #describeLive(kind: 'package' | 'source', id: number): Promise<string | undefined> {
    const live = this.#liveOf(kind, id);
    const { count } = await live.select((eb) => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
    if (Number(count) === 0) return undefined;
    return Number(count) === 1 ? '1 live share shows it.' : `${count} live shares show it.`;
  }

  /** Inside of the unit that takes the target away, for a share that was made since it was looked at. */
  #expectNone(kind: 'package' | 'source', id: number): Write {
    const query = this.#liveOf(kind, id).select('number').limit(1);
    return { query, expect: { changes: 'none', code: 'in_use', message: 'A live share shows it.' } };
  }

  #liveOf(kind: 'package' | 'source', id: number) {
    const now = this.#clock();
    return this.#state.db
      .selectFrom('share')
      .where(kind, '=', id)
      .where('revoked_at', 'is', null)
      .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]));
  }

  #record(actor: Actor, verb: string, number: number, details: Readonly<Record<string, string>>): void {
    this.#events.record({ actor, action: `share.${verb}`, subject: `share:${number}`, details });
  }
}

function columnsOf(columns: Partial<StoredShare>): (keyof StoredShare)[] {
  return Object.keys(columns) as (keyof StoredShare)[];
}

function isAdmin(actor: Actor): boolean {
  return actor.kind === 'system' || (actor.kind === 'user' && actor.admin);
}

function asUser(actor: Actor): UserActor {
  if (actor.kind === 'user') return actor;
  throw new PackageRError('unauthenticated', 'A share is made and kept by a user.');
}

/** A token that was narrowed to other actions manages no shares. */
function checkScope(actor: Actor): void {
  if (actor.kind === 'user' && actor.only !== undefined && !actor.only.includes('share')) {
    throw new PackageRError('forbidden', 'This token does not give the right to manage shares.');
  }
}
