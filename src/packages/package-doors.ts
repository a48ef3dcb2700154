import type { Place, Proof } from '#access/place.ts';
import { PackageRError } from '#errors/error.ts';
import type { Action, Actor, SystemActor, UserActor } from '#model/actor.ts';
import type { Pointer } from '#model/entry.ts';
import { holdTree } from '#model/held-tree.ts';
import { joinPath, type Path, parsePath, root } from '#model/path.ts';
import type { ReadOptions } from '#model/tree.ts';
import type { VersionRow } from '#state/schema.ts';
import { curatorOf } from './curator.ts';
import { DraftGaps } from './draft-gaps.ts';
import type { DraftsOptions } from './drafts.ts';
import { isIntact } from './drift.ts';
import { Gaps } from './gaps.ts';
import type { PackageReference } from './package.ts';
import { PackageHandle } from './package-handle.ts';
import { type FoundPackage, type PackageRows, toPackageView, toVersionView } from './package-rows.ts';
import { PackageTree } from './package-tree.ts';
import { stepCheck } from './still-there.ts';

/** What was found, and for whom. */
interface Opened {
  readonly found: FoundPackage;
  /** Of the state, before anything was looked up. */
  readonly generation: number;
  readonly proof: Proof;
  readonly reference: PackageReference;
  readonly path: Path;
  readonly viewer: Actor;
}

/** Who asks for what is told in `Packages`. */
export class PackageDoors {
  readonly #options: DraftsOptions;
  readonly #rows: PackageRows;
  readonly #gaps = new Gaps();
  readonly #draftGaps: DraftGaps;

  constructor(options: DraftsOptions, rows: PackageRows) {
    this.#options = options;
    this.#rows = rows;
    this.#draftGaps = new DraftGaps(options.state, this.#gaps);
  }

  /**
   * Opens the draft, or a version, for an action. Errors: not_found, forbidden, unauthenticated; version_withdrawn.
   */
  async open(actor: Actor, action: Action, reference: PackageReference, path: Path): Promise<PackageHandle> {
    const { generation } = this.#options.state;
    const { found, proof } = await this.find(actor, action, reference, path);
    return this.#handle({ found, generation, proof, reference, path, viewer: actor });
  }

  /**
   * Opens with a proof that somebody else got for exactly this place: shares, for their visitors, with the rights of their owner.
   * `guardedFor`: whose view of the tree it is. Errors: forbidden for a proof of another place; not_found, version_withdrawn.
   */
  async openProven(proof: Proof, guardedFor: UserActor | SystemActor, reference: PackageReference, path: Path): Promise<PackageHandle> {
    const { generation } = this.#options.state;
    const namespaceId = await this.#rows.namespaceId(reference.namespace);
    const { place } = proof;
    if (namespaceId === undefined) throw new PackageRError('not_found');
    const wanted = placeOf(namespaceId, reference.name as string as Path, path);
    if (place.kind !== 'namespace' || place.id !== wanted.id || place.path !== wanted.path)
      throw new PackageRError('forbidden', 'The proof is for another place.', { operation: 'packages.open' });
    const found = await this.#rows.get(reference, namespaceId);
    return this.#handle({ found, generation, proof, reference, path, viewer: guardedFor });
  }

  /** The place of a package or a path in it, for `Access`. Errors: not_found. */
  async placeOf(reference: PackageReference, path: Path): Promise<Place> {
    const namespaceId = await this.#rows.namespaceId(reference.namespace);
    if (namespaceId === undefined) throw new PackageRError('not_found', 'There is no such package, or you may not see it.');
    return placeOf(namespaceId, reference.name as string as Path, path);
  }

