/** What a share shows, opened with the rights that its owner has now. Targets are kept by id, so that no namesake takes their place. */
import type { Access } from '#access/access.ts';
import type { Handle } from '#access/handle.ts';
import type { Place } from '#access/place.ts';
import { PackageRError } from '#errors/error.ts';
import type { Action, UserActor } from '#model/actor.ts';
import type { Clock } from '#model/clock.ts';
import { parseName } from '#model/name.ts';
import { joinPath, type Path, parsePath, root } from '#model/path.ts';
import { parseReference } from '#packages/package.ts';
import type { Packages } from '#packages/packages.ts';
import { pathOf, type StoredShare } from '#shares/share-rows.ts';
import type { Sources } from '#sources/sources.ts';
import type { State, Write } from '#state/state.ts';

/** The columns that say what is shared. */
type TargetColumns = Pick<StoredShare, 'target' | 'package' | 'version' | 'source' | 'path'>;

interface OpenTarget {
  readonly owner: UserActor;
  /** Opened at the root of the share; its tree begins at the root of the package or source. */
  readonly inner: Handle;
  readonly isFile: boolean;
}

export interface ShareTargetsOptions {
  readonly state: State;
  readonly access: Access;
  readonly sources: Sources;
  readonly packages: Packages;
  readonly clock: Clock;
}

/** Milliseconds for which a live path is believed to be a file or folder still, instead of asking the store for each request. */
const kindKept = 30_000;
const keptKinds = 10_000;

export class ShareTargets {
  readonly #state: State;
  readonly #access: Access;
  readonly #sources: Sources;
  readonly #packages: Packages;
  readonly #clock: Clock;
  readonly #kinds = new Map<number, { readonly isFile: boolean; readonly until: number }>();

  constructor(options: ShareTargetsOptions) {
    this.#state = options.state;
    this.#access = options.access;
    this.#sources = options.sources;
    this.#packages = options.packages;
    this.#clock = options.clock;
  }

  /**
   * What a person wants to share, where it exists and they may share and download it.
   * Errors: reference_invalid, name_invalid, path_invalid; not_found; forbidden.
   */
  async parse(actor: UserActor, target: string, path: string | undefined): Promise<TargetColumns> {
    const found = target.startsWith('source:')
      ? await this.#parseSource(actor, target.slice('source:'.length), path)
      : await this.#parsePackage(actor, target, parsePath(path ?? ''));
    const { handle, columns } = found;
    const at = parsePath(columns.path);
    if (at !== root && (await handle.tree.find(at)) === undefined) {
      throw new PackageRError('not_found', `There is nothing at ${JSON.stringify(at)} to share.`, { operation: 'shares.create' });
    }
    return columns;
  }

