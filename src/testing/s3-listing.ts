/** Pages of the canned S3 server, shaped as Amazon S3 writes them. */
import type { S3Bucket, StoredVersion } from '#testing/s3-bucket.ts';
import { encodeBytes } from '#testing/s3-signature.ts';

export interface ListShape {
  /** How `encoding-type=url` writes a space: `+` on Amazon S3, `%20` on Ceph. */
  readonly space: '+' | '%20';
  /** Folder by folder, each in the order of its names without the slash, as SeaweedFS does: `a/b` before `a.txt`. */
  readonly byFolder: boolean;
  /** Continuation tokens of digits only. */
  readonly digitTokens: boolean;
}

type Get = (name: string) => string | undefined;

export function writeList(bucket: S3Bucket, name: string, get: Get, shape: ListShape): string {
  const token = get('continuation-token');
  const after = token === undefined ? (get('start-after') ?? '') : fromToken(token);
  const list = shape.byFolder ? walkByFolder : walk;
  const page = list(bucket, get, after, (key) => {
    const [newest] = bucket.versionsOf(key);
    return newest?.content === undefined ? [] : [newest];
  });
  const encode = encoderOf(get, shape);
  const next = page.isTruncated ? `<NextContinuationToken>${toToken(page.last, shape)}</NextContinuationToken>` : '';
  const contents = page.versions.map(
    (one) => `<Contents><Key>${encode(one.key)}</Key>${facts(one)}<StorageClass>${storageClass(one)}</StorageClass></Contents>`,
  );
  return document('ListBucketResult', [
    `<Name>${name}</Name><Prefix>${encode(get('prefix') ?? '')}</Prefix>${next}<KeyCount>${page.versions.length + page.prefixes.length}</KeyCount>`,
    heads(get, page.isTruncated),
    ...contents,
    ...page.prefixes.map((prefix) => `<CommonPrefixes><Prefix>${encode(prefix)}</Prefix></CommonPrefixes>`),
  ]);
}

export function writeVersions(bucket: S3Bucket, name: string, get: Get, shape: ListShape): string {
  const marker = get('key-marker') ?? '';
  const versionMarker = get('version-id-marker');
  const rest = versionMarker === undefined ? [] : behindVersion(bucket, marker, versionMarker);
  const page = walk(bucket, get, marker, (key) => bucket.versionsOf(key), rest);
  const encode = encoderOf(get, shape);
  const entries = page.versions.map((one) => {
    const kind = one.content === undefined ? 'DeleteMarker' : 'Version';
    const isLatest = bucket.versionsOf(one.key)[0] === one;
    const more =
      one.content === undefined
        ? `<LastModified>${instant(one)}</LastModified>`
        : `${facts(one)}<StorageClass>${storageClass(one)}</StorageClass>`;
    return `<${kind}><Key>${encode(one.key)}</Key><VersionId>${one.id}</VersionId><IsLatest>${isLatest}</IsLatest>${more}</${kind}>`;
  });
  const last = page.versions.at(-1);
  const isInKey = last !== undefined && last.key === page.last;
  const next = page.isTruncated
    ? `<NextKeyMarker>${encode(page.last)}</NextKeyMarker>${isInKey ? `<NextVersionIdMarker>${last.id}</NextVersionIdMarker>` : ''}`
    : '';
  return document('ListVersionsResult', [
    `<Name>${name}</Name><Prefix>${encode(get('prefix') ?? '')}</Prefix><KeyMarker>${encode(marker)}</KeyMarker>${next}`,
    heads(get, page.isTruncated),
    ...entries,
    ...page.prefixes.map((prefix) => `<CommonPrefixes><Prefix>${encode(prefix)}</Prefix></CommonPrefixes>`),
  ]);
}

interface Page {
  readonly versions: StoredVersion[];
  readonly prefixes: string[];
  readonly isTruncated: boolean;
  /** The last name of the page, folded or not. */
  readonly last: string;
}

