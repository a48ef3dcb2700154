/** Groups and their members. */
import { Type } from 'typebox';
import type { Access } from '#access/access.ts';
import type { GroupView } from '#access/groups.ts';
import { type Group, GroupSchema, NamedSchema } from '#api/access.ts';
import { toInstant } from '#model/clock.ts';
import { actorOf } from './actor.ts';
import type { Server } from './route.ts';

const tags = ['groups'];
const config = { action: 'manage', audience: 'admin' } as const;
const params = Type.Object({ name: Type.String() });
const memberParams = Type.Object({ name: Type.String(), user: Type.String() });

export function registerGroups(server: Server, { access: { groups } }: { readonly access: Access }): void {
  server.get(
    '/api/v1/groups',
    { config, schema: { summary: 'List groups', tags, response: { 200: Type.Object({ groups: Type.Array(GroupSchema) }) } } },
    async (request) => ({ groups: (await groups.list(actorOf(request))).map(viewGroup) }),
  );
  server.post(
    '/api/v1/groups',
    { config, schema: { summary: 'Create a group', tags, body: NamedSchema, response: { 201: GroupSchema } } },
    async (request, reply) => reply.code(201).send(viewGroup(await groups.create(actorOf(request), request.body))),
  );
  server.get(
    '/api/v1/groups/:name',
    { config, schema: { summary: 'A group', tags, params, response: { 200: GroupSchema } } },
    async (request) => viewGroup(await groups.get(actorOf(request), request.params.name)),
  );
  server.delete(
    '/api/v1/groups/:name',
    { config, schema: { summary: 'Delete a group', tags, params, response: { 204: Type.Null() } } },
    async (request, reply) => {
      await groups.delete(actorOf(request), request.params.name);
      return reply.code(204).send(null);
    },
  );
  server.put(
    '/api/v1/groups/:name/members/:user',
    { config, schema: { summary: 'Add a member', tags, params: memberParams, response: { 204: Type.Null() } } },
    async (request, reply) => {
      await groups.addMember(actorOf(request), request.params.name, request.params.user);
      return reply.code(204).send(null);
    },
  );
  server.delete(
    '/api/v1/groups/:name/members/:user',
    { config, schema: { summary: 'Remove a member', tags, params: memberParams, response: { 204: Type.Null() } } },
    async (request, reply) => {
      await groups.removeMember(actorOf(request), request.params.name, request.params.user);
      return reply.code(204).send(null);
    },
  );
}

function viewGroup({ id, name, members, createdAt }: GroupView): Group {
  return { id, name, members: [...members], createdAt: toInstant(createdAt) };
}
