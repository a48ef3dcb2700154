/** A Checksum is what is said of an object's bytes, with the evidence for it. */
import { PackageRError } from '#errors/error.ts';

/** Hex digits of each algorithm. crc algorithms are written in hex too, most significant byte first. */
export const checksumLengths = { md5: 32, sha1: 40, sha256: 64, sha512: 128, crc32: 8, crc32c: 8, crc64nvme: 16 } as const;

export type ChecksumAlgorithm = keyof typeof checksumLengths;

/**
 * verified: packageR read the bytes · stored: the store vouches for the whole object · stated: a person or a file said so.
 * Strongest first.
 */
export const evidences = ['verified', 'stored', 'stated'] as const;
export type Evidence = (typeof evidences)[number];

export interface Checksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Lower-case hex. */
  readonly value: string;
  readonly evidence: Evidence;
}

/** `md5:…` in hex of either case. Errors: checksum_invalid. */
export function parseChecksum(text: string, evidence: Evidence): Checksum {
  const colon = text.indexOf(':');
  const algorithm = text.slice(0, colon).toLowerCase();
  const value = text.slice(colon + 1).toLowerCase();
  if (
    !Object.hasOwn(checksumLengths, algorithm) ||
    !/^[0-9a-f]+$/.test(value) ||
    value.length !== checksumLengths[algorithm as ChecksumAlgorithm]
  ) {
    throw new PackageRError('checksum_invalid', `${JSON.stringify(text.slice(0, 160))} is not a checksum.`);
  }
  return { algorithm: algorithm as ChecksumAlgorithm, value, evidence };
}

/** The value of the strongest evidence at or above `least`; undefined where nothing is known. */
export function findChecksum(
  checksums: readonly Checksum[],
  algorithm: ChecksumAlgorithm,
  least: Evidence = 'stated',
): Checksum | undefined {
  let found: Checksum | undefined;
  let best = evidences.indexOf(least) + 1;
  for (const one of checksums) {
    const rank = one.algorithm === algorithm ? evidences.indexOf(one.evidence) : best;
    if (rank >= best) continue;
    found = one;
    best = rank;
  }
  return found;
}
