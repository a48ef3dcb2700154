/** Writing, copying and deleting. Small bodies go in one piece, longer ones in parts that appear at once or not at all. */

import { throwIfAborted } from '#drivers/abort.ts';
import { sizedBody } from '#drivers/bytes.ts';
import type { ObjectInfo, StatOptions, UploadedPart, WriteOptions } from '#drivers/driver.ts';
import { BlockReader } from '#drivers/s3/block-reader.ts';
import type { S3Client } from '#drivers/s3/client.ts';
import { infoOf, type Versioning } from '#drivers/s3/headers.ts';
import { abortUpload, completeUpload, copyPart, createUpload, putPart } from '#drivers/s3/multipart.ts';
import { verifyAbsent, verifyFirst } from '#drivers/s3/once.ts';
import { statObject, versionQuery } from '#drivers/s3/read.ts';
import { encodeKeyPath } from '#drivers/s3/sign.ts';
import { textOf, verifyRoot } from '#drivers/s3/xml.ts';
import { isError } from '#errors/error.ts';
import { type Key, parseKey } from '#model/key.ts';

const mebibyte = 1024 * 1024;
/** Longest body that is sent in one piece. */
const singleBytes = 16 * mebibyte;
/** Largest object that one copy can take, and the parts of a larger one. Source: Amazon S3 API reference, CopyObject and UploadPartCopy. */
const copyBytes = 5 * 1024 * mebibyte;
const copyPartBytes = 1024 * mebibyte;
const maxParts = 10_000;

export async function writeObject(
  client: S3Client,
  key: Key,
  body: AsyncIterable<Uint8Array>,
  options: WriteOptions,
  versioning: Versioning,
): Promise<ObjectInfo> {
  throwIfAborted(options.signal);
  const reader = new BlockReader(sizedBody(body, options));
  try {
    const first = await reader.read(singleBytes);
    if (reader.isEnded) return await putObject(client, parseKey(key), first, options, versioning);
    reader.unread(first);
    return await writeParts(client, parseKey(key), reader, options, versioning);
  } finally {
    await reader.close();
  }
}

async function putObject(client: S3Client, key: Key, body: Uint8Array, options: WriteOptions, versioning: Versioning): Promise<ObjectInfo> {
  const { signal, ifAbsent } = options;
  if (ifAbsent === true && versioning !== 'off') await verifyAbsent(client, key, signal);
  const { headers } = await client.run({
    method: 'PUT',
    key,
    body,
    headers: ifAbsent === true ? { 'if-none-match': '*' } : {},
    ifAbsent,
    signal,
    expect: [200, 201, 204],
    operation: 'driver.write',
  });
  const isStated = headers['etag'] !== undefined;
  const info = isStated ? infoOf(key, body.length, headers, versioning) : await statObject(client, key, { signal }, versioning);
  if (ifAbsent === true) await verifyFirst(client, info, signal);
  return info;
}

/** One part is on its way while the next one is read: no more than two are in memory. */
async function writeParts(
  client: S3Client,
  key: Key,
  reader: BlockReader,
  options: WriteOptions,
  versioning: Versioning,
): Promise<ObjectInfo> {
  const { signal, size } = options;
  const upload = await createUpload(client, key, { signal });
  const parts: UploadedPart[] = [];
  let sending: Promise<UploadedPart> | undefined;
  try {
    await options.onUpload?.(upload);
    for (let number = 1; number === 1 || !reader.isEnded; number++) {
      const bytes = await reader.read(partBytes(number, size));
      if (bytes.length === 0) break;
      if (sending !== undefined) parts.push(await sending);
      sending = putPart(client, key, upload, number, bytes, signal);
      sending.catch(() => undefined);
    }
    if (sending !== undefined) parts.push(await sending);
    if (options.ifAbsent === true && versioning !== 'off') await verifyAbsent(client, key, signal);
    const info = await completeUpload(client, key, upload, parts, options, versioning);
    if (options.ifAbsent === true) await verifyFirst(client, info, signal);
    return info;
  } catch (error) {
    await sending?.catch(() => undefined);
    await abortUpload(client, key, upload, { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
    throw error;
  }
}

/** 8 MiB, or what it takes to stay within 10,000 parts: of the size where it is known, else more with every thousand. */
function partBytes(number: number, size: number | undefined): number {
  const least = 8 * mebibyte;
  if (size === undefined) return least * 2 ** Math.min(6, Math.floor((number - 1) / 1000));
  return Math.max(least, Math.ceil(size / maxParts / mebibyte) * mebibyte);
}

export async function copyObject(client: S3Client, from: Key, to: Key, options: StatOptions, versioning: Versioning): Promise<ObjectInfo> {
  const { signal, version } = options;
  const source = await statObject(client, from, options, versioning);
  if (from === to && version === undefined) return source;
  const pinned = version ?? source.version;
  const path = `/${client.settings.bucket}/${encodeKeyPath(from)}`;
  const copySource = {
    'x-amz-copy-source': pinned === undefined ? path : `${path}?versionId=${encodeURIComponent(pinned)}`,
    ...(source.etag !== undefined && { 'x-amz-copy-source-if-match': `"${source.etag}"` }),
  };
  if (source.size > copyBytes) return copyInParts(client, source, parseKey(to), copySource, options, versioning);
  const { xml, answer } = await client.text({
    method: 'PUT',
    key: parseKey(to),
    headers: copySource,
    signal,
    expect: [200],
    operation: 'driver.copy',
  });
  verifyRoot(xml, 'CopyObjectResult', 'driver.copy');
  const etag = textOf(xml, 'ETag');
  const copied = { ...answer.headers, ...(etag !== undefined && { etag }) };
  return copied.etag === undefined ? statObject(client, to, { signal }, versioning) : infoOf(to, source.size, copied, versioning);
}

async function copyInParts(
  client: S3Client,
  source: ObjectInfo,
  to: Key,
  copySource: Readonly<Record<string, string>>,
  { signal }: StatOptions,
  versioning: Versioning,
): Promise<ObjectInfo> {
  const upload = await createUpload(client, to, { signal });
  try {
    const parts: UploadedPart[] = [];
    for (let start = 0; start < source.size; start += copyPartBytes) {
      const end = Math.min(start + copyPartBytes, source.size);
      parts.push(await copyPart(client, to, upload, parts.length + 1, { copySource, start, end }, signal));
    }
    return await completeUpload(client, to, upload, parts, { signal }, versioning);
  } catch (error) {
    await abortUpload(client, to, upload, { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
    throw error;
  }
}

export async function deleteObject(client: S3Client, key: Key, { version, signal }: StatOptions, versioning: Versioning): Promise<void> {
  if (version !== undefined && versioning === 'off') return;
  try {
    await client.run({
      method: 'DELETE',
      key: parseKey(key),
      version,
      query: versionQuery(version),
      signal,
      expect: [200, 204],
      operation: 'driver.delete',
    });
  } catch (error) {
    if (isError(error, 'object_not_found') || (version === undefined && (await isAbsent(client, key, error, signal)))) return;
    throw error;
  }
}

/** A store may stumble over the deletion of what is not there, and holds nothing under a name that it cannot hold. */
async function isAbsent(client: S3Client, key: Key, error: unknown, signal: AbortSignal | undefined): Promise<boolean> {
  if (isError(error, 'key_invalid')) return error.context['status'] !== undefined;
  if (!isError(error, 'source_unavailable') || error.context['status'] !== 500) return false;
  return statObject(client, key, { signal }, 'off').then(
    () => false,
    (reason: unknown) => isError(reason, 'object_not_found'),
  );
}
