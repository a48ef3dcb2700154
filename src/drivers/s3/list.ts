/**
 * Listing a bucket: ListObjectsV2, or ListObjectVersions where object versions are asked. Cursors are our own (the last name), so that any
 * process can resume them; what a store says is verified: rising order, below the prefix, folded by the delimiter.
 */
import { parseStart, writeCursor } from '#drivers/cursor.ts';
import type { ListPage, ListRequest, ObjectInfo } from '#drivers/driver.ts';
import type { S3Client } from '#drivers/s3/client.ts';
import { oddAnswer } from '#drivers/s3/errors.ts';
import { canHold } from '#drivers/s3/habits.ts';
import type { Versioning } from '#drivers/s3/headers.ts';
import { listByFolder } from '#drivers/s3/list-by-folder.ts';
import { PageScan, type ScannedPage } from '#drivers/s3/list-scan.ts';
import type { Query } from '#drivers/s3/sign.ts';
import { compareKeys } from '#model/key.ts';

const operation = 'driver.list';
/** Pages that a store may give in a row without anything in them. */
const mostEmptyPages = 100;

export async function listBucket(client: S3Client, asked: ListRequest, versioning: Versioning): Promise<ListPage> {
  const request = { ...asked, versions: asked.versions === true && versioning !== 'off' };
  const start = parseStart(request);
  const group = request.cursor === undefined ? foldedPrefix(start.after, request) : undefined;
  const bucket = { client, versioning };
  const page = await (group === undefined ? listPage(bucket, request, start) : listFromWithin(bucket, request, group, start));
  return versioning === 'suspended' ? { ...page, objects: page.objects.map(withoutNull) } : page;
}

/** Where versioning is suspended, the version `null` is whatever was written last. */
function withoutNull(info: ObjectInfo): ObjectInfo {
  if (info.version !== 'null') return info;
  const { version, ...rest } = info;
  return rest;
}

interface Bucket {
  readonly client: S3Client;
  readonly versioning: Versioning;
}

interface Start {
  readonly after: string;
  /** `after` is a prefix that is done with all that lies below it. */
  readonly folded: boolean;
  readonly limit: number;
}

/** `startAfter` lies inside of a folded prefix: whether something is left there is asked apart, since stores disagree on it. */
async function listFromWithin(bucket: Bucket, request: ListRequest, group: string, { after, limit }: Start): Promise<ListPage> {
  const { signal } = request;
  const inside = await listPage(bucket, { prefix: group, signal }, { after, folded: false, limit: 1 });
  const prefixes = inside.objects.length > 0 ? [group] : [];
  if (prefixes.length === limit) return { objects: [], prefixes, cursor: writeCursor(request, group) };
  const rest = await listPage(bucket, request, { after: group, folded: true, limit: limit - prefixes.length });
  return { ...rest, prefixes: [...prefixes, ...rest.prefixes] };
}

async function listPage({ client, versioning }: Bucket, request: ListRequest, start: Start): Promise<ListPage> {
  if (!canHold(`${request.prefix}x`, client.habits)) return { objects: [], prefixes: [] };
  if (client.habits.listsByFolder && request.versions !== true) return listByFolder(client, request, start, versioning);
  let next: Query = beginning(request, start);
  // One more, since a store may state once again the prefix that is done.
  const room = String(Math.min(1000, start.limit + (start.folded ? 1 : 0)));
  for (let pages = 0; pages < mostEmptyPages; pages++) {
    const query: Query = [...fixedQuery(request), ['max-keys', room], ...next];
    const scan = new PageScan(request.versions === true);
    await client.each({ method: 'GET', query, signal: request.signal, expect: [200], operation }, (chunk) => scan.push(chunk));
    const page = scan.end();
    dropRepeated(page.objects, page.prefixes, request, start);
    verifyOrder(page, request, start.after);
    const found = cut(page.objects, page.prefixes, start.limit);
    const { objects, prefixes } = found;
    if (!found.isCut && !page.isTruncated) return { objects, prefixes };
    const last = found.isCut ? found.last : later(found.last, page.lastKey);
    const isFurther = last !== '' && compareKeys(last, start.after) > 0 && last.startsWith(request.prefix);
    if (isFurther && (request.versions === true || objects.length + prefixes.length > 0)) {
      return { objects, prefixes, cursor: writeCursor(request, last) };
    }
    next = request.versions === true ? behindVersion(last, page.versionMarker) : behindToken(page.token);
    if (next.length === 0) break;
  }
  throw oddAnswer('The listing of the store does not go on.', operation);
}

