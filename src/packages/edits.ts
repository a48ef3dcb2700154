/**
 * The edits of a draft, each as work on one open step: in batches, in constant memory, and repeatable from a checkpoint. They read what
 * was there before the step and write what shall be there after it.
 */
import { setImmediate } from 'node:timers/promises';
import { PackageRError } from '#errors/error.ts';
import { batchesOf } from '#model/batches.ts';
import type { Entry, Leaf, Meta } from '#model/entry.ts';
import { isWithin, joinPath, type Path, relativeTo, root } from '#model/path.ts';
import { compileGlob } from '#model/pattern.ts';
import { type EntryRow, entryKinds } from '#state/schema.ts';
import type { State, Write } from '#state/state.ts';
import type { Selection } from './annex-request.ts';
import { batchSize, type DraftStep } from './draft-step.ts';
import { EntryReader } from './entry-reader.ts';
import { folderRowPath, toEntry, toLeaf } from './entry-row.ts';
import { behind } from './entry-windows.ts';
import { type MetaPatch, patchMeta } from './meta.ts';
import type { OnConflict } from './package.ts';
import { requireStep } from './still-there.ts';
import { touchedPaths } from './touched.ts';

/** What can be kept as JSON: it is the input of the job where one is needed. */
export type Edit =
  | { readonly operation: 'move' | 'copy'; readonly pairs: readonly Pair[]; readonly onConflict: OnConflict }
  | { readonly operation: 'remove'; readonly paths: readonly Path[] }
  | { readonly operation: 'meta'; readonly selection: Selection; readonly patch: MetaPatch }
  /** `step`: of the version that is brought back. */
  | { readonly operation: 'restore'; readonly version: number; readonly step: number }
  /** Takes over all that another package held at a step. Errors: not_found, precondition_failed where that step went away meanwhile. */
  | { readonly operation: 'fork'; readonly package: number; readonly step: number };

export interface Pair {
  readonly from: Path;
  readonly to: Path;
}

export interface EditWork {
  readonly state: State;
  readonly step: DraftStep;
  readonly signal: AbortSignal;
  /** Where to go on: in which part, and behind which row path. */
  readonly resume: EditCheckpoint | undefined;
  /** What goes into the unit of each batch: how far the work is then. Errors: that of the signal. */
  alongside(checkpoint: EditCheckpoint): readonly Write[];
}

export interface EditCheckpoint {
  readonly part: number;
  readonly after: string;
}

export async function applyEdit(edit: Edit, work: EditWork): Promise<void> {
  switch (edit.operation) {
    case 'move':
    case 'copy':
      return relocate(edit.pairs, edit.onConflict, edit.operation === 'move', work);
    case 'remove':
      return removeAll(edit.paths, work);
    case 'meta':
      return setMeta(edit.selection, edit.patch, work);
    case 'restore':
      return restore(edit.step, work);
    case 'fork':
      return fork(edit.package, edit.step, work);
  }
}

/** What is refused is refused before anything is written. Errors: path_conflict for a folder that would hold itself. */
export function checkPair({ from, to }: Pair, isMove: boolean): void {
  if (from === root || to === root) throw new PackageRError('path_invalid', 'The root of a package is neither moved nor replaced.');
  if (from === to) throw new PackageRError('path_conflict', `${JSON.stringify(from)} would be put onto itself.`);
  if (isMove && isWithin(to, from))
    throw new PackageRError('path_conflict', `${JSON.stringify(from)} cannot be moved into itself, to ${JSON.stringify(to)}.`);
}

/** Paths that no other of them holds, in their order. */
export function outermost(paths: readonly Path[]): Path[] {
  const unique = [...new Set(paths)];
  const all = new Set<string>(unique);
  return unique.filter((path) => {
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) if (all.has(path.slice(0, slash))) return false;
    return true;
  });
}

/** Rows at and below each path, in parts, from the checkpoint on. Rows of a part come in byte order. Others get their turn between. */
async function* rowsOf(
  paths: readonly Path[],
  { step, resume, signal }: EditWork,
): AsyncGenerator<{ part: number; rows: EntryRow[] }, void> {
  for (const [part, path] of paths.entries()) {
    if (resume !== undefined && part < resume.part) continue;
    const after = resume?.part === part ? resume.after : undefined;
    const own = after === undefined ? (await step.before.find([path])).get(path) : undefined;
    if (own !== undefined) yield { part, rows: [own] };
    for await (const rows of step.before.batches(`${path}/`, after, signal)) {
      await setImmediate();
      for (let at = 0; at < rows.length; at += batchSize) yield { part, rows: rows.slice(at, at + batchSize) };
    }
  }
}

