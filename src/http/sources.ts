/** Sources: the connected places, what lies in them, and the test that says what works. */
import { Type } from 'typebox';
import { EntriesSchema } from '#api/entries.ts';
import {
  DriverSchema,
  NewSourceSchema,
  PresignedSchema,
  PresignQuerySchema,
  type Source,
  SourceChangeSchema,
  SourceSchema,
  type SourceTest as SourceTestAnswer,
  SourceTestQuerySchema,
  SourceTestSchema,
} from '#api/sources.ts';
import { pageQuery } from '#api/values.ts';
import { PackageRError } from '#errors/error.ts';
import type { Exchange } from '#exchange/exchange.ts';
import { toInstant } from '#model/clock.ts';
import { type Name, parseName } from '#model/name.ts';
import { Secret } from '#model/secret.ts';
import type { SourceTest, SourceView } from '#sources/source.ts';
import type { Sources } from '#sources/sources.ts';
import { actorOf } from './actor.ts';
import { listEntries } from './entries.ts';
import { parseExpires } from './link-objects.ts';
import { parseRawPath } from './raw-path.ts';
import { present, type Server } from './route.ts';
import { type SearchOptions, searchQuery, sendSearch } from './search.ts';

export interface SourcesOptions extends SearchOptions {
  readonly sources: Sources;
  readonly exchange: Exchange;
}

const tags = ['sources'];
const config = { action: 'manage', audience: 'admin' } as const;
const params = Type.Object({ name: Type.String() });
const nameOf = (params: { name: string }): Name => parseName(params.name, 'source');