function fixedQuery({ versions, prefix, delimiter }: ListRequest): Query {
  const kind: Query =
    versions === true
      ? [['versions', '']]
      : [
          ['list-type', '2'],
          ['fetch-owner', 'false'],
        ];
  return [...kind, ['encoding-type', 'url'], ['prefix', prefix], ...(delimiter === undefined ? [] : [['delimiter', delimiter] as const])];
}

/** Behind a folded prefix: nothing below it sorts above U+10FFFF. */
function beginning({ versions }: ListRequest, { after, folded }: Start): Query {
  if (after === '') return [];
  return [[versions === true ? 'key-marker' : 'start-after', folded ? `${after}\u{10ffff}` : after]];
}

/** Where the store itself goes on, within one call: a page had nothing in it that counts. */
function behindToken(token: string): Query {
  return token === '' ? [] : [['continuation-token', token]];
}

function behindVersion(key: string, version: string): Query {
  return key === '' || version === ''
    ? []
    : [
        ['key-marker', key],
        ['version-id-marker', version],
      ];
}

/** What some stores state again: the prefix that is done, and further object versions of the key before. */
function dropRepeated(objects: ObjectInfo[], prefixes: string[], { versions }: ListRequest, { after, folded }: Start): void {
  if (folded && prefixes[0] === after) prefixes.shift();
  if (versions === true && objects[0]?.key === after) objects.shift();
}

/** Errors: store_response for a name out of order, outside of the prefix, or not folded. */
function verifyOrder({ objects, prefixes, isAscii }: ScannedPage, { prefix, delimiter }: ListRequest, after: string): void {
  let last = after;
  let isQuick = false;
  for (const { key } of objects) {
    if (!(isQuick ? last < key : compareKeys(last, key) < 0)) throw misordered();
    if (!key.startsWith(prefix)) throw outside();
    if (delimiter !== undefined && key.includes(delimiter, prefix.length))
      throw oddAnswer('The store did not fold by the delimiter.', operation);
    isQuick = isAscii;
    last = key;
  }
  last = after;
  for (const name of prefixes) {
    if (compareKeys(last, name) >= 0) throw misordered();
    if (delimiter === undefined || !name.startsWith(prefix) || name.indexOf(delimiter, prefix.length) !== name.length - 1) throw outside();
    last = name;
  }
}

interface Cut {
  readonly objects: readonly ObjectInfo[];
  readonly prefixes: readonly string[];
  readonly isCut: boolean;
  /** The last name of both; '' where there is none. */
  readonly last: string;
}

/** The first `limit` names of both lists together. */
function cut(objects: readonly ObjectInfo[], prefixes: readonly string[], limit: number): Cut {
  if (objects.length + prefixes.length <= limit) {
    return { objects, prefixes, isCut: false, last: later(objects.at(-1)?.key ?? '', prefixes.at(-1) ?? '') };
  }
  let kept = 0;
  let folded = 0;
  let last = '';
  while (kept + folded < limit) {
    const key = objects[kept]?.key;
    const name = prefixes[folded];
    if (name === undefined || (key !== undefined && compareKeys(key, name) < 0)) {
      last = key ?? '';
      kept++;
    } else {
      last = name;
      folded++;
    }
  }
  return { objects: objects.slice(0, kept), prefixes: prefixes.slice(0, folded), isCut: true, last };
}

function later(a: string, b: string): string {
  return compareKeys(a, b) < 0 ? b : a;
}

function foldedPrefix(name: string, { prefix, delimiter }: ListRequest): string | undefined {
  if (delimiter === undefined || !name.startsWith(prefix)) return undefined;
  const end = name.indexOf(delimiter, prefix.length);
  return end < 0 ? undefined : name.slice(0, end + 1);
}

function misordered(): Error {
  return oddAnswer('The store listed names out of order, or twice.', operation);
}

function outside(): Error {
  return oddAnswer('The store listed what does not lie below the prefix.', operation);
}
