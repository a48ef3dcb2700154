/** Addresses of a package in the API. */
import { apiPath } from '#client/client.ts';
import { PackageRError } from '#errors/error.ts';

/** `namespace/name`, perhaps with `@3` → `api/v1/packages/namespace/name@3`. Errors: reference_invalid. */
export function packagePath(reference: string): string {
  const match = /^([^/@]+)\/([^/@]+(?:@[^/@]+)?)$/.exec(reference);
  if (match === null)
    throw new PackageRError('reference_invalid', `${JSON.stringify(reference)} is not of the form namespace/name or namespace/name@3.`);
  return apiPath`api/v1/packages/${match[1] ?? ''}/`.concat(encodeURIComponent(match[2] ?? '').replace('%40', '@'));
}

/** A file or folder of it; '' for the root. */
export function entryPath(reference: string, path: string): string {
  return `${packagePath(reference)}/entries/${apiPath`${path.replace(/\/$/, '')}`}`;
}
