/** Temporary URLs of a bucket: for exactly one object, method and part, made for the host that clients reach. Nothing is asked of the store. */
import type { PresignRequest } from '#drivers/driver.ts';
import { addressOf } from '#drivers/s3/address.ts';
import type { CredentialSource } from '#drivers/s3/credentials.ts';
import { canHold, type Habits, habitsOf } from '#drivers/s3/habits.ts';
import type { S3Settings } from '#drivers/s3/settings.ts';
import { type Credentials, encodeKeyPath, encodeQuery, type Query, Signer } from '#drivers/s3/sign.ts';
import { PackageRError } from '#errors/error.ts';
import type { Clock } from '#model/clock.ts';
import type { ResponseHeaders, TemporaryUrl } from '#model/temporary-url.ts';

export type Presign = (request: PresignRequest) => TemporaryUrl | Promise<TemporaryUrl>;

/** Seconds: seven days. Source: Amazon S3 API reference, “Authenticating Requests: Using Query Parameters”. */
export const presignMaxSeconds = 604_800;

/**
 * At once where the credentials are fixed, by promise where they are ambient. The life ends with the credentials at the latest, and
 * `expiresAt` says so. Without credentials the URL is the plain one, which does not end.
 * Errors: request_invalid for a life out of range or parts that do not fit each other; unsupported for a key that no URL can carry, a PUT
 * to a read-only source, a version where versions are off; source_credentials where they have ended.
 */
export function makePresigner(settings: S3Settings & { readonly region: string }, source: CredentialSource, clock: Clock): Presign {
  const { origin, host, path: root } = addressOf(settings, settings.publicEndpoint);
  const base = root === '/' ? '/' : `${root}/`;
  const habits = habitsOf(settings.quirks.name);
  let last: { readonly credentials: Credentials; readonly signer: Signer } | undefined;

  const signerFor = (credentials: Credentials): Signer => {
    if (last?.credentials !== credentials) {
      last = { credentials, signer: new Signer({ credentials, region: settings.region, namesPayload: true }) };
    }
    return last.signer;
  };

  const sign = (request: PresignRequest, credentials: Credentials): TemporaryUrl => {
    const { method, key } = request;
    const at = clock();
    const second = Math.floor(at / 1000);
    const expiresIn = lifeOf(request.expiresIn, credentials, second);
    const path = base + encodeKeyPath(key);
    const query = signerFor(credentials).presign({ method, host, path, query: queryOf(request), expiresIn, at });
    return { method, url: `${origin}${path}?${query}`, headers: {}, expiresAt: (second + expiresIn) * 1000 };
  };

  const plain = ({ method, key, version }: PresignRequest): TemporaryUrl => {
    if (method === 'PUT') throw refused('unsupported', 'Without credentials nothing can be written.');
    const search = version === undefined ? '' : `?versionId=${encodeQuery(version)}`;
    return { method, url: `${origin}${base}${encodeKeyPath(key)}${search}`, headers: {}, expiresAt: undefined };
  };

  return (request) => {
    check(request, settings, habits);
    if (source.kind === 'anonymous') return plain(request);
    if (source.kind === 'keys') return sign(request, source.current ?? ended());
    return source.current === undefined
      ? source.get().then((credentials) => sign(request, credentials ?? ended()))
      : Promise.resolve(sign(request, source.current));
  };
}

function check(
  { key, method, expiresIn, version, part, responseHeaders }: PresignRequest,
  { writable, versions }: S3Settings,
  habits: Habits,
): void {
  if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > presignMaxSeconds) {
    throw refused('request_invalid', `A temporary URL lives 1 to ${presignMaxSeconds} seconds.`);
  }
  if (method === 'PUT' ? version !== undefined || responseHeaders !== undefined : part !== undefined) {
    throw refused('request_invalid', 'Parts are for PUT; versions and response headers for GET and HEAD.');
  }
  if (part !== undefined && (!Number.isInteger(part.number) || part.number < 1 || part.number > 10_000)) {
    throw refused('request_invalid', 'Parts are numbered 1 to 10000.');
  }
  if (method === 'PUT' && !writable) throw refused('unsupported', 'This source is read-only.');
  if (version !== undefined && versions === 'off') throw refused('unsupported', 'This source keeps no object versions.');
  if (/(?:^|\/)\.\.?(?:\/|$)/.test(key)) {
    throw refused('unsupported', 'The key has a segment “.” or “..”, which clients fold away before they send it: no URL leads there.');
  }
  if (!canHold(key, habits)) throw refused('unsupported', 'The store takes this key for another one: a URL would lead to another object.');
}

/** Seconds. */
function lifeOf(asked: number, { expiresAt }: Credentials, second: number): number {
  if (expiresAt === undefined) return asked;
  const left = Math.floor(expiresAt / 1000) - second;
  return left < 1 ? ended() : Math.min(asked, left);
}

function ended(): never {
  throw new PackageRError('source_credentials', 'The credentials of the source have ended.', { operation: 'driver.presign' });
}

/** The operation is named as AWS SDKs name it; HEAD has no such parameter there. Plain requests share one array. */
const plainQueries = { GET: [['x-id', 'GetObject']], HEAD: [], PUT: [['x-id', 'PutObject']] } as const satisfies Record<string, Query>;

function queryOf({ method, version, responseHeaders, part }: PresignRequest): Query {
  if (part !== undefined) {
    return [
      ['partNumber', String(part.number)],
      ['uploadId', part.upload],
      ['x-id', 'UploadPart'],
    ];
  }
  if (version === undefined && responseHeaders === undefined) return plainQueries[method];
  // In their order, which spares the sorting.
  const query: (readonly [string, string])[] = [];
  for (const [field, name] of responseParameters) {
    const value = responseHeaders?.[field];
    if (value !== undefined) query.push([name, value]);
  }
  if (version !== undefined) query.push(['versionId', version]);
  query.push(...plainQueries[method]);
  return query;
}

const responseParameters: readonly (readonly [keyof ResponseHeaders, string])[] = [
  ['cacheControl', 'response-cache-control'],
  ['contentDisposition', 'response-content-disposition'],
  ['contentType', 'response-content-type'],
];

function refused(code: 'request_invalid' | 'unsupported', message: string): PackageRError {
  return new PackageRError(code, message, { operation: 'driver.presign' });
}
