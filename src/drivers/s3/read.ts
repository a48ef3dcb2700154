/** What an object is, and its bytes. */

import type { Readable } from 'node:stream';
import type { ObjectBody, ObjectInfo, ReadObjectOptions, StatOptions } from '#drivers/driver.ts';
import type { S3Client } from '#drivers/s3/client.ts';
import { oddAnswer, storeError } from '#drivers/s3/errors.ts';
import { infoOf, lengthOf, type Versioning } from '#drivers/s3/headers.ts';
import type { Query } from '#drivers/s3/sign.ts';
import { PackageRError } from '#errors/error.ts';
import { type Key, parseKey } from '#model/key.ts';

export async function statObject(
  client: S3Client,
  key: Key,
  { version, signal }: StatOptions,
  versioning: Versioning,
): Promise<ObjectInfo> {
  const operation = 'driver.stat';
  if (version !== undefined && versioning === 'off') throw noVersion(key, operation);
  const answer = await client.run({
    method: 'HEAD',
    key: parseKey(key),
    version,
    isRead: true,
    query: versionQuery(version),
    headers: { 'x-amz-checksum-mode': 'ENABLED' },
    signal,
    expect: [200],
    operation,
  });
  if (isFolder(client, key, answer.headers)) throw storeError({ status: 404, code: 'NoSuchKey' }, { operation, key });
  return infoOf(key, lengthOf(answer.headers, operation), answer.headers, versioning);
}

export async function readObject(client: S3Client, key: Key, options: ReadObjectOptions, versioning: Versioning): Promise<ObjectBody> {
  const { version, signal, range } = options;
  if (version !== undefined && versioning === 'off') throw noVersion(key, operation);
  if (range !== undefined) verifyRange(range);
  const { status, headers, body } = await client.call({
    method: 'GET',
    key: parseKey(key),
    version,
    isRead: true,
    query: versionQuery(version),
    headers: {
      'x-amz-checksum-mode': 'ENABLED',
      ...(range !== undefined && { range: `bytes=${range.start}-${range.end - 1}` }),
    },
    signal,
    expect: [200, 206],
    operation,
  });
  try {
    if (isFolder(client, key, headers)) throw storeError({ status: 404, code: 'NoSuchKey' }, { operation, key });
    const size = range === undefined ? lengthOf(headers, operation) : sizeBehind(range, status, headers);
    return { info: infoOf(key, size, headers, versioning), body: closing(body) };
  } catch (error) {
    body.destroy();
    throw error;
  }
}

const operation = 'driver.read';

/** Where none are kept, some stores answer with the object that is there. */
function noVersion(key: Key, operation: string): Error {
  return storeError({ status: 404, code: 'NoSuchVersion' }, { operation, key });
}

/** The answer is about a folder, or about the object without the slash. */
function isFolder({ habits }: S3Client, key: Key, headers: Readonly<Record<string, string>>): boolean {
  return habits.answersForFolders && key.endsWith('/') && headers['content-type'] !== 'httpd/unix-directory';
}

export function versionQuery(version: string | undefined): Query {
  return version === undefined ? [] : [['versionId', version]];
}

type Range = NonNullable<ReadObjectOptions['range']>;

function verifyRange({ start, end }: Range): void {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end <= start) throw badRange();
}

/** Size of the whole object, of which exactly the asked range is on its way. Errors: range_invalid; store_response for other bytes. */
function sizeBehind({ start, end }: Range, status: number, headers: Readonly<Record<string, string>>): number {
  if (status === 200) {
    const size = lengthOf(headers, operation);
    if (start >= size) throw badRange();
    if (start === 0 && end >= size) return size;
    throw oddAnswer('The store sent the whole object where a range was asked.', operation);
  }
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers['content-range'] ?? '');
  const [first, last, size] = (match ?? []).slice(1).map(Number);
  if (size === undefined || !Number.isSafeInteger(size) || first !== start || last !== Math.min(end, size) - 1) {
    throw oddAnswer('The store sent another range than was asked.', operation);
  }
  return size;
}

function badRange(): PackageRError {
  return new PackageRError('range_invalid', 'The range does not lie in the object.', { operation });
}

/** To return the iterator closes the connection, also before it began. */
function closing(body: Readable): AsyncIterable<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => iterator.next(),
      async return() {
        body.destroy();
        return { done: true, value: undefined };
      },
    }),
  };
}
