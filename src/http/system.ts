/** The server itself: is it there, is it ready, what does it count, what is it configured as, keep a copy. Strangers learn nothing of it. */
import { Type } from 'typebox';
import type { Access } from '#access/access.ts';
import {
  BackupDoneSchema,
  BackupSchema,
  type ConfigAnswer,
  ConfigSchema,
  HealthSchema,
  ReadySchema,
  RotateKeysSchema,
  type VerifyLine,
  VerifyQuerySchema,
} from '#api/system.ts';
import { PackageRError } from '#errors/error.ts';
import type { Actor } from '#model/actor.ts';
import { actorOf, isLocal } from './actor.ts';
import type { Metrics } from './metrics.ts';
import { pageStyle } from './page-style.ts';
import { stylePath } from './pages.ts';
import { isPeerIn, parseNetworks } from './peer.ts';
import type { Server } from './route.ts';
import { sendLines } from './stream.ts';

/** What only the process knows; handed in by main. */
export interface Operations {
  /** False while starting or stopping. */
  isReady(): Promise<boolean>;
  /** A sentence on why the state cannot be written; undefined while it can. */
  trouble(): string | undefined;
  /** Effective settings with their origin; never the value of a secret. */
  describeConfig(): ConfigAnswer;
  /** An online, verified copy of the state below the data folder, under this name. */
  backup(name: string, signal: AbortSignal): Promise<{ readonly path: string; readonly bytes: number }>;
  /** Looks at all that the state keeps of packages; a line `done` comes last. `rebuild`: what is damaged and follows from all else is made anew. */
  verify(signal: AbortSignal, options: { readonly rebuild: boolean }): AsyncIterable<VerifyLine>;
  /** A new key for packageR's own temporary URLs; with `now` those that are out end at once. */
  rotateKeys(actor: Actor, options: { readonly now: boolean }): Promise<void>;
}

export interface SystemOptions {
  readonly access: Access;
  readonly operations: Operations;
  readonly metrics: Metrics;
  readonly settings: { readonly metricsAllow: readonly string[] };
}

const tags = ['system'];

export function registerSystem(server: Server, { access, operations, metrics, settings }: SystemOptions): void {
  const allowed = parseNetworks(settings.metricsAllow, 'metricsAllow');
  const anyone = { public: true, audience: 'anyone' } as const;
  const admin = { action: 'manage', audience: 'admin' } as const;
  const requireAdmin = (actor: Actor | undefined) => access.authorize(actor, 'manage', { kind: 'system' });

  server.get('/health', { config: anyone, schema: { summary: 'The process lives', tags, response: { 200: HealthSchema } } }, async () => {
    const problem = operations.trouble();
    return problem === undefined ? { status: 'ok' as const } : { status: 'failing' as const, problem };
  });
  server.get(
    '/ready',
    { config: anyone, schema: { summary: 'Requests are answered', tags, response: { 200: ReadySchema, 503: ReadySchema } } },
    async (_request, reply) => {
      const isReady = await operations.isReady();
      return reply.code(isReady ? 200 : 503).send({ status: isReady ? ('ready' as const) : ('starting' as const) });
    },
  );
  server.get('/metrics', { config: anyone, schema: { summary: 'Counters for Prometheus', tags, hide: true } }, async (request, reply) => {
    const isAllowed = isLocal(request) || isPeerIn(request.peer, allowed);
    if (!isAllowed)
      await requireAdmin(request.actor).catch(() =>
        Promise.reject(new PackageRError(request.actor === undefined ? 'unauthenticated' : 'forbidden')),
      );
    const { contentType, text } = await metrics.write();
    return reply.header('content-type', contentType).send(text);
  });
  server.get(
    '/openapi.json',
    { config: { action: 'list', audience: 'user' }, schema: { summary: 'This document', tags, hide: true } },
    async (_request, reply) => reply.header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(server.swagger())),
  );
  server.get(stylePath, { config: anyone, schema: { hide: true } }, async (_request, reply) =>
    reply.headers({ 'content-type': 'text/css; charset=utf-8', 'cache-control': 'public, max-age=31536000, immutable' }).send(pageStyle),
  );
  server.get(
    '/api/v1/config',
    { config: admin, schema: { summary: 'Effective settings', tags, response: { 200: ConfigSchema } } },
    async (request) => {
      await requireAdmin(actorOf(request));
      return operations.describeConfig();
    },
  );
  server.post(
    '/api/v1/backup',
    {
      config: { ...admin, streams: true },
      schema: { summary: 'Keep a copy of the state', tags, body: BackupSchema, response: { 201: BackupDoneSchema } },
    },
    async (request, reply) => {
      await requireAdmin(actorOf(request));
      return reply.code(201).send(await operations.backup(request.body.name, request.gone));
    },
  );
  server.post(
    '/api/v1/verify',
    {
      config: { ...admin, streams: true },
      schema: { summary: 'Verify all versions, texts and the state itself, as NDJSON', tags, querystring: VerifyQuerySchema },
    },
    async (request, reply) => {
      await requireAdmin(actorOf(request));
      return sendLines(reply, operations.verify(request.gone, { rebuild: request.query.rebuild === 'true' }));
    },
  );
  server.post(
    '/api/v1/keys/rotate',
    {
      config: admin,
      schema: {
        summary: 'A new key for the temporary URLs of packageR itself',
        tags,
        body: RotateKeysSchema,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request);
      await requireAdmin(actor);
      await operations.rotateKeys(actor, { now: request.body.now === true });
      return reply.code(204).send(null);
    },
  );
  server.get('/favicon.ico', { config: anyone, schema: { hide: true, response: { 204: Type.Null() } } }, async (_request, reply) =>
    reply.header('cache-control', 'public, max-age=86400').code(204).send(null),
  );
}
