/** Edits of the draft of a package. Each is one step; `step_open` where another is being written. */

import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { isError, PackageRError } from '#errors/error.ts';
import type { EventDetails } from '#events/events.ts';
import type { JobView } from '#jobs/job.ts';
import type { Action, Actor } from '#model/actor.ts';
import type { Leaf, Text } from '#model/entry.ts';
import { joinPath, nameOf, type Path, root } from '#model/path.ts';
import { compileGlob } from '#model/pattern.ts';
import type { Tree } from '#model/tree.ts';
import { placeOfKey } from '#sources/place.ts';
import type { SourceHandle } from '#sources/source-handle.ts';
import type { Write } from '#state/state.ts';
import { checkAnnex } from './annex.ts';
import type { AnnexRequest, Selection } from './annex-request.ts';
import { writeActorId } from './curator.ts';
import type { DraftStep } from './draft-step.ts';
import { Drafts, type DraftsOptions, type DraftWork, type EditOutcome } from './drafts.ts';
import { checkPair, type Edit, isLarge, outermost, type Pair } from './edits.ts';
import { EntryReader } from './entry-reader.ts';
import { toLeaf } from './entry-row.ts';
import { redo, undo } from './history.ts';
import { type MetaPatch, parseMetaPatch, patchMeta } from './meta.ts';
import type { KeptPackage } from './open-step.ts';
import type { EditResult, OnConflict, PackageReference, PackageView } from './package.ts';
import { PackageDoors, placeOf } from './package-doors.ts';
import { type FoundPackage, PackageRows, toPackageView } from './package-rows.ts';
import { PackageTree } from './package-tree.ts';
import { packageYamlPath, parsePackageYaml } from './package-yaml.ts';
import { PendingUploads } from './pending-uploads.ts';
import { SearchIndex, type SearchIndexLimits } from './search/search-index.ts';
import { isTextual, joined, readHead, type Upload, Uploads } from './uploads.ts';

export interface PackageLimits {
  /** Bytes of one text. */
  readonly textBytes: number;
  /** Edits of more entries become jobs. */
  readonly jobEntries: number;
  /** Freezes after more changed entries become jobs where one does not wait for them. */
  readonly freezeEntries: number;
  /** Objects of one list. */
  readonly listItems: number;
  /** Bytes of the message of a version. */
  readonly messageBytes: number;
  /** Questions a second that a sweep for drift asks of stores. */
  readonly driftPerSecond: number;
  /** Bytes of one file that goes to an upload source, and uploads of one user at once. */
  readonly uploadBytes: number;
  readonly uploadsPerUser: number;
  /** Milliseconds after which the uploads of another process that gives no sign are taken back; see PendingUploads. */
  readonly uploadPatience?: number | undefined;
  /** Milliseconds that a file which was uploaded waits for another change of the draft to end. */
  readonly stepWait: number;
}

const defaultPackageLimits: PackageLimits = {
  textBytes: 1024 * 1024,
  jobEntries: 10_000,
  freezeEntries: 200_000,
  listItems: 100_000,
  messageBytes: 10 * 1024,
  driftPerSecond: 100,
  uploadBytes: 5 * 1024 ** 3,
  uploadsPerUser: 20,
  stepWait: 30_000,
};

const decideTries = 5;

export interface PackagesOptions extends Omit<DraftsOptions, 'limits' | 'search' | 'pending'> {
  readonly limits?: Partial<PackageLimits>;
  readonly index?: Partial<SearchIndexLimits>;
}

export interface PutOptions {
  /** SHA-256 of the text as it was read; `absent`: there must be none. Errors: precondition_failed. */
  readonly ifMatch?: string | undefined;
}

export interface PutFileOptions extends PutOptions {
  /** Bytes, where they are known. */
  readonly size?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RelocateOptions {
  /** refuse where left out. */
  readonly onConflict?: OnConflict;
}

/** Where a file is put, by who may. */
interface PutPlace {
  readonly found: FoundPackage;
  readonly path: Path;
  readonly mayReplace: boolean;
}

export class PackageEdits {
  readonly limits: PackageLimits;
  protected readonly options: PackagesOptions;
  protected readonly rows: PackageRows;
  protected readonly doors: PackageDoors;
  protected readonly drafts: Drafts;
  /** Index of names: built in the background, told of by nobody. */
  readonly search: SearchIndex;
  readonly #uploads: Uploads;
  /** Uploads that no step points to yet. */
  readonly pending: PendingUploads;