  async find(actor: Actor, action: Action, reference: PackageReference, path: Path = root): Promise<{ found: FoundPackage; proof: Proof }> {
    const namespaceId = await this.#rows.namespaceId(reference.namespace);
    const { access } = this.#options;
    if (namespaceId === undefined) {
      if (actor === undefined) throw new PackageRError('unauthenticated');
      throw new PackageRError('not_found', 'There is no such package, or you may not see it.');
    }
    const proof = await access.authorize(actor, action, placeOf(namespaceId, reference.name as string as Path, path));
    return { found: await this.#rows.get(reference, namespaceId), proof };
  }

  /** The package, where the actor may do this to its draft, there and at each of `paths`. */
  async findDraft(
    actor: Actor,
    action: Action,
    reference: PackageReference,
    path: Path,
    paths: readonly Path[] = [],
  ): Promise<FoundPackage> {
    if (reference.version !== undefined) throw new PackageRError('unsupported', 'A version never changes; edit the draft.');
    if (paths.length > 1000) throw new PackageRError('too_many', 'At most 1000 paths at once.');
    const [first = path, ...rest] = paths;
    const { found } = await this.find(actor, action, reference, first);
    for (const one of rest) await this.find(actor, action, reference, one);
    return found;
  }

  async authorizeNew(actor: Actor, reference: PackageReference): Promise<string> {
    if (reference.version !== undefined) throw new PackageRError('reference_invalid', 'A new package is named without a version.');
    const namespaceId = await this.#rows.namespaceId(reference.namespace);
    if (namespaceId === undefined) throw new PackageRError('not_found', 'There is no such namespace, or you may not see it.');
    await this.#options.access.authorize(actor, 'create', placeOf(namespaceId, reference.name as string as Path, root));
    return namespaceId;
  }

  async #handle({ found, generation, proof, reference, path, viewer }: Opened): Promise<PackageHandle> {
    const { access, state, clock } = this.#options;
    const { row } = found;
    const version = reference.version === undefined ? undefined : await this.#rows.getVersion(found, reference.version);
    const curator = version === undefined ? requireCurator(viewer) : await curatorOf(access, version.author);
    const place = placeOf(row.namespace_id, row.name as Path, root);
    const step = version?.step ?? row.head;
    const tree = new PackageTree({
      state,
      package: row.id,
      step,
      frozen: version !== undefined,
      search: this.#options.search,
      readInline: (pointer, options) => this.#readInline(curator, pointer, options),
      gaps: version === undefined ? await this.#draftGaps.of(row) : this.#gaps.of(`${row.id}@${version.step}`),
    });
    const title = `${found.namespace}/${row.name}`;
    return new PackageHandle({
      proof,
      tree: access.guard(holdTree(tree, stepCheck(state, { package: row.id, step, generation })), viewer, place),
      path,
      about: version === undefined ? { title, at: clock() } : aboutVersion(title, version),
      subject: version === undefined ? `package:${row.id}` : `package:${row.id}@${version.number}`,
      curator,
      mayLocate: proof.actor.kind !== 'visitor' && (await access.can(proof.actor, 'modify', place)),
      package: toPackageView(found),
      ...(version === undefined ? {} : { version: toVersionView(version) }),
    });
  }

  /** With the rights of the curator, and only while the object is the one that is pointed to. */
  async *#readInline(curator: UserActor | SystemActor, pointer: Pointer, options: ReadOptions): AsyncGenerator<Uint8Array, void> {
    const path = parsePath(pointer.key);
    const { tree } = await this.#options.sources.openById(curator, 'download', pointer.source, path);
    const entry = await tree.find(path, { signal: options.signal });
    if (entry?.kind !== 'pointer') throw new PackageRError('object_gone');
    const isPinned = pointer.version === undefined || entry.version === pointer.version;
    if (!isPinned || !isIntact(pointer, entry)) throw new PackageRError('drifted');
    yield* tree.read(path, options);
  }
}

/** Where rights on a package, or a path in it, are looked up. */
export function placeOf(namespaceId: string, name: Path, path: Path) {
  return { kind: 'namespace', id: namespaceId, path: joinPath(name, path) } as const;
}

function requireCurator(actor: Actor): UserActor | SystemActor {
  if (actor.kind === 'visitor') throw new PackageRError('forbidden', 'A draft is opened for users only.');
  return actor;
}

function aboutVersion(title: string, version: VersionRow) {
  return { title, version: version.number, digest: version.digest, at: version.frozen_at };
}
