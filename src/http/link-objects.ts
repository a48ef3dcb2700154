/**
 * `o/<path>`: the stable URL of an entry. A file answers with a redirect to a temporary URL, or as JSON, or as pointer file; a text with
 * its bytes; a folder with a plain index that crawlers follow.
 */

import type { FastifyReply, FastifyRequest } from 'fastify';
import { isError, PackageRError } from '#errors/error.ts';
import { attachment } from '#exchange/disposition.ts';
import type { Exchange } from '#exchange/exchange.ts';
import type { ExchangeResult, Linked } from '#exchange/result.ts';
import { writeIndexPage } from '#exports/html/index-page.ts';
import { toInstant } from '#model/clock.ts';
import { encodePath, nameOf, type Path, parseSegment } from '#model/path.ts';
import { withoutTicket, writePointerFile } from '#model/pointer-file.ts';
import { getEntry } from '#model/tree.ts';
import type { Sources } from '#sources/sources.ts';
import { send, sendContent } from './content.ts';
import { allowCrossOrigin, indexPolicy, toHeaderValue } from './headers.ts';
import { type Link, linkTo, type OpenedLink } from './link.ts';
import { indexStyle } from './page-style.ts';
import { parseRawPath, queryOf } from './raw-path.ts';
import type { Server } from './route.ts';

export interface ObjectsOptions {
  readonly link: Link;
  readonly exchange: Exchange;
  readonly sources: Sources;
}

export function registerObjects(server: Server, options: ObjectsOptions): void {
  const { link } = options;
  const config = link.isPublic
    ? ({ public: true, audience: 'visitor', streams: true, exchanges: true, page: true } as const)
    : ({ action: 'download', audience: 'user', streams: true, exchanges: true, page: true } as const);
  const schema = { summary: 'A file (redirect, JSON or pointer file), a text, or the index of a folder', tags: ['links'] };
  const handler = (request: FastifyRequest, reply: FastifyReply) => answer(request, reply, options);
  server.get(`${link.pattern}/o`, { config, schema, exposeHeadRoute: true }, async (request, reply) => redirectTo(request, reply, 'o/'));
  server.get(`${link.pattern}/o/*`, { config, schema, exposeHeadRoute: true }, handler);
}

async function answer(request: FastifyRequest, reply: FastifyReply, options: ObjectsOptions): Promise<FastifyReply> {
  const { link } = options;
  const { path, isFolder } = parseRawPath(request.raw.url ?? '', link.segments + 1);
  const query = new URLSearchParams(queryOf(request.raw.url ?? ''));
  if (link.isPublic) allowCrossOrigin(reply);
  if (isFolder) return sendIndex(request, reply, { link, path, query });
  try {
    if (query.has('pointer')) return await sendPointer(request, reply, { ...options, path });
    return await sendFile(request, reply, { ...options, path, query });
  } catch (error) {
    if (isAboutKind(error) && (await isFolderThere(request, link, path))) {
      return redirectTo(request, reply, `${encodePath(parseSegment(nameOf(path)))}/`);
    }
    throw error;
  }
}

const kindFaults = ['not_found', 'forbidden', 'unsupported', 'terms_not_accepted', 'request_invalid', 'path_conflict'] as const;

function isAboutKind(error: unknown): boolean {
  return kindFaults.some((code) => isError(error, code));
}

async function isFolderThere(request: FastifyRequest, link: Link, path: Path): Promise<boolean> {
  try {
    const { handle } = await link.open(request, 'list', path);
    return (await handle.tree.find(path, { signal: request.gone }))?.kind === 'folder';
  } catch {
    return false;
  }
}

/** Relative, so that ticket and deployment prefix stay as they are; temporary, so that nobody keeps it past the life of the link. */
function redirectTo(request: FastifyRequest, reply: FastifyReply, relative: string): FastifyReply {
  const query = queryOf(request.raw.url ?? '');
  return reply
    .code(307)
    .header('location', query === '' ? relative : `${relative}?${query}`)
    .send();
}

interface FolderRequest {
  readonly link: Link;
  readonly path: Path;
  readonly query: URLSearchParams;
}

async function sendIndex(request: FastifyRequest, reply: FastifyReply, { link, path, query }: FolderRequest): Promise<FastifyReply> {
  const { handle } = await link.open(request, 'list', path);
  const entry = await getEntry(handle.tree, path, request.gone);
  if (entry.kind !== 'folder') throw new PackageRError('not_found', `${JSON.stringify(path)} is a file: leave out the slash at the end.`);
  const cursor = query.get('cursor') ?? undefined;
  const limit = parseLimit(query.get('limit')) ?? (cursor === undefined ? undefined : 1000);
  if (cursor !== undefined) await handle.tree.list(path, { cursor, limit: 1, signal: request.gone });
  const page = { tree: handle.tree, folder: path, title: handle.about.title, cursor, limit, style: indexStyle, signal: request.gone };
  reply.headers({ 'content-type': 'text/html; charset=utf-8', 'content-security-policy': indexPolicy });
  return send(request, reply, () => writeIndexPage(page));
}

