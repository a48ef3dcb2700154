/**
 * Access: who somebody is, and the one decision what they may do. Only it makes a UserActor, from verified evidence, and only it
 * gives the proof that a handle needs. It fails closed: what is not granted is refused.
 */
import { Attempts } from '#access/attempts.ts';
import { type Credential, Credentials } from '#access/credentials.ts';
import { Grants } from '#access/grants.ts';
import { Groups } from '#access/groups.ts';
import { blind, guardTree, type View } from '#access/guard.ts';
import { Login, type LoginOptions, type LoginResult } from '#access/login.ts';
import { Namespaces } from '#access/namespaces.ts';
import type { Gate, Place, Proof } from '#access/place.ts';
import type { Recorder } from '#access/recorder.ts';
import { decide, holds, isOnTheWay, knowing, loadRights, mayKnow, type Rights, type TreePlace } from '#access/rights.ts';
import { Sessions } from '#access/sessions.ts';
import { type AccessSettings, defaultAccessSettings } from '#access/settings.ts';
import { Tokens } from '#access/tokens.ts';
import { Users } from '#access/users.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { Action, Actor, SystemActor, UserActor, VisitorActor } from '#model/actor.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import type { Name } from '#model/name.ts';
import { joinPath, type Path } from '#model/path.ts';
import type { Secret } from '#model/secret.ts';
import type { Tree } from '#model/tree.ts';
import type { State } from '#state/state.ts';

export interface AccessOptions {
  readonly state: State;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly events: Recorder;
  readonly settings?: Partial<AccessSettings>;
}

/** What access knows of a user or credential under one generation of the state. */
interface Known {
  readonly generation: number;
  readonly rights: Map<string, Promise<Rights | undefined>>;
  /** Of `rights`, those that have arrived. */
  readonly loaded: Map<string, Rights>;
  readonly credentials: Map<string, Promise<Credential | undefined>>;
}

const keptEntries = 10_000;

/** Only this module can make one, and it tells them from whatever looks like one. */
class OwnProof {
  readonly #isOwn = true;
  readonly actor: Actor;
  readonly action: Action;
  readonly place: Place;

  constructor(actor: Actor, action: Action, place: Place) {
    this.actor = frozen(actor);
    this.action = action;
    this.place = frozen(place);
    Object.freeze(this);
  }

  static has(proof: unknown): boolean {
    return typeof proof === 'object' && proof !== null && #isOwn in proof && proof.#isOwn;
  }
}

/** Whether `Access` made this very object. */
export function isProof(proof: Proof): boolean {
  return OwnProof.has(proof);
}

export class Access implements Gate {
  readonly attempts: Attempts;
  readonly users: Users;
  readonly groups: Groups;
  readonly tokens: Tokens;
  readonly grants: Grants;
  readonly sessions: Sessions;
  readonly namespaces: Namespaces;
  readonly #state: State;
  readonly #clock: Clock;
  readonly #credentials: Credentials;
  readonly #login: Login;
  #known: Known;

