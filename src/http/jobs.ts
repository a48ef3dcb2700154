/** Long work: its state, its end, and a stream of both. */
import { Type } from 'typebox';
import { type Job, JobPageSchema, JobQuerySchema, JobSchema } from '#api/jobs.ts';
import type { JobView } from '#jobs/job.ts';
import type { Jobs } from '#jobs/jobs.ts';
import { toInstant } from '#model/clock.ts';
import { actorOf, isLocal } from './actor.ts';
import type { HttpLimits } from './limits.ts';
import { parseLimit } from './link-objects.ts';
import type { Slots } from './rates.ts';
import { present, type Server } from './route.ts';
import { sendEvents } from './stream.ts';

export interface JobsOptions {
  readonly jobs: Jobs;
  readonly slots: Slots;
  readonly settings: { readonly limits: HttpLimits };
}

const tags = ['jobs'];
const config = { action: 'list', audience: 'user' } as const;
const params = Type.Object({ id: Type.String() });

export function registerJobs(server: Server, { jobs, slots, settings: { limits } }: JobsOptions): void {
  server.get(
    '/api/v1/jobs',
    { config, schema: { summary: 'List jobs', tags, querystring: JobQuerySchema, response: { 200: JobPageSchema } } },
    async (request) => {
      const { subject, state, cursor, limit } = request.query;
      const page = await jobs.list(actorOf(request), { subject, state, cursor, limit: parseLimit(limit) });
      return { jobs: page.jobs.map(viewJob), ...present({ cursor: page.cursor }) };
    },
  );
  server.get('/api/v1/jobs/:id', { config, schema: { summary: 'A job', tags, params, response: { 200: JobSchema } } }, async (request) =>
    viewJob(await jobs.get(actorOf(request), request.params.id)),
  );
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
      await jobs.get(actor, request.params.id);
      const who = actor.kind === 'user' ? actor.id : actor.kind;
      const most = isLocal(request) ? limits.inFlight : limits.eventStreams;
      reply.raw.once('close', slots.take(`events ${who}`, most, 'rate_limited', 'Too many event streams of yours are open.'));
      const signal = AbortSignal.any([request.gone, AbortSignal.timeout(limits.eventStreamTimeout)]);
      return sendEvents(reply, 'job', watch(jobs.watch(actor, request.params.id, signal)));
    },
  );
}

async function* watch(views: AsyncIterable<JobView>): AsyncGenerator<Job> {
  for await (const view of views) yield viewJob(view);
}

/** What came out of it is shaped by its kind, which never puts a secret there. */
export function viewJob({ id, kind, subject, state, progress, result, error, createdAt, startedAt, finishedAt }: JobView): Job {
  const instants = {
    startedAt: startedAt === undefined ? undefined : toInstant(startedAt),
    finishedAt: finishedAt === undefined ? undefined : toInstant(finishedAt),
  };
  const { done, total, note } = progress;
  return {
    id,
    kind,
    subject,
    state,
    progress: { done, ...present({ total, note }) },
    ...(result === undefined ? {} : { result: { ...result } }),
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
    createdAt: toInstant(createdAt),
    ...present(instants),
  };
}
