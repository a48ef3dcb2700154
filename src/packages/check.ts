/** `verify`: recomputes what the state keeps of a version, and compares. Much is hashed in threads of the state, a little at once. */
import { createHash } from 'node:crypto';
import { batchesOf } from '#model/batches.ts';
import type { ManifestRange } from '#model/manifest.ts';
import { entryKinds, type ManifestRangeRow, type VersionRow } from '#state/schema.ts';
import type { SqlValue, State } from '#state/state.ts';
import { Prepared, windowTexts } from './entry-statements.ts';
import { type HashedSlice, hashColumns, hashSlice, type Slice } from './range-hash.ts';
import { eachAtOnce, hashReads, listRanges, pauser } from './ranges.ts';
import { SourceTotals } from './source-totals.ts';
import { fault, textCheck } from './text-check.ts';
import { verifyInThread } from './threads.ts';
import { keptTotals } from './version-sources.ts';

export interface VerifyWork {
  readonly state: State;
  readonly version: VersionRow;
  readonly signal: AbortSignal;
  progress(done: number): void;
}

/** Ranges that are looked at together. */
const unitRanges = 32;

const reads = new Prepared((state) => ({
  text: state.db.selectFrom('text').select('bytes').where('package', '=', 0).where('sha256', '=', ''),
}));

/**
 * Recomputes digest, ranges and totals of a version from its rows, and the hash of each text from its bytes.
 * Errors: verify_failed, which names the first range or text at fault; that of the signal.
 */
export async function verifyVersion(work: VerifyWork): Promise<{ readonly entries: number; readonly texts: number }> {
  const { state, version, progress } = work;
  const index = createHash('sha256');
  const totals = new SourceTotals();
  let manifestBytes = 0;
  const units = unitsOf(batchesOf(listRanges(state, version.package, version.step), unitRanges));
  await eachAtOnce(units, state.threads?.size ?? 1, async ({ slice, ranges }) => {
    const hashed = await hash(work, slice, ranges.length === unitRanges);
    compare(version, ranges, hashed.ranges);
    for (const total of hashed.totals) totals.add(total);
    progress(totals.entries);
  });
  for await (const range of listRanges(state, version.package, version.step)) {
    index.update(`${range.sha256}\n`);
    manifestBytes += range.bytes;
  }
  if (`sha256:${index.digest('hex')}` !== version.digest || totals.entries !== version.entries)
    throw fault(version.number, 'its digest is not that of its entries');
  if (totals.bytes !== version.bytes || manifestBytes !== version.manifest_bytes)
    throw fault(version.number, 'its totals of bytes are not those of its entries');
  await compareSources(work, totals);
  return { entries: totals.entries, texts: totals.list().find(({ source }) => source === 0)?.entries ?? 0 };
}

interface Unit {
  readonly slice: Slice;
  readonly ranges: readonly ManifestRangeRow[];
}

/** The kept ranges by the slices that they should fill, and what lies behind the last one, which should be nothing. */
async function* unitsOf(batches: AsyncIterable<readonly ManifestRangeRow[]>): AsyncGenerator<Unit, void> {
  let after = '';
  for await (const ranges of batches) {
    const upTo = ranges.at(-1)?.last_path ?? '';
    yield { slice: { after, upTo }, ranges };
    after = upTo;
  }
  yield { slice: { after, upTo: undefined }, ranges: [] };
}

async function hash({ state, version, signal }: VerifyWork, slice: Slice, isMuch: boolean): Promise<HashedSlice> {
  const { package: id, step, number } = version;
  const view = { package: id, step, leastKind: entryKinds.text };
  if (state.threads !== undefined && isMuch) {
    const textBytes = state.db.selectFrom('text').select('bytes').where('package', '=', 0).where('sha256', '=', '').compile().sql;
    const input = { texts: windowTexts(state, hashColumns), view, slices: [slice], version: number, textBytes };
    const [hashed] = await verifyInThread(state.threads, input, signal);
    return hashed as HashedSlice;
  }
  const bytesOf = async (sha256: string): Promise<SqlValue | undefined> => (await reads.of(state, 'text').first(id, sha256))?.[0];
  const ask = (name: Parameters<typeof hashReads.of>[1], values: readonly SqlValue[]) => hashReads.of(state, name).all(...values);
  return hashSlice(ask, view, slice, pauser(signal), textCheck(number, bytesOf));
}

function compare({ number }: VersionRow, kept: readonly ManifestRangeRow[], found: readonly ManifestRange[]): void {
  for (const [at, range] of found.entries()) {
    const row = kept[at];
    const isSame = row?.last_path === range.last && row.sha256 === range.hash;
    if (!isSame || row.lines !== range.entries || row.bytes !== range.bytes)
      throw fault(number, `the entries from ${JSON.stringify(range.first)} to ${JSON.stringify(range.last)} differ`);
  }
  const missing = kept[found.length];
  if (missing !== undefined) throw fault(number, `the entries up to ${JSON.stringify(missing.last_path)} are missing`);
}

/** Versions of before kept none. */
async function compareSources({ state, version }: VerifyWork, totals: SourceTotals): Promise<void> {
  const kept = (await keptTotals(state, version)).list();
  if (kept.length > 0 && JSON.stringify(kept) !== JSON.stringify(totals.list()))
    throw fault(version.number, 'what it keeps of its sources is not what its entries point to');
}
