/**
 * A step while it is written. All that enters a draft goes through `put`, which checks it against the tree and within the batch; nothing
 * is visible before `commit`. Batches may be repeated: what is there already, the same, is left alone.
 */
import { sql } from 'kysely';
import { PackageRError } from '#errors/error.ts';
import type { Entry, Folder, Leaf } from '#model/entry.ts';
import { ancestorsOf, joinPath, nameOf, type Path, parentOf, parsePath } from '#model/path.ts';
import { insertRows } from '#state/insert.ts';
import { type EntryRow, entryKinds } from '#state/schema.ts';
import type { State, Write } from '#state/state.ts';
import { EntryReader } from './entry-reader.ts';
import { entryColumns, folderRowPath, isSame, toLeaf, toValues } from './entry-row.ts';
import { abandonStep, type Claim, getPackageRow, holdClaim, trimUndone } from './open-step.ts';
import type { EditResult, OnConflict, Operation } from './package.ts';

/** Bytes that a text needs: given, or kept already for another package. */
export type TextBytes = { readonly sha256: string; readonly bytes: Uint8Array } | { readonly sha256: string; readonly from: number };

/** What became of one entry that was put. */
export type PutOutcome = 'added' | 'unchanged' | 'skipped';

export type Tally = Omit<EditResult, 'step'>;

export interface StepNote {
  readonly operation: Operation;
  readonly summary: string;
  /** Id of a user, or `system:name`. */
  readonly actor: string;
  readonly at: number;
}

/** Entries that one `put` takes at most. */
export const batchSize = 500;

/** Tries of `name (n).ext`. */
const keepTries = 1000;

export class DraftStep {
  readonly package: number;
  readonly step: number;
  /** The head that it builds on; still what everyone sees. */
  readonly base: number;
  readonly tally = { added: 0, removed: 0, skipped: 0, unchanged: 0 };
  /** Entries as they are in this step so far. */
  readonly now: EntryReader;
  /** Entries as they were before it. */
  readonly before: EntryReader;
  readonly #state: State;
  readonly #claim: Claim;

  private constructor(state: State, claim: Claim, step: number, base: number) {
    const common = { state, package: claim.package, withFolders: true };
    this.package = claim.package;
    this.step = step;
    this.base = base;
    this.now = new EntryReader({ ...common, step });
    this.before = new EntryReader({ ...common, step: base });
    this.#state = state;
    this.#claim = claim;
  }

  /** The step that was claimed, new or resumed. Errors: cancelled where the claim is gone. */
  static async open(state: State, claim: Claim): Promise<DraftStep> {
    const row = await getPackageRow(state, claim.package);
    if (row.open_job !== claim.job || row.open_step === null) throw new PackageRError('cancelled', 'This change was given up meanwhile.');
    await trimUndone(state, claim, row.head, row.open_step);
    return new DraftStep(state, claim, row.open_step, row.head);
  }