export function registerSources(server: Server, options: SourcesOptions): void {
  const { sources } = options;
  server.get(
    '/api/v1/drivers',
    {
      config: { action: 'list', audience: 'user' },
      schema: { summary: 'Kinds of stores', tags, response: { 200: Type.Object({ drivers: Type.Array(DriverSchema) }) } },
    },
    async () => ({
      drivers: sources.drivers().map(({ kind, title, optionsSchema, secrets }) => ({
        kind,
        title,
        optionsSchema: { ...optionsSchema },
        secrets: secrets.map((secret) => ({ ...secret })),
      })),
    }),
  );
  server.get(
    '/api/v1/sources',
    {
      config: { action: 'list', audience: 'user' },
      schema: { summary: 'List sources', tags, response: { 200: Type.Object({ sources: Type.Array(SourceSchema) }) } },
    },
    async (request) => ({ sources: (await sources.list(actorOf(request))).map(viewSource) }),
  );
  server.post(
    '/api/v1/sources',
    { config, schema: { summary: 'Add a source', tags, body: NewSourceSchema, response: { 201: SourceSchema } } },
    async (request, reply) => {
      const { name, driver, title, options, secrets } = request.body;
      const source = { name: parseName(name, 'source'), driver, title, options, secrets: parseSecrets(secrets ?? {}) };
      return reply.code(201).send(viewSource(await sources.add(actorOf(request), source)));
    },
  );
  server.get(
    '/api/v1/sources/:name',
    { config: { action: 'list', audience: 'user' }, schema: { summary: 'A source', tags, params, response: { 200: SourceSchema } } },
    async (request) => viewSource(await sources.get(actorOf(request), nameOf(request.params))),
  );
  server.patch(
    '/api/v1/sources/:name',
    { config, schema: { summary: 'Change a source', tags, params, body: SourceChangeSchema, response: { 200: SourceSchema } } },
    async (request) => {
      const { name, title, options, secrets } = request.body;
      const change = { name: name === undefined ? undefined : parseName(name, 'source'), title, options };
      const changed = { ...change, secrets: secrets === undefined ? undefined : parseSecrets(secrets) };
      return viewSource(await sources.update(actorOf(request), nameOf(request.params), changed));
    },
  );
  server.delete(
    '/api/v1/sources/:name',
    {
      config,
      schema: {
        summary: 'Remove a source; its objects stay where they are',
        tags,
        params,
        querystring: Type.Object({ force: Type.Optional(Type.Literal('true')) }, { additionalProperties: false }),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await sources.remove(actorOf(request), nameOf(request.params), { force: request.query.force === 'true' });
      return reply.code(204).send(null);
    },
  );
  server.post(
    '/api/v1/sources/:name/test',
    {
      config: { ...config, streams: true },
      schema: {
        summary: 'Try what the source can do',
        tags,
        params,
        querystring: SourceTestQuerySchema,
        response: { 200: SourceTestSchema },
      },
    },
    async (request) => {
      const asked = { setCors: request.query.setCors === 'true', signal: request.gone };
      return viewTest(await sources.test(actorOf(request), nameOf(request.params), asked));
    },
  );
  registerBrowsing(server, options);
}

function registerBrowsing(server: Server, options: SourcesOptions): void {
  const { sources } = options;
  const browsing = { action: 'list', audience: 'user' } as const;
  const splat = Type.Object({ name: Type.String(), '*': Type.String() });
  server.get(
    '/api/v1/sources/:name/entries/*',
    {
      config: browsing,
      schema: {
        summary: 'An entry, and one page of a folder',
        tags,
        params: splat,
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: { 200: EntriesSchema },
      },
    },
    async (request) => {
      const { path } = parseRawPath(request.raw.url ?? '', 5);
      const handle = await sources.open(actorOf(request), 'list', nameOf(request.params), path);
      return listEntries(request, { handle, path, query: request.query, sources });
    },
  );
  server.post(
    '/api/v1/sources/:name/presign/*',
    {
      config: { action: 'download', audience: 'user' },
      schema: {
        summary: 'A temporary URL for an object',
        tags,
        params: splat,
        querystring: PresignQuerySchema,
        response: { 200: PresignedSchema },
      },
    },
    async (request) => {
      const { path } = parseRawPath(request.raw.url ?? '', 5);
      const { method = 'GET', expires } = request.query;
      const handle = await sources.open(actorOf(request), 'download', nameOf(request.params), path);
      const expiresIn = parseExpires(expires ?? null);
      const result = await options.exchange.exchange(handle, path, { method, expiresIn, signal: request.gone });
      if (result.kind === 'text') throw new PackageRError('unsupported', 'A text has no temporary URL.');
      const { temporaryUrl: url } = result;
      const expiresAt = url.expiresAt === undefined ? undefined : toInstant(url.expiresAt);
      return { method: url.method, url: url.url, headers: { ...url.headers }, ...present({ expiresAt }) };
    },
  );
  server.get(
    '/api/v1/sources/:name/search/*',
    {
      config: { ...browsing, streams: true },
      schema: { summary: 'Search by name (NDJSON)', tags, params: splat, querystring: searchQuery },
    },
    async (request, reply) => {
      const { path } = parseRawPath(request.raw.url ?? '', 5);
      const handle = await sources.open(actorOf(request), 'list', nameOf(request.params), path);
      return sendSearch(request, reply, { ...options, handle, path, query: request.query });
    },
  );
}

function parseSecrets<T extends string | null>(texts: Readonly<Record<string, T>>): Record<string, Secret | Extract<T, null>> {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, text === null ? text : Secret.parse(text)])) as Record<
    string,
    Secret | Extract<T, null>
  >;
}

function viewSource({ id, name, driver, title, options, secrets, capabilities, state, problem, createdAt, updatedAt }: SourceView): Source {
  return {
    id,
    name,
    driver,
    title,
    ...(options === undefined ? {} : { options: { ...options } }),
    ...(secrets === undefined
      ? {}
      : { secrets: Object.fromEntries(Object.entries(secrets).map(([key, { set, from }]) => [key, { set, from }])) }),
    ...(capabilities === undefined ? {} : { capabilities: { ...capabilities, checksums: [...capabilities.checksums] } }),
    state,
    ...present({ problem }),
    createdAt: toInstant(createdAt),
    updatedAt: toInstant(updatedAt),
  };
}

function viewTest({ works, checks }: SourceTest): SourceTestAnswer {
  return { works, checks: checks.map((check) => ({ ...check })) };
}
