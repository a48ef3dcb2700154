/** Freezing: the newest step gets a number, a digest and an author, for ever. It reads what changed and whose rights are needed. */
import { sql } from 'kysely';
import { isError, PackageRError } from '#errors/error.ts';
import { batchesOf } from '#model/batches.ts';
import type { Key } from '#model/key.ts';
import type { ManifestRange } from '#model/manifest.ts';
import { type Path, parentOf, root } from '#model/path.ts';
import { insertRows } from '#state/insert.ts';
import type { VersionRow } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { hasChanges } from './diff.ts';
import { EntryReader } from './entry-reader.ts';
import { abandonStep, type Claim, claimHead, getPackageRow, holdClaim } from './open-step.ts';
import { type RangeTotals, sumRanges, updateRanges } from './ranges.ts';
import type { SourceTotals } from './source-totals.ts';
import { countTouched, runRows, touchedPaths } from './touched.ts';
import { keptTotals } from './version-sources.ts';

export interface FreezeWork {
  readonly state: State;
  readonly claim: Claim;
  readonly message: string;
  readonly author: string;
  readonly at: number;
  readonly signal?: AbortSignal | undefined;
  /** Throws where the author may not download this place of the source now. */
  authorize(source: string, path: Path): Promise<void>;
  placeOf(key: Key): Path;
  /** Told how many entries were read again. */
  progress?(done: number): void;
  /** Whether the claim outlives a failure, for a job that goes on after a restart. */
  keepsClaim?(): boolean;
}

/** Errors: nothing_to_freeze, step_open, forbidden where the author may not download what is pointed to; cancelled. */
export async function freeze(work: FreezeWork): Promise<VersionRow> {
  const { state, claim } = work;
  const { head } = await getPackageRow(state, claim.package);
  await state.write(claimHead(state, claim, head));
  return freezeClaimed(work);
}

/** As freeze, of a draft that is claimed. What fails leaves nothing behind, and gives the claim up, unless the work keeps it. */
export async function freezeClaimed(work: FreezeWork): Promise<VersionRow> {
  const { state, claim, signal } = work;
  try {
    const { head } = await getPackageRow(state, claim.package);
    const last = await lastVersion(state, claim.package);
    const { digest, entries, bytes, totals } = await measure(work, last, head);
    const between = { package: claim.package, from: last?.step ?? 0, to: head };
    if (last !== undefined && digest === last.digest && !(await hasChanges(state, between, signal)))
      throw new PackageRError('nothing_to_freeze');
    if (!Number.isSafeInteger(totals.bytes))
      throw new PackageRError('too_large', 'The sizes of all entries add up to more than 2^53 − 1 bytes.');
    for (const { source } of totals.list()) if (source !== texts) await authorizeSource(work, String(source), head);
    const row: VersionRow = {
      package: claim.package,
      number: (last?.number ?? 0) + 1,
      step: head,
      digest,
      message: work.message,
      author: work.author,
      frozen_at: work.at,
      entries,
      bytes: totals.bytes,
      manifest_bytes: bytes,
      withdrawn_at: null,
      withdrawn_reason: null,
    };
    await commit(work, row, totals);
    return row;
  } catch (error) {
    if (work.keepsClaim?.() !== true) await abandonStep(state, claim);
    throw error;
  }
}

async function commit({ state, claim }: FreezeWork, row: VersionRow, totals: SourceTotals): Promise<void> {
  const { package: id, number } = row;
  const kept = totals.list().map(({ source, entries, bytes }) => [id, number, source, entries, bytes]);
  const done = state.db
    .updateTable('package')
    .set({ frozen: row.step, open_step: null, open_job: null, generation: sql<number>`generation + 1` });
  await state.write(
    holdClaim(state, claim),
    ...(kept.length === 0 ? [] : [insertRows(state, 'version_source', ['package', 'number', 'source', 'entries', 'bytes'], kept)]),
    { query: state.db.insertInto('version').values(row) },
    { query: done.where('id', '=', id) },
  );
}

