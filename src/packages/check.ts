/** Checks of a package, as jobs: `verify` recomputes what the state keeps, `drift` asks the stores whether the objects are still the same. */
import { createHash } from 'node:crypto';
import { isError, PackageRError } from '#errors/error.ts';
import type { Pointer } from '#model/entry.ts';
import type { Key } from '#model/key.ts';
import { ManifestHasher, type ManifestRange } from '#model/manifest.ts';
import type { Path } from '#model/path.ts';
import type { SourceHandle } from '#sources/source-handle.ts';
import { entryKinds, type VersionRow } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { EntryReader } from './entry-reader.ts';
import { toLeaf } from './entry-row.ts';
import type { ObjectFacts, StatObject } from './objects.ts';
import { listRanges } from './ranges.ts';

export interface VerifyWork {
  readonly state: State;
  readonly version: VersionRow;
  readonly signal: AbortSignal;
  progress(done: number): void;
}

/**
 * Recomputes digest and ranges of a version from its rows, and the hash of each text from its bytes.
 * Errors: verify_failed, which names the first range or text at fault.
 */
export async function verifyVersion(work: VerifyWork): Promise<{ readonly entries: number; readonly texts: number }> {
  const { state, version, signal, progress } = work;
  const { package: id, step } = version;
  const hasher = new ManifestHasher();
  const kept = listRanges(state, id, step);
  const entries = new EntryReader({ state, package: id, step, withFolders: false });
  let done = 0;
  let texts = 0;
  const compare = async (range: ManifestRange | undefined): Promise<void> => {
    if (range === undefined) return;
    const { value } = await kept.next();
    if (value === undefined || value.last_path !== range.last || value.sha256 !== range.hash || value.lines !== range.entries)
      throw fault(version, `the entries from ${JSON.stringify(range.first)} to ${JSON.stringify(range.last)} differ`);
  };
  for await (const rows of entries.batches('', undefined, signal)) {
    for (const row of rows) {
      if (row.kind === entryKinds.text) {
        texts += 1;
        await verifyText(state, version, row.path, row.sha256 ?? '', row.size);
      }
      await compare(hasher.push(toLeaf(row)));
    }
    done += rows.length;
    progress(done);
  }
  const { range, digest } = hasher.finish();
  await compare(range);
  const { value: more } = await kept.next();
  if (more !== undefined) throw fault(version, `the entries up to ${JSON.stringify(more.last_path)} are missing`);
  if (digest !== version.digest || done !== version.entries) throw fault(version, 'its digest is not that of its entries');
  return { entries: done, texts };
}

async function verifyText(state: State, version: VersionRow, path: string, sha256: string, size: number): Promise<void> {
  const query = state.db.selectFrom('text').select('bytes').where('package', '=', version.package).where('sha256', '=', sha256);
  const row = await query.executeTakeFirst();
  if (row === undefined) throw fault(version, `the bytes of ${JSON.stringify(path)} are missing`);
  if (row.bytes.length !== size || createHash('sha256').update(row.bytes).digest('hex') !== sha256)
    throw fault(version, `the bytes of ${JSON.stringify(path)} are not those that were frozen`);
}

function fault(version: VersionRow, what: string): PackageRError {
  return new PackageRError('verify_failed', `Version ${version.number} is damaged: ${what}.`, { operation: 'packages.verify' });
}

export interface DriftWork {
  readonly state: State;
  readonly package: number;
  readonly step: number;
  readonly signal: AbortSignal;
  readonly resume: DriftCheckpoint | undefined;
  /** Objects asked at the same time. */
  readonly atOnce: number;
  open(source: string, path: Path): Promise<SourceHandle>;
  readonly stat: StatObject;
  placeOf(key: Key): Path;
  save(checkpoint: DriftCheckpoint): Promise<void>;
  progress(done: number): void;
}

export interface DriftCheckpoint {
  readonly after: string;
  readonly result: DriftResult;
}

export interface DriftResult {
  readonly intact: number;
  readonly changed: number;
  readonly gone: number;
  /** Could not be asked: the source is away, or may not be read. */
  readonly unknown: number;
  /** The first thousand of each. */
  readonly paths: { readonly changed: readonly Path[]; readonly gone: readonly Path[]; readonly unknown: readonly Path[] };
}

type Drift = 'intact' | 'changed' | 'gone' | 'unknown';

const pathsLimit = 1000;

/** Looks at each object once. */
export async function findDrift(work: DriftWork): Promise<DriftResult> {
  const { state, package: id, step, resume, signal, atOnce, save, progress } = work;
  let result: DriftResult = resume?.result ?? { intact: 0, changed: 0, gone: 0, unknown: 0, paths: { changed: [], gone: [], unknown: [] } };
  const entries = new EntryReader({ state, package: id, step, withFolders: false });
  for await (const rows of entries.batches('', resume?.after, signal)) {
    const pointers = rows.filter((row) => row.kind === entryKinds.pointer).map((row) => toLeaf(row) as Pointer);
    for (let at = 0; at < pointers.length; at += atOnce) {
      signal.throwIfAborted();
      const some = pointers.slice(at, at + atOnce);
      const outcomes = await Promise.all(some.map((pointer) => driftOf(pointer, work)));
      for (const [index, outcome] of outcomes.entries()) result = count(result, outcome, some[index] as Pointer);
    }
    progress(result.intact + result.changed + result.gone + result.unknown);
    await save({ after: rows.at(-1)?.path ?? '', result });
  }
  return result;
}

async function driftOf(pointer: Pointer, { open, stat, placeOf, signal }: DriftWork): Promise<Drift> {
  try {
    const handle = await open(pointer.source, placeOf(pointer.key));
    return isIntact(pointer, await stat(handle, pointer.key, { version: pointer.version, signal })) ? 'intact' : 'changed';
  } catch (error) {
    if (isError(error, 'object_not_found') || isError(error, 'object_gone')) return 'gone';
    if (signal.aborted || !(error instanceof PackageRError)) throw error;
    return 'unknown';
  }
}

export function isIntact(pointer: Pointer, facts: ObjectFacts): boolean {
  return facts.size === pointer.size && (pointer.etag === undefined || facts.etag === undefined || facts.etag === pointer.etag);
}

function count(result: DriftResult, drift: Drift, { path }: Pointer): DriftResult {
  const counted = { ...result, [drift]: result[drift] + 1 };
  if (drift === 'intact' || result.paths[drift].length >= pathsLimit) return counted;
  return { ...counted, paths: { ...result.paths, [drift]: [...result.paths[drift], path] } };
}