  /** `check` throws where the owner may no longer share the place. Errors: not_found, forbidden and whatever opening gives. */
  async open(row: StoredShare, action: Action, check: (owner: UserActor, place: Place) => Promise<void>): Promise<OpenTarget> {
    const owner = await this.#access.actorOf(row.owner_id);
    const inner = row.target === 'live' ? await this.#openSource(row, owner, action) : await this.#openPackage(row, owner, action);
    await check(owner, inner.place);
    return { owner, inner, isFile: await this.#isFile(row, inner) };
  }

  /** Whether the package or source is there still. Errors: not_found. */
  async check(row: StoredShare): Promise<void> {
    if (row.target !== 'live') {
      await this.#findPackage(row);
      return;
    }
    const { db } = this.#state;
    const source = await db.selectFrom('source').select('removed_at').where('id', '=', row.source).executeTakeFirst();
    if (source === undefined || source.removed_at !== null) throw gone();
  }

  /** Inside of the unit that makes a share, so that none is made for what was taken away since it was parsed. Errors: not_found. */
  isThere({ package: packageId, version, source }: TargetColumns, owner: UserActor): Write[] {
    const { db } = this.#state;
    const expect = { changes: 1, code: 'not_found', message: 'What shall be shared is gone.' } as const;
    const writes: Write[] = [{ query: db.selectFrom('user').select('id').where('id', '=', owner.id).where('disabled', '=', 0), expect }];
    if (packageId !== null)
      writes.push({ query: db.selectFrom('package').select('id').where('id', '=', packageId).where('removed_at', 'is', null), expect });
    if (packageId !== null && version !== null) {
      const kept = db.selectFrom('version').select('number').where('package', '=', packageId).where('number', '=', version);
      writes.push({ query: kept.where('withdrawn_at', 'is', null), expect });
    }
    if (source !== null)
      writes.push({ query: db.selectFrom('source').select('id').where('id', '=', source).where('removed_at', 'is', null), expect });
    return writes;
  }

  async #parseSource(actor: UserActor, text: string, below: string | undefined): Promise<{ handle: Handle; columns: TargetColumns }> {
    const slash = text.indexOf('/');
    const name = parseName(slash < 0 ? text : text.slice(0, slash), 'source');
    const path = joinPath(parsePath(slash < 0 ? '' : text.slice(slash + 1)), parsePath(below ?? ''));
    await this.#sources.open(actor, 'share', name, path);
    const handle = await this.#sources.open(actor, 'download', name, path);
    return { handle, columns: { target: 'live', package: null, version: null, source: Number(handle.source.id), path } };
  }

  async #parsePackage(actor: UserActor, text: string, path: Path): Promise<{ handle: Handle; columns: TargetColumns }> {
    const reference = parseReference(text);
    if (reference.version === undefined) {
      throw new PackageRError('reference_invalid', `A draft is not shared: write ${JSON.stringify(`${text}@latest`)} or a version.`);
    }
    await this.#packages.open(actor, 'share', reference, path);
    const handle = await this.#packages.open(actor, 'download', reference, path);
    const version = reference.version === 'latest' ? null : reference.version;
    const columns = { target: version === null ? 'latest' : 'version', package: handle.package.id, version, source: null, path } as const;
    return { handle, columns };
  }

  #openSource(row: StoredShare, owner: UserActor, action: Action): Promise<Handle> {
    return this.#sources.openById(owner, action, String(row.source), pathOf(row));
  }

  async #openPackage(row: StoredShare, owner: UserActor, action: Action): Promise<Handle> {
    const { namespace, name } = await this.#findPackage(row);
    const version = row.target === 'latest' ? ('latest' as const) : (row.version ?? 0);
    const reference = { namespace: parseName(namespace), name: parseName(name), version };
    const handle = await this.#packages.open(owner, action, reference, pathOf(row));
    if (handle.package.id !== row.package) throw gone();
    return handle;
  }

  async #findPackage(row: StoredShare): Promise<{ readonly namespace: string; readonly name: string }> {
    const found = await this.#state.db
      .selectFrom('package')
      .innerJoin('namespace', 'namespace.id', 'package.namespace_id')
      .select(['package.name', 'namespace.name as namespace'])
      .where('package.id', '=', row.package)
      .where('package.removed_at', 'is', null)
      .executeTakeFirst();
    if (found === undefined) throw gone();
    return found;
  }

  async #isFile(row: StoredShare, inner: Handle): Promise<boolean> {
    const path = pathOf(row);
    if (path === root) return false;
    const kept = this.#kinds.get(row.number);
    if (row.target === 'live' && kept !== undefined && kept.until > this.#clock()) return kept.isFile;
    const entry = await inner.tree.find(path);
    if (entry === undefined) throw gone();
    const isFile = entry.kind !== 'folder';
    if (this.#kinds.size >= keptKinds) this.#kinds.clear();
    this.#kinds.set(row.number, { isFile, until: this.#clock() + kindKept });
    return isFile;
  }
}

function gone(): PackageRError {
  return new PackageRError('not_found', 'What was shared is gone.', { operation: 'share.open' });
}
