/** `/s/<share>[~ticket]/`: a link for whoever holds it. The ticket stays in the path of every link that is made below it. */
import type { FastifyRequest } from 'fastify';
import { PackageRError } from '#errors/error.ts';
import { pastedLines } from '#exports/lines.ts';
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
      const lines = pastedLines({ base: `${settings.publicUrl}/s/${share}/`, query });
      const kept = query === undefined ? lines : lines.filter(({ client }) => client !== 'rclone');
      return { lines: kept, ...(found === undefined ? {} : { expiresAt: found.expiresAt, listBase: `../${share}/` }) };
    },
  };
}

/** `ID` or `ID~TICKET` as sent. Errors: share_not_found for anything else. */
export function shareOf(request: FastifyRequest): string {
  const { share = '' } = request.params as Record<string, string>;
  if (!/^[A-Za-z0-9_-]{1,128}(~[A-Za-z0-9_-]{1,128})?$/.test(share)) throw new PackageRError('share_not_found');
  return share;
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
