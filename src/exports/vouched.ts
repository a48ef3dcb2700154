/** What an export may state as the checksum of a file: what packageR has read, or the store vouches for; `stated` ones on demand only. */
import { PackageRError } from '#errors/error.ts';
import { type Checksum, type ChecksumAlgorithm, type Evidence, evidences, findChecksum } from '#model/checksum.ts';
import type { Leaf } from '#model/entry.ts';
import type { Path } from '#model/path.ts';
import type { Tree } from '#model/tree.ts';
import type { ExportRequest } from './export.ts';

/** `?evidence=verified|stored|stated`: the weakest that is listed, `stored` where left out. Errors: request_invalid. */
export function parseEvidence(query: ExportRequest['query']): Evidence {
  const asked = query['evidence'] ?? 'stored';
  const evidence = evidences.find((one) => one === asked);
  if (evidence === undefined) throw new PackageRError('request_invalid', `“evidence” is one of ${evidences.join(', ')}.`);
  return evidence;
}

/** The first of `algorithms` that is known with evidence `least` or better. A text’s own SHA-256 is verified. */
export function findVouched(leaf: Leaf, algorithms: readonly ChecksumAlgorithm[], least: Evidence): Checksum | undefined {
  const known: readonly Checksum[] =
    leaf.kind === 'text' ? [{ algorithm: 'sha256', value: leaf.sha256, evidence: 'verified' }] : leaf.checksums;
  for (const algorithm of algorithms) {
    const found = findChecksum(known, algorithm, least);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What `SHA256SUMS` and `MD5SUMS` list. */
export type SumAlgorithm = 'sha256' | 'md5';

const lookedAt = 1000;

/** Whose lists hold something, as the first thousand files have it; sha256 first. */
export async function findSums(tree: Tree, folder: Path, signal?: AbortSignal): Promise<SumAlgorithm[]> {
  const found = new Set<SumAlgorithm>();
  let left = lookedAt;
  for await (const leaf of tree.walk(folder, { signal })) {
    for (const algorithm of ['sha256', 'md5'] as const) if (findVouched(leaf, [algorithm], 'stored') !== undefined) found.add(algorithm);
    if (--left === 0 || found.size === 2) break;
  }
  return [...found].sort().reverse();
}
