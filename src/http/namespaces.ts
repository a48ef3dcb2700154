/** Namespaces and their members. */
import { Type } from 'typebox';
import type { NamespaceView } from '#access/namespaces.ts';
import {
  GrantSchema,
  MemberSchema,
  MemberSubjectSchema,
  type Namespace,
  NamespaceChangeSchema,
  NamespaceSchema,
  NewNamespaceSchema,
} from '#api/access.ts';
import type { Actor } from '#model/actor.ts';
import { toInstant } from '#model/clock.ts';
import { parseName } from '#model/name.ts';
import { actorOf } from './actor.ts';
import { type GrantsOptions, viewGrants } from './grants.ts';
import { present, type Server } from './route.ts';

const tags = ['namespaces'];
const config = { action: 'manage', audience: 'user' } as const;
const params = Type.Object({ name: Type.String() });

export function registerNamespaces(server: Server, options: GrantsOptions): void {
  const { namespaces } = options.access;
  const view = (found: NamespaceView, actor: Actor) => viewNamespace(found, actor, options);
  server.get(
    '/api/v1/namespaces',
    {
      config: { ...config, action: 'list' },
      schema: { summary: 'List namespaces', tags, response: { 200: Type.Object({ namespaces: Type.Array(NamespaceSchema) }) } },
    },
    async (request) => {
      const actor = actorOf(request);
      return { namespaces: await Promise.all((await namespaces.list(actor)).map((one) => view(one, actor))) };
    },
  );
  server.post(
    '/api/v1/namespaces',
    { config, schema: { summary: 'Create a namespace', tags, body: NewNamespaceSchema, response: { 201: NamespaceSchema } } },
    async (request, reply) => {
      const actor = actorOf(request);
      return reply.code(201).send(await view(await namespaces.create(actor, request.body), actor));
    },
  );
  server.get(
    '/api/v1/namespaces/:name',
    { config: { ...config, action: 'list' }, schema: { summary: 'A namespace', tags, params, response: { 200: NamespaceSchema } } },
    async (request) => view(await namespaces.get(actorOf(request), request.params.name), actorOf(request)),
  );
  server.patch(
    '/api/v1/namespaces/:name',
    { config, schema: { summary: 'Change a namespace', tags, params, body: NamespaceChangeSchema, response: { 200: NamespaceSchema } } },
    async (request) => {
      const actor = actorOf(request);
      const { uploadSource: name, uploadPrefix } = request.body;
      const uploadSource = typeof name === 'string' ? (await options.sources.get(actor, parseName(name, 'source'))).id : name;
      return view(await namespaces.update(actor, request.params.name, present({ uploadSource, uploadPrefix })), actor);
    },
  );
  server.delete(
    '/api/v1/namespaces/:name',
    { config, schema: { summary: 'Delete an empty namespace', tags, params, response: { 204: Type.Null() } } },
    async (request, reply) => {
      await namespaces.delete(actorOf(request), request.params.name);
      return reply.code(204).send(null);
    },
  );
  registerMembers(server, options);
}

function registerMembers(server: Server, options: GrantsOptions): void {
  const { namespaces } = options.access;
  const url = '/api/v1/namespaces/:name/members';
  server.get(
    url,
    { config, schema: { summary: 'Who may do what', tags, params, response: { 200: Type.Object({ grants: Type.Array(GrantSchema) }) } } },
    async (request) => ({ grants: await viewGrants(await namespaces.members(actorOf(request), request.params.name), options) }),
  );
  server.put(
    url,
    { config, schema: { summary: 'Give a role', tags, params, body: MemberSchema, response: { 204: Type.Null() } } },
    async (request, reply) => {
      await namespaces.setMember(actorOf(request), request.params.name, request.body.subject, request.body.role);
      return reply.code(204).send(null);
    },
  );
  server.post(
    `${url}/remove`,
    { config, schema: { summary: 'Take all away', tags, params, body: MemberSubjectSchema, response: { 204: Type.Null() } } },
    async (request, reply) => {
      await namespaces.removeMember(actorOf(request), request.params.name, request.body.subject);
      return reply.code(204).send(null);
    },
  );
}

/** The upload source is named to those who may see it. */
async function viewNamespace(found: NamespaceView, actor: Actor, { access, sources }: GrantsOptions): Promise<Namespace> {
  const { id, name, userId, uploadSource, uploadPrefix, createdAt } = found;
  const place = { kind: 'source', id: uploadSource ?? '', path: uploadPrefix } as const;
  const isSeen = uploadSource !== undefined && (await access.can(actor, 'list', place));
  const source = isSeen ? (await sources.names([uploadSource])).get(uploadSource) : undefined;
  return {
    id,
    name,
    personal: userId !== undefined,
    ...present({ uploadSource: source as string | undefined }),
    uploadPrefix,
    createdAt: toInstant(createdAt),
  };
}
