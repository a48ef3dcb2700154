/** The two bases of links, and what lies below each: objects, exports, exchange, and the entries as JSON. */
import { Type } from 'typebox';
import { EntriesSchema } from '#api/entries.ts';
import { pageQuery } from '#api/values.ts';
import { encodePath, parsePath } from '#model/path.ts';
import { parseReference } from '#packages/package.ts';
import { actorOf } from './actor.ts';
import type { Edge } from './edge.ts';
import { listEntries } from './entries.ts';
import { allowCrossOrigin } from './headers.ts';
import type { Link } from './link.ts';
import { registerExchange } from './link-exchange.ts';
import { registerExports } from './link-exports.ts';
import { registerObjects } from './link-objects.ts';
import { registerPage } from './link-page.ts';
import { parseRawPath } from './raw-path.ts';
import type { Server } from './route.ts';
import { shareLink } from './share-link.ts';

export function registerLink(server: Server, edge: Edge): void {
  const ofPackage = packageLink(edge);
  registerPage(server, { ...edge, link: ofPackage });
  for (const link of [shareLink(edge), ofPackage]) {
    registerObjects(server, { ...edge, link });
    registerExports(server, { ...edge, link, limits: edge.settings.limits });
    registerExchange(server, { ...edge, link, limits: edge.settings.limits });
    registerEntries(server, { ...edge, link });
  }
}

function packageLink({ packages, settings }: Edge): Link {
  return {
    pattern: '/p/:namespace/:package',
    segments: 3,
    isPublic: false,
    keyOf: (request) => (request.actor?.kind === 'user' ? request.actor.id : request.peer.key),
    async open(request, action, path) {
      const { namespace = '', package: name = '' } = request.params as Record<string, string>;
      const reference = parseReference(`${namespace}/${name}`);
      const handle = await packages.open(actorOf(request), action, reference, path);
      const version = reference.version === undefined ? '' : `@${reference.version}`;
      return { handle, base: `${settings.publicUrl}/p/${encodePath(parsePath(`${reference.namespace}/${reference.name}`))}${version}/` };
    },
  };
}

function registerEntries(server: Server, { link, sources }: Edge & { readonly link: Link }): void {
  const config = link.isPublic ? ({ public: true, audience: 'visitor' } as const) : ({ action: 'list', audience: 'user' } as const);
  const schema = {
    summary: 'An entry, and one page of a folder',
    tags: ['links'],
    querystring: Type.Object(pageQuery, { additionalProperties: false }),
    response: { 200: EntriesSchema },
  };
  server.get(`${link.pattern}/entries/*`, { config, schema }, async (request, reply) => {
    if (link.isPublic) allowCrossOrigin(reply);
    const { path } = parseRawPath(request.raw.url ?? '', link.segments + 1);
    const { handle } = await link.open(request, 'list', path);
    return listEntries(request, { handle, path, query: request.query, sources });
  });
}