  /**
   * Puts at most `batchSize` entries, in order, all or none; one outcome for each.
   * Errors: exists (policy refuse), path_conflict for `a` beside `a/b`, too_many.
   */
  async put(entries: readonly Entry[], onConflict: OnConflict, texts: readonly TextBytes[] = []): Promise<PutOutcome[]> {
    if (entries.length > batchSize) throw new PackageRError('too_many', `A batch holds at most ${batchSize} entries.`);
    const batch = new Batch(this.#state, this.package, this.step, this.now);
    await batch.load(entries.map((entry) => entry.path));
    const outcomes: PutOutcome[] = [];
    for (const entry of entries) outcomes.push(await batch.put(entry, onConflict));
    await this.#write(batch, texts);
    for (const outcome of outcomes) this.tally[outcome] += 1;
    return outcomes;
  }

  /** Ends rows of the step or of the base; rows that have ended already are left alone. */
  async remove(rows: readonly EntryRow[]): Promise<void> {
    const batch = new Batch(this.#state, this.package, this.step, this.now);
    const living = rows.filter((row) => row.to_step > this.step);
    for (const row of living) batch.end(row);
    await this.#write(batch, []);
    this.tally.removed += living.length;
  }

  /** Makes the step visible. A step that changed nothing is given up; the head stays. */
  async commit(note: StepNote): Promise<EditResult> {
    if (this.tally.added + this.tally.removed === 0) {
      await this.abandon();
      return { step: this.base, ...this.tally };
    }
    const { operation, summary, actor, at } = note;
    const { added, removed } = this.tally;
    const { package: id, step } = this;
    await this.#state.write(
      holdClaim(this.#state, this.#claim),
      {
        query: this.#state.db
          .updateTable('package')
          .set({ head: step, top: step, open_step: null, open_job: null, generation: sql<number>`generation + 1` })
          .where('id', '=', id),
      },
      { query: this.#state.db.insertInto('step').values({ package: id, step, operation, summary, actor, at, added, removed }) },
    );
    return { step, ...this.tally };
  }

  abandon(): Promise<void> {
    return abandonStep(this.#state, this.#claim);
  }

  async #write(batch: Batch, texts: readonly TextBytes[]): Promise<void> {
    const writes = batch.writes();
    if (writes.length === 0) return;
    const keepTexts = texts.map((text) => keepText(this.#state, this.package, text));
    await this.#state.write(holdClaim(this.#state, this.#claim), ...keepTexts, ...writes);
  }
}

function keepText(state: State, packageId: number, text: TextBytes): Write {
  const { sha256 } = text;
  if ('bytes' in text) {
    const values = { package: packageId, sha256, bytes: text.bytes };
    return {
      query: state.db
        .insertInto('text')
        .values(values)
        .onConflict((on) => on.doNothing()),
    };
  }
  const copied = state.db
    .insertInto('text')
    .columns(['package', 'sha256', 'bytes'])
    .expression((on) =>
      on
        .selectFrom('text')
        .select((one) => [one.val(packageId).as('package'), 'sha256', 'bytes'])
        .where('package', '=', text.from)
        .where('sha256', '=', sha256),
    )
    .onConflict((on) => on.doNothing());
  return { query: copied };
}

/** What one batch will write, and the tree as it will be then: what it knows, it asked the state for once. */
class Batch {
  readonly #state: State;
  readonly #package: number;
  readonly #step: number;
  readonly #now: EntryReader;
  readonly #rows = new Map<string, EntryRow>();
  readonly #folders = new Set<string>();
  readonly #asked = new Set<string>();
  readonly #added = new Map<string, Entry>();
  readonly #ended = new Map<string, EntryRow>();

  constructor(state: State, packageId: number, step: number, now: EntryReader) {
    this.#state = state;
    this.#package = packageId;
    this.#step = step;
    this.#now = now;
  }

  async load(paths: readonly Path[]): Promise<void> {
    const fresh = [...new Set(paths)].filter((path) => !this.#asked.has(path));
    const wanted = new Set<string>(fresh.flatMap((path) => [path, folderRowPath(path), ...ancestorsOf(path)]));
    for (const [path, row] of await this.#now.find([...wanted])) this.#rows.set(path, row);
    for (const path of await this.#findFolders(fresh)) this.#folders.add(path);
    for (const path of fresh) this.#asked.add(path);
  }

  async put(entry: Entry, onConflict: OnConflict): Promise<PutOutcome> {
    const blocking = ancestorsOf(entry.path).find((path) => this.#leafAt(path) !== undefined);
    if (blocking !== undefined) {
      if (onConflict === 'skip') return 'skipped';
      throw new PackageRError(
        'path_conflict',
        `${JSON.stringify(blocking)} is a file, so ${JSON.stringify(entry.path)} cannot stand in it.`,
      );
    }
    if (entry.kind === 'folder') return this.#putFolder(entry, onConflict);
    for (let tries = 0; tries <= keepTries; tries++) {
      const path = tries === 0 ? entry.path : numbered(entry.path, tries);
      const outcome = await this.#putLeaf({ ...entry, path }, onConflict);
      if (outcome !== 'taken') return outcome;
    }
    throw new PackageRError('exists', `There are ${keepTries} files named like ${JSON.stringify(entry.path)}.`);
  }

  end(row: EntryRow): void {
    this.#ended.set(row.path, row);
  }

  writes(): Write[] {
    const { db } = this.#state;
    const drop = sql`delete from entry where package = ${0} and path = ${0} and from_step = ${0}`.compile(db);
    const close = sql`update entry set to_step = ${0} where package = ${0} and path = ${0} and from_step = ${0}`.compile(db);
    const isOwn = (row: EntryRow) => row.from_step === this.#step;
    const ended = [...this.#ended.values()];
    const dropped = ended.filter(isOwn).map((row) => [this.#package, row.path, row.from_step]);
    const closed = ended.filter((row) => !isOwn(row)).map((row) => [this.#step, this.#package, row.path, row.from_step]);
    const added = [...this.#added.values()].map((entry) => toValues(this.#package, this.#step, entry));
    return [
      ...(dropped.length === 0 ? [] : [{ query: drop, rows: dropped }]),
      ...(closed.length === 0 ? [] : [{ query: close, rows: closed }]),
      ...(added.length === 0 ? [] : [insertRows(this.#state, 'entry', entryColumns, added)]),
    ];
  }

  #putFolder(folder: Folder, onConflict: OnConflict): PutOutcome {
    if (this.#leafAt(folder.path) !== undefined) {
      if (onConflict === 'skip') return 'skipped';
      throw new PackageRError('path_conflict', `${JSON.stringify(folder.path)} is a file.`);
    }
    const path = folderRowPath(folder.path);
    if (this.#rows.has(path) || this.#added.has(path)) return 'unchanged';
    this.#add(path, folder);
    return 'added';
  }

  async #putLeaf(leaf: Leaf, onConflict: OnConflict): Promise<PutOutcome | 'taken'> {
    if (!this.#asked.has(leaf.path)) await this.load([leaf.path]);
    if (this.#folders.has(leaf.path)) {
      if (onConflict === 'skip') return 'skipped';
      if (onConflict === 'keep') return 'taken';
      throw new PackageRError('path_conflict', `${JSON.stringify(leaf.path)} is a folder.`);
    }
    const there = this.#leafAt(leaf.path);
    if (there === undefined) {
      this.#add(leaf.path, leaf);
      return 'added';
    }
    if (isSame(there, leaf)) return 'unchanged';
    if (onConflict === 'skip') return 'skipped';
    if (onConflict === 'keep') return 'taken';
    if (onConflict === 'refuse') throw new PackageRError('exists', `There is already a file ${JSON.stringify(leaf.path)}.`);
    const row = this.#rows.get(leaf.path);
    if (row !== undefined) this.end(row);
    this.#add(leaf.path, leaf);
    return 'added';
  }

  #add(rowPath: string, entry: Entry): void {
    this.#added.set(rowPath, entry);
    for (const folder of ancestorsOf(entry.path)) this.#folders.add(folder);
    if (entry.kind === 'folder') this.#folders.add(entry.path);
  }

  #leafAt(path: Path): Leaf | undefined {
    const added = this.#added.get(path);
    if (added !== undefined && added.kind !== 'folder') return added;
    const row = this.#rows.get(path);
    return row === undefined || row.kind === entryKinds.folder ? undefined : toLeaf(row);
  }

  /** Those of the paths below which there is something. */
  async #findFolders(paths: readonly Path[]): Promise<string[]> {
    if (paths.length === 0) return [];
    const list = JSON.stringify(paths);
    const from =
      this.#state.dialect === 'postgres'
        ? sql`json_array_elements_text(${list}::json) as wanted(value)`
        : sql`json_each(${list}) as wanted`;
    const found = await sql<{ value: string }>`
      select wanted.value as value from ${from} where exists (
        select 1 from entry where package = ${this.#package} and path >= wanted.value || '/' and path < wanted.value || '0'
          and from_step <= ${this.#step} and to_step > ${this.#step})`.execute(this.#state.db);
    return found.rows.map((row) => row.value);
  }
}

/** `a/name.tar.gz`, 2 → `a/name.tar (2).gz`. */
function numbered(path: Path, number: number): Path {
  const name = nameOf(path);
  const dot = name.lastIndexOf('.');
  const at = dot > 0 ? dot : name.length;
  return joinPath(parentOf(path), parsePath(`${name.slice(0, at)} (${number})${name.slice(at)}`));
}
