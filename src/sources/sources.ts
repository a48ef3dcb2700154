/**
 * Sources: the connected places, and the one way into them. `open` asks access and returns a handle or throws; no driver is reachable
 * but through a handle. Only administrators add, change, test and remove sources.
 */
import type { Access } from '#access/access.ts';
import { type Proof, system } from '#access/place.ts';
import type { Recorder } from '#access/recorder.ts';
import type { Connector } from '#drivers/connector.ts';
import type { DriverDefinition } from '#drivers/driver.ts';
import { asError, isError, PackageRError } from '#errors/error.ts';
import type { Action, Actor, SystemActor, UserActor } from '#model/actor.ts';
import type { Clock } from '#model/clock.ts';
import { type Name, parseName } from '#model/name.ts';
import { type Path, root } from '#model/path.ts';
import type { Secret } from '#model/secret.ts';
import { checkSecretNames, findDefinition, parseSourceOptions, viewDriver } from '#sources/options.ts';
import { bindHandle, bindSources, type Reach } from '#sources/presign.ts';
import { type ProbeHooks, probeSource } from '#sources/probe/probe.ts';
import type { DriverView, NewSource, SourceChange, SourceTest, SourceView } from '#sources/source.ts';
import { handover, readOptions, SourceDrivers, type SourceDriversOptions } from '#sources/source-drivers.ts';
import { SourceHandle } from '#sources/source-handle.ts';
import { type KeptSource, SourceRows } from '#sources/source-rows.ts';
import { SourceSecrets } from '#sources/source-secrets.ts';
import { type InlinePolicy, SourceTree } from '#sources/source-tree.ts';

import type { State, Write } from '#state/state.ts';
import type { Vault } from '#state/vault.ts';

export interface SourcesOptions extends Omit<SourceDriversOptions, 'secrets'> {
  readonly state: State;
  readonly access: Access;
  readonly events: Recorder;
  readonly vault: Vault;
  /** `<folder>/<source>/<FILE>`, one value a file. */
  readonly secretsFolder?: string | undefined;
  readonly inline: InlinePolicy;
  /** What a test of a source needs to know of this server. */
  readonly probe?: ProbeHooks | undefined;
}

export interface TestOptions {
  readonly signal?: AbortSignal | undefined;
  readonly setCors?: boolean | undefined;
}

/** A sentence on who uses the source with this id, or undefined: a source in use is not removed unless forced. */
export type RemovalCheck = (id: string) => Promise<string | undefined>;

/** What must hold in the very unit that removes it: of who uses it since that was asked. */
export type RemovalGuard = (id: string) => readonly Write[];

export class Sources {
  readonly #access: Access;
  readonly #events: Recorder;
  readonly #vault: Vault;
  readonly #definitions: readonly DriverDefinition[];
  readonly #clock: Clock;
  readonly #inline: InlinePolicy;
  readonly #probe: ProbeHooks;
  readonly #connector: Connector;
  readonly #rows: SourceRows;
  readonly #secrets: SourceSecrets;
  readonly #drivers: SourceDrivers;
  readonly #checks: RemovalCheck[] = [];
  readonly #guards: RemovalGuard[] = [];

