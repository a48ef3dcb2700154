/** Long work and what happened. */
import { type Static, Type } from 'typebox';
import { Instant, pageQuery } from './values.ts';

const closed = { additionalProperties: false } as const;

export const JobSchema = Type.Object(
  {
    id: Type.String(),
    kind: Type.String(),
    subject: Type.String(),
    package: Type.Optional(
      Type.String({ description: 'namespace/name of the one that it is about, while it is there, for those who may list it.' }),
    ),
    state: Type.Enum(['queued', 'running', 'done', 'failed', 'cancelled']),
    progress: Type.Object({ done: Type.Number(), total: Type.Optional(Type.Number()), note: Type.Optional(Type.String()) }, closed),
    result: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    error: Type.Optional(Type.Object({ code: Type.String(), message: Type.String(), help: Type.Optional(Type.String()) }, closed)),
    createdAt: Instant,
    startedAt: Type.Optional(Instant),
    finishedAt: Type.Optional(Instant),
  },
  { title: 'Job', ...closed },
);
export type Job = Static<typeof JobSchema>;

export const JobPageSchema = Type.Object({ jobs: Type.Array(JobSchema), cursor: Type.Optional(Type.String()) }, closed);
export type JobPage = Static<typeof JobPageSchema>;

export const JobQuerySchema = Type.Object(
  {
    ...pageQuery,
    subject: Type.Optional(Type.String({ maxLength: 200 })),
    state: Type.Optional(Type.Enum(['queued', 'running', 'done', 'failed', 'cancelled'])),
    mine: Type.Optional(Type.Literal('true', { description: 'Only one’s own, also for administrators.' })),
  },
  closed,
);

export const EventSchema = Type.Object(
  {
    id: Type.Integer(),
    at: Instant,
    actor: Type.String(),
    action: Type.String(),
    subject: Type.String(),
    outcome: Type.String(),
    address: Type.String(),
    details: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()])),
  },
  { title: 'Event', ...closed },
);
export type EventAnswer = Static<typeof EventSchema>;

export const EventPageSchema = Type.Object({ events: Type.Array(EventSchema), cursor: Type.Optional(Type.String()) }, closed);
export type EventPage = Static<typeof EventPageSchema>;

export const EventQuerySchema = Type.Object(
  {
    ...pageQuery,
    subject: Type.Optional(Type.String({ maxLength: 200 })),
    action: Type.Optional(Type.String({ maxLength: 64 })),
    actor: Type.Optional(Type.String({ maxLength: 200 })),
    since: Type.Optional(Type.String({ maxLength: 40 })),
    until: Type.Optional(Type.String({ maxLength: 40 })),
  },
  closed,
);
