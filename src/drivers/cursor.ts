/**
 * Cursors that any process can resume: the last key or prefix given out and a mark of the listing it belongs to. For drivers
 * whose store has no cursors of its own.
 */
import { createHash } from 'node:crypto';
import type { ListRequest } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
import { decodeKey, encodeKey, type Key } from '#model/key.ts';

export interface ListStart {
  /** '' for the beginning; what is given out comes behind it. */
  readonly after: string;
  /** `after` is a folded prefix: all that lies below it is done. */
  readonly folded: boolean;
  /** 1–1000. */
  readonly limit: number;
}

/** At most 1.5 KiB, A–Z a–z 0–9 - _ . */
export function writeCursor(request: ListRequest, last: string): string {
  return Buffer.concat([markOf(request), encodeKey(last as Key)]).toString('base64url');
}

/** Where a listing begins. Errors: cursor_invalid for a cursor of another listing; request_invalid for the limit. */
export function parseStart(request: ListRequest): ListStart {
  const limit = request.limit ?? 1000;
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new PackageRError('request_invalid', 'The limit of a listing is an integer from 1 to 1000.', { operation: 'driver.list' });
  }
  if (request.cursor === undefined) return { after: request.startAfter ?? '', folded: false, limit };
  const bytes = Buffer.from(request.cursor, 'base64url');
  const isOurs = bytes.toString('base64url') === request.cursor && bytes.length > markBytes;
  const last: string = isOurs ? decodeKey(bytes.subarray(markBytes)) : '';
  if (!isOurs || !bytes.subarray(0, markBytes).equals(markOf(request)) || !last.startsWith(request.prefix)) {
    throw new PackageRError('cursor_invalid', undefined, { operation: 'driver.list' });
  }
  return { after: last, folded: request.delimiter !== undefined && last.length > request.prefix.length && last.endsWith('/'), limit };
}

/** Behind which name a listing goes on; undefined at its beginning, and for a cursor that is none of `writeCursor`. */
export function findStart(request: ListRequest): string | undefined {
  if (request.cursor === undefined) return request.startAfter === '' ? undefined : request.startAfter;
  try {
    return parseStart(request).after;
  } catch {
    return undefined;
  }
}

const markBytes = 9;

function markOf(request: ListRequest): Buffer {
  const listing = Buffer.concat([Buffer.from(`${request.delimiter ?? ''}\0`), encodeKey(request.prefix as Key)]);
  return createHash('sha256').update(listing).digest().subarray(0, markBytes);
}