  constructor(options: SourcesOptions) {
    this.#access = options.access;
    this.#events = options.events;
    this.#vault = options.vault;
    this.#definitions = options.drivers;
    this.#clock = options.clock;
    this.#inline = options.inline;
    this.#probe = options.probe ?? {};
    this.#connector = options.connector;
    this.#rows = new SourceRows(options.state);
    this.#secrets = new SourceSecrets({ vault: options.vault, folder: options.secretsFolder });
    this.#drivers = new SourceDrivers({ ...options, secrets: this.#secrets });
    bindSources(this, async (sourceId) => this.#drivers.get(await this.#getById(sourceId)));
  }

  /** The drivers that a source can have. */
  drivers(): DriverView[] {
    return this.#definitions.map(viewDriver);
  }

  /**
   * Opens a place of a source for an action. The handle’s tree begins at the root of the source.
   * Errors: not_found, the same for a source that is not there and one that the actor may not know of; forbidden; source_broken.
   */
  async open(actor: Actor, action: Action, name: Name, path: Path): Promise<SourceHandle> {
    return this.#open(actor, action, await this.#rows.findByName(name), path);
  }

  /** As `open`, by the id that pointers hold. */
  async openById(actor: Actor, action: Action, id: string, path: Path): Promise<SourceHandle> {
    return this.#open(actor, action, await this.#rows.findById(id), path);
  }

  /**
   * As `openById` for who opened it before, where nothing has changed since that could be decided otherwise and its driver is open,
   * without waiting. Undefined where openById is to be asked, for any reason.
   */
  openAgain(actor: UserActor | SystemActor, action: Action, id: string, path: Path): SourceHandle | undefined {
    const row = this.#rows.findLoaded(id);
    const reach = row === undefined ? undefined : this.#drivers.find(row);
    if (row === undefined || reach === undefined) return undefined;
    const proof = this.#access.proveLoaded(actor, action, placeOf(row, path));
    return proof === undefined ? undefined : this.#handle(row, proof, reach, path);
  }

  /** The names of the sources that are there, by id. For those who may see locations. */
  async names(ids: readonly string[]): Promise<Map<string, Name>> {
    return this.#rows.names(ids);
  }

  /** Registers who may object to the removal of a source. */
  onRemove(check: RemovalCheck, guard?: RemovalGuard): void {
    this.#checks.push(check);
    if (guard !== undefined) this.#guards.push(guard);
  }

  /** Those that the actor may list, by name. Opens nothing. */
  async list(actor: Actor): Promise<SourceView[]> {
    const views: SourceView[] = [];
    for (const row of await this.#rows.list()) {
      if (await this.#access.can(actor, 'list', placeOf(row, root))) views.push(await this.#viewFor(actor, row));
    }
    return views;
  }

  /** Opens the source, to say what it can do. Errors: not_found. */
  async get(actor: Actor, name: Name): Promise<SourceView> {
    const row = await this.#rows.findByName(name);
    if (row === undefined || !(await this.#access.can(actor, 'list', placeOf(row, root)))) throw absent(actor);
    await this.#drivers.get(row).catch(() => undefined);
    return this.#viewFor(actor, row);
  }

  /** Errors: forbidden, exists, name_invalid, request_invalid (driver, options), secret_invalid. */
  async add(actor: Actor, source: NewSource): Promise<SourceView> {
    await this.#access.authorize(actor, 'manage', system);
    const name = parseName(source.name, 'source');
    const definition = findDefinition(this.#definitions, source.driver);
    const options = parseSourceOptions(definition, source.options ?? {});
    const secrets = source.secrets ?? {};
    checkSecretNames(definition, secrets);
    await this.#drivers.check(definition, '0', { options, secrets });
    const title = parseTitle(source.title ?? name);
    const row = { name, driver: definition.kind, title, options: JSON.stringify(options), at: this.#clock() };
    const id = await this.#rows.add(row, (made) => this.#secrets.write(made, secrets));
    this.#record(actor, 'source.add', id, { name, driver: definition.kind });
    return this.#viewOpened(id, actor);
  }

  /** Errors: those of `add`; not_found; precondition_failed where another change came first. */
  async update(actor: Actor, name: Name, change: SourceChange): Promise<SourceView> {
    const row = await this.#manage(actor, name);
    const id = String(row.id);
    const definition = findDefinition(this.#definitions, row.driver);
    const secrets = change.secrets ?? {};
    checkSecretNames(definition, secrets);
    const options = change.options === undefined ? row.options : await this.#changeOptions(row, definition, change);
    const renamed = change.name === undefined ? name : parseName(change.name, 'source');
    const title = parseTitle(change.title ?? row.title);
    await this.#rows.update(
      row,
      { name: renamed, driver: row.driver, title, options, at: this.#clock() },
      this.#secrets.write(id, secrets),
    );
    if (change.options === undefined && change.secrets === undefined) this.#drivers.keep(row.id, row.generation + 1);
    else this.#drivers.retire(row.id, row.generation + 1, change.options === undefined ? handover : 0);
    const changed = Object.entries(change).filter(([, value]) => value !== undefined);
    this.#record(actor, 'source.update', id, { name: renamed, changed: changed.map(([key]) => key).join(' ') });
    return this.#viewById(id, actor);
  }

  /** Packages keep their pointers, which answer not_found from then on. Errors: not_found, forbidden; in_use, which says by what. */
  async remove(actor: Actor, name: Name, options: { readonly force?: boolean } = {}): Promise<void> {
    const row = await this.#manage(actor, name);
    const id = String(row.id);
    const uses: string[] = [];
    for (const check of this.#checks) {
      const use = await check(id);
      if (use !== undefined) uses.push(use);
    }
    if (uses.length > 0 && options.force !== true)
      throw new PackageRError('in_use', `The source ${name} is still in use: ${uses.join(' ')}`);
    const guards = options.force === true ? [] : this.#guards.flatMap((guard) => guard(id));
    await this.#rows.remove(row, this.#clock(), [...guards, this.#secrets.remove(id)]);
    await this.#drivers.drop(row.id);
    this.#record(actor, 'source.remove', id, { name, forced: uses.length > 0 });
  }

  /**
   * Tries what the source says that it can do, and says in plain words what works. With `setCors` it puts the CORS rule that is missing on
   * the store. Errors: not_found, forbidden.
   */
  async test(actor: Actor, name: Name, { signal, setCors }: TestOptions = {}): Promise<SourceTest> {
    const row = await this.#manage(actor, name);
    const definition = this.#definitions.find((one) => one.kind === row.driver);
    const test = await probeSource({
      definition,
      options: parseKept(row),
      open: () => this.#drivers.openApart(row),
      connector: this.#connector,
      hooks: this.#probe,
      clock: this.#clock,
      setCors,
      signal,
    });
    const used = this.#drivers.find(row);
    if (test.works && (used === undefined || used.isDown)) this.#drivers.retire(row.id);
    const isSet = test.checks.some((check) => check.name === 'cors-set' && check.outcome === 'ok');
    this.#record(actor, 'source.test', String(row.id), { name, works: test.works, ...(isSet && { cors: 'set' }) });
    return test;
  }

  /** Opens all anew when they are next used: the secrets folder has changed. */
  async reload(): Promise<void> {
    this.#drivers.retireAll();
  }

  async close(): Promise<void> {
    await this.#drivers.close();
  }

  async #open(actor: Actor, action: Action, row: KeptSource | undefined, path: Path): Promise<SourceHandle> {
    if (row === undefined) throw absent(actor);
    const proof = await this.#access.authorize(actor, action, placeOf(row, path)).catch((error: unknown) => {
      throw isError(error, 'not_found') ? absent(actor) : error;
    });
    return this.#handle(row, proof, await this.#drivers.get(row), path);
  }

  #handle(row: KeptSource, proof: Proof, reach: Reach, path: Path): SourceHandle {
    const { actor } = proof;
    const id = String(row.id);
    const tree = new SourceTree({
      source: id,
      driver: () => this.#drivers.follow(row, reach),
      inline: this.#inline,
      cursors: this.#vault,
      owner: ownerOf(actor),
    });
    const handle = new SourceHandle({
      proof,
      tree: this.#access.guard(tree, actor, placeOf(row, root)),
      path,
      about: { title: row.title, at: this.#clock() },
      subject: `source:${id}`,
      curator: curatorOf(actor),
      mayLocate: true,
      source: () => this.#view(row),
      leadsTo: reach.leadsTo,
    });
    bindHandle(handle, reach);
    return handle;
  }

  async #manage(actor: Actor, name: Name): Promise<KeptSource> {
    await this.#access.authorize(actor, 'manage', system);
    const row = await this.#rows.findByName(name);
    if (row === undefined) throw absent(actor);
    return row;
  }

  async #getById(id: string): Promise<KeptSource> {
    const row = await this.#rows.findById(id);
    if (row === undefined) throw new PackageRError('not_found', 'There is no such source.', { operation: 'sources.open' });
    return row;
  }

  async #viewById(id: string, actor: Actor): Promise<SourceView> {
    return this.#viewFor(actor, await this.#getById(id));
  }

  /** With what keeps it from opening, if something does: so it is said at once. */
  async #viewOpened(id: string, actor: Actor): Promise<SourceView> {
    const row = await this.#getById(id);
    await this.#drivers.get(row).catch(() => undefined);
    return this.#viewFor(actor, row);
  }

