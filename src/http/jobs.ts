/** Long work: its state, its end, and a stream of both. */
import { Type } from 'typebox';
import type { Access } from '#access/access.ts';
import { type Job, JobPageSchema, JobQuerySchema, JobSchema } from '#api/jobs.ts';
import { isError } from '#errors/error.ts';
import { errorTable } from '#errors/table.ts';
import type { JobView } from '#jobs/job.ts';
import type { Jobs } from '#jobs/jobs.ts';
import type { Actor } from '#model/actor.ts';
import { toInstant } from '#model/clock.ts';
import { root } from '#model/path.ts';
import type { Packages } from '#packages/packages.ts';
import { actorOf, isLocal } from './actor.ts';
import type { HttpLimits } from './limits.ts';
import { parseLimit } from './link-objects.ts';
import type { Slots } from './rates.ts';
import { present, type Server } from './route.ts';
import { sendEvents } from './stream.ts';

export interface JobsOptions {
  readonly access: Access;
  readonly jobs: Jobs;
  readonly packages: Packages;
  readonly slots: Slots;
  readonly settings: { readonly limits: HttpLimits };
}

const tags = ['jobs'];
const config = { action: 'list', audience: 'user' } as const;
const params = Type.Object({ id: Type.String() });

export function registerJobs(server: Server, options: JobsOptions): void {
  const { jobs, slots, settings } = options;
  const { limits } = settings;
  server.get(
    '/api/v1/jobs',
    { config, schema: { summary: 'List jobs', tags, querystring: JobQuerySchema, response: { 200: JobPageSchema } } },
    async (request) => {
      const { subject, state, mine, cursor, limit } = request.query;
      const actor = actorOf(request);
      const page = await jobs.list(actor, { subject, state, mine: mine === 'true', cursor, limit: parseLimit(limit) });
      const name = packageNames(actor, options);
      const views = await Promise.all(page.jobs.map(async (job) => viewJob(job, await name(job.subject))));
      return { jobs: views, ...present({ cursor: page.cursor }) };
    },
  );
  server.get('/api/v1/jobs/:id', { config, schema: { summary: 'A job', tags, params, response: { 200: JobSchema } } }, async (request) => {
    const job = await jobs.get(actorOf(request), request.params.id);
    return viewJob(job, await packageNames(actorOf(request), options)(job.subject));
  });
  server.post(
    '/api/v1/jobs/:id/cancel',
    { config: { ...config, action: 'modify' }, schema: { summary: 'Cancel a job', tags, params, response: { 200: JobSchema } } },
    async (request) => viewJob(await jobs.cancel(actorOf(request), request.params.id)),
  );
  server.get(
    '/api/v1/jobs/:id/events',
    {
      config: { ...config, streams: true },
      schema: { summary: 'The job as it goes on (server-sent events: job, then end)', tags, params, produces: ['text/event-stream'] },
    },
    async (request, reply) => {
      const actor = actorOf(request);
      const { subject } = await jobs.get(actor, request.params.id);
      const name = await packageNames(actor, options)(subject);
      const who = actor.kind === 'user' ? actor.id : actor.kind;
      const most = isLocal(request) ? limits.inFlight : limits.eventStreams;
      reply.raw.once('close', slots.take(`events ${who}`, most, 'rate_limited', 'Too many event streams of yours are open.'));
      const signal = AbortSignal.any([request.gone, AbortSignal.timeout(limits.eventStreamTimeout)]);
      return sendEvents(reply, 'job', watch(jobs.watch(actor, request.params.id, signal), name));
    },
  );
}

async function* watch(views: AsyncIterable<JobView>, name: string | undefined): AsyncGenerator<Job> {
  for await (const view of views) yield viewJob(view, name);
}

/** Names of the packages that jobs are about, each asked for once; undefined for what is gone or may not be listed. */
function packageNames(actor: Actor, { access, packages }: JobsOptions): (subject: string) => Promise<string | undefined> {
  const known = new Map<number, Promise<string | undefined>>();
  const find = async (id: number): Promise<string | undefined> => {
    const reference = await packages.nameOf(id);
    if (reference === undefined) return undefined;
    try {
      const isSeen = await access.can(actor, 'list', await packages.placeOf(reference, root));
      return isSeen ? `${reference.namespace}/${reference.name}` : undefined;
    } catch (error) {
      // Removed meanwhile.
      if (isError(error, 'not_found')) return undefined;
      throw error;
    }
  };
  return async (subject) => {
    const id = Number(/^package:(\d+)(@|$)/.exec(subject)?.[1] ?? Number.NaN);
    if (!Number.isSafeInteger(id)) return undefined;
    const found = known.get(id) ?? find(id);
    known.set(id, found);
    return found;
  };
}

/** What came out of it is shaped by its kind, which never puts a secret there. `name`: of its package, for those who may list it. */
export function viewJob(view: JobView, name?: string): Job {
  const { id, kind, subject, state, progress, result, error, createdAt, startedAt, finishedAt } = view;
  const instants = {
    startedAt: startedAt === undefined ? undefined : toInstant(startedAt),
    finishedAt: finishedAt === undefined ? undefined : toInstant(finishedAt),
  };
  const { done, total, note } = progress;
  return {
    id,
    kind,
    subject,
    ...present({ package: name }),
    state,
    progress: { done, ...present({ total, note }) },
    ...(result === undefined ? {} : { result: { ...result } }),
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message, help: errorTable[error.code].help } }),
    createdAt: toInstant(createdAt),
    ...present(instants),
  };
}