async function relocate(pairs: readonly Pair[], onConflict: OnConflict, isMove: boolean, work: EditWork): Promise<void> {
  const { step } = work;
  const sources = pairs.map((pair) => pair.from);
  for await (const { part, rows } of rowsOf(sources, work)) {
    const pair = pairs[part] as Pair;
    const entries = rows.map((row) => {
      const entry = toEntry(row);
      return { ...entry, path: joinPath(pair.to, relativeTo(entry.path, pair.from)) };
    });
    const alongside = () => work.alongside({ part, after: rows.at(-1)?.path ?? '' });
    await step.put(entries, onConflict, { moved: isMove ? rows : [], alongside });
  }
}

async function removeAll(paths: readonly Path[], work: EditWork): Promise<void> {
  for await (const { part, rows } of rowsOf(paths, work)) {
    await work.step.remove(rows, { alongside: () => work.alongside({ part, after: rows.at(-1)?.path ?? '' }) });
  }
}

async function setMeta(selection: Selection, patch: MetaPatch, work: EditWork): Promise<void> {
  const { step, resume, signal } = work;
  const put = async (rows: readonly EntryRow[], at: EditCheckpoint) => {
    const leaves = rows.filter((row) => row.kind !== entryKinds.folder).map((row) => withMeta(toLeaf(row), patch));
    await step.put(leaves, 'replace', { alongside: () => work.alongside(at) });
  };
  if ('paths' in selection) {
    for await (const { part, rows } of rowsOf(selection.paths, work)) await put(rows, { part, after: rows.at(-1)?.path ?? '' });
    return;
  }
  const matches = compileGlob(selection.glob);
  for await (const rows of step.before.batches('', resume?.after, signal)) {
    await setImmediate();
    await put(
      rows.filter((row) => matches(row.path as Path)),
      { part: 0, after: rows.at(-1)?.path ?? '' },
    );
  }
}

function withMeta(leaf: Leaf, patch: MetaPatch): Leaf {
  const { meta: before, ...rest } = leaf;
  const meta: Meta = patchMeta(before ?? {}, patch);
  return Object.keys(meta).length === 0 ? rest : { ...rest, meta };
}

/** First all that has to go, then all that comes back: so a folder makes way for a file, and a file for a folder. */
async function restore(target: number, work: EditWork): Promise<void> {
  const { state, step, resume, signal } = work;
  const then = new EntryReader({ state, package: step.package, step: target, withFolders: true });
  const between = { package: step.package, from: target, to: step.base };
  for (const part of [0, 1]) {
    if (resume !== undefined && part < resume.part) continue;
    const after = resume?.part === part ? resume.after : '';
    for await (const paths of batchesOf(touchedPaths(state, between, behind(after), signal), batchSize)) {
      await setImmediate();
      const wanted = await then.find(paths);
      const alongside = () => work.alongside({ part, after: paths.at(-1) ?? '' });
      if (part === 0)
        await step.remove(
          [...(await step.before.find(paths)).values()].filter((row) => !wanted.has(row.path)),
          { alongside },
        );
      else await step.put(inOrder(paths, wanted), 'replace', { alongside });
    }
  }
}

/** The paths come in byte order, as a put likes them best. */
function inOrder(paths: readonly string[], rows: ReadonlyMap<string, EntryRow>): Entry[] {
  return paths.flatMap((path) => {
    const row = rows.get(path);
    return row === undefined ? [] : [toEntry(row)];
  });
}

async function fork(origin: number, at: number, { state, step, resume, alongside, signal }: EditWork): Promise<void> {
  const there = new EntryReader({ state, package: origin, step: at, withFolders: false });
  for await (const rows of there.batches('', resume?.after, signal)) {
    await setImmediate();
    const leaves = rows.map(toLeaf);
    const texts = leaves.flatMap((leaf) => (leaf.kind === 'text' ? [{ sha256: leaf.sha256, from: origin }] : []));
    await step.put(leaves, 'replace', { texts, alongside: () => alongside({ part: 0, after: rows.at(-1)?.path ?? '' }) });
  }
  await requireStep(state, origin, at);
}

/** Whether more than `limit` entries stand at and below the paths. */
export async function isLarge(reader: EntryReader, paths: readonly Path[], limit: number): Promise<boolean> {
  let entries = 0;
  for (const path of paths) {
    entries += 1;
    for await (const rows of reader.batches(path === root ? '' : folderRowPath(path))) {
      entries += rows.length;
      if (entries > limit) return true;
      await setImmediate();
    }
  }
  return false;
}
