/**
 * Packages: named, curated trees of pointers and texts. `open` is the way in; each method asks access first, at the place of what it
 * touches: the namespace, at the name of the package and the path in it.
 */

import type { Place, Proof } from '#access/place.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { JobView } from '#jobs/job.ts';
import type { Action, Actor, SystemActor, UserActor } from '#model/actor.ts';
import { type Path, root } from '#model/path.ts';
import { readAll } from '#model/tree.ts';
import { placeOfKey } from '#sources/place.ts';
import { returned, type Write } from '#state/state.ts';
import { Checks } from './checks.ts';
import { writeActorId } from './curator.ts';
import { type DiffPage, type DiffRequest, diffSteps } from './diff.ts';
import type { EditOutcome } from './drafts.ts';
import { type Edit, isLarge } from './edits.ts';
import { freeze, isLongFreeze } from './freeze.ts';
import { FreezeJobs } from './freeze-job.ts';
import { type KeptPackage, stepRoom } from './open-step.ts';
import { type PackageReference, type PackageView, type StepView, type VersionView, writeReference } from './package.ts';
import { placeOf } from './package-doors.ts';
import { PackageEdits, type PackagesOptions } from './package-edits.ts';
import type { PackageHandle } from './package-handle.ts';
import { type FoundPackage, toPackageView, toVersionView } from './package-rows.ts';
import { type PackageMetadata, packageYamlPath, parsePackageYaml } from './package-yaml.ts';

/** A sentence on who uses the package with this id, or undefined. */
export type DeletionCheck = (packageId: number) => Promise<string | undefined>;

/** What must hold in the very unit that deletes it: of who uses it since that was asked. */
export type DeletionGuard = (packageId: number) => readonly Write[];

interface Page {
  readonly cursor?: string | undefined;
  /** 1 to 1000; 200 where left out. */
  readonly limit?: number | undefined;
}

export class Packages extends PackageEdits {
  readonly #checks: Checks;
  readonly #freezes: FreezeJobs;
  readonly #deletionChecks: DeletionCheck[] = [];
  readonly #deletionGuards: DeletionGuard[] = [];

