/**
 * What one unit of a step will write, and the tree as it will be then. What it must know of the tree it asks once: for entries in byte
 * order, as walks give them, by one look at all that lies among them; for others by their paths. What is on its way to the state counts
 * as done.
 */
import { type CompiledQuery, sql } from 'kysely';
import { PackageRError } from '#errors/error.ts';
import type { Entry, Folder, Leaf } from '#model/entry.ts';
import { ancestorsOf, compareBytes, joinPath, nameOf, type Path, parentOf, parsePath } from '#model/path.ts';
import { insertRows } from '#state/insert.ts';
import { type EntryRow, entryKinds } from '#state/schema.ts';
import type { SqlValue, State, Write } from '#state/state.ts';
import type { EntryReader } from './entry-reader.ts';
import { entryColumns, folderRowPath, isSameRow, toRow, toValues } from './entry-row.ts';
import { Prepared } from './entry-statements.ts';
import type { OnConflict } from './package.ts';

/** What became of one entry that was put. */
export type PutOutcome = 'added' | 'unchanged' | 'skipped';

/** Tries of `name (n).ext`. */
const keepTries = 1000;
/** Folders that are known to be no file: those of some walks. */
const knownFolders = 10_000;
/** Fewer are asked for by their paths. */
const fewEntries = 16;

const rangeReads = new Prepared((state) => {
  const one = state.db.selectFrom('entry').where('package', '=', 0);
  const range = one.where('path', '>=', '').where('path', '<', '');
  return {
    bound: range.select('path').orderBy('path').limit(1).offset(0),
    visible: range.where('from_step', '<=', 0).where('to_step', '>', 0).select(entryColumns).orderBy('path'),
    one: one.where('from_step', '<=', 0).where('to_step', '>', 0).where('path', '=', '').select(entryColumns),
  };
});

/** Paths that are asked for one by one; more by a list of them. */
const fewPaths = 8;

/** The tree of a step, seen by its batches, one after the other. */
export class BatchView {
  readonly state: State;
  readonly package: number;
  readonly step: number;
  readonly now: EntryReader;
  /** Of one row: package, path and first step; and, before those, the step at which it ends. */
  readonly drop: CompiledQuery;
  readonly close: CompiledQuery;
  /** Where there is no leaf. */
  readonly leafless = new Set<string>();
  readonly #flights = new Set<Batch>();

  constructor(options: { readonly state: State; readonly package: number; readonly step: number; readonly now: EntryReader }) {
    this.state = options.state;
    this.package = options.package;
    this.step = options.step;
    this.now = options.now;
    const { db } = this.state;
    this.drop = sql`delete from entry where package = ${0} and path = ${0} and from_step = ${0}`.compile(db);
    this.close = sql`update entry set to_step = ${0} where package = ${0} and path = ${0} and from_step = ${0}`.compile(db);
  }

  /** Until it has landed, what it will write counts as done. */
  depart(batch: Batch): void {
    this.#flights.add(batch);
  }

  land(batch: Batch): void {
    this.#flights.delete(batch);
  }

