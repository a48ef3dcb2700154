/** Every export under a link by its name: `urls.txt`, `package.zip`, …; `?folder=` for a part, POST `{only: […]}` for a selection. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SelectionSchema } from '#api/links.ts';
import { PackageRError } from '#errors/error.ts';
import type { Export, ExportRequest } from '#exports/export.ts';
import type { Leaf, Location } from '#model/entry.ts';
import { type Path, parsePath, root } from '#model/path.ts';
import type { Sources } from '#sources/sources.ts';
import { sendContent } from './content.ts';
import { allowCrossOrigin, pagePolicy, strictPolicy } from './headers.ts';
import type { HttpLimits } from './limits.ts';
import { type Link, linkTo, type OpenedLink } from './link.ts';
import type { Slots } from './rates.ts';
import { queryOf } from './raw-path.ts';
import type { Server } from './route.ts';

export interface LinkExportsOptions {
  readonly link: Link;
  readonly exports: readonly Export[];
  readonly sources: Sources;
  readonly slots: Slots;
  readonly limits: HttpLimits;
}

export function registerExports(server: Server, options: LinkExportsOptions): void {
  const { link, exports } = options;
  for (const subject of exports) {
    const config = {
      ...(link.isPublic ? ({ public: true, audience: 'visitor' } as const) : ({ action: subject.action, audience: 'user' } as const)),
      streams: true,
      page: true,
    } as const;
    const schema = { summary: subject.title, tags: ['exports'] };
    const url = `${link.pattern}/${subject.name}`;
    server.get(url, { config, schema, exposeHeadRoute: true }, (request, reply) => answer(request, reply, { ...options, subject }));
    server.post(url, { config, schema: { ...schema, body: SelectionSchema } }, (request, reply) =>
      answer(request, reply, { ...options, subject, only: request.body.only.map((path) => parsePath(path)) }),
    );
  }
}

interface Asked extends LinkExportsOptions {
  readonly subject: Export;
  readonly only?: readonly Path[];
}

async function answer(request: FastifyRequest, reply: FastifyReply, asked: Asked): Promise<FastifyReply> {
  const { link, subject, only, limits } = asked;
  if (link.isPublic) allowCrossOrigin(reply);
  const query = readQuery(request);
  const folder = parsePath(query['folder'] ?? '');
  const opened = await link.open(request, subject.action, folder);
  if (subject.isArchive === true) takeArchiveSlot(request, reply, asked);
  const signal = AbortSignal.any([request.gone, AbortSignal.timeout(limits.archiveTimeout)]);
  const body = await subject.open(await toExportRequest(asked, { opened, folder, only, query, signal }));
  reply.header('content-security-policy', body.contentType.startsWith('text/html') ? pagePolicy : strictPolicy);
  return sendContent(request, reply, body);
}

/** Before it is planned, which is work too: also for HEAD. */
function takeArchiveSlot(request: FastifyRequest, reply: FastifyReply, { link, slots, limits }: Asked): void {
  request.gone.throwIfAborted();
  const free = slots.take(
    `archive ${link.keyOf(request)}`,
    limits.archivesPerShare,
    'rate_limited',
    'Too many archives of this link are being made.',
  );
  reply.raw.once('close', free);
}

/** Values of repeated names are refused: no reader would agree on which one counts. */
function readQuery(request: FastifyRequest): Readonly<Record<string, string>> {
  const query: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(queryOf(request.raw.url ?? ''))) {
    if (name in query) throw new PackageRError('request_invalid', `The query names ${JSON.stringify(name.slice(0, 80))} twice.`);
    query[name] = value;
  }
  return query;
}

interface ExportFacts {
  readonly opened: OpenedLink;
  readonly folder: Path;
  readonly only: readonly Path[] | undefined;
  readonly query: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

async function toExportRequest({ sources }: Asked, { opened, folder, only, query, signal }: ExportFacts): Promise<ExportRequest> {
  const { handle, base } = opened;
  const names = handle.mayLocate ? new Map((await sources.list(handle.actor)).map(({ id, name }) => [id, name])) : undefined;
  const location = (leaf: Leaf): Location | undefined => {
    const source = leaf.kind === 'pointer' ? names?.get(leaf.source) : undefined;
    return leaf.kind === 'pointer' && source !== undefined ? { source, key: leaf.key } : undefined;
  };
  return {
    tree: handle.tree,
    folder: folder === '' ? root : folder,
    ...(only === undefined ? {} : { only }),
    link: (path) => linkTo(base, path),
    base,
    ...(names === undefined ? {} : { location }),
    isCounted: handle.share?.maxObjects !== undefined || handle.share?.maxBytes !== undefined,
    about: handle.about,
    query,
    signal,
  };
}
