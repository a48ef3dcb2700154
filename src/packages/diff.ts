/** What differs between two steps, from the rows that began or ended between them. */
import { PackageRError } from '#errors/error.ts';
import type { Leaf } from '#model/entry.ts';
import type { Path } from '#model/path.ts';
import type { State } from '#state/state.ts';
import { EntryReader } from './entry-reader.ts';
import { identityOf, isSame, toLeaf } from './entry-row.ts';
import { type Between, touchedPaths } from './touched.ts';

export type Change =
  | { readonly kind: 'added'; readonly path: Path; readonly entry: Leaf }
  | { readonly kind: 'removed'; readonly path: Path; readonly entry: Leaf }
  | { readonly kind: 'changed'; readonly path: Path; readonly before: Leaf; readonly entry: Leaf }
  /** The same text or object under a new path. */
  | { readonly kind: 'moved'; readonly path: Path; readonly from: Path; readonly entry: Leaf };

export interface DiffPage {
  /** In byte order of the paths; a moved entry stands at its new one. */
  readonly changes: readonly Change[];
  readonly cursor?: string;
}

export interface DiffRequest {
  readonly cursor?: string | undefined;
  /** 1 to 1000; 200 where left out. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Moves are told of among the first so many added and so many removed entries; the rest are told as added and removed. */
const knownMoves = 50_000;

/** One page. `from` may be the later step: then the change is seen backwards. Errors: cursor_invalid. */
export async function diffSteps(state: State, between: Between, request: DiffRequest = {}): Promise<DiffPage> {
  const { cursor, limit = 200, signal } = request;
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw new PackageRError('request_invalid', 'The limit of a page is an integer from 1 to 1000.');
  const after = cursor === undefined ? '' : parseCursor(between, cursor);
  const moves = await findMoves(state, between, signal);
  const changes: Change[] = [];
  for await (const change of walkChanges(state, between, after, signal)) {
    const told = moves.tell(change);
    if (told === undefined) continue;
    if (changes.length === limit) return { changes, cursor: writeCursor(between, changes.at(-1)?.path ?? '') };
    changes.push(told);
  }
  return { changes };
}

/** Whether the steps differ in any text or pointer. */
export async function hasChanges(state: State, between: Between, signal?: AbortSignal): Promise<boolean> {
  for await (const _ of walkChanges(state, between, '', signal)) return true;
  return false;
}

/** All changes without regard to moves, streaming. */
async function* walkChanges(state: State, between: Between, after: string, signal: AbortSignal | undefined): AsyncGenerator<Change, void> {
  const { package: id, from, to } = between;
  const older = new EntryReader({ state, package: id, step: from, withFolders: false });
  const newer = new EntryReader({ state, package: id, step: to, withFolders: false });
  for await (const paths of batchesOf(touchedPaths(state, inOrder(between), after, signal), 500)) {
    const [were, are] = [await older.find(paths), await newer.find(paths)];
    for (const path of paths) {
      const was = were.get(path);
      const is = are.get(path);
      const change = changeOf(path as Path, was && toLeaf(was), is && toLeaf(is));
      if (change !== undefined) yield change;
    }
  }
}

function inOrder({ package: id, from, to }: Between): Between {
  return { package: id, from: Math.min(from, to), to: Math.max(from, to) };
}

function changeOf(path: Path, before: Leaf | undefined, entry: Leaf | undefined): Change | undefined {
  if (before === undefined) return entry === undefined ? undefined : { kind: 'added', path, entry };
  if (entry === undefined) return { kind: 'removed', path, entry: before };
  return isSame(before, entry) ? undefined : { kind: 'changed', path, before, entry };
}

/** Pairs of a removed and an added entry that are the same, each used once. */
async function findMoves(state: State, between: Between, signal: AbortSignal | undefined) {
  const removed = new Map<string, Path[]>();
  const added: { readonly path: Path; readonly identity: string }[] = [];
  let removals = 0;
  for await (const { kind, path, entry } of walkChanges(state, between, '', signal)) {
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
  return {
    tell(change: Change): Change | undefined {
      if (change.kind === 'removed' && gone.has(change.path)) return undefined;
      const from = change.kind === 'added' ? origins.get(change.path) : undefined;
      return from === undefined ? change : { kind: 'moved', path: change.path, from, entry: change.entry };
    },
  };
}

export async function* batchesOf<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[], void> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
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
