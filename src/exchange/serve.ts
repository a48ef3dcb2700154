/**
 * Serves the bytes behind packageR's own signed URLs: GET and HEAD with one range, PUT of an object or a part. What comes out never
 * runs in a browser with any origin's rights.
 */
import { PackageRError } from '#errors/error.ts';
import { parseRange } from '#exchange/byte-range.ts';
import { attachment } from '#exchange/disposition.ts';
import type { SigningKeys } from '#exchange/url-signer.ts';
import { octetStream } from '#model/media-type.ts';
import { nameOf, toPath } from '#model/path.ts';
import type { SignedObject } from '#model/temporary-url.ts';
import { readSigned, statSigned, writeSigned } from '#sources/presign.ts';
import type { Sources } from '#sources/sources.ts';

export interface ContentRequest {
  readonly method: string;
  /** Raw, as it came: the path, or an absolute URL. */
  readonly url: string;
  /** Lower-case names, as Node gives them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: AsyncIterable<Uint8Array> | undefined;
  /** Aborts when the client leaves. */
  readonly signal?: AbortSignal | undefined;
}

export interface ContentResponse {
  readonly status: 200 | 204 | 206 | 304 | 416;
  /** Lower-case names; to be sent as they stand. */
  readonly headers: Readonly<Record<string, string>>;
  /** To be consumed or returned, which closes the object. */
  readonly body?: AsyncIterable<Uint8Array>;
}

export interface ContentOptions {
  readonly keys: SigningKeys;
  readonly sources: Sources;
  /** Bytes of one PUT; 5 GiB where left out. */
  readonly maxPutBytes?: number | undefined;
}

type ObjectInfo = Awaited<ReturnType<typeof statSigned>>;

const defaultPutBytes = 5 * 1024 ** 3;
/** How often an object may change between looking and reading. */
const readTries = 3;

/**
 * Headers of errors are the caller's; those of answers are complete.
 * Errors: signature_invalid (also for another method than was signed), signature_expired; object_not_found; drifted; too_large,
 * media_type_unsupported, request_invalid for a PUT; unsupported.
 */
export async function serveSigned(request: ContentRequest, options: ContentOptions): Promise<ContentResponse> {
  const object = await options.keys.verify(request.url);
  if (request.method === 'OPTIONS') return preflight(object);
  if (request.method !== object.method) throw new PackageRError('signature_invalid', `This temporary URL is for ${object.method} only.`);
  if (request.method === 'PUT') return put(object, request, options);
  return request.method === 'HEAD' ? head(object, request, options) : get(object, request, options);
}

async function head(object: SignedObject, request: ContentRequest, { sources }: ContentOptions): Promise<ContentResponse> {
  const info = await statSigned(sources, object.source, object.key, { version: object.version, signal: request.signal });
  requireSame(object, info);
  if (isUnchanged(request, info)) return { status: 304, headers: headersOf(object, info) };
  return { status: 200, headers: { ...headersOf(object, info), 'content-length': String(info.size) } };
}

async function get(object: SignedObject, request: ContentRequest, options: ContentOptions): Promise<ContentResponse> {
  const { sources } = options;
  const isPlain = request.headers['range'] === undefined && request.headers['if-none-match'] === undefined;
  const common = { version: object.version, signal: request.signal };
  if (isPlain) {
    const { info, body } = await readSigned(sources, object.source, object.key, common);
    if (!isSame(object, info)) await body[Symbol.asyncIterator]().return?.();
    requireSame(object, info);
    return { status: 200, headers: { ...headersOf(object, info), 'content-length': String(info.size) }, body };
  }
  for (let tries = 1; ; tries++) {
    const info = await statSigned(sources, object.source, object.key, common);
    requireSame(object, info);
    const headers = headersOf(object, info);
    if (isUnchanged(request, info)) return { status: 304, headers };
    const range = isSameVersion(request, info) ? parseRange(headerOf(request, 'range'), info.size) : undefined;
    if (range === 'outside')
      return { status: 416, headers: { ...headers, 'content-range': `bytes */${info.size}`, 'content-length': '0' } };
    const read = await readSigned(sources, object.source, object.key, { ...common, range });
    if (read.info.etag === info.etag && read.info.size === info.size) {
      const length = range === undefined ? info.size : range.end - range.start;
      const whole = { ...headers, 'content-length': String(length) };
      if (range === undefined) return { status: 200, headers: whole, body: read.body };
      return { status: 206, headers: { ...whole, 'content-range': `bytes ${range.start}-${range.end - 1}/${info.size}` }, body: read.body };
    }
    await read.body[Symbol.asyncIterator]().return?.();
    if (tries === readTries)
      throw new PackageRError('source_unavailable', 'The object keeps changing.', { retry: 'temporary', retryAfter: 1 });
  }
}