  constructor(options: PackagesOptions) {
    this.limits = { ...defaultPackageLimits, ...options.limits };
    this.options = options;
    this.rows = new PackageRows(options.state);
    const { state, clock, events, index = {} } = options;
    this.search = new SearchIndex({ state, clock, events, limits: index });
    this.pending = new PendingUploads({ ...options, patience: this.limits.uploadPatience });
    const own = { ...options, limits: this.limits, search: this.search, pending: this.pending };
    this.doors = new PackageDoors(own, this.rows);
    this.drafts = new Drafts(own);
    const { uploadBytes: bytes, uploadsPerUser: perUser } = this.limits;
    this.#uploads = new Uploads({ ...options, limits: { bytes, perUser }, pending: this.pending });
  }

  /** Puts a text. Errors: too_large above 1 MiB, precondition_failed, path_conflict, metadata_invalid for package.yaml. */
  async put(actor: Actor, reference: PackageReference, path: Path, bytes: Uint8Array, { ifMatch }: PutOptions = {}): Promise<EditResult> {
    if (path === root) throw new PackageRError('path_invalid', 'A text needs a name.');
    if (bytes.length > this.limits.textBytes)
      throw new PackageRError(
        'too_large',
        `A text has at most ${this.limits.textBytes} bytes; upload larger ones to a source and annex them.`,
      );
    const place = await this.#findPut(actor, reference, path, ifMatch);
    return this.#putText(actor, place, bytes, { ifMatch });
  }

  /**
   * Puts a file as it comes. A text is kept by packageR; what is longer, or binary, goes to the upload source of the namespace and is
   * annexed from there, or nothing is. A small file is kept where the namespace has none.
   * Errors: those of `put`; too_large, also for want of an upload source; rate_limited; forbidden, upload_source_invalid; those of stores.
   */
  async putFile(
    actor: Actor,
    reference: PackageReference,
    path: Path,
    body: AsyncIterable<Uint8Array>,
    { ifMatch, size, signal }: PutFileOptions = {},
  ): Promise<EditResult> {
    if (path === root) throw new PackageRError('path_invalid', 'A file needs a name.');
    const place = await this.#findPut(actor, reference, path, ifMatch);
    const target = await this.#uploads.findTarget(place.found.row.namespace_id, place.found.row.name);
    if (ifMatch !== undefined) checkMatch(await this.#leafNow(place), ifMatch, path);
    const { textBytes } = this.limits;
    if (size !== undefined && size > textBytes && (target === undefined || path === packageYamlPath)) throw tooLong(place, textBytes);
    const { head, rest } = await readHead(body, textBytes);
    const isText = rest === undefined && (target === undefined || path === packageYamlPath || isTextual(head));
    if (isText) return this.#putText(actor, place, head, { ifMatch });
    if (target === undefined || path === packageYamlPath) throw tooLong(place, textBytes);
    const request = { target, package: place.found.row.id, path, body: joined(head, rest), size, signal };
    const upload = await this.#uploads.write(actor, request);
    try {
      return await this.#waiting(() => this.#putPointer(actor, place, upload, { ifMatch }), signal);
    } catch (error) {
      await upload.discard();
      throw error;
    } finally {
      upload.release();
    }
  }

  async #putText(actor: Actor, { found, path, mayReplace }: PutPlace, bytes: Uint8Array, { ifMatch }: PutOptions): Promise<EditResult> {
    if (path === packageYamlPath) parsePackageYaml(bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return this.#now(found, actor, { operation: 'put', summary: `Put ${quote(path)}` }, async (step) => {
      const before = await leafBefore(step, path);
      checkMatch(before, ifMatch, path);
      const meta = before?.meta === undefined ? {} : { meta: before.meta };
      const text: Text = { kind: 'text', path, size: bytes.length, sha256, modifiedAt: this.options.clock(), ...meta };
      await step.put([text], mayReplace ? 'replace' : 'refuse', { texts: [{ sha256, bytes }] });
    });
  }

