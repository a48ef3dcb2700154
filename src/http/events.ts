/** What happened, for administrators. */
import type { Access } from '#access/access.ts';
import { type EventAnswer, EventPageSchema, EventQuerySchema } from '#api/jobs.ts';
import type { Events, EventView } from '#events/events.ts';
import { toInstant } from '#model/clock.ts';
import { parseInstant } from '#model/duration.ts';
import { actorOf } from './actor.ts';
import { parseLimit } from './link-objects.ts';
import { present, type Server } from './route.ts';

export interface EventsOptions {
  readonly access: Access;
  readonly events: Events;
}

export function registerEvents(server: Server, { access, events }: EventsOptions): void {
  server.get(
    '/api/v1/events',
    {
      config: { action: 'manage', audience: 'admin' },
      schema: {
        summary: 'What happened, newest first',
        tags: ['events'],
        querystring: EventQuerySchema,
        response: { 200: EventPageSchema },
      },
    },
    async (request) => {
      await access.authorize(actorOf(request), 'manage', { kind: 'system' });
      const { cursor, limit, subject, action, actor, since, until } = request.query;
      const times = {
        since: since === undefined ? undefined : parseInstant(since),
        until: until === undefined ? undefined : parseInstant(until),
      };
      const page = await events.list({ cursor, limit: parseLimit(limit), subject, action, actor, ...times });
      return { events: page.events.map(viewEvent), ...present({ cursor: page.cursor }) };
    },
  );
}

function viewEvent({ id, at, actor, action, subject, outcome, address, details }: EventView): EventAnswer {
  return { id, at: toInstant(at), actor, action, subject, outcome, address, details: { ...details } };
}