function isSame({ etag }: SignedObject, info: ObjectInfo): boolean {
  return etag === undefined || etag === info.etag;
}

/** A temporary URL for pinned bytes opens no others. Errors: drifted. */
function requireSame(object: SignedObject, info: ObjectInfo): void {
  if (!isSame(object, info)) throw new PackageRError('drifted', undefined, { operation: 'exchange.serve' });
}

async function put(object: SignedObject, request: ContentRequest, options: ContentOptions): Promise<ContentResponse> {
  const limit = options.maxPutBytes ?? defaultPutBytes;
  const stated = headerOf(request, 'content-length');
  const size = stated === undefined ? undefined : Number(stated);
  if (size !== undefined && (!Number.isSafeInteger(size) || size < 0))
    throw new PackageRError('request_invalid', 'Content-Length is no length.');
  if (size !== undefined && size > limit) throw tooLarge(limit);
  const encoding = headerOf(request, 'content-encoding') ?? 'identity';
  if (encoding !== 'identity') throw new PackageRError('media_type_unsupported', 'Send the bytes as they are, without a content encoding.');
  const ifAbsent = object.part === undefined && headerOf(request, 'if-none-match') === '*';
  const body = bounded(request.body ?? nothing(), limit);
  const written = await writeSigned(options.sources, object.source, object.key, body, {
    signal: request.signal,
    size,
    ifAbsent,
    part: object.part,
  });
  const etag = etagOf(written.etag);
  return { status: 200, headers: { ...safety, ...(etag === undefined ? {} : { etag }), 'content-length': '0' } };
}

function preflight(object: SignedObject): ContentResponse {
  const allowed = 'Range, If-Range, If-None-Match, Content-Type';
  const methods = object.method === 'PUT' ? 'PUT' : 'GET, HEAD';
  const headers = { 'access-control-allow-methods': methods, 'access-control-allow-headers': allowed, 'access-control-max-age': '600' };
  return { status: 204, headers: { ...safety, ...headers } };
}

const safety = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "sandbox; default-src 'none'",
  'cross-origin-resource-policy': 'cross-origin',
  'referrer-policy': 'no-referrer',
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Last-Modified',
} as const;

function headersOf({ key, responseHeaders = {} }: SignedObject, info: ObjectInfo): Record<string, string> {
  const etag = etagOf(info.etag);
  const path = toPath(key);
  return {
    ...safety,
    'content-type': responseHeaders.contentType ?? octetStream,
    'content-disposition': responseHeaders.contentDisposition ?? attachment(path === undefined ? 'object' : nameOf(path)),
    'cache-control': responseHeaders.cacheControl ?? 'private, no-cache',
    'accept-ranges': 'bytes',
    ...(etag === undefined ? {} : { etag }),
    ...(info.modifiedAt === undefined ? {} : { 'last-modified': new Date(info.modifiedAt).toUTCString() }),
  };
}

function etagOf(etag: string | undefined): string | undefined {
  return etag !== undefined && /^[!#-~]+$/.test(etag) ? `"${etag}"` : undefined;
}

/** RFC 9110, section 13.1.2: compared weakly. */
function isUnchanged(request: ContentRequest, info: ObjectInfo): boolean {
  const asked = headerOf(request, 'if-none-match');
  const etag = etagOf(info.etag);
  if (asked === undefined) return false;
  if (asked.trim() === '*') return true;
  return etag !== undefined && asked.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);
}

/** RFC 9110, section 13.1.5: a range is given of the same bytes only, else everything. A date is no strong validator. */
function isSameVersion(request: ContentRequest, info: ObjectInfo): boolean {
  const asked = headerOf(request, 'if-range')?.trim();
  return asked === undefined || asked === etagOf(info.etag);
}

function headerOf(request: ContentRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' || value === undefined ? value : value.join(', ');
}

async function* bounded(body: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit);
    yield chunk;
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

function tooLarge(limit: number): PackageRError {
  return new PackageRError('too_large', `One upload has at most ${limit} bytes.`, { operation: 'exchange.put' });
}