  async #leafNow({ found: { row }, path }: PutPlace): Promise<Leaf | undefined> {
    const kept = (await this.reader(row, row.head).find([path])).get(path);
    return kept === undefined ? undefined : toLeaf(kept);
  }

  #putPointer(
    actor: Actor,
    { found, path, mayReplace }: PutPlace,
    { pointer, kept }: Upload,
    { ifMatch }: PutOptions,
  ): Promise<EditResult> {
    const note = { operation: 'put', summary: `Uploaded ${quote(path)}` } as const;
    const put = async (step: DraftStep): Promise<void> => {
      const before = await leafBefore(step, path);
      checkMatch(before, ifMatch, path);
      const meta = before?.meta === undefined ? {} : { meta: before.meta };
      await step.put([{ ...pointer, ...meta }], mayReplace ? 'replace' : 'refuse');
    };
    return this.#now(found, actor, note, put, [kept]);
  }

  /** Tries again while the draft is being changed: what took long to send is not thrown away for that. Errors: those of `run`. */
  async #waiting<T>(run: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    for (let waited = 0, pause = 10; ; waited += pause, pause = Math.min(2 * pause, 500)) {
      try {
        return await run();
      } catch (error) {
        if (!isError(error, 'step_open') || waited >= this.limits.stepWait) throw error;
      }
      await delay(pause, undefined, signal === undefined ? {} : { signal }).catch(() => signal?.throwIfAborted());
    }
  }

  /** Who may only create may put what is not there yet. */
  async #findPut(actor: Actor, reference: PackageReference, path: Path, ifMatch: string | undefined): Promise<PutPlace> {
    const found = await this.doors
      .findDraft(actor, ifMatch === 'absent' ? 'create' : 'modify', reference, path)
      .catch(async (error: unknown) => {
        if (!isError(error, 'forbidden') || ifMatch !== undefined) throw error;
        const draft = await this.doors.findDraft(actor, 'create', reference, path);
        if ((await this.reader(draft.row, draft.row.head).find([path])).size > 0) throw error;
        return draft;
      });
    const mayReplace = await this.options.access.can(actor, 'modify', placeOf(found.row.namespace_id, found.row.name as Path, path));
    return { found, path, mayReplace };
  }

  /** An explicit folder, which may stay empty; in drafts only. Errors: path_conflict. */
  async mkdir(actor: Actor, reference: PackageReference, path: Path): Promise<EditResult> {
    if (path === root) throw new PackageRError('exists', 'The root is always there.');
    const found = await this.doors.findDraft(actor, 'create', reference, path);
    return this.#now(found, actor, { operation: 'mkdir', summary: `Made the folder ${quote(path)}` }, async (step) => {
      await step.put([{ kind: 'folder', path, explicit: true }], 'refuse');
    });
  }

  /** Into `to` where that is a folder, else under that name. Errors: path_conflict for a folder into itself; exists; not_found. */
  async move(
    actor: Actor,
    reference: PackageReference,
    from: readonly Path[],
    to: Path,
    options: RelocateOptions = {},
  ): Promise<EditOutcome> {
    return this.#deciding(() => this.#relocate(actor, reference, 'move', from, to, options));
  }

  async copy(
    actor: Actor,
    reference: PackageReference,
    from: readonly Path[],
    to: Path,
    options: RelocateOptions = {},
  ): Promise<EditOutcome> {
    return this.#deciding(() => this.#relocate(actor, reference, 'copy', from, to, options));
  }

  /** Files, and folders with all that they hold. Errors: not_found. */
  async remove(actor: Actor, reference: PackageReference, paths: readonly Path[]): Promise<EditOutcome> {
    const all = outermost(paths);
    return this.#deciding(async () => {
      const found = await this.doors.findDraft(actor, 'delete', reference, root, paths);
      await this.#requireAll(found.row, all);
      return this.#edit(found, actor, { operation: 'remove', paths: all }, `Removed ${quoteAll(all)}`, all);
    });
  }

  /** Sets and removes (null) keys of all files of a selection. Errors: meta_invalid, not_found. */
  async setMeta(actor: Actor, reference: PackageReference, selection: Selection, patch: MetaPatch): Promise<EditOutcome> {
    patchMeta({}, parseMetaPatch(patch));
    const isGlob = 'glob' in selection;
    if (isGlob) compileGlob(selection.glob);
    const all = isGlob ? [] : outermost(selection.paths);
    const told = isGlob ? `files that match ${quote(selection.glob)}` : quoteAll(all);
    const edit: Edit = { operation: 'meta', selection: isGlob ? selection : { paths: all }, patch };
    return this.#deciding(async () => {
      const found = await this.doors.findDraft(actor, 'modify', reference, root, isGlob ? [root] : selection.paths);
      await this.#requireAll(found.row, all);
      return this.#edit(found, actor, edit, `Set metadata of ${told}`, isGlob ? [root] : all);
    });
  }

  /** Starts the job that annexes. Errors: step_open, not_found (source), request_invalid, pattern_invalid, too_many. */
  async annex(actor: Actor, reference: PackageReference, request: AnnexRequest): Promise<JobView> {
    const action: Action = request.onConflict === 'replace' ? 'modify' : 'create';
    const found = await this.doors.findDraft(actor, action, reference, request.to);
    if ('list' in request.select && request.select.list.length > this.limits.listItems)
      throw new PackageRError('too_many', `A list holds at most ${this.limits.listItems} objects.`);
    checkAnnex(request);
    const { source, leadsTo } = await this.#authorizeAnnex(actor, request);
    const work: DraftWork['work'] = { operation: 'annex', source: source.id, leadsTo, request };
    const summary = `Annexed from ${request.source}${request.to === root ? '' : ` to ${quote(request.to)}`}`;
    return this.drafts.start({ package: found.row.id, work, summary }, writeActorId(actor));
  }

  /** Moves the head back by a step; the step stays for `redo` until the next edit. Errors: nothing_to_undo, step_open. */
  async undo(actor: Actor, reference: PackageReference): Promise<PackageView> {
    return this.#move(actor, reference, 'undo', undo);
  }

  /** Errors: nothing_to_undo where nothing was undone. */
  async redo(actor: Actor, reference: PackageReference): Promise<PackageView> {
    return this.#move(actor, reference, 'redo', redo);
  }

  /** Makes the draft what a version was, as a new step. Errors: not_found, version_withdrawn. */
  async restore(actor: Actor, reference: PackageReference, number: number | 'latest'): Promise<EditOutcome> {
    return this.#deciding(async () => {
      const found = await this.doors.findDraft(actor, 'modify', reference, root);
      const version = await this.rows.getVersion(found, number);
      const edit: Edit = { operation: 'restore', version: version.number, step: version.step };
      return this.#edit(found, actor, edit, `Restored version ${version.number}`, [root]);
    });
  }

  async #relocate(
    actor: Actor,
    reference: PackageReference,
    operation: 'move' | 'copy',
    from: readonly Path[],
    to: Path,
    { onConflict = 'refuse' }: RelocateOptions,
  ): Promise<EditOutcome> {
    const isMove = operation === 'move';
    const found = await this.doors.findDraft(actor, isMove ? 'modify' : 'download', reference, root, from);
    await this.doors.findDraft(actor, isMove ? 'modify' : 'create', reference, to);
    const sources = outermost(from);
    await this.#requireAll(found.row, sources);
    const target = to === root ? { kind: 'folder' } : await this.#tree(found.row, found.row.head).find(to);
    const isInto = target?.kind === 'folder';
    if (sources.length > 1 && !isInto && target !== undefined) throw new PackageRError('not_a_folder', `${quote(to)} is no folder.`);
    const pairs = sources.map((one): Pair => ({ from: one, to: isInto || sources.length > 1 ? joinPath(to, nameOf(one) as Path) : to }));
    for (const pair of pairs) checkPair(pair, isMove);
    const summary = `${isMove ? 'Moved' : 'Copied'} ${quoteAll(sources)} to ${quote(to)}`;
    return this.#edit(found, actor, { operation, pairs, onConflict }, summary, sources);
  }

  async #edit(found: FoundPackage, actor: Actor, work: Edit, summary: string, concerned: readonly Path[]): Promise<EditOutcome> {
    const isJob = await isLarge(this.reader(found.row, found.row.head), concerned, this.limits.jobEntries);
    return this.run({ package: found.row.id, work, summary, generation: found.row.generation }, actor, isJob);
  }

  /** Anew where the draft became another between the look at it and the claim: what was decided holds for what is changed. */
  async #deciding(edit: () => Promise<EditOutcome>): Promise<EditOutcome> {
    for (let tries = 1; ; tries++) {
      try {
        return await edit();
      } catch (error) {
        if (!isError(error, 'precondition_failed')) throw error;
        if (tries === decideTries) throw new PackageRError('step_open', 'Others keep changing this draft.', { cause: error });
      }
    }
  }

  protected async run(input: DraftWork & { readonly work: Edit }, actor: Actor, isJob: boolean): Promise<EditOutcome> {
    if (isJob) return { job: await this.drafts.start(input, writeActorId(actor)) };
    const result = await this.drafts.edit(input, writeActorId(actor), new AbortController().signal);
    this.record(actor, 'package.change', input.package, { operation: input.work.operation, step: result.step });
    return { result };
  }

  async #now(
    found: FoundPackage,
    actor: Actor,
    note: { operation: 'put' | 'mkdir'; summary: string },
    work: Parameters<Drafts['now']>[2],
    alongside: readonly Write[] = [],
  ): Promise<EditResult> {
    const result = await this.drafts.now(found.row.id, { ...note, actor: writeActorId(actor) }, work, { alongside });
    this.record(actor, 'package.change', found.row.id, { operation: note.operation, step: result.step });
    return result;
  }

  async #move(actor: Actor, reference: PackageReference, operation: string, move: typeof undo): Promise<PackageView> {
    const { row } = await this.doors.findDraft(actor, 'modify', reference, root);
    await this.drafts.claiming(row.id, () => move(this.options.state, row.id));
    const { found } = await this.doors.find(actor, 'modify', reference);
    this.record(actor, 'package.change', row.id, { operation, step: found.row.head });
    return toPackageView(found);
  }

  /** Gives the last place that was asked for: all are of one source. Errors: not_found. */
  async #authorizeAnnex(actor: Actor, { source, select, copyTexts }: AnnexRequest): Promise<SourceHandle> {
    const { sources } = this.options;
    if ('list' in select) {
      const first = select.list[0];
      const place = first === undefined ? root : placeOfKey(first.key as Parameters<typeof placeOfKey>[0]);
      return sources.open(actor, 'stat', source, place);
    }
    const starts = select.paths ?? [select.folder ?? root];
    if (starts.length === 0) throw new PackageRError('request_invalid', 'Nothing is selected.');
    if (starts.length > 1000) throw new PackageRError('too_many', 'At most 1000 paths at once; use a list for more.');
    let last: SourceHandle | undefined;
    for (const start of starts) last = await sources.open(actor, copyTexts === true ? 'download' : 'list', source, start);
    return last as SourceHandle;
  }

  async #requireAll(row: KeptPackage, paths: readonly Path[]): Promise<void> {
    const tree = this.#tree(row, row.head);
    if (paths.includes(root)) throw new PackageRError('path_invalid', 'The root of a package cannot be meant here.');
    for (const path of paths) {
      if ((await tree.find(path)) === undefined) throw new PackageRError('not_found', `There is nothing at ${quote(path)}.`);
    }
  }

  #tree(row: KeptPackage, step: number): Tree {
    return new PackageTree({ state: this.options.state, package: row.id, step, frozen: false });
  }

  protected reader(row: KeptPackage, step: number): EntryReader {
    return new EntryReader({ state: this.options.state, package: row.id, step, withFolders: true });
  }

  protected record(actor: Actor, action: string, packageId: number, details: EventDetails): void {
    this.options.events.record({ actor, action, subject: `package:${packageId}`, details });
  }
}