export function parseLimit(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined) return undefined;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > 1000) throw new PackageRError('request_invalid', '“limit” is an integer from 1 to 1000.');
  return limit;
}

/** Seconds. Errors: request_invalid for what is no positive integer. */
export function parseExpires(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new PackageRError('request_invalid', '“expires” is a positive number of seconds.');
  return Number(text);
}

interface FileRequest extends ObjectsOptions {
  readonly path: Path;
  readonly query: URLSearchParams;
}

async function sendFile(request: FastifyRequest, reply: FastifyReply, options: FileRequest): Promise<FastifyReply> {
  const { link, exchange, path, query } = options;
  const expiresIn = parseExpires(query.get('expires'));
  const opened = await link.open(request, 'download', path);
  const method = request.method === 'HEAD' ? 'HEAD' : 'GET';
  const result = await exchange.exchange(opened.handle, path, { method, expiresIn, signal: request.gone });
  reply.header('vary', 'Accept');
  if (opened.handle.about.version !== undefined) reply.header('x-package-version', opened.handle.about.version);
  if (wantsJson(request.headers.accept)) return reply.send(describeResult(result, opened, method));
  if (result.kind === 'redirect') {
    if (result.drift !== undefined) reply.header('warning', '199 - "the object has changed since it was put into the package"');
    reply.headers(linkedHeaders(result.linked));
    return reply.code(307).headers({ location: result.temporaryUrl.url, 'content-length': '0' }).send();
  }
  const { entry } = result;
  reply.headers(
    linkedHeaders({
      size: entry.size,
      etag: entry.sha256,
      checksums: [{ algorithm: 'sha256', value: entry.sha256, evidence: 'verified' }],
    }),
  );
  const read = (range?: { start: number; end: number }) => result.read(range);
  return sendContent(request, reply, { size: entry.size, etag: entry.sha256, fileName: nameOf(entry.path), read });
}

/** Of what the bytes will be. */
export function linkedHeaders({ size, etag, checksums }: Linked): Record<string, string> {
  const shown = toHeaderValue(etag);
  const verified = checksums.filter((one) => one.evidence === 'verified').map((one) => `${one.algorithm}:${one.value}`);
  return {
    'x-linked-size': String(size),
    ...(shown === undefined ? {} : { 'x-linked-etag': shown }),
    ...(verified.length === 0 ? {} : { 'x-linked-checksum': verified.join(', ') }),
  };
}

function describeResult(result: ExchangeResult, { base }: OpenedLink, method: 'GET' | 'HEAD'): object {
  if (result.kind === 'text') return { method, url: linkTo(base, result.entry.path), headers: {}, size: result.entry.size };
  const { url, headers, expiresAt } = result.temporaryUrl;
  return {
    method: result.temporaryUrl.method,
    url,
    headers,
    ...(expiresAt === undefined ? { public: true } : { expiresAt: toInstant(expiresAt) }),
    size: result.linked.size,
    ...(result.linked.etag === undefined ? {} : { etag: result.linked.etag }),
    ...(result.drift === undefined ? {} : { drifted: true }),
  };
}

export function wantsJson(accept = ''): boolean {
  return /\bapplication\/json\b/.test(accept) && !/\btext\/html\b/.test(accept);
}

/** The `.pointer` file: never with a ticket, with the location only for those who may see it. */
async function sendPointer(request: FastifyRequest, reply: FastifyReply, options: ObjectsOptions & { path: Path }): Promise<FastifyReply> {
  const { link, sources, path } = options;
  const { handle, base } = await link.open(request, 'download', path);
  const entry = await getEntry(handle.tree, path, request.gone);
  if (entry.kind !== 'pointer')
    throw new PackageRError('unsupported', `${JSON.stringify(path)} is no pointer: its bytes are in the package.`);
  const source = handle.mayLocate ? (await sources.names([entry.source])).get(entry.source) : undefined;
  const text = writePointerFile({
    url: linkTo(withoutTicket(base), path),
    path,
    size: entry.size,
    etag: entry.etag,
    checksums: entry.checksums,
    location: source === undefined ? undefined : { source, key: entry.key },
  });
  reply.headers({ 'content-type': 'text/plain; charset=utf-8', 'content-disposition': attachment(`${nameOf(path)}.pointer`) });
  return reply.header('content-length', Buffer.byteLength(text)).send(request.method === 'HEAD' ? '' : text);
}
