/** The rows of shares: found by id for every request under the generation of the state, and shown to their owners. */
import { PackageRError } from '#errors/error.ts';
import type { Clock } from '#model/clock.ts';
import { type Name, parseName } from '#model/name.ts';
import { type Path, parsePath } from '#model/path.ts';
import { writeReference } from '#packages/package.ts';
import { type ShareRight, type ShareState, type ShareView, shareRights } from '#shares/share.ts';
import type { ShareRow, TicketRow } from '#state/schema.ts';
import type { State } from '#state/state.ts';

/** A row as it is read: the engine has given its number. */
export type StoredShare = Omit<ShareRow, 'number'> & { readonly number: number };

const keptRows = 10_000;

export class ShareRows {
  readonly #state: State;
  readonly #clock: Clock;
  #generation = 0;
  #found = new Map<string, StoredShare | undefined>();
  #tickets = new Map<string, TicketRow | undefined>();

  constructor({ state, clock }: { readonly state: State; readonly clock: Clock }) {
    this.#state = state;
    this.#clock = clock;
  }

  /** The share with this id now, whatever its state. */
  async find(id: string): Promise<StoredShare | undefined> {
    const kept = this.#current().#found;
    if (kept.has(id)) return kept.get(id);
    const row = await this.#state.db.selectFrom('share').selectAll().where('id', '=', id).executeTakeFirst();
    if (row !== undefined) keep(kept, id, row);
    return row;
  }

