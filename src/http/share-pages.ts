/** What a link is opened by: its page, the password and the terms of a share, and what a share says of itself as JSON. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type PublicShare, PublicShareSchema, TicketSchema, UnlockSchema } from '#api/links.ts';
import { isError, PackageRError } from '#errors/error.ts';
import { toInstant } from '#model/clock.ts';
import { root } from '#model/path.ts';
import type { PublicShareView } from '#shares/share.ts';
import { checkFormOrigin } from './actor.ts';
import type { Edge } from './edge.ts';
import { allowCrossOrigin } from './headers.ts';
import { type ListTicket, registerPage } from './link-page.ts';
import { writeUnlockPage } from './link-page-html.ts';
import { sendPage, sendSeeOther } from './pages.ts';
import { toProblem } from './problem.ts';
import { present, type Server } from './route.ts';
import { idOf, shareLink, shareOf, visitorOf } from './share-link.ts';

const config = { public: true, audience: 'visitor' } as const;
const tags = ['links'];

export function registerSharePages(server: Server, edge: Edge): void {
  const { shares, publicOrigin } = edge;
  const link = shareLink(edge);
  const listTickets = new Map<string, ListTicket>();
  registerPage(server, { ...edge, link, listTicketOf: (request) => listTickets.get(shareOf(request)) });
  registerDescription(server, edge);

  server.post(
    '/s/:share/unlock',
    {
      config: { ...config, body: 'secret', form: true, page: true },
      schema: { summary: 'A ticket for the password', tags, body: UnlockSchema, response: { 200: TicketSchema } },
    },
    async (request, reply) => {
      const isForm = isFormOf(request);
      if (isForm) checkFormOrigin(request, publicOrigin);
      try {
        const unlocked = await shares.unlock(idOf(request), request.body.password, { address: request.peer.address });
        const { ticket, expiresAt, listTicket, listExpiresAt } = unlocked;
        if (!isForm) return reply.send({ ticket, expiresAt: toInstant(expiresAt), listTicket, listExpiresAt: toInstant(listExpiresAt) });
        remember(listTickets, `${idOf(request)}~${ticket}`, { ticket: listTicket, expiresAt: listExpiresAt });
        return sendSeeOther(reply as FastifyReply, `../${idOf(request)}~${ticket}/`);
      } catch (error) {
        if (!isForm || !(isError(error, 'share_password_wrong') || isError(error, 'rate_limited'))) throw error;
        const { status, headers, problem } = toProblem(error, request.id);
        const page = writeUnlockPage({ root: edge.rootPath, action: 'unlock', fault: problem.title });
        return sendPage(reply.headers(headers) as FastifyReply, page, status);
      }
    },
  );
  server.post(
    '/s/:share/accept',
    { config: { ...config, form: true, page: true }, schema: { summary: 'Accept the terms', tags, response: { 200: PublicShareSchema } } },
    async (request, reply) => {
      if (isFormOf(request)) checkFormOrigin(request, publicOrigin);
      else if (request.headers['content-type'] === undefined) requireScript(request);
      const view = await shares.accept(visitorOf(request));
      if (isFormOf(request)) return sendSeeOther(reply as FastifyReply, './');
      return reply.send(describeShare(view, edge, shareOf(request)));
    },
  );
}

function registerDescription(server: Server, edge: Edge): void {
  server.get(
    '/s/:share/api',
    { config, schema: { summary: 'What the share says of itself', tags, response: { 200: PublicShareSchema } } },
    async (request, reply) => {
      allowCrossOrigin(reply);
      const { view } = await edge.shares.open(visitorOf(request), 'list', root);
      return describeShare(view, edge, shareOf(request));
    },
  );
}

/** A write without a body could come from any page by a bare form: it must say that it does not. */
function requireScript(request: FastifyRequest): void {
  if (request.headers.origin !== undefined && request.headers['x-requested-with'] !== 'packageR') throw new PackageRError('csrf_refused');
}

const mostTickets = 10_000;

function remember(tickets: Map<string, ListTicket>, share: string, ticket: ListTicket): void {
  tickets.set(share, ticket);
  if (tickets.size > mostTickets) tickets.delete(tickets.keys().next().value as string);
}

function isFormOf(request: FastifyRequest): boolean {
  return /^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '');
}

function describeShare(view: PublicShareView, { settings, exports }: Edge, share: string): PublicShare {
  const { rights, expiresAt, frozenAt, maxObjects, maxBytes, version, digest, description, entries, bytes, ...rest } = view;
  const instants = {
    expiresAt: expiresAt === undefined ? undefined : toInstant(expiresAt),
    frozenAt: frozenAt === undefined ? undefined : toInstant(frozenAt),
  };
  return {
    ...rest,
    rights: [...rights],
    ...present({ ...instants, maxObjects, maxBytes, version, digest, description, entries, bytes }),
    base: `${settings.publicUrl}/s/${share}/`,
    exports: exports.map(({ name }) => name),
  };
}