  /** The options as they will be kept: those there are, then the changed ones; null removes. */
  async #changeOptions(row: KeptSource, definition: DriverDefinition, change: SourceChange): Promise<string> {
    const merged = Object.entries({ ...parseKept(row), ...change.options }).filter(([, value]) => value !== null && value !== undefined);
    const options = parseSourceOptions(definition, Object.fromEntries(merged));
    const kept = await this.#secrets.open(String(row.id), row.name, definition).catch(() => ({}));
    const given = Object.entries(change.secrets ?? {}).filter((entry): entry is [string, Secret] => entry[1] !== null);
    await this.#drivers.check(definition, String(row.id), { options, secrets: { ...kept, ...Object.fromEntries(given) } });
    return JSON.stringify(options);
  }

  /** What everyone may know who may list the source. */
  #view(row: KeptSource): SourceView {
    const { id, name, driver, title, created_at: createdAt, updated_at: updatedAt } = row;
    const open = this.#drivers.find(row);
    const capabilities = open === undefined ? {} : { capabilities: open.current().capabilities };
    const state = open === undefined ? (this.#problemOf(row) === undefined ? 'unknown' : 'broken') : open.isDown ? 'down' : 'ok';
    return { id: String(id), name: name as Name, driver, title, ...capabilities, state, createdAt, updatedAt };
  }

  /** With what only those see who may manage sources. */
  async #viewFor(actor: Actor, row: KeptSource): Promise<SourceView> {
    const view = this.#view(row);
    if (!(await this.#access.can(actor, 'manage', system))) return view;
    const definition = this.#definitions.find((one) => one.kind === row.driver);
    const secrets = definition === undefined ? {} : await this.#secrets.view(view.id, row.name, definition);
    const problem = view.state === 'broken' ? this.#problemOf(row) : undefined;
    const told = problem === undefined ? {} : { problem: { code: problem.code, message: problem.message } };
    return { ...view, options: parseKept(row), secrets, ...told };
  }

  /** Why the source cannot be opened, as far as is known without trying. */
  #problemOf(row: KeptSource): PackageRError | undefined {
    const failure = this.#drivers.findFailure(row);
    if (failure !== undefined) return failure;
    try {
      readOptions(findDefinition(this.#definitions, row.driver), row);
      return undefined;
    } catch (error) {
      return asError(error);
    }
  }

  #record(actor: Actor, action: string, id: string, details: Record<string, string | boolean>): void {
    this.#events.record({ actor, action, subject: `source:${id}`, details });
  }
}

