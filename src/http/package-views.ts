/** How packages and versions are named in URLs, and told. */
import { Type } from 'typebox';
import type { Package, Version } from '#api/packages.ts';
import { toInstant } from '#model/clock.ts';
import { type PackageReference, type PackageView, parseReference, type VersionView } from '#packages/package.ts';
import type { Edge } from './edge.ts';
import { present } from './route.ts';

export const packageUrl = '/api/v1/packages/:namespace/:package';
export const packageParams = Type.Object({ namespace: Type.String(), package: Type.String() });

/** `:package` may carry `@3` or `@latest`. Errors: reference_invalid. */
export function referenceOf(params: { readonly namespace: string; readonly package: string }): PackageReference {
  return parseReference(`${params.namespace}/${params.package}`);
}

export function viewPackage({
  namespace,
  name,
  latest,
  head,
  canUndo,
  canRedo,
  isChanged,
  openJob,
  forkedFrom,
  createdAt,
}: PackageView): Package {
  return {
    namespace,
    name,
    ...present({ latest, openJob, forkedFrom }),
    head,
    canUndo,
    canRedo,
    isChanged,
    createdAt: toInstant(createdAt),
  };
}

/** Authors by name; those who are gone are told as such. */
export async function viewVersions(versions: readonly VersionView[], { access }: Edge): Promise<Version[]> {
  const names = await access.users.names([...new Set(versions.map(({ author }) => author))]);
  return versions.map(({ number, digest, message, author, frozenAt, entries, bytes, manifestBytes, withdrawn }) => ({
    number,
    digest,
    message,
    author: names.get(author) ?? '',
    frozenAt: toInstant(frozenAt),
    entries,
    bytes,
    manifestBytes,
    ...present({ withdrawn: withdrawn === undefined ? undefined : { at: toInstant(withdrawn.at), reason: withdrawn.reason } }),
  }));
}
