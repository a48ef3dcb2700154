/** Versions: frozen, compared, verified, withdrawn. */
import { Type } from 'typebox';
import { JobSchema } from '#api/jobs.ts';
import {
  DiffQuerySchema,
  DiffSchema,
  DriftQuerySchema,
  FreezeSchema,
  VersionSchema,
  VersionsSchema,
  WithdrawSchema,
} from '#api/packages.ts';
import { pageQuery } from '#api/values.ts';
import { PackageRError } from '#errors/error.ts';
import { root } from '#model/path.ts';
import type { Change } from '#packages/diff.ts';
import { actorOf } from './actor.ts';
import type { Edge } from './edge.ts';
import { entryViewer } from './entries.ts';
import { viewJob } from './jobs.ts';
import { parseLimit } from './link-objects.ts';
import { packageUrl, packageParams as params, referenceOf, viewVersions } from './package-views.ts';
import { present, type Server } from './route.ts';

const tags = ['packages'];
const list = { action: 'list', audience: 'user' } as const;

export function registerVersions(server: Server, edge: Edge): void {
  const { packages } = edge;
  server.get(
    `${packageUrl}/versions`,
    {
      config: list,
      schema: {
        summary: 'Versions, newest first',
        tags,
        params,
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: { 200: VersionsSchema },
      },
    },
    async (request) => {
      const { cursor, limit } = request.query;
      const page = await packages.versions(actorOf(request), referenceOf(request.params), { cursor, limit: parseLimit(limit) });
      return { versions: await viewVersions(page.versions, edge), ...present({ cursor: page.cursor }) };
    },
  );
  server.post(
    `${packageUrl}/versions`,
    {
      config: { action: 'modify', audience: 'user', streams: true, idempotent: true },
      schema: {
        summary: 'Freeze the draft; where there is much to read, by a job',
        tags,
        params,
        body: FreezeSchema,
        response: { 201: VersionSchema, 202: JobSchema },
      },
    },
    async (request, reply) => {
      const { message } = request.body;
      const outcome = await packages.startFreeze(actorOf(request), referenceOf(request.params), { message, signal: request.gone });
      if ('job' in outcome) return reply.code(202).send(viewJob(outcome.job));
      const [view] = await viewVersions([outcome.version], edge);
      if (view === undefined) throw new PackageRError('internal');
      return reply.code(201).send(view);
    },
  );
  server.post(
    `${packageUrl}/withdraw`,
    {
      config: { action: 'delete', audience: 'user' },
      schema: {
        summary: 'Take a version away for ever; its digest stays',
        tags,
        params,
        body: WithdrawSchema,
        response: { 200: VersionSchema },
      },
    },
    async (request) => {
      const [view] = await viewVersions([await packages.withdraw(actorOf(request), referenceOf(request.params), request.body)], edge);
      if (view === undefined) throw new PackageRError('internal');
      return view;
    },
  );
  server.post(
    `${packageUrl}/verify`,
    { config: list, schema: { summary: 'Is the version what its digest says?', tags, params, response: { 202: JobSchema } } },
    async (request, reply) => reply.code(202).send(viewJob(await packages.verify(actorOf(request), referenceOf(request.params)))),
  );
  server.post(
    `${packageUrl}/drift`,
    {
      config: list,
      schema: {
        summary: 'Are the objects still what they were?',
        tags,
        params,
        querystring: DriftQuerySchema,
        response: { 202: JobSchema },
      },
    },
    async (request, reply) => {
      const { rate } = request.query;
      const asked = rate === undefined ? {} : { rate: Number(rate) };
      return reply.code(202).send(viewJob(await packages.drift(actorOf(request), referenceOf(request.params), asked)));
    },
  );
  server.get(
    `${packageUrl}/drift`,
    { config: list, schema: { summary: 'What the last sweep for drift found', tags, params, response: { 200: JobSchema } } },
    async (request) => viewJob(await packages.lastDrift(actorOf(request), referenceOf(request.params))),
  );
  registerDiff(server, edge);
}

function registerDiff(server: Server, { packages, sources }: Edge): void {
  server.get(
    `${packageUrl}/diff`,
    {
      config: { ...list, streams: true },
      schema: { summary: 'What changed', tags, params, querystring: DiffQuerySchema, response: { 200: DiffSchema } },
    },
    async (request) => {
      const { from, to, cursor, limit } = request.query;
      const actor = actorOf(request);
      const reference = referenceOf(request.params);
      const { version: _, ...draft } = reference;
      const handle = await packages.open(actor, 'list', draft, root);
      const steps = present({ from: from === undefined ? undefined : parsePoint(from), to: parsePoint(to ?? 'draft') });
      const page = await packages.diff(actor, draft, { ...steps, cursor, limit: parseLimit(limit), signal: request.gone });
      const view = await entryViewer(page.changes.flatMap(entriesOf), handle, sources);
      const changes = page.changes.map((change) => ({
        kind: change.kind,
        path: change.path,
        ...(change.kind === 'moved' ? present({ from: change.from, entries: change.entries }) : {}),
        ...present({ before: change.kind === 'changed' ? view(change.before) : undefined }),
        entry: view(change.entry),
      }));
      return { changes, ...present({ cursor: page.cursor }) };
    },
  );
}

function entriesOf(change: Change) {
  return change.kind === 'changed' ? [change.before, change.entry] : [change.entry];
}

/** A version, 0 for nothing at all, or the draft. Errors: request_invalid. */
function parsePoint(text: string): number | 'latest' | 'draft' {
  if (text === 'draft' || text === 'latest') return text;
  if (/^(0|[1-9]\d{0,8})$/.test(text)) return Number(text);
  throw new PackageRError('request_invalid', 'Name a version by its number, or “latest”, or “draft”.');
}
