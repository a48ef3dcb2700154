/** What differs between two steps, from the rows that began or ended between them. */
import { setImmediate } from 'node:timers/promises';
import { PackageRError } from '#errors/error.ts';
import { batchesOf } from '#model/batches.ts';
import type { Folder, Leaf } from '#model/entry.ts';
import { compareBytes, type Path } from '#model/path.ts';
import type { State } from '#state/state.ts';
import { EntryReader, endOf } from './entry-reader.ts';
import { identityOf, isSame, toLeaf } from './entry-row.ts';
import { behind } from './entry-windows.ts';
import { findMovedFolders, type MovedFolder } from './moved-folders.ts';
import { type Between, touchedPaths } from './touched.ts';

export type Change =
  | { readonly kind: 'added'; readonly path: Path; readonly entry: Leaf }
  | { readonly kind: 'removed'; readonly path: Path; readonly entry: Leaf }
  | { readonly kind: 'changed'; readonly path: Path; readonly before: Leaf; readonly entry: Leaf }
  /** The same text or object under a new path; or a folder, with the entries that moved with it. What else changed in it is told behind it. */
  | { readonly kind: 'moved'; readonly path: Path; readonly from: Path; readonly entry: Leaf | Folder; readonly entries?: number };

export interface DiffPage {
  /** In byte order of the paths; what was moved stands at its new one. */
  readonly changes: readonly Change[];
  readonly cursor?: string;
}

