/** Users, for administrators. */
import { Type } from 'typebox';
import type { Access } from '#access/access.ts';
import type { UserView } from '#access/users.ts';
import { NewUserSchema, PasswordSchema, type User, UserChangeSchema, UserSchema } from '#api/access.ts';
import { pageQuery } from '#api/values.ts';
import { toInstant } from '#model/clock.ts';
import { Secret } from '#model/secret.ts';
import { actorOf } from './actor.ts';
import { parseLimit } from './link-objects.ts';
import { present, type Server } from './route.ts';

const tags = ['users'];
const config = { action: 'manage', audience: 'admin' } as const;
const params = Type.Object({ name: Type.String() });

export function registerUsers(server: Server, { access }: { readonly access: Access }): void {
  const { users } = access;
  server.get(
    '/api/v1/users',
    {
      config,
      schema: {
        summary: 'List users',
        description: 'The cursor is the name of the last one.',
        tags,
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: { 200: Type.Object({ users: Type.Array(UserSchema), cursor: Type.Optional(Type.String()) }) },
      },
    },
    async (request) => {
      const limit = parseLimit(request.query.limit) ?? 200;
      const found = await users.list(actorOf(request), present({ after: request.query.cursor, limit }));
      const last = found.length === limit ? found.at(-1)?.name : undefined;
      return { users: found.map(viewUser), ...present({ cursor: last as string | undefined }) };
    },
  );
  server.post(
    '/api/v1/users',
    {
      config: { ...config, body: 'secret' },
      schema: { summary: 'Create a user', tags, body: NewUserSchema, response: { 201: UserSchema } },
    },
    async (request, reply) => {
      const { name, password, admin } = request.body;
      const secret = password === undefined ? undefined : Secret.parse(password);
      return reply.code(201).send(viewUser(await users.create(actorOf(request), { name, password: secret, admin })));
    },
  );
  server.get(
    '/api/v1/users/:name',
    { config, schema: { summary: 'A user', tags, params, response: { 200: UserSchema } } },
    async (request) => viewUser(await users.get(actorOf(request), request.params.name)),
  );
  server.patch(
    '/api/v1/users/:name',
    { config, schema: { summary: 'Change a user', tags, params, body: UserChangeSchema, response: { 200: UserSchema } } },
    async (request) => viewUser(await users.update(actorOf(request), request.params.name, request.body)),
  );
  server.put(
    '/api/v1/users/:name/password',
    {
      config: { ...config, body: 'secret' },
      schema: { summary: 'Set a password', tags, params, body: PasswordSchema, response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      await users.setPassword(actorOf(request), request.params.name, Secret.parse(request.body.password));
      return reply.code(204).send(null);
    },
  );
  server.delete(
    '/api/v1/users/:name',
    { config, schema: { summary: 'Delete a user', tags, params, response: { 204: Type.Null() } } },
    async (request, reply) => {
      await users.delete(actorOf(request), request.params.name);
      return reply.code(204).send(null);
    },
  );
}

function viewUser({ id, name, admin, disabled, hasPassword, createdAt }: UserView): User {
  return { id, name, admin, disabled, hasPassword, createdAt: toInstant(createdAt) };
}
