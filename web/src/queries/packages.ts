/** Packages, and what lies in a draft or a version of one. */
import { useQuery } from '@pinia/colada';
import type { EntriesAnswer } from '#api/entries.ts';
import type { PackageHead, PackagePage } from '#api/packages.ts';
import { apiPath } from '#client/client.ts';
import { client } from './client.ts';
import { EntryList } from './entry-list.ts';

export function usePackages() {
  return useQuery({ key: ['packages'], query: async () => (await client.get<PackagePage>('api/v1/packages', { limit: 200 })).packages });
}

export function usePackage(name: () => { readonly namespace: string; readonly package: string }) {
  return useQuery({
    key: () => ['package', name().namespace, name().package],
    query: async () => (await client.get<PackageHead>(apiPath`api/v1/packages/${name().namespace}/${name().package}`)).package,
  });
}

/** `version`: undefined for the draft. */
export function listPackage(namespace: string, name: string, version: number | undefined, folder: string): EntryList {
  const reference = version === undefined ? name : `${name}@${version}`;
  const path = apiPath`api/v1/packages/${namespace}/${reference}/entries/${folder}`;
  return new EntryList((query, signal) => client.call<EntriesAnswer>('GET', path, { query, signal }));
}