function walk(
  bucket: S3Bucket,
  get: Get,
  after: string,
  pick: (key: string) => readonly StoredVersion[],
  rest: readonly StoredVersion[] = [],
): Page {
  const prefix = get('prefix') ?? '';
  const delimiter = get('delimiter') ?? '';
  const limit = Math.min(1000, Number(get('max-keys') ?? 1000));
  const versions: StoredVersion[] = [];
  const prefixes: string[] = [];
  let last = after;
  for (const one of rest) {
    if (versions.length >= limit) return { versions, prefixes, isTruncated: true, last };
    versions.push(one);
  }
  const isFoldedMarker = delimiter !== '' && after.endsWith(delimiter) && after.length > prefix.length;
  for (let index = Math.max(bucket.indexBehind(after), firstOf(bucket, prefix)); index < bucket.keys.length; index++) {
    const key = bucket.keys[index] as string;
    if (!key.startsWith(prefix)) break;
    const picked = pick(key);
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const folded = end < 0 ? undefined : key.slice(0, end + delimiter.length);
    if (picked.length === 0 || (folded !== undefined && (folded === prefixes.at(-1) || (isFoldedMarker && folded === after)))) continue;
    for (const one of folded === undefined ? picked : picked.slice(0, 1)) {
      if (versions.length + prefixes.length >= limit) return { versions, prefixes, isTruncated: true, last };
      if (folded === undefined) versions.push(one);
      else prefixes.push(folded);
      last = folded ?? key;
    }
  }
  return { versions, prefixes, isTruncated: false, last };
}

/** A marker names an entry of a folder, a file or a folder, and both are skipped. */
function walkByFolder(bucket: S3Bucket, get: Get, after: string, pick: (key: string) => readonly StoredVersion[]): Page {
  const prefix = get('prefix') ?? '';
  const delimiter = get('delimiter') ?? '';
  const limit = Math.min(1000, Number(get('max-keys') ?? 1000));
  const rank = (name: string): string => name.replaceAll('/', '\0');
  const marker = rank(delimiter === '' ? after : after.replace(/\/$/, ''));
  const versions: StoredVersion[] = [];
  const prefixes: string[] = [];
  let last = after;
  for (const key of bucket.keys.filter((one) => one.startsWith(prefix)).sort((a, b) => (rank(a) < rank(b) ? -1 : 1))) {
    const [newest] = pick(key);
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const name = end < 0 ? key : key.slice(0, end);
    if (newest === undefined || (after !== '' && rank(name) <= marker) || (end >= 0 && prefixes.at(-1) === `${name}/`)) continue;
    if (versions.length + prefixes.length >= limit) return { versions, prefixes, isTruncated: true, last };
    if (end < 0) versions.push(newest);
    else prefixes.push(`${name}/`);
    last = name;
  }
  return { versions, prefixes, isTruncated: false, last };
}

function firstOf(bucket: S3Bucket, prefix: string): number {
  const behind = bucket.indexBehind(prefix);
  return bucket.keys[behind - 1] === prefix ? behind - 1 : behind;
}

function behindVersion(bucket: S3Bucket, key: string, id: string): readonly StoredVersion[] {
  const history = bucket.versionsOf(key);
  return history.slice(history.findIndex((one) => one.id === id) + 1);
}

function encoderOf(get: Get, { space }: ListShape): (bytes: string) => string {
  if (get('encoding-type') !== 'url') return encodeXml;
  return (bytes) => encodeBytes(bytes, '/').replaceAll('%20', space);
}

function heads(get: Get, isTruncated: boolean): string {
  const delimiter = get('delimiter') === undefined ? '' : `<Delimiter>${encodeXml(get('delimiter') ?? '')}</Delimiter>`;
  const encoding = get('encoding-type') === 'url' ? '<EncodingType>url</EncodingType>' : '';
  return `<MaxKeys>${get('max-keys') ?? 1000}</MaxKeys>${delimiter}${encoding}<IsTruncated>${isTruncated}</IsTruncated>`;
}

function facts(one: StoredVersion): string {
  return `<LastModified>${instant(one)}</LastModified><ETag>&quot;${one.content?.etag}&quot;</ETag><Size>${one.content?.size}</Size>`;
}

function instant({ at }: StoredVersion): string {
  return new Date(at).toISOString();
}

function storageClass({ content }: StoredVersion): string {
  return content?.headers['x-amz-storage-class'] ?? 'STANDARD';
}

/** A byte a character → UTF-8 is left as it is; what XML cannot hold becomes a reference. */
export function encodeXml(bytes: string): string {
  return bytes.replace(/[&<>"'\p{Cc}]/gu, (one) => (one.charCodeAt(0) < 0x80 ? `&#${one.charCodeAt(0)};` : one));
}

export function document(root: string, parts: readonly string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join('')}</${root}>`;
}

function toToken(last: string, { digitTokens }: ListShape): string {
  const bytes = Buffer.from(last, 'latin1');
  return digitTokens ? [...bytes].map((byte) => String(byte).padStart(3, '0')).join('') : `t${bytes.toString('base64url')}`;
}

function fromToken(token: string): string {
  if (token.startsWith('t')) return Buffer.from(token.slice(1), 'base64url').toString('latin1');
  return (token.match(/\d{3}/g) ?? []).map((digits) => String.fromCharCode(Number(digits))).join('');
}
