/** A Digest identifies the manifest of a version: `sha256:` and 64 lower-case hex digits. */
import { PackageRError } from '#errors/error.ts';

declare const brand: unique symbol;
export type Digest = string & { readonly [brand]: 'Digest' };

export function parseDigest(text: string): Digest {
  if (!/^sha256:[0-9a-f]{64}$/.test(text))
    throw new PackageRError('digest_invalid', `${JSON.stringify(text.slice(0, 80))} is not a digest.`);
  return text as Digest;
}