async function leafBefore(step: DraftStep, path: Path): Promise<Leaf | undefined> {
  const row = (await step.before.find([path])).get(path);
  return row === undefined ? undefined : toLeaf(row);
}

function tooLong({ found, path }: PutPlace, textBytes: number): PackageRError {
  if (path === packageYamlPath) return new PackageRError('too_large', `${packageYamlPath} has at most ${textBytes} bytes.`);
  const name = found.namespace;
  const message = `A package keeps texts of at most ${textBytes} bytes itself. Larger files go to the upload source of the namespace ${name}, and it has none: “namespaces set ${name} --upload-source SOURCE”, or upload to a source and annex.`;
  return new PackageRError('too_large', message, { operation: 'packages.put' });
}

function checkMatch(before: Leaf | undefined, ifMatch: string | undefined, path: Path): void {
  if (ifMatch === undefined) return;
  const actual = before === undefined ? 'absent' : before.kind === 'text' ? before.sha256 : 'pointer';
  if (actual !== ifMatch) throw new PackageRError('precondition_failed', `${quote(path)} changed in the meantime.`);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 119)}…` : text);
}

function quoteAll(paths: readonly Path[]): string {
  const [first = root, ...rest] = paths;
  return rest.length === 0 ? quote(first) : `${quote(first)} and ${rest.length} more`;
}
