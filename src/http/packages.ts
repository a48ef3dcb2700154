/** Packages: what there is, the draft and its entries. Versions and steps have files of their own. */
import { Type } from 'typebox';
import { EntriesSchema } from '#api/entries.ts';
import { JobSchema } from '#api/jobs.ts';
import {
  EditSchema,
  ForkSchema,
  NewPackageSchema,
  PackageHeadSchema,
  PackagePageSchema,
  PackageQuerySchema,
  PackageSchema,
} from '#api/packages.ts';
import { pageQuery } from '#api/values.ts';
import { PackageRError } from '#errors/error.ts';
import { nameOf } from '#model/path.ts';
import { getEntry } from '#model/tree.ts';
import { parseReference } from '#packages/package.ts';

import { actorOf } from './actor.ts';
import { announcedBytes, streamBody } from './body.ts';
import { sendContent } from './content.ts';
import type { Edge } from './edge.ts';
import { listEntries } from './entries.ts';
import { viewJob } from './jobs.ts';
import { parseLimit } from './link-objects.ts';
import { packageParams, packageUrl, referenceOf, viewPackage, viewVersions } from './package-views.ts';
import { parseRawPath } from './raw-path.ts';
import { present, type Server } from './route.ts';
import { searchQuery, sendSearch } from './search.ts';
import { registerSteps, sendOutcome } from './steps.ts';
import { registerVersions } from './versions.ts';

const tags = ['packages'];
const list = { action: 'list', audience: 'user' } as const;

const entryParams = Type.Object({ namespace: Type.String(), package: Type.String(), '*': Type.String() });

export function registerPackages(server: Server, edge: Edge): void {
  const { packages } = edge;
  server.get(
    '/api/v1/packages',
    { config: list, schema: { summary: 'List packages', tags, querystring: PackageQuerySchema, response: { 200: PackagePageSchema } } },
    async (request) => {
      const { namespace, cursor, limit } = request.query;
      const page = await packages.list(actorOf(request), { namespace, cursor, limit: parseLimit(limit) });
      return { packages: page.packages.map(viewPackage), ...present({ cursor: page.cursor }) };
    },
  );
  server.post(
    '/api/v1/packages',
    {
      config: { action: 'create', audience: 'user', idempotent: true },
      schema: { summary: 'Make a package', tags, body: NewPackageSchema, response: { 201: PackageSchema } },
    },
    async (request, reply) =>
      reply.code(201).send(viewPackage(await packages.create(actorOf(request), parseReference(request.body.reference)))),
  );
  server.get(
    packageUrl,
    {
      config: list,
      schema: { summary: 'A package, or a version of it', tags, params: packageParams, response: { 200: PackageHeadSchema } },
    },
    async (request) => {
      const [actor, reference] = [actorOf(request), referenceOf(request.params)];
      const found = viewPackage(await packages.get(actor, reference));
      if (reference.version === undefined) return { package: found };
      const [version] = await viewVersions([await packages.version(actor, reference)], edge);
      return { package: found, ...present({ version }) };
    },
  );
  server.delete(
    packageUrl,
    {
      config: { action: 'delete', audience: 'user' },
      schema: {
        summary: 'Delete a package with all versions; what it points to stays',
        tags,
        params: packageParams,
        querystring: Type.Object({ force: Type.Optional(Type.Literal('true')) }, { additionalProperties: false }),
        response: { 202: JobSchema },
      },
    },
    async (request, reply) => {
      const job = await packages.delete(actorOf(request), referenceOf(request.params), { force: request.query.force === 'true' });
      return reply.code(202).send(viewJob(job));
    },
  );
  server.post(
    `${packageUrl}/fork`,
    {
      config: { action: 'create', audience: 'user', idempotent: true },
      schema: {
        summary: 'A new package that begins as this one',
        tags,
        params: packageParams,
        body: ForkSchema,
        response: { 201: PackageSchema },
      },
    },
    async (request, reply) => {
      const { package: made } = await packages.fork(actorOf(request), referenceOf(request.params), parseReference(request.body.to));
      return reply.code(201).send(viewPackage(made));
    },
  );
  registerEntries(server, edge);
  registerSteps(server, edge);
  registerVersions(server, edge);
}

function registerEntries(server: Server, edge: Edge): void {
  const { packages, sources, settings } = edge;
  const url = `${packageUrl}/entries/*`;
  server.get(
    url,
    {
      config: { ...list, streams: true },
      schema: {
        summary: 'An entry, and one page of a folder; with content=true the bytes of a text',
        tags,
        params: entryParams,
        querystring: Type.Object({ ...pageQuery, content: Type.Optional(Type.Literal('true')) }, { additionalProperties: false }),
        response: { 200: EntriesSchema },
      },
    },
    async (request, reply) => {
      const { path } = parseRawPath(request.raw.url ?? '', 6);
      const isContent = request.query.content === 'true';
      const handle = await packages.open(actorOf(request), isContent ? 'download' : 'list', referenceOf(request.params), path);
      if (!isContent) return listEntries(request, { handle, path, query: request.query, sources });
      const entry = await getEntry(handle.tree, path, request.gone);
      if (entry.kind === 'folder' || (entry.kind === 'pointer' && !entry.inline)) {
        throw new PackageRError('unsupported', `${JSON.stringify(path)} has no bytes here: ask its stable URL.`);
      }
      const etag = entry.kind === 'text' ? entry.sha256 : undefined;
      const read = (range?: { start: number; end: number }) => handle.tree.read(path, { range, signal: request.gone });
      return sendContent(request, reply as never, { size: entry.size, etag, fileName: nameOf(path), read }) as never;
    },
  );
  server.put(
    url,
    {
      config: { action: 'create', audience: 'user', body: 'stream', streams: true },
      schema: {
        summary: 'Put a file; If-Match names the SHA-256 of the text to be replaced, If-None-Match: * asks for none',
        description: 'A text is kept; what is longer, or binary, goes to the upload source of the namespace and is annexed from there.',
        tags,
        params: entryParams,
        consumes: ['application/octet-stream'],
        response: { 200: EditSchema },
      },
    },
    async (request) => {
      const { path } = parseRawPath(request.raw.url ?? '', 6);
      const body = streamBody(request.raw, { idle: settings.limits.idleTimeout });
      const { 'if-match': ifMatch, 'if-none-match': ifNone } = request.headers;
      const match = ifNone === '*' ? 'absent' : ifMatch?.replace(/^"(.*)"$/, '$1');
      const options = { ifMatch: match, size: announcedBytes(request.raw), signal: request.gone };
      return { ...(await packages.putFile(actorOf(request), referenceOf(request.params), path, body, options)) };
    },
  );
  server.delete(
    url,
    {
      config: { action: 'delete', audience: 'user' },
      schema: {
        summary: 'Remove a file, or a folder with all it holds',
        tags,
        params: entryParams,
        response: { 200: EditSchema, 202: JobSchema },
      },
    },
    async (request, reply) => {
      const { path } = parseRawPath(request.raw.url ?? '', 6);
      return sendOutcome(reply, await packages.remove(actorOf(request), referenceOf(request.params), [path]));
    },
  );
  server.get(
    `${packageUrl}/search/*`,
    {
      config: { ...list, streams: true },
      schema: { summary: 'Search by name (NDJSON)', tags, params: entryParams, querystring: searchQuery },
    },
    async (request, reply) => {
      const { path } = parseRawPath(request.raw.url ?? '', 6);
      const handle = await packages.open(actorOf(request), 'list', referenceOf(request.params), path);
      return sendSearch(request, reply, { ...edge, handle, path, query: request.query });
    },
  );
}
