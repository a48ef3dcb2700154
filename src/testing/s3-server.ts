/**
 * A small S3 of our own, for what no real one can do on demand: it reads the raw target, really checks signatures, keeps everything in memory,
 * and answers wrongly when told to. Listing, versions, objects, copies, uploads in parts, CORS rules, location.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '#model/clock.ts';
import { type Content, contentOf, joinParts, S3Bucket, type StoredVersion } from '#testing/s3-bucket.ts';
import { document, encodeXml, type ListShape, writeList, writeVersions } from '#testing/s3-listing.ts';
import { checkSignature, decodeBytes, rawQuery, type SignedRequest, type SigningKeys } from '#testing/s3-signature.ts';

export interface S3Request extends SignedRequest {
  readonly bucket: string;
  /** A byte a character; undefined for the bucket itself. */
  readonly key: string | undefined;
  readonly query: ReadonlyMap<string, string>;
}

export interface S3Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** The connection breaks after so many bytes of the body. */
  readonly breakAfter?: number;
  /** Milliseconds before the first byte. */
  readonly delay?: number;
}

/** Answers instead of the store, or changes its answer; undefined lets it pass. */
export type Fault = (request: S3Request, answer: (instead?: S3Request) => S3Answer) => S3Answer | undefined;

export interface S3ServerOptions extends Partial<ListShape> {
  /** What it calls itself. */
  readonly server?: string;
  readonly keys?: readonly SigningKeys[];
  readonly region?: string;
  readonly clock?: Clock;
}

export interface S3Server {
  readonly endpoint: string;
  readonly region: string;
  readonly keys: readonly SigningKeys[];
  /** Made when first named. */
  bucket(name: string): S3Bucket;
  /** What was asked, as `METHOD target`. */
  readonly seen: string[];
  fault: Fault | undefined;
  /** Awaited before a request is answered: what happens in the middle of what it is a part of. */
  before: ((request: S3Request) => Promise<unknown>) | undefined;
  close(): Promise<void>;
}