  constructor({ state, clock, makeId, events, settings: changed = {} }: AccessOptions) {
    const settings = { ...defaultAccessSettings, ...changed };
    const parts = { state, clock, makeId, events, settings, gate: this as Gate };
    this.#state = state;
    this.#clock = clock;
    this.#known = forget(state.generation);
    this.#credentials = new Credentials({ state, clock, settings });
    this.attempts = new Attempts({ state, clock, rules: settings.attempts });
    this.#login = new Login({ ...parts, attempts: this.attempts });
    this.users = new Users({ ...parts, attempts: this.attempts });
    this.groups = new Groups(parts);
    this.tokens = new Tokens(parts);
    this.grants = new Grants(parts);
    this.sessions = new Sessions(parts);
    this.namespaces = new Namespaces({ ...parts, grants: this.grants, rightsOf: (actor) => this.#liveRights(actor) });
  }

  /**
   * The one decision, with the rights of now. Listing a folder on the way to a granted place is allowed: the guard hides the rest.
   * Errors: unauthenticated for nobody and for actors whose user or credential ended; not_found where the actor may not even list or
   * stat the place; forbidden.
   */
  async authorize(actor: Actor | undefined, action: Action, place: Place): Promise<Proof> {
    await this.#decide(actor, action, place);
    return prove(actor as Actor, action, place);
  }

  /**
   * The proof for a visitor of a share: what the owner of the share may do now, and no more. What the share itself allows is for
   * shares to decide before. Errors: as authorize gives them for the owner.
   */
  async authorizeShared(visitor: VisitorActor | UserActor, owner: UserActor, action: Action, place: Place): Promise<Proof> {
    await this.#decide(owner, action, place);
    return prove(visitor, action, place);
  }

  /**
   * As `authorize` for an owner or curator whose rights were loaded before and still hold, without waiting; `as` is who the proof is
   * for. Undefined where that is not so, or where the right is not there: ask `authorize` or `authorizeShared`, which say why.
   */
  proveLoaded(actor: UserActor | SystemActor, action: Action, place: Place, as: Actor = actor): Proof | undefined {
    if (actor.kind === 'system') return prove(as, action, place);
    if (actor.credential !== undefined) return undefined;
    const rights = this.#current().loaded.get(actor.id);
    return rights !== undefined && decide(rights, actor.only, action, place) ? prove(as, action, place) : undefined;
  }

  async can(actor: Actor | undefined, action: Action, place: Place): Promise<boolean> {
    try {
      await this.#decide(actor, action, place);
      return true;
    } catch (error) {
      if (isError(error, 'not_found') || isError(error, 'forbidden') || isError(error, 'unauthenticated')) return false;
      throw error;
    }
  }

  /**
   * The tree as this actor may see it; `place` is where the root of the tree lies. A visitor sees nothing: a share guards its tree
   * with its owner.
   */
  guard(tree: Tree, actor: Actor, place: Place): Tree {
    if (actor.kind === 'system') return tree;
    let kept: { generation: number; view: View } | undefined;
    return guardTree(tree, async () => {
      const generation = this.#state.generation;
      if (kept?.generation === generation) return kept.view;
      const view = await this.#view(actor, place);
      kept = { generation, view };
      return view;
    });
  }

  /** Who presents this session or API token. Errors: unauthenticated, the same for every reason. */
  authenticate(token: string, { address }: { readonly address: string }): Promise<UserActor> {
    return this.#credentials.authenticate(token, address);
  }

  /** Errors: login_failed (the same for every reason), rate_limited with retryAfter, too_large. */
  login(name: string, password: string | Secret, options: LoginOptions): Promise<LoginResult> {
    return this.#login.login(name, password, options);
  }

  /** Ends the session of the actor. Errors: unsupported for one without a session. */
  logout(actor: Actor): Promise<void> {
    return this.sessions.logout(actor);
  }

  /** The user with the rights of now, for work on their behalf. Errors: not_found where the user is gone or disabled. */
  async actorOf(userId: string): Promise<UserActor> {
    const rights = await this.#rights(userId);
    if (rights === undefined) throw new PackageRError('not_found', 'This user is gone or disabled.');
    return { kind: 'user', id: userId, name: rights.name, admin: rights.admin };
  }

  /**
   * As whom the operator of the data folder acts: the oldest administrator who is not disabled, so that what is made there has an owner;
   * packageR itself where there is none.
   */
  async operator(): Promise<UserActor | SystemActor> {
    const row = await this.#state.db
      .selectFrom('user')
      .select(['id', 'name'])
      .where('admin', '=', 1)
      .where('disabled', '=', 0)
      .orderBy('created_at')
      .orderBy('id')
      .limit(1)
      .executeTakeFirst();
    return row === undefined ? { kind: 'system', name: 'local' } : { kind: 'user', id: row.id, name: row.name as Name, admin: true };
  }

  /** Ids of the groups that the user is in now; none where the user is gone or disabled. */
  async groupsOf(userId: string): Promise<ReadonlySet<string>> {
    return (await this.#rights(userId))?.groups ?? new Set();
  }

  /** The first administrator, where there is no user yet. The password is told once, here. */
  ensureAdmin(): Promise<{ readonly name: string; readonly password: Secret } | undefined> {
    return this.users.ensureAdmin();
  }

  async #decide(actor: Actor | undefined, action: Action, place: Place): Promise<void> {
    if (actor === undefined) throw new PackageRError('unauthenticated');
    if (actor.kind === 'system') return;
    if (actor.kind !== 'user') throw absent(place);
    const rights = await this.#liveRights(actor);
    if (decide(rights, actor.only, action, place)) return;
    if (place.kind !== 'system' && !mayKnow(rights, actor.only, place)) throw absent(place);
    throw new PackageRError('forbidden', undefined, { operation: `access.${action}`, context: { action } });
  }

  async #view(actor: Actor, place: Place): Promise<View> {
    if (actor.kind !== 'user' || place.kind === 'system') return blind;
    const rights = await this.#liveRights(actor);
    const at = (path: Path): TreePlace => ({ ...place, path: joinPath(place.path, path) });
    const held = (action: Action, where: TreePlace): boolean => holds(rights, actor.only, action, where);
    const all = held('list', place);
    const allBytes = held('download', place);
    return {
      listsAll: all,
      lists: (path) => all || held('list', at(path)),
      leadsOn: (path) => isOnTheWay(rights, actor.only, at(path)),
      knows: (path) => all || knowing.some((action) => held(action, at(path))),
      reads: (path) => allBytes || held('download', at(path)),
    };
  }

  /** Errors: unauthenticated where the user or the presented credential ended. */
  async #liveRights(actor: UserActor): Promise<Rights> {
    const known = this.#current();
    if (actor.credential !== undefined) {
      const { credential } = actor;
      const found = await keep(known.credentials, credential, () => this.#credentials.find(credential));
      if (found === undefined || found.userId !== actor.id || found.expiresAt <= this.#clock()) throw new PackageRError('unauthenticated');
    }
    const rights = await this.#rights(actor.id);
    if (rights === undefined) throw new PackageRError('unauthenticated');
    return rights;
  }

  #rights(userId: string): Promise<Rights | undefined> {
    const { rights, loaded } = this.#current();
    return keep(rights, userId, async () => {
      const found = await loadRights(this.#state, userId);
      if (found !== undefined) loaded.set(userId, found);
      return found;
    });
  }

  #current(): Known {
    if (this.#known.generation !== this.#state.generation) this.#known = forget(this.#state.generation);
    return this.#known;
  }
}

function prove(actor: Actor, action: Action, place: Place): Proof {
  return new OwnProof(actor, action, place) as object as Proof;
}

/** A copy that nobody changes, where it is not one already. */
function frozen<T extends object>(value: T): T {
  return Object.isFrozen(value) ? value : Object.freeze({ ...value });
}

function absent(place: Place): PackageRError {
  return new PackageRError(place.kind === 'system' ? 'forbidden' : 'not_found', undefined, { operation: 'access.authorize' });
}

function forget(generation: number): Known {
  return { generation, rights: new Map(), loaded: new Map(), credentials: new Map() };
}

/** What failed is not kept. */
function keep<T>(map: Map<string, Promise<T>>, key: string, load: () => Promise<T>): Promise<T> {
  const kept = map.get(key);
  if (kept !== undefined) return kept;
  if (map.size >= keptEntries) map.clear();
  const loading = load();
  map.set(key, loading);
  loading.catch(() => map.delete(key));
  return loading;
}