export interface DiffRequest {
  readonly cursor?: string | undefined;
  /** 1 to 1000; 200 where left out. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Moves of single entries are told of among the first so many added and removed entries; the rest are told as added and removed. */
const knownMoves = 50_000;

/** Diffs whose moves are remembered for their next pages. */
const keptMoves = 8;

/**
 * One page. `from` may be the later step: then the change is seen backwards. `generation`: of the package, where it is known; what the
 * steps are does not change within one. Errors: cursor_invalid.
 */
export async function diffSteps(state: State, between: Between, request: DiffRequest = {}, generation?: number): Promise<DiffPage> {
  const { cursor, limit = 200, signal } = request;
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw new PackageRError('request_invalid', 'The limit of a page is an integer from 1 to 1000.');
  const after = cursor === undefined ? '' : parseCursor(between, cursor);
  const moves = await movesOf(state, between, generation, signal);
  const changes: Change[] = [];
  let last = '';
  for await (const { at, change } of tellChanges(state, between, after, moves, signal)) {
    if (changes.length === limit) return { changes, cursor: writeCursor(between, last) };
    changes.push(change);
    last = at;
  }
  return { changes };
}

interface Moves {
  readonly folders: readonly MovedFolder[];
  /** New paths of single entries, and where they were. */
  readonly origins: ReadonlyMap<Path, Path>;
  readonly gone: ReadonlySet<Path>;
}

const kept = new WeakMap<State, Map<string, Moves>>();

async function movesOf(state: State, between: Between, generation: number | undefined, signal: AbortSignal | undefined): Promise<Moves> {
  const known = kept.get(state) ?? new Map<string, Moves>();
  kept.set(state, known);
  const key = `${between.package}~${generation}:${between.from}:${between.to}`;
  const found = generation === undefined ? undefined : known.get(key);
  const moves = found ?? (await findMoves(state, between, signal));
  known.delete(key);
  if (generation !== undefined) known.set(key, moves);
  const [oldest] = known.keys();
  if (known.size > keptMoves && oldest !== undefined) known.delete(oldest);
  return moves;
}

/** `at`: the row path that a cursor names to go on behind it. */
interface Told {
  readonly at: string;
  readonly change: Change;
}

/** The changes outside of moved folders one by one, and each moved folder with what differs in it. */
async function* tellChanges(
  state: State,
  between: Between,
  after: string,
  moves: Moves,
  signal: AbortSignal | undefined,
): AsyncGenerator<Told, void> {
  const places = placesOf(moves.folders);
  let from = behind(after);
  for (const place of places) {
    const prefix = `${place.folder}/`;
    if (compareBytes(endOf(prefix), from) <= 0) continue;
    yield* tellSingles(walkChanges(state, between, from, prefix, signal), moves);
    const inside = place.isTarget ? tellFolder(place.move, after) : undefined;
    if (inside !== undefined) yield inside;
    yield* tellSingles(changesAt(state, between, namesIn(place, after)), moves);
    from = endOf(prefix);
  }
  yield* tellSingles(walkChanges(state, between, from, undefined, signal), moves);
}

interface Place {
  readonly folder: Path;
  readonly move: MovedFolder;
  readonly isTarget: boolean;
}

function placesOf(folders: readonly MovedFolder[]): Place[] {
  const places = folders.flatMap((move): Place[] => [
    { folder: move.path, move, isTarget: true },
    { folder: move.from, move, isTarget: false },
  ]);
  return places.sort((a, b) => compareBytes(`${a.folder}/`, `${b.folder}/`));
}

function tellFolder({ path, from, entries }: MovedFolder, after: string): Told | undefined {
  const at = `${path}/`;
  if (after !== '' && compareBytes(at, after) <= 0) return undefined;
  return { at, change: { kind: 'moved', path, from, entry: { kind: 'folder', path }, entries } };
}

/** Pairs of where an entry of a moved folder was and would be, at which the folders differ; those that are told at this place. */
function* namesIn({ folder, move, isTarget }: Place, after: string): Generator<{ was: Path; is: Path; isTarget: boolean }, void> {
  for (const name of move.different) {
    if (after !== '' && compareBytes(`${folder}/${name}`, after) <= 0) continue;
    yield { was: `${move.from}/${name}` as Path, is: `${move.path}/${name}` as Path, isTarget };
  }
}

async function* changesAt(
  state: State,
  { package: id, from, to }: Between,
  names: Iterable<{ was: Path; is: Path; isTarget: boolean }>,
): AsyncGenerator<Change, void> {
  const older = new EntryReader({ state, package: id, step: from, withFolders: false });
  const newer = new EntryReader({ state, package: id, step: to, withFolders: false });
  for (const { was, is, isTarget } of names) {
    const [before, entry] = [await older.get(was), await newer.get(is)];
    if (isTarget && entry !== undefined) {
      const change = changeOf(is, before && { ...toLeaf(before), path: is }, toLeaf(entry));
      if (change !== undefined) yield change;
    }
    if (!isTarget && entry === undefined && before !== undefined) yield { kind: 'removed', path: was, entry: toLeaf(before) };
  }
}

async function* tellSingles(changes: AsyncIterable<Change>, { origins, gone }: Moves): AsyncGenerator<Told, void> {
  for await (const change of changes) {
    if (change.kind === 'removed' && gone.has(change.path)) continue;
    const from = change.kind === 'added' ? origins.get(change.path) : undefined;
    yield { at: change.path, change: from === undefined ? change : { kind: 'moved', path: change.path, from, entry: change.entry } };
  }
}

/** Whether the steps differ in any text or pointer. */
export async function hasChanges(state: State, between: Between, signal?: AbortSignal): Promise<boolean> {
  for await (const _ of walkChanges(state, between, '', undefined, signal)) return true;
  return false;
}

type SingleChange = Exclude<Change, { kind: 'moved' }>;

/** All changes from a row path on, and before another, without regard to moves, streaming. */
async function* walkChanges(
  state: State,
  between: Between,
  begin: string,
  before: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<SingleChange, void> {
  const { package: id, from, to } = between;
  const older = new EntryReader({ state, package: id, step: from, withFolders: false });
  const newer = new EntryReader({ state, package: id, step: to, withFolders: false });
  for await (const paths of batchesOf(until(touchedPaths(state, inOrder(between), begin, signal), before), 500)) {
    await setImmediate();
    const [were, are] = [await older.find(paths), await newer.find(paths)];
    for (const path of paths) {
      const was = were.get(path);
      const is = are.get(path);
      const change = changeOf(path as Path, was && toLeaf(was), is && toLeaf(is));
      if (change !== undefined) yield change;
    }
  }
}

async function* until(paths: AsyncIterable<string>, before: string | undefined): AsyncGenerator<string, void> {
  for await (const path of paths) {
    if (before !== undefined && compareBytes(path, before) >= 0) return;
    yield path;
  }
}

function inOrder({ package: id, from, to }: Between): Between {
  return { package: id, from: Math.min(from, to), to: Math.max(from, to) };
}

function changeOf(path: Path, before: Leaf | undefined, entry: Leaf | undefined): SingleChange | undefined {
  if (before === undefined) return entry === undefined ? undefined : { kind: 'added', path, entry };
  if (entry === undefined) return { kind: 'removed', path, entry: before };
  return isSame(before, entry) ? undefined : { kind: 'changed', path, before, entry };
}

/** Folders first; then pairs of a removed and an added entry outside of them that are the same, each used once. */
async function findMoves(state: State, between: Between, signal: AbortSignal | undefined): Promise<Moves> {
  const folders = await findMovedFolders(state, between, signal);
  const removed = new Map<string, Path[]>();
  const added: { readonly path: Path; readonly identity: string }[] = [];
  let removals = 0;
  const none: Moves = { folders, origins: new Map(), gone: new Set() };
  for await (const { change } of tellChanges(state, between, '', none, signal)) {
    const { kind, path, entry } = change;
    if (entry.kind === 'folder') continue;
    if (kind === 'removed' && removals++ < knownMoves) {
      const identity = identityOf(entry);
      removed.set(identity, [...(removed.get(identity) ?? []), path]);
    } else if (kind === 'added' && added.length < knownMoves) added.push({ path, identity: identityOf(entry) });
    if (removals > knownMoves && added.length === knownMoves) break;
  }
  const origins = new Map<Path, Path>();
  const gone = new Set<Path>();
  for (const { path, identity } of added) {
    const from = removed.get(identity)?.shift();
    if (from === undefined) continue;
    origins.set(path, from);
    gone.add(from);
  }
  return { folders, origins, gone };
}

function writeCursor({ package: id, from, to }: Between, path: string): string {
  return Buffer.from(JSON.stringify([id, from, to, path])).toString('base64url');
}

function parseCursor(between: Between, cursor: string): string {
  try {
    const path: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString()).at(3);
    if (typeof path === 'string' && writeCursor(between, path) === cursor) return path;
  } catch {
    // told below
  }
  throw new PackageRError('cursor_invalid', undefined, { operation: 'packages.diff' });
}
