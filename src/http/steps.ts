/** Edits of a draft: each is one step, done at once or as a job. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { type Job, JobSchema } from '#api/jobs.ts';
import {
  type Annex,
  type AnnexListQuery,
  AnnexListQuerySchema,
  AnnexSchema,
  type Edit,
  EditSchema,
  type NewStep,
  NewStepSchema,
  type Package,
  PackageSchema,
  StepPageSchema,
} from '#api/packages.ts';
import { pageQuery } from '#api/values.ts';
import { PackageRError } from '#errors/error.ts';
import type { Actor } from '#model/actor.ts';
import { toInstant } from '#model/clock.ts';
import { parseInstant } from '#model/duration.ts';
import { parseName } from '#model/name.ts';
import { parsePath } from '#model/path.ts';
import { parseAnnexList } from '#packages/annex-list.ts';
import type { AnnexRequest, AnnexSelection } from '#packages/annex-request.ts';
import type { EditOutcome } from '#packages/drafts.ts';
import type { PackageReference, PackageView } from '#packages/package.ts';
import type { Packages } from '#packages/packages.ts';
import { actorOf } from './actor.ts';
import { streamBody } from './body.ts';
import type { Edge } from './edge.ts';
import { viewJob } from './jobs.ts';
import { parseLimit } from './link-objects.ts';
import { packageUrl, packageParams as params, referenceOf, viewPackage } from './package-views.ts';
import { present, type Server } from './route.ts';

const tags = ['packages'];
const modify = { action: 'modify', audience: 'user' } as const;

export function registerSteps(server: Server, edge: Edge): void {
  const { access, packages } = edge;
  const url = `${packageUrl}/steps`;
  server.get(
    url,
    {
      config: { action: 'list', audience: 'user' },
      schema: {
        summary: 'Steps of the draft, newest first',
        tags,
        params,
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: { 200: StepPageSchema },
      },
    },
    async (request) => {
      const { cursor, limit } = request.query;
      const page = await packages.log(actorOf(request), referenceOf(request.params), { cursor, limit: parseLimit(limit) });
      const names = await access.users.names([...new Set(page.steps.map((step) => step.actor))]);
      const steps = page.steps.map(({ at, version, actor, ...step }) => ({
        ...step,
        actor: names.get(actor) ?? actor,
        at: toInstant(at),
        ...present({ version }),
      }));
      return { steps, ...present({ cursor: page.cursor }) };
    },
  );
  server.post(
    url,
    {
      config: { ...modify, body: 'list', idempotent: true },
      schema: {
        summary: 'Edit the draft: move, copy, remove, mkdir, meta, undo, redo, restore',
        description: 'Undo and redo answer with the package, the others with the edit, or 202 with the job that does it.',
        tags,
        params,
        body: NewStepSchema,
        response: { 200: Type.Union([EditSchema, PackageSchema]), 202: JobSchema },
      },
    },
    async (request, reply) => {
      const outcome = await applyStep(packages, actorOf(request), referenceOf(request.params), request.body);
      return 'namespace' in outcome ? reply.code(200).send(viewPackage(outcome)) : sendOutcome(reply, outcome);
    },
  );
  registerAnnex(server, edge);
}

/** 200 for what is done, 202 for the job that does it. */
export function sendOutcome(reply: unknown, outcome: EditOutcome): never {
  const answer = reply as FastifyReply;
  const body: Edit | Job = 'job' in outcome ? viewJob(outcome.job) : { ...outcome.result };
  return answer.code('job' in outcome ? 202 : 200).send(body satisfies Edit | Job | Package) as never;
}

async function applyStep(packages: Packages, actor: Actor, reference: PackageReference, step: NewStep): Promise<EditOutcome | PackageView> {
  switch (step.operation) {
    case 'move':
    case 'copy':
      return packages[step.operation](
        actor,
        reference,
        step.from.map(parsePath),
        parsePath(step.to),
        present({ onConflict: step.onConflict }),
      );
    case 'remove':
      return packages.remove(actor, reference, step.paths.map(parsePath));
    case 'mkdir':
      return { result: await packages.mkdir(actor, reference, parsePath(step.path)) };
    case 'meta':
      return packages.setMeta(actor, reference, selectionOf(step), step.patch);
    case 'undo':
    case 'redo':
      return packages[step.operation](actor, reference);
    case 'restore':
      return packages.restore(actor, reference, step.version);
  }
}

