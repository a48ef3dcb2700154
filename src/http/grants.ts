/** Grants on sources and namespaces. The API names things; the domain has ids. */
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Access } from '#access/access.ts';
import type { GrantTarget, GrantView } from '#access/grants.ts';
import { type GoneGrant, GoneGrantSchema, type Grant, GrantSchema, NewGrantSchema, type Target } from '#api/access.ts';
import { PackageRError } from '#errors/error.ts';
import type { Actor } from '#model/actor.ts';
import { toInstant } from '#model/clock.ts';
import { parseName } from '#model/name.ts';
import type { Sources } from '#sources/sources.ts';
import { actorOf } from './actor.ts';
import { present, type Server } from './route.ts';

export interface GrantsOptions {
  readonly access: Access;
  readonly sources: Sources;
}

const tags = ['grants'];
const config = { action: 'manage', audience: 'user' } as const;
const querystring = Type.Object(
  { source: Type.Optional(Type.String()), namespace: Type.Optional(Type.String()) },
  { additionalProperties: false },
);

export function registerGrants(server: Server, options: GrantsOptions): void {
  const { grants } = options.access;
  server.get(
    '/api/v1/grants',
    {
      config,
      schema: { summary: 'List grants', tags, querystring, response: { 200: Type.Object({ grants: Type.Array(GrantSchema) }) } },
    },
    async (request) => {
      const { source, namespace } = request.query;
      if (source !== undefined && namespace !== undefined)
        throw new PackageRError('request_invalid', 'Ask for a source or a namespace, not both.');
      const asked: Target | undefined =
        source !== undefined
          ? { kind: 'source', name: source }
          : namespace !== undefined
            ? { kind: 'namespace', name: namespace }
            : undefined;
      const actor = actorOf(request);
      const target = asked === undefined ? undefined : await findTarget(actor, asked, options);
      return { grants: await viewGrants(await grants.list(actor, present({ target })), options) };
    },
  );
  server.put(
    '/api/v1/grants',
    {
      config,
      schema: { summary: 'Grant; replaces what the subject had at that path', tags, body: NewGrantSchema, response: { 200: GrantSchema } },
    },
    async (request) => {
      const { subject, target, path, actions, role } = request.body;
      const granted = role ?? actions;
      if (granted === undefined || (role !== undefined && actions !== undefined))
        throw new PackageRError('request_invalid', 'Give either “actions” or “role”.');
      const actor = actorOf(request);
      const view = await grants.set(actor, { subject, target: await findTarget(actor, target, options), path, actions: granted });
      return (await viewGrants([view], options))[0] as Grant;
    },
  );
  server.delete(
    '/api/v1/grants',
    { config, schema: { summary: 'Take back what a subject was granted', tags, body: GoneGrantSchema, response: { 204: Type.Null() } } },
    async (request, reply) => {
      await removeGrants(request, request.body, options);
      return reply.code(204).send(null);
    },
  );
  server.delete(
    '/api/v1/grants/:id',
    { config, schema: { summary: 'Take a grant back', tags, params: Type.Object({ id: Type.String() }), response: { 204: Type.Null() } } },
    async (request, reply) => {
      await grants.remove(actorOf(request), request.params.id);
      return reply.code(204).send(null);
    },
  );
}

async function removeGrants(request: FastifyRequest, gone: GoneGrant, options: GrantsOptions): Promise<void> {
  const actor = actorOf(request);
  const { grants } = options.access;
  const target = await findTarget(actor, gone.target, options);
  const found = await grants.list(actor, { target, subject: gone.subject });
  const meant = found.filter(({ path }) => gone.path === undefined || path === gone.path);
  if (meant.length === 0) throw new PackageRError('not_found', 'There is no such grant.');
  for (const { id } of meant) await grants.remove(actor, id);
}

async function findTarget(actor: Actor, { kind, name }: Target, { access, sources }: GrantsOptions): Promise<GrantTarget> {
  if (kind === 'source') return { kind, id: (await sources.get(actor, parseName(name, 'source'))).id };
  return { kind, id: (await access.namespaces.get(actor, name)).id };
}

export async function viewGrants(grants: readonly GrantView[], { access, sources }: GrantsOptions): Promise<Grant[]> {
  const idsOf = (kind: GrantTarget['kind']) => [
    ...new Set(grants.filter(({ target }) => target.kind === kind).map(({ target }) => target.id)),
  ];
  const names = { source: await sources.names(idsOf('source')), namespace: await access.namespaces.names(idsOf('namespace')) };
  return grants.map(({ id, subject, target, path, actions, role, createdAt }) => ({
    id,
    subject: subject.kind === 'everyone' ? subject : { kind: subject.kind, name: subject.name },
    target: { kind: target.kind, name: names[target.kind].get(target.id) ?? `#${target.id}` },
    path,
    actions: [...actions],
    ...present({ role }),
    createdAt: toInstant(createdAt),
  }));
}
