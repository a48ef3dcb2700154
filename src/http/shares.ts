/** Shares, for those who made them and for administrators. */
import { Type } from 'typebox';
import { NewShareSchema, type Share, ShareChangeSchema, SharePageSchema, ShareSchema } from '#api/shares.ts';
import { pageQuery } from '#api/values.ts';
import { PackageRError } from '#errors/error.ts';
import { toInstant } from '#model/clock.ts';
import { parseInstant } from '#model/duration.ts';
import type { ShareView } from '#shares/share.ts';
import type { Shares } from '#shares/shares.ts';
import { actorOf } from './actor.ts';
import { parseLimit } from './link-objects.ts';
import { present, type Server } from './route.ts';

export interface SharesOptions {
  readonly shares: Shares;
  readonly settings: { readonly publicUrl: string; readonly isDefaultPublicUrl: boolean };
}

const tags = ['shares'];
const config = { action: 'share', audience: 'user' } as const;
const params = Type.Object({ number: Type.String({ pattern: '^[1-9][0-9]{0,14}$' }) });
const querystring = Type.Object({ ...pageQuery, all: Type.Optional(Type.Literal('true')) }, { additionalProperties: false });

export function registerShares(server: Server, { shares, settings }: SharesOptions): void {
  const view = (share: ShareView): Share => viewShare(share, settings);
  const url = '/api/v1/shares/:number';
  server.get(
    '/api/v1/shares',
    { config, schema: { summary: 'List shares', tags, querystring, response: { 200: SharePageSchema } } },
    async (request) => {
      const { all, cursor, limit } = request.query;
      const page = await shares.list(actorOf(request), { all: all === 'true', cursor, limit: parseLimit(limit) });
      return { shares: page.shares.map(view), ...present({ cursor: page.cursor }) };
    },
  );
  server.post(
    '/api/v1/shares',
    {
      config: { ...config, idempotent: true },
      schema: { summary: 'Make a share', tags, body: NewShareSchema, response: { 201: ShareSchema } },
    },
    async (request, reply) => {
      const { expiresAt, notBefore, ...rest } = request.body;
      const times = { expiresAt: toTime(expiresAt), notBefore: toTime(notBefore) };
      return reply.code(201).send(view(await shares.create(actorOf(request), { ...rest, ...times })));
    },
  );
  server.get(url, { config, schema: { summary: 'A share', tags, params, response: { 200: ShareSchema } } }, async (request) =>
    view(await shares.get(actorOf(request), Number(request.params.number))),
  );
  server.patch(
    url,
    { config, schema: { summary: 'Change a share', tags, params, body: ShareChangeSchema, response: { 200: ShareSchema } } },
    async (request) => {
      const { expiresAt, notBefore, ...rest } = request.body;
      const times = { expiresAt: toTime(expiresAt), notBefore: toTime(notBefore) };
      return view(await shares.update(actorOf(request), Number(request.params.number), { ...rest, ...times }));
    },
  );
  server.delete(
    url,
    { config, schema: { summary: 'Revoke a share, for ever', tags, params, response: { 200: ShareSchema } } },
    async (request) => view(await shares.revoke(actorOf(request), Number(request.params.number))),
  );
  const summaries = { pause: 'Close a share for now', resume: 'Open it again', rotate: 'Give it a new link; the old one ends' } as const;
  for (const verb of ['pause', 'resume', 'rotate'] as const) {
    server.post(
      `${url}/${verb}`,
      { config, schema: { summary: summaries[verb], tags, params, response: { 200: ShareSchema } } },
      async (request) => view(await shares[verb](actorOf(request), Number(request.params.number))),
    );
  }
}

function toTime(text: string | null | undefined): number | null | undefined {
  return typeof text === 'string' ? parseInstant(text) : text;
}

const localOnly = 'The public URL is not set: this link works on this machine only. Set publicUrl.';

function viewShare(share: ShareView, { publicUrl, isDefaultPublicUrl }: SharesOptions['settings']): Share {
  const { owner, users, groups, rights, notBefore, expiresAt, horizonAt, usedAt, createdAt, target, maxObjects, maxBytes, ...rest } = share;
  if (!/^[A-Za-z0-9_-]+$/.test(share.id)) throw new PackageRError('internal', 'The id of a share is malformed.');
  return {
    ...rest,
    url: `${publicUrl}/s/${share.id}`,
    owner: owner.name,
    users: [...users],
    groups: [...groups],
    rights: [...rights],
    createdAt: toInstant(createdAt),
    ...present({
      warning: isDefaultPublicUrl ? localOnly : undefined,
      target,
      maxObjects,
      maxBytes,
      notBefore: toOptional(notBefore),
      expiresAt: toOptional(expiresAt),
      horizonAt: horizonAt === 0 ? undefined : toInstant(horizonAt),
      usedAt: toOptional(usedAt),
    }),
  };
}

function toOptional(at: number | undefined): string | undefined {
  return at === undefined ? undefined : toInstant(at);
}
