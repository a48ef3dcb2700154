/** `verify`: recomputes what the state keeps of a version, and compares. */
import { createHash } from 'node:crypto';
import { PackageRError } from '#errors/error.ts';
import { ManifestHasher, type ManifestRange } from '#model/manifest.ts';
import { entryKinds, type VersionRow } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { EntryReader } from './entry-reader.ts';
import { toLeaf } from './entry-row.ts';
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
