/** Signing in and out, and who one is. */

import { Type } from 'typebox';
import type { Access } from '#access/access.ts';
import type { SessionView } from '#access/sessions.ts';
import { LoginSchema, type Me, MeSchema, OwnPasswordSchema, SessionSchema, SignedInSchema } from '#api/access.ts';
import type { Actor } from '#model/actor.ts';
import { type Clock, toInstant } from '#model/clock.ts';
import { Secret } from '#model/secret.ts';
import { actorOf, userOf, writeSessionCookie } from './actor.ts';
import { present, type Server } from './route.ts';

export interface SessionOptions {
  readonly access: Access;
  readonly clock: Clock;
  readonly isSecure: boolean;
}

const tags = ['session'];

export function registerSession(server: Server, { access, clock, isSecure }: SessionOptions): void {
  server.post(
    '/api/v1/login',
    {
      config: { public: true, audience: 'anyone', body: 'secret' },
      schema: { summary: 'Sign in', tags, body: LoginSchema, response: { 200: SignedInSchema } },
    },
    async (request, reply) => {
      const { name, password, cookie = false } = request.body;
      const agent = request.headers['user-agent'] ?? '';
      const { token, actor, expiresAt } = await access.login(name, password, { address: request.peer.address, agent });
      if (cookie) reply.header('set-cookie', writeSessionCookie(token, (expiresAt - clock()) / 1000, isSecure));
      return { ...(cookie ? {} : { token }), expiresAt: toInstant(expiresAt), me: viewMe(actor) };
    },
  );
  server.post(
    '/api/v1/logout',
    { config: { action: 'list', audience: 'user' }, schema: { summary: 'Sign out', tags, response: { 204: Type.Null() } } },
    async (request, reply) => {
      await access.logout(actorOf(request));
      return reply
        .header('set-cookie', writeSessionCookie('', 0, isSecure))
        .header('clear-site-data', '"cache"')
        .code(204)
        .send(null);
    },
  );
  server.get(
    '/api/v1/me',
    { config: { action: 'list', audience: 'user' }, schema: { summary: 'Who am I', tags, response: { 200: MeSchema } } },
    async (request) => viewMe(actorOf(request)),
  );
  server.put(
    '/api/v1/me/password',
    {
      config: { action: 'manage', audience: 'user', body: 'secret' },
      schema: { summary: 'Change my password; ends all sessions', tags, body: OwnPasswordSchema, response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      const { current, password } = request.body;
      await access.users.changePassword(userOf(request), Secret.parse(current), Secret.parse(password));
      return reply.code(204).send(null);
    },
  );
  server.get(
    '/api/v1/sessions',
    {
      config: { action: 'manage', audience: 'user' },
      schema: {
        summary: 'Sign-ins under way',
        tags,
        querystring: Type.Object({ all: Type.Optional(Type.Literal('true')) }, { additionalProperties: false }),
        response: { 200: Type.Object({ sessions: Type.Array(SessionSchema) }) },
      },
    },
    async (request) => {
      const sessions = await access.sessions.list(actorOf(request), { all: request.query.all === 'true' });
      return { sessions: sessions.map(viewSession) };
    },
  );
  server.delete(
    '/api/v1/sessions/:id',
    {
      config: { action: 'manage', audience: 'user' },
      schema: { summary: 'End a sign-in', tags, params: Type.Object({ id: Type.String() }), response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      await access.sessions.revoke(actorOf(request), request.params.id);
      return reply.code(204).send(null);
    },
  );
}

function viewMe(actor: Actor): Me {
  if (actor.kind !== 'user')
    return { kind: 'system', name: actor.kind === 'system' ? actor.name : 'visitor', admin: actor.kind === 'system' };
  const { id, name, admin, only } = actor;
  return { kind: 'user', id, name, admin, ...present({ only: only === undefined ? undefined : [...only] }) };
}

function viewSession({ id, userName, createdAt, seenAt, expiresAt, address, agent, current }: SessionView) {
  const instants = { createdAt: toInstant(createdAt), seenAt: toInstant(seenAt), expiresAt: toInstant(expiresAt) };
  return { id, user: userName, ...instants, address, agent, current };
}
