/** What the headers of an answer say of an object. */
import type { ObjectInfo } from '#drivers/driver.ts';
import { oddAnswer } from '#drivers/s3/errors.ts';
import { bareEtag, isArchiveClass } from '#drivers/s3/list-scan.ts';
import { type Checksum, type ChecksumAlgorithm, checksumLengths } from '#model/checksum.ts';
import type { Key } from '#model/key.ts';

type Headers = Readonly<Record<string, string>>;

/** Of a bucket. `suspended`: old object versions are kept, the newest is replaced under the name `null`. */
export type Versioning = 'on' | 'suspended' | 'off';

/** The name of an object version that is kept; undefined where it may be another one's tomorrow. */
function keptVersion(version: string | undefined, versioning: Versioning): string | undefined {
  const isKept = versioning === 'on' || (versioning === 'suspended' && version !== 'null');
  return isKept && version !== '' ? version : undefined;
}

/** Algorithms that a store may vouch for. */
export const storedAlgorithms: readonly ChecksumAlgorithm[] = ['md5', 'sha1', 'sha256', 'crc32', 'crc32c', 'crc64nvme'];

/**
 * `size`: of the whole object.
 * Source: Amazon S3 API reference, HeadObject.
 */
export function infoOf(key: Key, size: number, headers: Headers, versioning: Versioning): ObjectInfo {
  const etag = bareEtag(headers['etag'] ?? '');
  const version = keptVersion(headers['x-amz-version-id'], versioning);
  const modifiedAt = Date.parse(headers['last-modified'] ?? '');
  const checksums = checksumsOf(headers, etag);
  return {
    key,
    size,
    ...(etag !== '' && { etag }),
    ...(version !== undefined && { version }),
    ...(!Number.isNaN(modifiedAt) && { modifiedAt }),
    ...(checksums.length > 0 && { checksums }),
    ...(isArchived(headers) && { availability: 'archived' }),
  };
}

/** Errors: store_response where the header is none. */
export function lengthOf(headers: Headers, operation: string): number {
  const text = headers['content-length'] ?? '';
  const length = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(length)) throw oddAnswer('The store did not say how long the object is.', operation);
  return length;
}

/**
 * Checksums of the whole object: those that were not put together from parts, and the MD5 that is the ETag of an object that was sent in one
 * piece and not sealed with a key of the owner’s.
 * Source: Amazon S3 user guide, “Checking object integrity”; API reference, Object (ETag).
 */
function checksumsOf(headers: Headers, etag: string): Checksum[] {
  const found: Checksum[] = [];
  const isSealed =
    (headers['x-amz-server-side-encryption'] ?? 'AES256') !== 'AES256' ||
    headers['x-amz-server-side-encryption-customer-algorithm'] !== undefined;
  if (/^[0-9a-f]{32}$/i.test(etag) && !isSealed) found.push({ algorithm: 'md5', value: etag.toLowerCase(), evidence: 'stored' });
  if (headers['x-amz-checksum-type'] === 'COMPOSITE') return found;
  const isInParts = etag.includes('-') && headers['x-amz-checksum-type'] !== 'FULL_OBJECT';
  for (const algorithm of isInParts ? [] : storedAlgorithms.slice(1)) {
    const bytes = Buffer.from(headers[`x-amz-checksum-${algorithm}`] ?? '', 'base64');
    if (bytes.length * 2 === checksumLengths[algorithm]) found.push({ algorithm, value: bytes.toString('hex'), evidence: 'stored' });
  }
  return found;
}

/** Source: Amazon S3 API reference, HeadObject: x-amz-storage-class, x-amz-restore, x-amz-archive-status. */
function isArchived(headers: Headers): boolean {
  const isRestored = /ongoing-request="false"/.test(headers['x-amz-restore'] ?? '');
  return !isRestored && (isArchiveClass(headers['x-amz-storage-class'] ?? '') || headers['x-amz-archive-status'] !== undefined);
}