function placeOf(row: KeptSource, path: Path) {
  return { kind: 'source', id: String(row.id), path } as const;
}

/** The same words for what is not there and what is none of the actor’s business. */
function absent(actor: Actor | undefined): PackageRError {
  if (actor === undefined) return new PackageRError('unauthenticated');
  return new PackageRError('not_found', 'There is no such source, or you may not see it.', { operation: 'sources.open' });
}

function curatorOf(actor: Actor): UserActor | SystemActor {
  if (actor.kind === 'visitor') throw new PackageRError('forbidden', 'A source is opened for users only.');
  return actor;
}

function ownerOf(actor: Actor): string {
  if (actor.kind === 'user') return `user:${actor.id}`;
  return actor.kind === 'system' ? 'system' : `share:${actor.share}`;
}

function parseTitle(title: string): string {
  if (title.length > 200 || !title.isWellFormed() || /\p{Cc}/u.test(title) || title.trim() === '')
    throw new PackageRError('request_invalid', 'A title has 1 to 200 characters and no control characters.');
  return title;
}

/** What is kept, for showing and mending; nothing where it is damaged. */
function parseKept(row: KeptSource): Record<string, string | number | boolean> {
  try {
    const options: unknown = JSON.parse(row.options);
    return typeof options === 'object' && options !== null && !Array.isArray(options) ? (options as Record<string, string>) : {};
  } catch {
    return {};
  }
}
