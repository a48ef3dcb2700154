/**
 * Shares: those of oneself, or of everybody, and what is done to them. A password goes to the server and nowhere else: making and changing
 * are plain calls, so that no cache keeps what was sent.
 */
import { useQuery, useQueryCache } from '@pinia/colada';
import type { NewShare, Share, ShareChange, SharePage } from '#api/shares.ts';
import { apiPath } from '#client/client.ts';
import { client } from './client.ts';

/** Of one page; the most that the server gives, and more than one person’s live ones. */
const pageShares = 1000;

export interface SharesAsked {
  /** Those of everybody, for administrators. */
  readonly all: boolean;
  readonly pages: number;
  /** False: not yet. */
  readonly isWanted?: boolean;
}

/** Newest first; `isWhole`: there are no more behind these. */
export function useShares(asked: () => SharesAsked) {
  return useQuery({
    key: () => ['shares', asked().all, asked().pages],
    query: async () => listShares(asked()),
    enabled: () => asked().isWanted ?? true,
    placeholderData: (before: SharesFound | undefined) => before,
  });
}

export interface SharesFound {
  readonly shares: readonly Share[];
  readonly isWhole: boolean;
}

async function listShares({ all, pages }: Pick<SharesAsked, 'all' | 'pages'>): Promise<SharesFound> {
  const shares: Share[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < pages; page++) {
    const found: SharePage = await client.get<SharePage>('api/v1/shares', { all, cursor, limit: pageShares });
    shares.push(...found.shares);
    cursor = found.cursor;
    if (cursor === undefined) break;
  }
  return { shares, isWhole: cursor === undefined };
}

/** Each says the share as it is then; the lists are asked for anew. */
export function useShareWork() {
  const cache = useQueryCache();
  const then = async (work: Promise<Share>): Promise<Share> => {
    try {
      return await work;
    } finally {
      void cache.invalidateQueries({ key: ['shares'] });
    }
  };
  return {
    create: (share: NewShare) => then(client.post<Share>('api/v1/shares', share)),
    update: (number: number, change: ShareChange) => then(client.patch<Share>(apiPath`api/v1/shares/${number}`, change)),
    pause: (number: number) => then(client.post<Share>(apiPath`api/v1/shares/${number}/pause`)),
    resume: (number: number) => then(client.post<Share>(apiPath`api/v1/shares/${number}/resume`)),
    rotate: (number: number) => then(client.post<Share>(apiPath`api/v1/shares/${number}/rotate`)),
    revoke: (number: number) => then(client.delete<Share>(apiPath`api/v1/shares/${number}`)),
  };
}

/** A share as it is now, with when its last temporary URL ends. */
export function findShare(number: number): Promise<Share> {
  return client.get<Share>(apiPath`api/v1/shares/${number}`);
}
