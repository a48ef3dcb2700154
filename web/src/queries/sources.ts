/** Sources and what lies in them. */
import { useQuery } from '@pinia/colada';
import type { EntriesAnswer } from '#api/entries.ts';
import type { Presigned, Source } from '#api/sources.ts';
import { apiPath } from '#client/client.ts';
import { client } from './client.ts';
import { EntryList } from './entry-list.ts';

export function useSources() {
  return useQuery({ key: ['sources'], query: async () => (await client.get<{ sources: Source[] }>('api/v1/sources')).sources });
}

export function listSource(source: string, folder: string): EntryList {
  const path = apiPath`api/v1/sources/${source}/entries/${folder}`;
  return new EntryList((query, signal) => client.call<EntriesAnswer>('GET', path, { query, signal }));
}

/** For whoever holds it, for a while. */
export function makeTemporaryUrl(source: string, path: string): Promise<Presigned> {
  return client.post(apiPath`api/v1/sources/${source}/presign/${path}`);
}
