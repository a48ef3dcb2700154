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
import type { Link } from './link.ts';
import { registerPage } from './link-page.ts';
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
  registerPage(server, { ...edge, link });
  registerDescription(server, edge, link);
  registerNothing(server, edge);

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
        return sendSeeOther(reply as FastifyReply, `../${idOf(request)}~${ticket}/`);
      } catch (error) {
        if (!isForm || !(isError(error, 'share_password_wrong') || isError(error, 'rate_limited'))) throw error;
        const { status, headers, problem } = toProblem(error, request.id);
        const page = writeUnlockPage({ root: edge.rootPath, action: 'unlock', fault: problem.title });
        return sendPage(reply.headers(headers) as FastifyReply, page, { status });
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
      return reply.send(await describeShare(request, view, { ...edge, link }));
    },
  );
}

function registerDescription(server: Server, edge: Edge, link: Link): void {
  server.get(
    '/s/:share/api',
    { config, schema: { summary: 'What the share says of itself', tags, response: { 200: PublicShareSchema } } },
    async (request, reply) => {
      allowCrossOrigin(reply);
      const { view } = await edge.shares.open(visitorOf(request), 'list', root);
      return describeShare(request, view, { ...edge, link });
    },
  );
}

/** What is not there is told only to those who may come in: a locked share answers the same below every name. */
function registerNothing(server: Server, { shares }: Edge): void {
  server.get('/s/:share/*', { config: { ...config, page: true }, schema: { hide: true } }, async (request) => {
    await shares.open(visitorOf(request), 'stat', root);
    throw new PackageRError('not_found');
  });
}

/** A write without a body could come from any page by a bare form: it must say that it does not. */
function requireScript(request: FastifyRequest): void {
  if (request.headers.origin !== undefined && request.headers['x-requested-with'] !== 'packageR') throw new PackageRError('csrf_refused');
}

function isFormOf(request: FastifyRequest): boolean {
  return /^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '');
}

async function describeShare(
  request: FastifyRequest,
  view: PublicShareView,
  { settings, exports, link }: Edge & { readonly link: Link },
): Promise<PublicShare> {
  const { rights, expiresAt, frozenAt, maxObjects, maxBytes, version, digest, description, entries, bytes, needsTicket: _, ...rest } = view;
  const mayFetch = rights.includes('exchange');
  const found = mayFetch ? await link.findLines?.(request, { view }) : undefined;
  const instants = { expiresAt: toOptional(expiresAt), frozenAt: toOptional(frozenAt), linesExpireAt: toOptional(found?.expiresAt) };
  return {
    ...rest,
    rights: [...rights],
    ...present({ ...instants, maxObjects, maxBytes, version, digest, description, entries, bytes }),
    base: `${settings.publicUrl}/s/${shareOf(request)}/`,
    exports: exports.map(({ name }) => name),
    lines: (found?.lines ?? []).map(({ client, line, needs, note }) => ({ client, line, needs: [...needs], ...present({ note }) })),
  };
}

function toOptional(at: number | undefined): string | undefined {
  return at === undefined ? undefined : toInstant(at);
}
