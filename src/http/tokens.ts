/** API tokens: shown once when made, never again. */
import { Type } from 'typebox';
import type { Access } from '#access/access.ts';
import type { TokenView } from '#access/tokens.ts';
import { CreatedTokenSchema, NewTokenSchema, type Token, TokenSchema } from '#api/access.ts';
import { toInstant } from '#model/clock.ts';
import { actorOf } from './actor.ts';
import { present, type Server } from './route.ts';

const tags = ['tokens'];
const config = { action: 'manage', audience: 'user' } as const;

export function registerTokens(server: Server, { access: { tokens } }: { readonly access: Access }): void {
  server.get(
    '/api/v1/tokens',
    {
      config,
      schema: {
        summary: 'List API tokens',
        tags,
        querystring: Type.Object({ all: Type.Optional(Type.Literal('true')) }, { additionalProperties: false }),
        response: { 200: Type.Object({ tokens: Type.Array(TokenSchema) }) },
      },
    },
    async (request) => ({ tokens: (await tokens.list(actorOf(request), { all: request.query.all === 'true' })).map(viewToken) }),
  );
  server.post(
    '/api/v1/tokens',
    { config, schema: { summary: 'Create an API token', tags, body: NewTokenSchema, response: { 201: CreatedTokenSchema } } },
    async (request, reply) => {
      const { name, actions, expiresIn } = request.body;
      const milliseconds = expiresIn === undefined ? undefined : expiresIn * 1000;
      const created = await tokens.create(actorOf(request), { name, actions, expiresIn: milliseconds });
      return reply.code(201).send({ token: created.token, details: viewToken(created) });
    },
  );
  server.delete(
    '/api/v1/tokens/:id',
    {
      config,
      schema: { summary: 'Revoke an API token', tags, params: Type.Object({ id: Type.String() }), response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      await tokens.revoke(actorOf(request), request.params.id);
      return reply.code(204).send(null);
    },
  );
}

function viewToken({ id, userName, name, actions, createdAt, expiresAt, usedAt }: TokenView): Token {
  const instants = { createdAt: toInstant(createdAt), expiresAt: toInstant(expiresAt) };
  return {
    id,
    user: userName,
    name,
    actions: [...actions],
    ...instants,
    ...present({ usedAt: usedAt === undefined ? undefined : toInstant(usedAt) }),
  };
}
