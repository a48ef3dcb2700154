/** `/s/<share>[~ticket]/`: a link for whoever holds it. The ticket stays in the path of every link that is made below it. */
import type { FastifyRequest } from 'fastify';
import { PackageRError } from '#errors/error.ts';
import { pastedLines } from '#exports/lines.ts';
import { findSums, type SumAlgorithm } from '#exports/vouched.ts';
import { parsePath } from '#model/path.ts';
import type { Visitor } from '#shares/share.ts';
import type { Shares } from '#shares/shares.ts';
import type { Link } from './link.ts';

export interface ShareLinkOptions {
  readonly shares: Shares;
  readonly settings: { readonly publicUrl: string };
}

export function shareLink({ shares, settings }: ShareLinkOptions): Link {
  return {
    pattern: '/s/:share',
    segments: 2,
    isPublic: true,
    keyOf: (request) => idOf(request),
    async open(request, action, path) {
      const handle = await shares.open(visitorOf(request), action, path);
      return { handle, view: handle.view, base: `${settings.publicUrl}/s/${shareOf(request)}/` };
    },
    async findLines(request, { view, query }) {
      if (view.needsSignIn) return { lines: [] };
      const found = view.needsTicket ? await shares.listTicket(visitorOf(request)) : undefined;
      const share = found === undefined ? idOf(request) : `${idOf(request)}~${found.ticket}`;
      const verify = await findListed(shares, request, query);
      const lines = pastedLines({ base: `${settings.publicUrl}/s/${share}/`, query, verify });
      const kept = query === undefined ? lines : lines.filter(({ client }) => client !== 'rclone');
      return { lines: kept, ...(found === undefined ? {} : { expiresAt: found.expiresAt, listBase: `../${share}/` }) };
    },
  };
}

/** The checksum lists that a line ends with. A source that cannot be asked just now keeps nobody from the lines. */
async function findListed(shares: Shares, request: FastifyRequest, query: string | undefined): Promise<readonly SumAlgorithm[]> {
  try {
    const folder = parsePath(new URLSearchParams(query).get('folder') ?? '');
    const { tree } = await shares.open(visitorOf(request), 'list', folder);
    return await findSums(tree, folder, request.gone);
  } catch {
    return ['sha256'];
  }
}

/** `ID` or `ID~TICKET` as sent. Errors: share_not_found for anything else. */
export function shareOf(request: FastifyRequest): string {
  const { share = '' } = request.params as Record<string, string>;
  if (!isShareText(share)) throw new PackageRError('share_not_found');
  return share;
}

export function isShareText(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,128}(~[A-Za-z0-9_-]{1,128})?$/.test(text);
}

export function idOf(request: FastifyRequest): string {
  return shareOf(request).split('~')[0] ?? '';
}

/** Evidence of a visitor: the link, who is signed in, the peer; and for older clients the password as a header, never in the query. */
export function visitorOf(request: FastifyRequest): Visitor {
  const password = request.headers['x-share-password'];
  return {
    share: shareOf(request),
    user: request.actor?.kind === 'user' ? request.actor : undefined,
    address: request.peer.address,
    password: typeof password === 'string' ? password : undefined,
  };
}
