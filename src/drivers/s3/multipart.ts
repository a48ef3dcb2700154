/** Uploads in parts. Source: Amazon S3 API reference, CreateMultipartUpload, UploadPart, ListParts, CompleteMultipartUpload. */
import { sizedBody } from '#drivers/bytes.ts';
import type { Multipart, ObjectInfo, StatOptions, UploadedPart, WriteOptions } from '#drivers/driver.ts';
import { BlockReader } from '#drivers/s3/block-reader.ts';
import type { S3Client } from '#drivers/s3/client.ts';
import { oddAnswer } from '#drivers/s3/errors.ts';
import type { Versioning } from '#drivers/s3/headers.ts';
import { bareEtag } from '#drivers/s3/list-scan.ts';
import { statObject } from '#drivers/s3/read.ts';
import { eachInner, encodeText, textOf, verifyRoot } from '#drivers/s3/xml.ts';
import { isError, PackageRError } from '#errors/error.ts';
import { type Key, parseKey } from '#model/key.ts';

const limits = { minPartBytes: 5 * 1024 * 1024, maxParts: 10_000 } as const;
/** A part that passes through packageR is held in memory: larger ones go to a temporary URL. */
const mostPartBytes = 128 * 1024 * 1024;

export function s3Multipart(client: S3Client, versioning: Versioning): Multipart {
  return {
    limits,
    create: (key, options = {}) => createUpload(client, parseKey(key), options),
    list: (key, upload, options = {}) => listParts(client, parseKey(key), upload, options),
    async write(key, upload, number, body, options = {}) {
      const reader = new BlockReader(sizedBody(body, options));
      try {
        const bytes = await reader.read(mostPartBytes);
        if (!reader.isEnded)
          throw new PackageRError('too_large', `A part has at most ${mostPartBytes} bytes.`, { operation: 'driver.multipart.write' });
        return await putPart(client, parseKey(key), upload, number, bytes, options.signal);
      } finally {
        await reader.close();
      }
    },
    async complete(key, upload, parts, options = {}) {
      if (options.size !== undefined) await verifySize(client, key, upload, parts, options);
      return completeUpload(client, parseKey(key), upload, parts, options, versioning);
    },
    abort: (key, upload, options = {}) => abortUpload(client, parseKey(key), upload, options),
  };
}

export async function createUpload(client: S3Client, key: Key, { signal }: StatOptions): Promise<string> {
  const operation = 'driver.multipart.create';
  const { xml } = await client.text({ method: 'POST', key, query: [['uploads', '']], signal, expect: [200], operation });
  verifyRoot(xml, 'InitiateMultipartUploadResult', operation);
  const upload = textOf(xml, 'UploadId') ?? '';
  if (upload === '') throw oddAnswer('The store began an upload without a name.', operation);
  return upload;
}