export const testKeys: SigningKeys = { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret/of+test' };

export async function openS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const {
    keys = [testKeys],
    region = 'us-east-1',
    clock = systemClock,
    space = '+',
    digitTokens = false,
    byFolder = false,
    server: name = 'Canned',
  } = options;
  const buckets = new Map<string, S3Bucket>();
  const seen: string[] = [];
  const server = createServer((incoming, outgoing) => {
    void readRequest(incoming).then(async (request) => {
      await opened.before?.(request);
      seen.push(`${request.method} ${request.target}`);
      const store = new Store({ buckets, region, keys, clock, shape: { space, digitTokens, byFolder } });
      const answer = (instead = request): S3Answer => store.answer(instead);
      outgoing.setHeader('server', name);
      const given = opened.fault?.(request, answer) ?? answer();
      if (given.delay === undefined) send(request, outgoing, given);
      else setTimeout(() => send(request, outgoing, given), given.delay).unref();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const opened: S3Server = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region,
    keys,
    seen,
    fault: undefined,
    before: undefined,
    bucket(name) {
      const found = buckets.get(name) ?? new S3Bucket();
      buckets.set(name, found);
      return found;
    },
    close: () => closeServer(server),
  };
  return opened;
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

async function readRequest(incoming: IncomingMessage): Promise<S3Request> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const target = incoming.url ?? '/';
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) headers[name] = String(value);
  const virtual = /^(.+)\.localhost(:\d+)?$/.exec(headers['host'] ?? '')?.[1];
  const path = decodeBytes((target.split('?', 1)[0] ?? '').slice(1));
  const slash = path.indexOf('/');
  const bucket = virtual ?? (slash < 0 ? path : path.slice(0, slash));
  const key = virtual === undefined ? (slash < 0 ? '' : path.slice(slash + 1)) : path;
  return {
    method: incoming.method ?? 'GET',
    target,
    headers,
    body: Buffer.concat(chunks),
    bucket,
    key: key === '' ? undefined : key,
    query: new Map(rawQuery(target)),
  };
}

function send({ method }: S3Request, outgoing: ServerResponse, { status, headers = {}, body, breakAfter }: S3Answer): void {
  const length = method === 'HEAD' || body === undefined ? {} : { 'content-length': String(body.length) };
  outgoing.writeHead(status, { ...length, ...headers });
  if (breakAfter !== undefined) {
    outgoing.write(body?.subarray(0, breakAfter) ?? '', () => outgoing.destroy());
    return;
  }
  outgoing.end(method === 'HEAD' ? undefined : body);
}

interface StoreOptions {
  readonly buckets: ReadonlyMap<string, S3Bucket>;
  readonly region: string;
  readonly keys: readonly SigningKeys[];
  readonly clock: Clock;
  readonly shape: ListShape;
}

class Store {
  readonly #options: StoreOptions;

  constructor(options: StoreOptions) {
    this.#options = options;
  }

  answer(request: S3Request): S3Answer {
    const { buckets, keys, region, clock } = this.#options;
    const found = buckets.get(request.bucket);
    const fault = checkSignature(request, { keys, region, now: clock() });
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (fault === 'anonymous' && !(found?.isPublic && isRead)) return refuse(403, 'AccessDenied');
    if (fault !== 'anonymous' && fault !== undefined) {
      return refuse(fault.status, fault.code, fault.code === 'AuthorizationHeaderMalformed' ? `<Region>${region}</Region>` : '');
    }
    if (request.bucket === '') return this.#listBuckets();
    if (found === undefined) return refuse(404, 'NoSuchBucket');
    return request.key === undefined ? this.#onBucket(found, request) : this.#onObject(found, request.key, request);
  }

  #listBuckets(): S3Answer {
    const names = [...this.#options.buckets.keys()].map((name) => `<Bucket><Name>${name}</Name></Bucket>`);
    return xml('ListAllMyBucketsResult', [`<Buckets>${names.join('')}</Buckets>`]);
  }

  #onBucket(bucket: S3Bucket, { method, query, bucket: name, body }: S3Request): S3Answer {
    const get = (parameter: string): string | undefined => query.get(parameter);
    if (method === 'HEAD') return { status: 200, headers: { 'x-amz-bucket-region': this.#options.region } };
    if (query.has('cors')) return onCors(bucket, method, body);
    if (method !== 'GET') return refuse(405, 'MethodNotAllowed');
    if (query.has('versioning')) {
      return xml('VersioningConfiguration', bucket.versioning === undefined ? [] : [`<Status>${bucket.versioning}</Status>`]);
    }
    if (query.has('location')) return xml('LocationConstraint', [this.#options.region === 'us-east-1' ? '' : this.#options.region]);
    const write = query.has('versions') ? writeVersions : writeList;
    return { status: 200, body: Buffer.from(write(bucket, name, get, this.#options.shape), 'latin1') };
  }

  #onObject(bucket: S3Bucket, key: string, request: S3Request): S3Answer {
    const { method, query } = request;
    if (Buffer.byteLength(key, 'latin1') > 1024) return refuse(400, 'KeyTooLongError');
    if (query.has('uploads') || query.has('uploadId')) return this.#onUpload(bucket, key, request);
    if (method === 'GET' || method === 'HEAD') return get(bucket, key, request);
    if (method === 'DELETE') {
      const marker = bucket.delete(key, query.get('versionId'), this.#options.clock());
      return { status: 204, headers: marker === undefined ? {} : { 'x-amz-delete-marker': 'true', 'x-amz-version-id': marker.id } };
    }
    if (method !== 'PUT') return refuse(405, 'MethodNotAllowed');
    if (request.headers['if-none-match'] === '*' && bucket.find(key)?.content !== undefined) return refuse(412, 'PreconditionFailed');
    const source = request.headers['x-amz-copy-source'];
    if (source === undefined) return done(bucket, bucket.put(key, contentOf(request.body, kept(request.headers)), this.#options.clock()));
    const from = this.#sourceOf(source);
    if (from?.content === undefined) return refuse(404, 'NoSuchKey');
    if (from.content.size > 5 * 2 ** 30) return refuse(400, 'InvalidRequest');
    const { etag, ...copied } = from.content;
    const content = copied.bytes === undefined ? { ...copied, etag } : contentOf(copied.bytes, copied.headers);
    const { id } = bucket.put(key, content, this.#options.clock());
    const answer = xml('CopyObjectResult', [`<ETag>&quot;${content.etag}&quot;</ETag>`]);
    return { ...answer, headers: bucket.versioning === undefined ? {} : { 'x-amz-version-id': id } };
  }

  #sourceOf(header: string): StoredVersion | undefined {
    const [path = '', version] = header.split('?versionId=');
    const [, name = '', key = ''] = /^\/?([^/]+)\/(.*)$/s.exec(decodeBytes(path)) ?? [];
    return this.#options.buckets.get(name)?.find(key, version);
  }

  #onUpload(bucket: S3Bucket, key: string, request: S3Request): S3Answer {
    const { method, query, headers, body } = request;
    if (query.has('uploads')) {
      const id = bucket.nextId('upload-');
      bucket.uploads.set(id, { key, parts: new Map() });
      return xml('InitiateMultipartUploadResult', [`<UploadId>${id}</UploadId>`]);
    }
    const id = query.get('uploadId') ?? '';
    const upload = bucket.uploads.get(id);
    if (upload === undefined || upload.key !== key) return refuse(404, 'NoSuchUpload');
    if (method === 'DELETE') {
      bucket.uploads.delete(id);
      return { status: 204 };
    }
    if (method === 'GET') {
      const parts = [...upload.parts].sort(([a], [b]) => a - b).filter(([number]) => number > Number(query.get('part-number-marker') ?? 0));
      const limit = Math.min(1000, Number(query.get('max-parts') ?? 1000));
      const lines = parts
        .slice(0, limit)
        .map(
          ([number, part]) =>
            `<Part><PartNumber>${number}</PartNumber><ETag>&quot;${part.etag}&quot;</ETag><Size>${part.size}</Size></Part>`,
        );
      return xml('ListPartsResult', [...lines, `<IsTruncated>${parts.length > limit}</IsTruncated>`]);
    }
    if (method === 'PUT') {
      const part = headers['x-amz-copy-source'] === undefined ? contentOf(body) : this.#copiedPart(headers);
      if (part === undefined) return refuse(404, 'NoSuchKey');
      upload.parts.set(Number(query.get('partNumber')), part);
      if (headers['x-amz-copy-source'] !== undefined) return xml('CopyPartResult', [`<ETag>&quot;${part.etag}&quot;</ETag>`]);
      return { status: 200, headers: { etag: `"${part.etag}"` } };
    }
    if (headers['if-none-match'] === '*' && bucket.find(key)?.content !== undefined) return refuse(412, 'PreconditionFailed');
    return complete(bucket, id, body.toString(), this.#options.clock());
  }

  #copiedPart(headers: Readonly<Record<string, string>>): Content | undefined {
    const content = this.#sourceOf(headers['x-amz-copy-source'] ?? '')?.content;
    const match = /^bytes=(\d+)-(\d+)$/.exec(headers['x-amz-copy-source-range'] ?? '');
    if (content === undefined || match === null) return undefined;
    const [start, last] = match.slice(1).map(Number) as [number, number];
    if (last >= content.size) return undefined;
    const part = contentOf(content.bytes?.subarray(start, last + 1) ?? Buffer.from(`${content.etag} ${start}`));
    return content.bytes === undefined ? { size: last + 1 - start, etag: part.etag, headers: {} } : part;
  }
}

function complete(bucket: S3Bucket, id: string, body: string, at: number): S3Answer {
  const upload = bucket.uploads.get(id);
  const stated = [...body.matchAll(/<PartNumber>(\d+)<\/PartNumber>\s*<ETag>(?:"|&quot;|&#34;)?([^<"&]+)/g)].map((match) => ({
    number: Number(match[1]),
    etag: match[2],
  }));
  if (stated.length === 0) return refuse(400, 'MalformedXML');
  const parts: Content[] = [];
  for (const { number, etag } of stated) {
    const part = upload?.parts.get(number);
    if (part === undefined || part.etag !== etag) return refuse(400, 'InvalidPart');
    parts.push(part);
  }
  if (stated.some((one, index) => one.number <= (stated[index - 1]?.number ?? 0))) return refuse(400, 'InvalidPartOrder');
  if (parts.slice(0, -1).some((part) => part.size < 5 * 2 ** 20)) return refuse(400, 'EntityTooSmall');
  bucket.uploads.delete(id);
  const version = bucket.put(upload?.key ?? '', joinParts(parts), at);
  const headers = bucket.versioning === undefined ? {} : { 'x-amz-version-id': version.id };
  return { ...xml('CompleteMultipartUploadResult', [`<ETag>&quot;${version.content?.etag}&quot;</ETag>`]), headers };
}

function get(bucket: S3Bucket, key: string, { method, headers, query }: S3Request): S3Answer {
  const id = query.get('versionId');
  const found = bucket.find(key, id);
  if (found === undefined) return refuse(404, id === undefined ? 'NoSuchKey' : 'NoSuchVersion');
  if (found.content === undefined) return refuse(id === undefined ? 404 : 405, id === undefined ? 'NoSuchKey' : 'MethodNotAllowed');
  const { content, at } = found;
  const { size } = content;
  const asked = (name: string): Record<string, string> => {
    const value = query.get(`response-${name}`);
    return value === undefined ? {} : { [name]: Buffer.from(value, 'latin1').toString() };
  };
  const shared = {
    etag: `"${content.etag}"`,
    'last-modified': new Date(at).toUTCString(),
    'accept-ranges': 'bytes',
    ...(bucket.versioning !== undefined && { 'x-amz-version-id': found.id }),
    ...content.headers,
    ...asked('content-type'),
    ...asked('content-disposition'),
    ...asked('cache-control'),
  };
  if (headers['if-none-match'] === shared.etag) return { status: 304, headers: shared };
  const match = /^bytes=(\d+)-(\d*)$/.exec(headers['range'] ?? '');
  if (match === null || method === 'HEAD') {
    return { status: 200, headers: { ...shared, 'content-length': String(size) }, ...(content.bytes && { body: content.bytes }) };
  }
  const start = Number(match[1]);
  const end = match[2] === '' ? size : Math.min(Number(match[2]) + 1, size);
  if (start >= size) return refuse(416, 'InvalidRange');
  const body = content.bytes?.subarray(start, end) ?? Buffer.alloc(0);
  return { status: 206, headers: { ...shared, 'content-range': `bytes ${start}-${end - 1}/${size}` }, body };
}

function onCors(bucket: S3Bucket, method: string, body: Buffer): S3Answer {
  if (method === 'PUT') bucket.cors = body;
  else if (method === 'DELETE') bucket.cors = undefined;
  else if (bucket.cors === undefined) return refuse(404, 'NoSuchCORSConfiguration');
  else return { status: 200, body: bucket.cors };
  return { status: method === 'PUT' ? 200 : 204 };
}

function done(bucket: S3Bucket, { content, id }: StoredVersion): S3Answer {
  return { status: 200, headers: { etag: `"${content?.etag}"`, ...(bucket.versioning !== undefined && { 'x-amz-version-id': id }) } };
}

/** What a store keeps of the headers of a PUT. */
function kept(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name === 'content-type' || name === 'x-amz-storage-class'));
}

function xml(root: string, parts: readonly string[]): S3Answer {
  return { status: 200, headers: { 'content-type': 'application/xml' }, body: Buffer.from(document(root, parts), 'latin1') };
}

/** An error document, with a text that must not get any further. */
export function refuse(status: number, code: string, more = ''): S3Answer {
  const body = `<?xml version="1.0"?><Error><Code>${encodeXml(code)}</Code><Message>upstream text</Message>${more}<RequestId>1</RequestId></Error>`;
  return { status, headers: { 'content-type': 'application/xml' }, body: Buffer.from(body) };
}