async function lastVersion(state: State, packageId: number): Promise<VersionRow | undefined> {
  const query = state.db.selectFrom('version').selectAll().where('package', '=', packageId).orderBy('number', 'desc').limit(1);
  return query.executeTakeFirst();
}

/** Source of the totals of texts. */
const texts = 0;

/** Of so many entries one must have been touched for everything to be read again, which is faster then. */
const muchOf = 64;

/**
 * Ranges, digest and totals of the draft. After few changes the totals are those of the version before and what the changes make of them;
 * where they do not agree with the ranges, or that version kept none, everything is counted.
 */
async function measure(work: FreezeWork, last: VersionRow | undefined, head: number): Promise<RangeTotals & { totals: SourceTotals }> {
  const { state, claim, signal } = work;
  let done = 0;
  const onRange = ({ entries }: ManifestRange): void => {
    done += entries;
    work.progress?.(done);
  };
  const update = { state, package: claim.package, from: last?.step, to: head, hold: holdClaim(state, claim), signal, onRange };
  const known = last === undefined ? undefined : await totalsAfter(work, last, head);
  if (known !== undefined) {
    await updateRanges(update);
    const sums = await sumRanges(state, claim.package, head);
    if (sums.entries === known.entries) return { ...sums, totals: known };
  }
  const totals = await updateRanges({ ...update, everything: true });
  return { ...(await sumRanges(state, claim.package, head)), totals };
}

/** Whether a freeze reads so much that one wants to see how far it is. */
export async function isLongFreeze(state: State, packageId: number, head: number, limit: number): Promise<boolean> {
  const last = await lastVersion(state, packageId);
  const touched = await countTouched(state, { package: packageId, from: last?.step ?? 0, to: head });
  return touched > limit && touched > (last?.entries ?? 0) / muchOf;
}

/** Undefined where there is much to read, or nothing to begin with. */
async function totalsAfter({ state, claim, signal }: FreezeWork, last: VersionRow, head: number): Promise<SourceTotals | undefined> {
  const between = { package: claim.package, from: last.step, to: head };
  if ((await countTouched(state, between)) > runRows + last.entries / muchOf) return undefined;
  const totals = await keptTotals(state, last);
  if (totals.entries !== last.entries || totals.bytes !== last.bytes) return undefined;
  const common = { state, package: claim.package, withFolders: false };
  const older = new EntryReader({ ...common, step: last.step });
  const newer = new EntryReader({ ...common, step: head });
  for await (const paths of batchesOf(touchedPaths(state, between, '', signal), 500)) {
    for (const [reader, sign] of [
      [older, -1],
      [newer, 1],
    ] as const) {
      for (const { source, size } of (await reader.find(paths)).values())
        totals.add({ source: source ?? texts, entries: sign, bytes: sign * size });
    }
  }
  return totals;
}

/** The whole source; where grants reach only parts of it, each pointer, asking once for a folder. */
async function authorizeSource(work: FreezeWork, source: string, step: number): Promise<void> {
  if (await may(work, source, root)) return;
  const folders = new Map<Path, boolean>();
  const entries = new EntryReader({ state: work.state, package: work.claim.package, step, withFolders: false });
  for await (const leaves of entries.leaves('', { signal: work.signal })) {
    for (const leaf of leaves) {
      if (leaf.kind !== 'pointer' || leaf.source !== source) continue;
      const place = work.placeOf(leaf.key);
      const folder = parentOf(place);
      const isFolderOpen = folders.get(folder) ?? (await may(work, source, folder));
      if (folders.size < 10_000) folders.set(folder, isFolderOpen);
      if (!isFolderOpen && !(await may(work, source, place)))
        throw new PackageRError(
          'forbidden',
          `You may not download the object behind ${JSON.stringify(leaf.path)}, so you cannot freeze it.`,
        );
    }
  }
}

async function may(work: FreezeWork, source: string, path: Path): Promise<boolean> {
  try {
    await work.authorize(source, path);
    return true;
  } catch (error) {
    if (isError(error, 'not_found') || isError(error, 'forbidden')) return false;
    throw error;
  }
}