export async function putPart(
  client: S3Client,
  key: Key,
  upload: string,
  number: number,
  body: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<UploadedPart> {
  const operation = 'driver.multipart.write';
  if (!Number.isInteger(number) || number < 1 || number > limits.maxParts)
    throw refused(`Parts are numbered 1 to ${limits.maxParts}.`, operation);
  const query = partQuery(upload, number);
  const { headers } = await client.run({ method: 'PUT', key, query, body, isUpload: true, signal, expect: [200], operation });
  return { number, etag: etagOf(headers['etag'], operation), size: body.length };
}

export interface CopiedRange {
  /** The headers that name the object that is copied. */
  readonly copySource: Readonly<Record<string, string>>;
  /** Bytes [start, end). */
  readonly start: number;
  readonly end: number;
}

export async function copyPart(
  client: S3Client,
  key: Key,
  upload: string,
  number: number,
  { copySource, start, end }: CopiedRange,
  signal: AbortSignal | undefined,
): Promise<UploadedPart> {
  const operation = 'driver.copy';
  const headers = { ...copySource, 'x-amz-copy-source-range': `bytes=${start}-${end - 1}` };
  const { xml } = await client.text({ method: 'PUT', key, query: partQuery(upload, number), headers, signal, expect: [200], operation });
  verifyRoot(xml, 'CopyPartResult', operation);
  return { number, etag: etagOf(textOf(xml, 'ETag'), operation), size: end - start };
}

function partQuery(upload: string, number: number): [string, string][] {
  return [
    ['partNumber', String(number)],
    ['uploadId', upload],
  ];
}

async function listParts(client: S3Client, key: Key, upload: string, { signal }: StatOptions): Promise<UploadedPart[]> {
  const operation = 'driver.multipart.list';
  const parts: UploadedPart[] = [];
  for (let marker = 0; ; ) {
    const query = [['uploadId', upload] as const, ['max-parts', '1000'] as const, ['part-number-marker', String(marker)] as const];
    const { xml } = await client.text({ method: 'GET', key, query, isUpload: true, signal, expect: [200], operation });
    verifyRoot(xml, 'ListPartsResult', operation);
    for (const part of eachInner(xml, 'Part')) {
      const number = Number(textOf(part, 'PartNumber'));
      const size = Number(textOf(part, 'Size'));
      if (!Number.isInteger(number) || number <= marker || !Number.isSafeInteger(size))
        throw oddAnswer('The store listed odd parts.', operation);
      parts.push({ number, etag: etagOf(textOf(part, 'ETag'), operation), size });
      marker = number;
    }
    if (textOf(xml, 'IsTruncated') !== 'true') return parts;
    if (parts.at(-1)?.number !== marker || parts.length === 0) throw oddAnswer('The list of parts does not go on.', operation);
  }
}

async function verifySize(
  client: S3Client,
  key: Key,
  upload: string,
  stated: readonly UploadedPart[],
  options: WriteOptions,
): Promise<void> {
  const sizes = new Map((await listParts(client, parseKey(key), upload, options)).map((part) => [part.number, part.size]));
  const size = stated.reduce((sum, part) => sum + (sizes.get(part.number) ?? 0), 0);
  if (size !== options.size) throw refused(`The parts hold ${size} bytes, not ${options.size}.`, 'driver.multipart.complete');
}

export async function completeUpload(
  client: S3Client,
  key: Key,
  upload: string,
  parts: readonly UploadedPart[],
  { signal, ifAbsent }: WriteOptions,
  versioning: Versioning,
): Promise<ObjectInfo> {
  const operation = 'driver.multipart.complete';
  if (parts.length === 0) throw refused('An upload has at least one part.', operation);
  if (parts.some((part, index) => part.number <= (parts[index - 1]?.number ?? 0)))
    throw refused('Parts are stated in rising order.', operation);
  const lines = parts.map((part) => `<Part><PartNumber>${part.number}</PartNumber><ETag>${encodeText(`"${part.etag}"`)}</ETag></Part>`);
  const { xml, answer } = await client.text({
    method: 'POST',
    key,
    query: [['uploadId', upload]],
    headers: { 'content-type': 'application/xml', ...(ifAbsent === true && { 'if-none-match': '*' }) },
    body: Buffer.from(
      `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${lines.join('')}</CompleteMultipartUpload>`,
    ),
    ifAbsent,
    isUpload: true,
    signal,
    expect: [200],
    operation,
  });
  verifyRoot(xml, 'CompleteMultipartUploadResult', operation);
  return statObject(client, key, { version: answer.headers['x-amz-version-id'], signal }, versioning);
}

export async function abortUpload(client: S3Client, key: Key, upload: string, { signal }: StatOptions): Promise<void> {
  try {
    const operation = 'driver.multipart.abort';
    await client.run({ method: 'DELETE', key, query: [['uploadId', upload]], isUpload: true, signal, expect: [200, 204], operation });
  } catch (error) {
    if (!isError(error, 'not_found')) throw error;
  }
}

function etagOf(text: string | undefined, operation: string): string {
  const etag = bareEtag(text ?? '');
  if (etag === '') throw oddAnswer('The store took a part without an ETag.', operation);
  return etag;
}

function refused(message: string, operation: string): PackageRError {
  return new PackageRError('request_invalid', message, { operation });
}