  constructor(options: PackagesOptions) {
    super(options);
    this.#checks = new Checks({ ...options, search: this.search });
    this.#freezes = new FreezeJobs(options);
    options.sources.onRemove((id) => this.#usesOf(id));
  }

  /** At start, after `jobs.recover()`: takes back what a crash left half done. */
  async recover(): Promise<void> {
    await this.drafts.recover();
    await this.search.recover();
    this.pending.recover();
  }

  /** Gives up what is done in the background. */
  async close(): Promise<void> {
    await this.pending.close();
    await this.search.close();
  }

  /** Registers who may object to the deletion of a package. */
  onDelete(check: DeletionCheck, guard?: DeletionGuard): void {
    this.#deletionChecks.push(check);
    if (guard !== undefined) this.#deletionGuards.push(guard);
  }

  /** An empty package. Errors: exists, not_found (namespace), reference_invalid for one with a version. */
  async create(actor: Actor, reference: PackageReference): Promise<PackageView> {
    const namespaceId = await this.doors.authorizeNew(actor, reference);
    const row = await this.#insert(reference, namespaceId);
    this.record(actor, 'package.create', row.id, { name: writeReference(reference) });
    return toPackageView({ row, namespace: reference.namespace, latest: undefined });
  }

  /** Those that the actor may list, in order of their names. */
  async list(
    actor: Actor,
    page: Page & { readonly namespace?: string | undefined } = {},
  ): Promise<{ packages: PackageView[]; cursor?: string }> {
    const limit = limitOf(page);
    const packages: PackageView[] = [];
    let last = parseNames(page.cursor);
    for (;;) {
      const found = await this.rows.after(page.namespace, last, 200);
      for (const one of found) {
        if (packages.length === limit) return { packages, cursor: Buffer.from(last.join('/')).toString('base64url') };
        last = [one.namespace, one.row.name];
        if (await this.options.access.can(actor, 'list', placeOf(one.row.namespace_id, one.row.name as Path, root)))
          packages.push(toPackageView(one));
      }
      if (found.length < 200) return { packages };
    }
  }

  async get(actor: Actor, reference: PackageReference): Promise<PackageView> {
    return toPackageView((await this.doors.find(actor, 'list', reference)).found);
  }

  /**
   * Opens the draft, or a version, for an action. Errors: not_found, forbidden, unauthenticated; version_withdrawn.
   */
  open(actor: Actor, action: Action, reference: PackageReference, path: Path): Promise<PackageHandle> {
    return this.doors.open(actor, action, reference, path);
  }

  /**
   * Opens with a proof that somebody else got for exactly this place: shares, for their visitors, with the rights of their owner.
   * `guardedFor`: whose view of the tree it is. Errors: forbidden for a proof of another place; not_found, version_withdrawn.
   */
  openProven(proof: Proof, guardedFor: UserActor | SystemActor, reference: PackageReference, path: Path): Promise<PackageHandle> {
    return this.doors.openProven(proof, guardedFor, reference, path);
  }

  /** The place of a package or a path in it, for `Access`. Errors: not_found. */
  placeOf(reference: PackageReference, path: Path): Promise<Place> {
    return this.doors.placeOf(reference, path);
  }

  /** Name of the package with this id, for shares that hold ids. Undefined where it is gone. */
  async nameOf(packageId: number): Promise<PackageReference | undefined> {
    const row = await this.options.state.db
      .selectFrom('package')
      .innerJoin('namespace', 'namespace.id', 'package.namespace_id')
      .select(['namespace.name as namespace', 'package.name as name'])
      .where('package.id', '=', packageId)
      .where('removed_at', 'is', null)
      .executeTakeFirst();
    return row as PackageReference | undefined;
  }

  /** What package.yaml says. Errors: metadata_invalid for one that was annexed unchecked. */
  async metadata(handle: PackageHandle): Promise<PackageMetadata> {
    const entry = await handle.tree.find(packageYamlPath);
    if (entry?.kind !== 'text') return {};
    return parsePackageYaml(await readAll(handle.tree.read(packageYamlPath), this.limits.textBytes));
  }

  // Versions.

  /**
   * Freezes the draft as the next version. Errors: nothing_to_freeze, step_open; forbidden where the actor may not download what the
   * package points to.
   */
  async freeze(
    actor: Actor,
    reference: PackageReference,
    input: { readonly message?: string; readonly signal?: AbortSignal } = {},
  ): Promise<VersionView> {
    const { state, sources, clock } = this.options;
    const message = this.#checkMessage(input.message);
    const { row: draft } = await this.doors.findDraft(actor, 'modify', reference, root);
    const author = writeActorId(actor);
    const row = await this.drafts.claiming(draft.id, (job) =>
      freeze({
        state,
        claim: { package: draft.id, job },
        message,
        author,
        at: clock(),
        signal: input.signal,
        authorize: async (source, path) => void (await sources.openById(actor, 'download', source, path)),
        placeOf: placeOfKey,
      }),
    );
    this.record(actor, 'package.freeze', draft.id, { version: row.number, digest: row.digest });
    return toVersionView(row);
  }

  /** As freeze, where that is soon done; else a job that does it, with the rights of its owner. */
  async startFreeze(
    actor: Actor,
    reference: PackageReference,
    input: { readonly message?: string; readonly signal?: AbortSignal } = {},
  ): Promise<{ readonly version: VersionView } | { readonly job: JobView }> {
    const { state } = this.options;
    const { row } = await this.doors.findDraft(actor, 'modify', reference, root);
    const isLong = FreezeJobs.mayStart(actor) && (await isLongFreeze(state, row.id, row.head, this.limits.freezeEntries));
    if (!isLong) return { version: await this.freeze(actor, reference, input) };
    const freezing = { package: row.id, message: this.#checkMessage(input.message), step: row.head };
    return { job: await this.drafts.claiming(row.id, () => this.#freezes.start(freezing, actor)) };
  }

  #checkMessage(message = ''): string {
    if (Buffer.byteLength(message) > this.limits.messageBytes || !message.isWellFormed())
      throw new PackageRError('too_large', `A message has at most ${this.limits.messageBytes} bytes.`);
    return message;
  }

  /** Newest first, withdrawn ones included. */
  async versions(actor: Actor, reference: PackageReference, page: Page = {}): Promise<{ versions: VersionView[]; cursor?: string }> {
    const { found } = await this.doors.find(actor, 'list', reference);
    const limit = limitOf(page);
    const versions = await this.rows.versions(found.row.id, parseNumber(page.cursor), limit + 1);
    const { kept, ...rest } = pageOf(versions, limit, (last) => last.number);
    return { versions: kept, ...rest };
  }

  /** One version, also where it was withdrawn. Errors: not_found. */
  async version(actor: Actor, reference: PackageReference): Promise<VersionView> {
    const { found } = await this.doors.find(actor, 'list', reference);
    return toVersionView(await this.rows.getVersion(found, reference.version ?? 'latest', { withdrawn: true }));
  }

  /** From one version or the draft to another. Entries hold locations: see `mayLocate` of the handle before telling them. */
  async diff(
    actor: Actor,
    reference: PackageReference,
    steps: { readonly from?: number | 'latest' | 'draft'; readonly to?: number | 'latest' | 'draft' } & DiffRequest = {},
  ): Promise<DiffPage> {
    const { found } = await this.doors.find(actor, 'list', reference);
    const { from = found.latest === undefined ? 0 : 'latest', to = 'draft', ...request } = steps;
    const stepOf = async (one: number | 'latest' | 'draft'): Promise<number> => {
      if (one === 'draft') return found.row.head;
      return one === 0 ? 0 : (await this.rows.getVersion(found, one)).step;
    };
    const between = { package: found.row.id, from: await stepOf(from), to: await stepOf(to) };
    return diffSteps(this.options.state, between, request, found.row.generation);
  }

  /** The steps of the draft, newest first; undone ones are marked. */
  async log(actor: Actor, reference: PackageReference, page: Page = {}): Promise<{ steps: StepView[]; cursor?: string }> {
    const { found } = await this.doors.find(actor, 'list', reference);
    const limit = limitOf(page);
    const steps = await this.rows.steps(found.row, parseNumber(page.cursor), limit + 1);
    const { kept, ...rest } = pageOf(steps, limit, (last) => last.step);
    return { steps: kept, ...rest };
  }

  /** Starts the job that recomputes the digest of a version from what is kept. Its error is verify_failed. */
  async verify(actor: Actor, reference: PackageReference): Promise<JobView> {
    const { found } = await this.doors.find(actor, 'list', reference);
    const version = await this.rows.getVersion(found, reference.version ?? 'latest', { withdrawn: true });
    return this.#checks.verify(found.row.id, version.number, writeActorId(actor));
  }

  /**
   * Starts the job that looks whether the objects are still what they were; `rate`: questions to the stores a second.
   * Errors: request_invalid for a rate above the limit.
   */
  async drift(
    actor: Actor,
    reference: PackageReference,
    { rate = this.limits.driftPerSecond }: { readonly rate?: number | undefined } = {},
  ): Promise<JobView> {
    const most = this.limits.driftPerSecond;
    if (rate > most) throw new PackageRError('request_invalid', `A sweep asks at most ${most} questions a second here (drift.perSecond).`);
    const { found } = await this.doors.find(actor, 'list', reference);
    const version = reference.version === undefined ? undefined : await this.rows.getVersion(found, reference.version);
    const at = version === undefined ? { step: found.row.head } : { step: version.step, entries: version.entries };
    return this.#checks.drift({ package: found.row.id, rate, ...at }, version?.number, writeActorId(actor));
  }

  /** The newest sweep for drift that has ended, whoever started it. Errors: not_found where there is none. */
  async lastDrift(actor: Actor, reference: PackageReference): Promise<JobView> {
    const { found } = await this.doors.find(actor, 'list', reference);
    const version = reference.version === undefined ? undefined : await this.rows.getVersion(found, reference.version);
    return this.#checks.lastDrift(found.row.id, version?.number);
  }

  /** The version answers version_withdrawn from now on; its number and digest stay. Errors: not_found, version_withdrawn. */
  async withdraw(actor: Actor, reference: PackageReference, { reason = '' }: { readonly reason?: string } = {}): Promise<VersionView> {
    const { state, clock } = this.options;
    const { found } = await this.doors.find(actor, 'delete', reference);
    if (Buffer.byteLength(reason) > this.limits.messageBytes)
      throw new PackageRError('too_large', `A reason has at most ${this.limits.messageBytes} bytes.`);
    if (reference.version === undefined) throw new PackageRError('reference_invalid', 'Name the version that is to be withdrawn.');
    const version = await this.rows.getVersion(found, reference.version);
    const set = state.db.updateTable('version').set({ withdrawn_at: clock(), withdrawn_reason: reason }).where('withdrawn_at', 'is', null);
    await state.write({
      query: set.where('package', '=', found.row.id).where('number', '=', version.number),
      expect: { changes: 1, code: 'version_withdrawn', message: `Version ${version.number} was withdrawn already.` },
    });
    this.record(actor, 'package.withdraw', found.row.id, { version: version.number });
    return toVersionView(await this.rows.getVersion(found, version.number, { withdrawn: true }));
  }

  /** With all its versions; a job clears its rows. Errors: in_use while shares are live, unless forced; step_open. */
  async delete(actor: Actor, reference: PackageReference, options: { readonly force?: boolean } = {}): Promise<JobView> {
    const { state, clock } = this.options;
    const { found } = await this.doors.find(actor, 'delete', reference);
    const { id } = found.row;
    const uses = (await Promise.all(this.#deletionChecks.map((check) => check(id)))).filter((use) => use !== undefined);
    if (uses.length > 0 && options.force !== true)
      throw new PackageRError(
        'in_use',
        `${writeReference({ namespace: reference.namespace, name: reference.name })} is still in use: ${uses.join(' ')}`,
      );
    const guards = options.force === true ? [] : this.#deletionGuards.flatMap((guard) => guard(id));
    const remove = state.db.updateTable('package').set({ removed_at: clock() }).where('id', '=', id).where('removed_at', 'is', null);
    const removal: Write = {
      query: remove.where('open_step', 'is', null),
      expect: { changes: 1, code: 'step_open', message: 'A change of this draft is under way.' },
    };
    const job = await this.drafts.claiming(id, () => this.#checks.purge(id, writeActorId(actor), [...guards, removal]));
    this.record(actor, 'package.delete', id, { name: writeReference(reference), forced: uses.length > 0 });
    return job;
  }

  /** A new package that begins as a version, or the draft, of another. Errors: exists; forbidden without download of the origin. */
  async fork(
    actor: Actor,
    origin: PackageReference,
    to: PackageReference,
  ): Promise<{ readonly package: PackageView; readonly outcome: EditOutcome }> {
    const { found } = await this.doors.find(actor, 'download', origin);
    const version = origin.version === undefined ? undefined : await this.rows.getVersion(found, origin.version);
    const namespaceId = await this.doors.authorizeNew(actor, to);
    const name = writeReference(version === undefined ? origin : { ...origin, version: version.number });
    const step = version?.step ?? found.row.head;
    const isJob = await isLarge(this.reader(found.row, step), [root], this.limits.jobEntries);
    const work: Edit = { operation: 'fork', package: found.row.id, step };
    const insert = async (claim: string): Promise<number> =>
      (await this.#insert(to, namespaceId, { forkedFrom: name, claim, room: isJob ? stepRoom : 0 })).id;
    const outcome = await this.drafts.fork(insert, (id) => ({ package: id, work, summary: `Forked from ${name}` }), {
      actor: writeActorId(actor),
      isJob,
    });
    const { row } = await this.rows.get(to, namespaceId);
    const fresh: FoundPackage = { row, namespace: to.namespace, latest: undefined };
    this.record(actor, 'package.fork', row.id, { name: writeReference(to), from: name });
    return { package: toPackageView(fresh), outcome };
  }

  /** `claim`: holds its first step open from the beginning; `room`: numbers left free before it. */
  async #insert(
    reference: PackageReference,
    namespaceId: string,
    { forkedFrom, claim, room = 0 }: { readonly forkedFrom?: string; readonly claim?: string; readonly room?: number } = {},
  ): Promise<KeptPackage> {
    const { state, clock } = this.options;
    const row = {
      namespace_id: namespaceId,
      name: reference.name,
      head: 0,
      top: 0,
      frozen: 0,
      ...(claim === undefined ? {} : { open_step: 1 + room, open_job: claim }),
      generation: 1,
      forked_from: forkedFrom ?? null,
      created_at: clock(),
    };
    try {
      const namespace = state.db.selectFrom('namespace').select('id').where('id', '=', namespaceId);
      const [, result] = await state.write(
        { query: namespace, expect: { changes: 1, code: 'not_found', message: 'The namespace is gone.' } },
        { query: state.db.insertInto('package').values(row).returningAll() },
      );
      return returned<KeptPackage>(result);
    } catch (error) {
      if (isError(error, 'exists')) throw new PackageRError('exists', `There is already a package ${writeReference(reference)}.`);
      throw error;
    }
  }

  /** A sentence where drafts or versions point to this source. */
  async #usesOf(source: string): Promise<string | undefined> {
    const row = await this.options.state.db
      .selectFrom('entry')
      .innerJoin('package', 'package.id', 'entry.package')
      .innerJoin('namespace', 'namespace.id', 'package.namespace_id')
      .select(['namespace.name as namespace', 'package.name as name'])
      .where('entry.source', '=', Number(source))
      .where('package.removed_at', 'is', null)
      .limit(1)
      .executeTakeFirst();
    return row === undefined ? undefined : `The package ${row.namespace}/${row.name} points to it.`;
  }
}

function limitOf({ limit = 200 }: Page): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw new PackageRError('request_invalid', 'The limit of a page is an integer from 1 to 1000.');
  return limit;
}

function parseNumber(cursor: string | undefined): number {
  if (cursor === undefined) return Number.MAX_SAFE_INTEGER;
  if (!/^[0-9]{1,15}$/.test(cursor)) throw new PackageRError('cursor_invalid');
  return Number(cursor);
}

function parseNames(cursor: string | undefined): [string, string] {
  if (cursor === undefined) return ['', ''];
  const [namespace, name, ...more] = Buffer.from(cursor, 'base64url').toString().split('/');
  if (namespace === undefined || name === undefined || more.length > 0) throw new PackageRError('cursor_invalid');
  return [namespace, name];
}

/** Rows beyond the limit were asked for to see whether there are more. */
function pageOf<T>(found: T[], limit: number, keyOf: (last: T) => number): { kept: T[]; cursor?: string } {
  const last = found[limit - 1];
  if (found.length <= limit || last === undefined) return { kept: found };
  return { kept: found.slice(0, limit), cursor: String(keyOf(last)) };
}
