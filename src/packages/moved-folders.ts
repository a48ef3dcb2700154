/**
 * Folders that are another folder, moved, between two steps. Only folders that were not there before, and folders that are gone, come into
 * question; those that begin alike are compared to their ends.
 */
import { compareBytes, nameOf, type Path, parentOf } from '#model/path.ts';
import { entryKinds } from '#state/schema.ts';
import type { SqlValue, State } from '#state/state.ts';
import { EntryReader, endOf } from './entry-reader.ts';
import { identityOf, leafColumns, leafOf } from './entry-row.ts';
import { Prepared, windowQueries, windowTexts } from './entry-statements.ts';
import type { WindowName } from './entry-windows.ts';
import { compareFolders, type FolderMatch } from './folder-compare.ts';
import { pauser } from './ranges.ts';
import { compareInThread } from './threads.ts';
import { type Between, countTouched, touchedPaths } from './touched.ts';

export interface MovedFolder extends FolderMatch {
  readonly from: Path;
  readonly path: Path;
}

/** Of what there is more is told entry by entry. */
export const folderLimits = {
  /** A smaller folder is told entry by entry. */
  entries: 1000,
  /** New folders that are looked at, and gone ones. */
  folders: 200,
  /** Changes elsewhere that are passed on the way to them. */
  passed: 5000,
} as const;

/** Entries at the beginning of two folders that are compared before all are. */
const sampleRows = 32;

const reads: Prepared<WindowName> = new Prepared((state) => windowQueries(state, leafColumns));

interface Candidate {
  /** The highest that was not there on the other side. */
  readonly top: Path;
  /** The lowest that holds all of it. */
  readonly folder: Path;
  readonly sample: ReadonlyMap<string, string>;
}

/** `from` and `to` may stand in any order. In byte order of their new paths. */
export async function findMovedFolders(state: State, between: Between, signal: AbortSignal | undefined): Promise<MovedFolder[]> {
  const inOrder = { package: between.package, from: Math.min(between.from, between.to), to: Math.max(between.from, between.to) };
  if ((await countTouched(state, inOrder)) < folderLimits.entries) return [];
  const common = { state, package: between.package, withFolders: false };
  const then = new EntryReader({ ...common, step: between.from });
  const now = new EntryReader({ ...common, step: between.to });
  const { fresh, gone } = await findCandidates(state, inOrder, then, now, signal);
  const moved: MovedFolder[] = [];
  for (const one of fresh) {
    const at = gone.findIndex((other) => beginAlike(one, other));
    const other = gone[at];
    if (other === undefined) continue;
    const match = await compare(state, between, other.folder, one.folder, signal);
    if (match === undefined || match.entries < folderLimits.entries || match.different.length > match.entries) continue;
    gone.splice(at, 1);
    moved.push(widen(one, other, match));
  }
  return moved.sort((a, b) => compareBytes(`${a.path}/`, `${b.path}/`));
}

async function findCandidates(state: State, between: Between, then: EntryReader, now: EntryReader, signal: AbortSignal | undefined) {
  const fresh: Candidate[] = [];
  const gone: Candidate[] = [];
  const pause = pauser(signal);
  let passed = 0;
  for (let from: string | undefined = ''; from !== undefined; ) {
    const begin: string = from;
    let inside: string | undefined;
    from = undefined;
    for await (const path of touchedPaths(state, between, begin, signal)) {
      if (path.endsWith('/') || (inside !== undefined && path.startsWith(inside))) continue;
      if (++passed > folderLimits.passed) break;
      await pause();
      const top = await topOf(path as Path, then, now, signal);
      if (top === undefined) continue;
      inside = `${top.path}/`;
      const list = top.isNew ? fresh : gone;
      const candidate = list.length < folderLimits.folders ? await candidateOf(top.path, top.isNew ? now : then, signal) : undefined;
      if (candidate === undefined) continue;
      list.push(candidate);
      from = endOf(inside);
      break;
    }
  }
  return { fresh, gone };
}

/** The highest folder of a path that is on one side only. */
async function topOf(path: Path, then: EntryReader, now: EntryReader, signal: AbortSignal | undefined) {
  const [was, is] = [await then.get(path), await now.get(path)];
  if ((was === undefined) === (is === undefined)) return undefined;
  const isNew = was === undefined;
  const other = isNew ? then : now;
  for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
    const prefix = path.slice(0, slash + 1);
    if ((await other.first(prefix, endOf(prefix), signal)) === undefined) return { path: path.slice(0, slash) as Path, isNew };
  }
  return undefined;
}

async function candidateOf(top: Path, reader: EntryReader, signal: AbortSignal | undefined): Promise<Candidate | undefined> {
  const prefix = `${top}/`;
  let entries = 0;
  let rows: readonly (readonly SqlValue[])[] = [];
  for (let at: string | undefined = prefix; at !== undefined && entries < folderLimits.entries; ) {
    const window: Awaited<ReturnType<EntryReader['window']>> = await reader.window(at, endOf(prefix), folderLimits.entries, signal);
    if (entries === 0) rows = window.rows.slice(0, sampleRows);
    entries += window.rows.length;
    at = window.next;
  }
  if (entries < folderLimits.entries) return undefined;
  const folder = await lowestOf(top, rows[0]?.[0] as Path, reader, signal);
  return { top, folder, sample: new Map(rows.map((row) => [(row[0] as string).slice(folder.length), identityOf(leafOf(row))])) };
}

/** Goes down as long as one folder holds everything. */
async function lowestOf(top: Path, first: Path, reader: EntryReader, signal: AbortSignal | undefined): Promise<Path> {
  let folder = top;
  for (let slash = first.indexOf('/', top.length + 1); slash >= 0; slash = first.indexOf('/', slash + 1)) {
    const inside = endOf(first.slice(0, slash + 1));
    if ((await reader.first(inside, endOf(`${folder}/`), signal)) !== undefined) return folder;
    folder = first.slice(0, slash) as Path;
  }
  return folder;
}

function beginAlike(one: Candidate, other: Candidate): boolean {
  let same = 0;
  for (const [path, identified] of one.sample) if (other.sample.get(path) === identified) same += 1;
  return same * 2 >= sampleRows;
}

function compare(state: State, { package: id, from, to }: Between, then: Path, now: Path, signal: AbortSignal | undefined) {
  const side = (step: number, folder: Path) => ({ view: { package: id, step, leastKind: entryKinds.text }, prefix: `${folder}/` });
  const [old, fresh] = [side(from, then), side(to, now)];
  if (state.threads !== undefined) return compareInThread(state.threads, { texts: windowTexts(state, leafColumns), old, fresh }, signal);
  return compareFolders((name, values) => reads.of(state, name).all(...values), old, fresh, pauser(signal));
}

/** Folders that hold nothing else, and are called alike, were moved with it. */
function widen(one: Candidate, other: Candidate, match: FolderMatch): MovedFolder {
  let [path, from] = [one.folder, other.folder];
  let above = '';
  while (path !== one.top && from !== other.top && nameOf(path) === nameOf(from)) {
    above = `${nameOf(path)}/${above}`;
    [path, from] = [parentOf(path), parentOf(from)];
  }
  return { ...match, different: match.different.map((name) => `${above}${name}`), from, path };
}
