/** Packages, what lies in a draft or a version of one, and what was changed. */
import { useQuery, useQueryCache } from '@pinia/colada';
import type { EntriesAnswer, EntryAnswer } from '#api/entries.ts';
import type { Job } from '#api/jobs.ts';
import type { Diff, Package, PackageHead, PackagePage, Version, Versions } from '#api/packages.ts';
import type { Presigned } from '#api/sources.ts';
import { apiPath } from '#client/client.ts';
import { type Between, ChangeList } from './changes.ts';
import { client } from './client.ts';
import { EntryList } from './entry-list.ts';

export interface PackageName {
  readonly namespace: string;
  readonly package: string;
}

/** A place of a package; `version`: undefined for the draft. */
export interface PackagePlace extends PackageName {
  readonly version: number | undefined;
}

export function usePackages() {
  return useQuery({ key: ['packages'], query: async () => (await client.get<PackagePage>('api/v1/packages', { limit: 200 })).packages });
}

export function usePackage(name: () => PackageName) {
  return useQuery({
    key: () => ['package', name().namespace, name().package],
    query: async () => (await client.get<PackageHead>(apiPath`api/v1/packages/${name().namespace}/${name().package}`)).package,
  });
}

/** Newest first: as many as one page holds, and whether there are more. */
export function useVersions(name: () => PackageName) {
  return useQuery({
    key: () => ['package', name().namespace, name().package, 'versions'],
    query: () => client.get<Versions>(apiPath`api/v1/packages/${name().namespace}/${name().package}/versions`, { limit: 1000 }),
  });
}

/** After a change: asks anew for what is shown of the package. */
export function useRefresh(): (name: PackageName) => Promise<void> {
  const cache = useQueryCache();
  return async ({ namespace, package: name }) => {
    await cache.invalidateQueries({ key: ['package', namespace, name] });
    await cache.invalidateQueries({ key: ['packages'] });
  };
}

export function listPackage(namespace: string, name: string, version: number | undefined, folder: string): EntryList {
  const path = entriesPath({ namespace, package: name, version }, folder);
  return new EntryList((query, signal) => client.call<EntriesAnswer>('GET', path, { query, signal }));
}

function entriesPath(place: PackagePlace, path: string): string {
  return apiPath`api/v1/packages/${place.namespace}/${referenceOf(place)}/entries/${path}`;
}

function referenceOf({ package: name, version }: PackagePlace): string {
  return version === undefined ? name : `${name}@${version}`;
}

/** Bytes of a text that are shown; the rest is there to download. */
export const mostShown = 1_000_000;

export interface ShownText {
  readonly text: string;
  /** It goes on. */
  readonly isCut: boolean;
  /** It is none: bytes that are no UTF-8, or that hold a zero. */
  readonly isBinary: boolean;
}

export async function readText(place: PackagePlace, { path = '', size = 0 }: EntryAnswer, signal: AbortSignal): Promise<ShownText> {
  const isCut = size > mostShown;
  const headers = isCut ? { range: `bytes=0-${mostShown - 1}` } : {};
  const { body } = await client.send('GET', entriesPath(place, path), { query: { content: true }, headers, signal });
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  try {
    for await (const chunk of body) text += decoder.decode(chunk, { stream: true });
    // What was cut may end within a character.
    if (!isCut) text += decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) return { text: '', isCut, isBinary: true };
    throw error;
  }
  return { text, isCut, isBinary: text.includes('\0') };
}

/** Stable: what a file of a package is called for good, by whoever may see it. */
export function stableUrl(place: PackagePlace, path: string): string {
  const version = place.version === undefined ? '' : `@${place.version}`;
  return new URL(`${apiPath`p/${place.namespace}/${place.package}`}${version}${apiPath`/o/${path}`}`, client.base).href;
}

/** Errors: those of the exchange, such as `unsupported` or `drifted`. */
export function makeTemporaryUrl(place: PackagePlace, path: string): Promise<Presigned & { readonly drifted?: true }> {
  return client.get(stableUrl(place, path));
}

/** The `.pointer` file. */
export async function readPointerFile(place: PackagePlace, path: string): Promise<string> {
  const { body } = await client.send('GET', `${stableUrl(place, path)}?pointer`, { accept: 'text/plain' });
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

export function compareVersions({ namespace, package: name }: PackageName, { from, to }: Between): ChangeList {
  const path = apiPath`api/v1/packages/${namespace}/${name}/diff`;
  return new ChangeList((cursor, limit, signal) =>
    client.call<Diff>('GET', path, { query: { from, to: to ?? 'draft', cursor, limit }, signal }),
  );
}

/** The version; or the job that makes it, where there is much to read. */
export function saveVersion({ namespace, package: name }: PackageName, message: string): Promise<Version | Job> {
  return client.post(apiPath`api/v1/packages/${namespace}/${name}/versions`, { message });
}

/** The package; or the job that does it, where there is much to change. */
export function stepDraft({ namespace, package: name }: PackageName, operation: 'undo' | 'redo'): Promise<Package | Job> {
  return client.post(apiPath`api/v1/packages/${namespace}/${name}/steps`, { operation });
}

export function isJob(answer: object): answer is Job {
  return 'state' in answer && 'progress' in answer;
}
