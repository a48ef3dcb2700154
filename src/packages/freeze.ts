/** Freezing: the newest step gets a number, a digest and an author, for ever. It reads what changed and whose rights are needed. */
import { setImmediate } from 'node:timers/promises';
import { sql } from 'kysely';
import { isError, PackageRError } from '#errors/error.ts';
import type { Key } from '#model/key.ts';
import { type Path, parentOf, root } from '#model/path.ts';
import { entryKinds, type VersionRow } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { hasChanges } from './diff.ts';
import { EntryReader } from './entry-reader.ts';
import { toLeaf } from './entry-row.ts';
import { abandonStep, type Claim, claimHead, getPackageRow, holdClaim } from './open-step.ts';
import { sumRanges, updateRanges } from './ranges.ts';

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
}

/** Errors: nothing_to_freeze, step_open, forbidden where the author may not download what is pointed to; cancelled. */
export async function freeze(work: FreezeWork): Promise<VersionRow> {
  const { state, claim } = work;
  const { head, frozen } = await getPackageRow(state, claim.package);
  const last = await lastVersion(state, claim.package);
  await state.write(claimHead(state, claim, head));
  try {
    const from = last === undefined ? undefined : frozen;
    if (from !== undefined && !(await hasChanges(state, { package: claim.package, from, to: head }, work.signal)))
      throw new PackageRError('nothing_to_freeze');
    const { bytes, sources } = await summarise(state, claim.package, head, work.signal);
    for (const source of sources) await authorizeSource(work, source, head);
    const hold = holdClaim(state, claim);
    await updateRanges({ state, package: claim.package, from, to: head, hold, signal: work.signal });
    const totals = await sumRanges(state, claim.package, head);
    const row: VersionRow = {
      package: claim.package,
      number: (last ?? 0) + 1,
      step: head,
      digest: totals.digest,
      message: work.message,
      author: work.author,
      frozen_at: work.at,
      entries: totals.entries,
      bytes,
      manifest_bytes: totals.bytes,
      withdrawn_at: null,
      withdrawn_reason: null,
    };
    const done = state.db
      .updateTable('package')
      .set({ frozen: head, open_step: null, open_job: null, generation: sql<number>`generation + 1` });
    await state.write(hold, { query: state.db.insertInto('version').values(row) }, { query: done.where('id', '=', claim.package) });
    return row;
  } catch (error) {
    await abandonStep(state, claim);
    throw error;
  }
}

async function lastVersion(state: State, packageId: number): Promise<number | undefined> {
  const query = state.db.selectFrom('version').select('number').where('package', '=', packageId).orderBy('number', 'desc').limit(1);
  return (await query.executeTakeFirst())?.number;
}

const windowRows = 5000;

/** Bytes of all leaves, and the sources that they point to, by bounded reads. */
async function summarise(
  state: State,
  packageId: number,
  step: number,
  signal?: AbortSignal,
): Promise<{ readonly bytes: number; readonly sources: ReadonlySet<string> }> {
  const sources = new Set<string>();
  let bytes = 0;
  for (let after: string | undefined = ''; after !== undefined; ) {
    signal?.throwIfAborted();
    await setImmediate();
    const from: string = after;
    const rows = state.db.selectFrom('entry').where('package', '=', packageId).where('path', '>', from);
    const bound: { path: string } | undefined = await rows.select('path').orderBy('path').offset(windowRows).limit(1).executeTakeFirst();
    let visible = rows.where('from_step', '<=', step).where('to_step', '>', step).where('kind', '<>', entryKinds.folder);
    if (bound !== undefined) visible = visible.where('path', '<=', bound.path);
    const groups = await visible
      .select(['source', (on) => on.fn.sum<number>('size').as('bytes')])
      .groupBy('source')
      .execute();
    for (const group of groups) {
      bytes += Number(group.bytes);
      if (group.source !== null) sources.add(String(group.source));
    }
    after = bound?.path;
  }
  if (!Number.isSafeInteger(bytes)) throw new PackageRError('too_large', 'The sizes of all entries add up to more than 2^53 − 1 bytes.');
  return { bytes, sources };
}

/** The whole source; where grants reach only parts of it, each pointer, asking once for a folder. */
async function authorizeSource(work: FreezeWork, source: string, step: number): Promise<void> {
  if (await may(work, source, root)) return;
  const folders = new Map<Path, boolean>();
  const entries = new EntryReader({ state: work.state, package: work.claim.package, step, withFolders: false });
  for await (const rows of entries.batches('', undefined, work.signal)) {
    for (const row of rows) {
      if (String(row.source) !== source) continue;
      const leaf = toLeaf(row);
      const place = leaf.kind === 'pointer' ? work.placeOf(leaf.key) : root;
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