function selectionOf({ paths, glob }: { readonly paths?: readonly string[]; readonly glob?: string }) {
  if (paths !== undefined && glob === undefined) return { paths: paths.map((path) => parsePath(path)) };
  if (glob !== undefined && paths === undefined) return { glob };
  throw new PackageRError('request_invalid', 'Give either “paths” or “glob”.');
}

/** JSON that selects, or a list as it comes, its settings in the query. */
function registerAnnex(server: Server, { packages, settings }: Edge): void {
  const body = {
    content: { 'application/json': { schema: AnnexSchema }, 'application/x-ndjson': { schema: {} }, 'text/csv': { schema: {} } },
  };
  const readList = async (request: FastifyRequest, query: AnnexListQuery): Promise<AnnexRequest> => {
    const { source = '', to = '', strip, onConflict, copyTexts, rename } = query;
    const bytes = streamBody(request.raw, { idle: settings.limits.idleTimeout });
    const list = await parseAnnexList(bytes, formatOf(request), packages.limits.listItems, settings.limits.lineBytes);
    const facts = present({ strip: strip === undefined ? undefined : parsePath(strip), onConflict, rename });
    return { source: parseName(source, 'source'), select: { list }, to: parsePath(to), ...facts, copyTexts: copyTexts === 'true' };
  };
  server.post(
    `${packageUrl}/annex`,
    {
      config: { ...modify, body: 'list', lists: true, streams: true, idempotent: true },
      schema: {
        summary: 'Add objects of a source as pointers',
        description: 'As JSON, or as a list in the body (NDJSON, or CSV with a head line) with the settings in the query.',
        tags,
        params,
        querystring: AnnexListQuerySchema,
        body,
        response: { 202: JobSchema },
      },
    },
    async (request, reply) => {
      const isJson = /^application\/json\b/i.test(request.headers['content-type'] ?? '');
      const asked = isJson ? toAnnexRequest(request.body as Annex) : await readList(request, request.query);
      return reply.code(202).send(viewJob(await packages.annex(actorOf(request), referenceOf(request.params), asked)));
    },
  );
}

function formatOf(request: FastifyRequest): 'csv' | 'ndjson' {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type === 'text/csv') return 'csv';
  if (type === 'application/x-ndjson') return 'ndjson';
  throw new PackageRError('media_type_unsupported', 'A list is application/x-ndjson or text/csv.');
}

function toAnnexRequest({ source, select, list, to = '', strip, onConflict, copyTexts, rename }: Annex): AnnexRequest {
  if ((select === undefined) === (list === undefined)) throw new PackageRError('request_invalid', 'Give either “select” or “list”.');
  const facts = present({ strip: strip === undefined ? undefined : parsePath(strip), onConflict, copyTexts, rename });
  const shared = { source: parseName(source, 'source'), to: parsePath(to), ...facts };
  if (select !== undefined) return { ...shared, select: toSelection(select) };
  const items = (list ?? []).map(({ modifiedAt, ...item }) => ({ ...item, ...present({ modifiedAt: toTime(modifiedAt) }) }));
  return { ...shared, select: { list: items } };
}

function toSelection({ paths, folder, modifiedAfter, modifiedBefore, ...rest }: NonNullable<Annex['select']>): AnnexSelection {
  return {
    ...rest,
    ...present({
      paths: paths?.map((path) => parsePath(path)),
      folder: folder === undefined ? undefined : parsePath(folder),
      modifiedAfter: toTime(modifiedAfter),
      modifiedBefore: toTime(modifiedBefore),
    }),
  };
}

function toTime(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseInstant(text);
}