  /** Whether nothing that is on its way begins from `first` on, or ends between the two. */
  isClear(first: string, last: string): boolean {
    for (const flight of this.#flights) if (flight.reaches(first, last)) return false;
    return true;
  }

  /** What a batch on its way puts or ends at a row path. */
  coming(path: string): Entry | 'ended' | undefined {
    let found: Entry | 'ended' | undefined;
    for (const flight of this.#flights) found = flight.change(path) ?? found;
    return found;
  }

  /** All visible rows from one row path on and before another; undefined where more than `most` rows, visible or not, lie there. */
  async within(from: string, before: string, most: number): Promise<EntryRow[] | undefined> {
    const { state, package: id, step } = this;
    if ((await rangeReads.of(state, 'bound').first(id, from, before, 1, most)) !== undefined) return undefined;
    return (await rangeReads.of(state, 'visible').all(id, from, before, step, step)).map(toRow);
  }

  /** Those of the paths below which there is something. */
  async findFolders(paths: readonly string[]): Promise<string[]> {
    if (paths.length === 0) return [];
    const list = JSON.stringify(paths);
    const from =
      this.state.dialect === 'postgres' ? sql`json_array_elements_text(${list}::json) as wanted(value)` : sql`json_each(${list}) as wanted`;
    const found = await sql<{ value: string }>`
      select wanted.value as value from ${from} where exists (
        select 1 from entry where package = ${this.package} and path >= wanted.value || '/' and path < wanted.value || '0'
          and from_step <= ${this.step} and to_step > ${this.step})`.execute(this.state.db);
    return found.rows.map((row) => row.value);
  }

  /** The rows of exactly these row paths. */
  async find(paths: readonly string[]): Promise<Map<string, EntryRow>> {
    if (paths.length > fewPaths) return this.now.find(paths);
    const { state, package: id, step } = this;
    const found = new Map<string, EntryRow>();
    for (const path of paths) {
      const values = await rangeReads.of(state, 'one').first(id, step, step, path);
      if (values !== undefined) found.set(path, toRow(values));
    }
    return found;
  }

  learnLeafless(path: string): void {
    if (this.leafless.size >= knownFolders) this.leafless.clear();
    this.leafless.add(path);
  }
}

export class Batch {
  readonly #view: BatchView;
  readonly #rows = new Map<string, EntryRow>();
  readonly #folders = new Set<string>();
  readonly #asked = new Set<string>();
  readonly #added = new Map<string, Entry>();
  readonly #ended = new Map<string, EntryRow>();
  /** The folder of the last entry, which no file stands in the way of. */
  #free: string | undefined;
  /** First and last row path of what may be added, and of what is ended. */
  readonly #adding: Reach = {};
  readonly #ending: Reach = {};

  constructor(view: BatchView) {
    this.#view = view;
  }

  /** Learns what is needed to put these. `settle` waits for what is on its way, where that is in the way. */
  async load(entries: readonly Entry[], settle: () => Promise<void>): Promise<void> {
    if (await this.#loadOrdered(entries)) return;
    await settle();
    await this.#loadPaths(entries.map(({ path }) => path));
  }

  /** Undefined where the name is one that must be asked for: see `putAsking`. */
  put(entry: Entry, onConflict: OnConflict): PutOutcome | undefined {
    const blocking = this.#blocking(entry.path);
    if (blocking !== undefined) {
      if (onConflict === 'skip') return 'skipped';
      throw new PackageRError(
        'path_conflict',
        `${JSON.stringify(blocking)} is a file, so ${JSON.stringify(entry.path)} cannot stand in it.`,
      );
    }
    if (entry.kind === 'folder') return this.#putFolder(entry, onConflict);
    const outcome = this.#putLeaf(entry, onConflict);
    return outcome === 'taken' ? undefined : outcome;
  }

  /** Finds a name that is free, where the policy is to keep both. */
  async putAsking(leaf: Leaf, onConflict: OnConflict, settle: () => Promise<void>): Promise<PutOutcome> {
    for (let tries = 1; tries <= keepTries; tries++) {
      const path = numbered(leaf.path, tries);
      if (!this.#asked.has(path)) {
        await settle();
        await this.#loadPaths([path]);
      }
      const outcome = this.#putLeaf({ ...leaf, path }, onConflict);
      if (outcome !== 'taken') return outcome;
    }
    throw new PackageRError('exists', `There are ${keepTries} files named like ${JSON.stringify(leaf.path)}.`);
  }

  end(row: EntryRow): void {
    this.#ended.set(row.path, row);
    widen(this.#ending, row.path);
  }

  /** Whether it adds anything from `first` on, or ends anything between the two. */
  reaches(first: string, last: string): boolean {
    const ended = this.#ending;
    if (this.#adding.last !== undefined && compareBytes(this.#adding.last, first) >= 0) return true;
    return ended.first !== undefined && compareBytes(ended.first, last) <= 0 && compareBytes(ended.last as string, first) >= 0;
  }

  change(path: string): Entry | 'ended' | undefined {
    return this.#added.get(path) ?? (this.#ended.has(path) ? 'ended' : undefined);
  }

  writes(): Write[] {
    const { state, package: id, step } = this.#view;
    const dropped: SqlValue[][] = [];
    const closed: SqlValue[][] = [];
    for (const { path, from_step } of this.#ended.values()) {
      if (from_step === step) dropped.push([id, path, from_step]);
      else closed.push([step, id, path, from_step]);
    }
    const added: SqlValue[][] = [];
    for (const entry of this.#added.values()) added.push(toValues(id, step, entry));
    return [
      ...(dropped.length === 0 ? [] : [{ query: this.#view.drop, rows: dropped }]),
      ...(closed.length === 0 ? [] : [{ query: this.#view.close, rows: closed }]),
      ...(added.length === 0 ? [] : [insertRows(state, 'entry', entryColumns, added)]),
    ];
  }

  /** By one look at what lies among them. False where they are in no order, too much lies there, or something there is on its way. */
  async #loadOrdered(entries: readonly Entry[]): Promise<boolean> {
    const first = entries[0];
    const last = entries.at(-1);
    if (first === undefined || last === undefined) return true;
    if (entries.length < fewEntries || !isOrdered(entries)) return false;
    const [from, to] = [rowPathOf(first), rowPathOf(last)];
    // What lies below an entry lies before the last one, or below that, but for others whose path the last one begins with.
    const others = entries.flatMap(({ kind, path }) => (kind !== 'folder' && to.startsWith(path) && path !== to ? [path] : []));
    const end = `${to}0`;
    if (!this.#view.isClear(from, others.map((path) => `${path}0`).reduce(later, end))) return false;
    const rows = await this.#view.within(from, end, 2 * entries.length + 100);
    if (rows === undefined) return false;
    this.#keepRows(rows);
    await this.#askLeaves(entries);
    for (const path of await this.#view.findFolders(others)) this.#folders.add(path);
    this.#adding.first = from;
    this.#adding.last = to;
    return true;
  }

  #keepRows(rows: readonly EntryRow[]): void {
    let folder: string | undefined;
    for (const row of rows) {
      this.#rows.set(row.path, row);
      const slash = row.path.lastIndexOf('/');
      if (slash < 0 || row.path.slice(0, slash) === folder) continue;
      folder = row.path.slice(0, slash);
      for (const one of ancestorsOf(row.path as Path)) this.#folders.add(one);
    }
  }

  /** Where a file would stand in the way of these. */
  async #askLeaves(entries: readonly Entry[]): Promise<void> {
    const wanted = new Set<string>();
    let folder: string | undefined;
    for (const { kind, path } of entries) {
      if (kind === 'folder') wanted.add(path);
      const parent = parentOf(path);
      if (parent === folder) continue;
      folder = parent;
      for (const one of ancestorsOf(path)) wanted.add(one);
    }
    const asked = [...wanted].filter((path) => !this.#view.leafless.has(path) && !this.#rows.has(path));
    if (asked.length === 0) return;
    for (const [path, row] of await this.#view.find(asked)) this.#rows.set(path, row);
    for (const path of asked) {
      const coming = this.#view.coming(path);
      if (coming === 'ended') this.#rows.delete(path);
      if (!this.#rows.has(path) && (coming === undefined || coming === 'ended')) this.#view.learnLeafless(path);
    }
  }

  async #loadPaths(paths: readonly Path[]): Promise<void> {
    const fresh = [...new Set(paths)].filter((path) => !this.#asked.has(path));
    const wanted = new Set<string>(fresh.flatMap((path) => [path, folderRowPath(path), ...ancestorsOf(path)]));
    for (const [path, row] of await this.#view.now.find([...wanted])) this.#rows.set(path, row);
    for (const path of await this.#view.findFolders(fresh)) this.#folders.add(path);
    for (const path of fresh) {
      this.#asked.add(path);
      widen(this.#adding, path);
      widen(this.#adding, folderRowPath(path));
    }
  }

  /** A file that the path would lie in. */
  #blocking(path: Path): Path | undefined {
    const parent = parentOf(path);
    if (parent === '' || parent === this.#free) return undefined;
    const blocking = ancestorsOf(path).find((one) => this.#hasLeaf(one));
    if (blocking === undefined) this.#free = parent;
    return blocking;
  }

  #putFolder(folder: Folder, onConflict: OnConflict): PutOutcome {
    if (this.#hasLeaf(folder.path)) {
      if (onConflict === 'skip') return 'skipped';
      throw new PackageRError('path_conflict', `${JSON.stringify(folder.path)} is a file.`);
    }
    const path = folderRowPath(folder.path);
    if (this.#rows.has(path) || this.#added.has(path)) return 'unchanged';
    this.#add(path, folder);
    return 'added';
  }

  #putLeaf(leaf: Leaf, onConflict: OnConflict): PutOutcome | 'taken' {
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
    if (isSameRow(there, leaf)) return 'unchanged';
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
    const parent = parentOf(entry.path);
    if (parent !== '' && !this.#folders.has(parent)) for (const folder of ancestorsOf(entry.path)) this.#folders.add(folder);
    if (entry.kind === 'folder') this.#folders.add(entry.path);
    else this.#view.leafless.delete(entry.path);
  }

  /** Of what was loaded: nothing is on its way there. */
  #leafAt(path: Path): Leaf | EntryRow | undefined {
    const added = this.#added.get(path);
    if (added !== undefined && added.kind !== 'folder') return added;
    const row = this.#rows.get(path);
    return row === undefined || row.kind === entryKinds.folder ? undefined : row;
  }

  #hasLeaf(path: Path): boolean {
    if (this.#leafAt(path) !== undefined) return true;
    const coming = this.#view.coming(path);
    return coming !== undefined && coming !== 'ended' && coming.kind !== 'folder';
  }
}

function later(a: string, b: string): string {
  return compareBytes(a, b) < 0 ? b : a;
}

interface Reach {
  first?: string;
  last?: string;
}

function widen(reach: Reach, path: string): void {
  if (reach.last === undefined || compareBytes(reach.last, path) < 0) reach.last = path;
  if (reach.first === undefined || compareBytes(path, reach.first) < 0) reach.first = path;
}

export function rowPathOf(entry: Entry): string {
  return entry.kind === 'folder' ? folderRowPath(entry.path) : entry.path;
}

function isOrdered(entries: readonly Entry[]): boolean {
  let last: string | undefined;
  for (const entry of entries) {
    const path = rowPathOf(entry);
    if (last !== undefined && compareBytes(last, path) >= 0) return false;
    last = path;
  }
  return true;
}

/** `a/name.tar.gz`, 2 → `a/name.tar (2).gz`. */
function numbered(path: Path, number: number): Path {
  const name = nameOf(path);
  const dot = name.lastIndexOf('.');
  const at = dot > 0 ? dot : name.length;
  return joinPath(parentOf(path), parsePath(`${name.slice(0, at)} (${number})${name.slice(at)}`));
}