  /** A ticket of this share and its present generation that has not ended. */
  async findTicket(share: StoredShare, hash: string): Promise<TicketRow | undefined> {
    const kept = this.#current().#tickets;
    const row = kept.get(hash) ?? (await this.#state.db.selectFrom('ticket').selectAll().where('id', '=', hash).executeTakeFirst());
    if (row !== undefined) keep(kept, hash, row);
    const holds = row !== undefined && row.share === share.number && row.generation === share.generation && row.expires_at > this.#clock();
    return holds ? row : undefined;
  }

  /** Errors: not_found. */
  async get(number: number): Promise<StoredShare> {
    const row = Number.isSafeInteger(number)
      ? await this.#state.db.selectFrom('share').selectAll().where('number', '=', number).executeTakeFirst()
      : undefined;
    if (row === undefined) throw new PackageRError('not_found', `There is no share ${number} of yours.`);
    return row;
  }

  async isInAudience(share: StoredShare, userId: string, groups: ReadonlySet<string>): Promise<boolean> {
    const rows = await this.#state.db.selectFrom('share_audience').selectAll().where('share', '=', share.number).execute();
    return rows.some((row) => (row.subject_kind === 'user' ? row.subject_id === userId : groups.has(row.subject_id)));
  }

  /** As owners and administrators see them, in the order given. */
  async view(rows: readonly StoredShare[]): Promise<ShareView[]> {
    const [owners, targets, audiences] = await Promise.all([this.#owners(rows), this.#targets(rows), this.#audiences(rows)]);
    return rows.map((row) => {
      const target = targets.get(row.number);
      const owner = owners.get(row.owner_id);
      const named = audiences.filter((one) => one.share === row.number);
      const namesOf = (kind: 'user' | 'group') => named.filter((one) => one.kind === kind).map((one) => one.name);
      return {
        number: row.number,
        id: row.id,
        owner: { id: row.owner_id, name: owner?.name ?? ('' as Name) },
        state: target === undefined || owner?.disabled !== 0 ? closedState(row, this.#clock()) : stateOf(row, this.#clock()),
        target,
        kind: row.target,
        path: pathOf(row),
        audience: row.audience,
        hasPassword: row.password !== null,
        users: namesOf('user'),
        groups: namesOf('group'),
        rights: rightsOf(row),
        title: row.title,
        note: row.note,
        terms: row.terms,
        onDrift: row.on_drift,
        maxObjects: row.max_objects ?? undefined,
        maxBytes: row.max_bytes ?? undefined,
        notBefore: row.not_before ?? undefined,
        expiresAt: row.expires_at ?? undefined,
        horizonAt: row.horizon_at,
        opened: row.opened,
        exchanged: row.exchanged,
        usedAt: row.used_at ?? undefined,
        createdAt: row.created_at,
      };
    });
  }

  #current(): this {
    if (this.#generation !== this.#state.generation) {
      this.#generation = this.#state.generation;
      this.#found = new Map();
      this.#tickets = new Map();
    }
    return this;
  }

  async #owners(rows: readonly StoredShare[]): Promise<Map<string, { name: Name; disabled: number }>> {
    const ids = [...new Set(rows.map((row) => row.owner_id))];
    if (ids.length === 0) return new Map();
    const found = await this.#state.db.selectFrom('user').select(['id', 'name', 'disabled']).where('id', 'in', ids).execute();
    return new Map(found.map(({ id, name, disabled }) => [id, { name: parseName(name, 'user'), disabled }]));
  }

  async #targets(rows: readonly StoredShare[]): Promise<Map<number, string>> {
    const packages = new Map<number, { namespace: Name; name: Name }>();
    const sources = new Map<number, string>();
    const packageIds = numbers(rows.map((row) => row.package));
    const sourceIds = numbers(rows.map((row) => row.source));
    if (packageIds.length > 0) {
      const found = await this.#state.db
        .selectFrom('package')
        .innerJoin('namespace', 'namespace.id', 'package.namespace_id')
        .select(['package.id', 'package.name', 'namespace.name as namespace'])
        .where('package.id', 'in', packageIds)
        .where('package.removed_at', 'is', null)
        .execute();
      for (const one of found) packages.set(one.id, { namespace: parseName(one.namespace), name: parseName(one.name) });
    }
    if (sourceIds.length > 0) {
      const found = await this.#state.db
        .selectFrom('source')
        .select(['id', 'name'])
        .where('id', 'in', sourceIds)
        .where('removed_at', 'is', null)
        .execute();
      for (const one of found) sources.set(one.id, `source:${one.name}`);
    }
    const targets = new Map<number, string>();
    for (const row of rows) {
      const reference = packages.get(row.package ?? 0);
      const version = row.target === 'latest' ? 'latest' : (row.version ?? 0);
      const target = row.target === 'live' ? sources.get(row.source ?? 0) : reference && writeReference({ ...reference, version });
      if (target !== undefined) targets.set(row.number, target);
    }
    return targets;
  }

  async #audiences(rows: readonly StoredShare[]): Promise<{ share: number; kind: 'user' | 'group'; name: Name }[]> {
    const shares = rows.filter((row) => row.audience === 'named').map((row) => row.number);
    if (shares.length === 0) return [];
    const members = await this.#state.db.selectFrom('share_audience').selectAll().where('share', 'in', shares).execute();
    const named = await Promise.all(
      (['user', 'group'] as const).map(async (kind) => {
        const own = members.filter((row) => row.subject_kind === kind);
        if (own.length === 0) return [];
        const ids = own.map((row) => row.subject_id);
        const found = await this.#state.db.selectFrom(kind).select(['id', 'name']).where('id', 'in', ids).orderBy('name').execute();
        return found.flatMap(({ id, name }) =>
          own.filter((row) => row.subject_id === id).map((row) => ({ share: row.share, kind, name: parseName(name) })),
        );
      }),
    );
    return named.flat();
  }
}

/** What the row itself says; whether its owner still holds the rights is asked at each use. */
export function stateOf(row: StoredShare, now: number): ShareState {
  if (row.revoked_at !== null) return 'revoked';
  if (row.expires_at !== null && row.expires_at <= now) return 'expired';
  if (row.paused_at !== null) return 'paused';
  if (row.not_before !== null && row.not_before > now) return 'pending';
  return 'open';
}

/** The state of a share whose target or owner is gone. */
export function closedState(row: StoredShare, now: number): ShareState {
  const state = stateOf(row, now);
  return state === 'revoked' || state === 'expired' ? state : 'closed';
}

export function rightsOf(row: StoredShare): ShareRight[] {
  const held = row.rights.split(' ');
  return shareRights.filter((right) => held.includes(right));
}

export function pathOf(row: StoredShare): Path {
  return parsePath(row.path);
}

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  if (map.size >= keptRows) map.clear();
  map.set(key, value);
}

function numbers(values: readonly (number | null)[]): number[] {
  return [...new Set(values.filter((value) => value !== null))];
}
