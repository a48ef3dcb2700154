/** Maps what a store answers to our errors. Its codes are kept as facts; its texts never pass. */
import { PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';

/** What a store said when it refused. */
export interface Refusal {
  readonly status: number;
  /** Of the error document; undefined where there was none, or none that can be read. */
  readonly code: string | undefined;
  /** Seconds of Retry-After. */
  readonly retryAfter?: number | undefined;
  /** Seconds that the clock of the store is ahead of ours, where the answer was dated. */
  readonly skew?: number | undefined;
  /** Where the bucket lies, where the store said so. */
  readonly region?: string | undefined;
}

/** What was being asked. */
export interface Asked {
  /** As noun.verb. */
  readonly operation: string;
  readonly key?: string | undefined;
  readonly version?: string | undefined;
  /** The request is about an upload in parts. */
  readonly isUpload?: boolean | undefined;
  /** Only to look: a name that cannot be is one under which there is nothing. */
  readonly isRead?: boolean | undefined;
  /** The request was to fail if the object was there. */
  readonly ifAbsent?: boolean | undefined;
}

interface Row {
  readonly code: ErrorCode;
  readonly message: string;
  /** What may go better the next time. */
  readonly isTemporary?: true;
}

const busy: Row = { code: 'store_rate_limited', message: 'The store asks to slow down', isTemporary: true };
const failing: Row = { code: 'source_unavailable', message: 'The store failed for a while', isTemporary: true };
const noObject: Row = { code: 'object_not_found', message: 'There is no object' };
const noUpload: Row = { code: 'not_found', message: 'There is no such upload' };
const noBucket: Row = { code: 'source_broken', message: 'The store knows no such bucket' };
const elsewhere: Row = { code: 'source_broken', message: 'The bucket lies in another region, or behind another endpoint' };
const denied: Row = { code: 'forbidden', message: 'The identity of the source may not do this' };
const unknownKey: Row = { code: 'source_credentials', message: 'The store does not know the access key' };
const badSignature: Row = { code: 'source_credentials', message: 'The store did not accept the signature; the secret key may be wrong' };
const badToken: Row = { code: 'source_credentials', message: 'The session token of the source is not accepted or has expired' };
const badClock: Row = { code: 'source_credentials', message: 'The clocks of the store and of packageR differ by too much' };
const badPart: Row = { code: 'request_invalid', message: 'The parts do not make an object' };
const notDone: Row = { code: 'unsupported', message: 'The store cannot do this' };
const badName: Row = { code: 'key_invalid', message: 'The store cannot hold an object of this name' };

/** Source: Amazon S3 API reference, “Error responses”, and what other stores were seen to answer. */
const rows: Readonly<Record<string, Row>> = {
  NoSuchKey: noObject,
  NoSuchVersion: noObject,
  NoSuchUpload: noUpload,
  NoSuchCORSConfiguration: { code: 'not_found', message: 'The bucket has no CORS rules' },
  NoSuchBucket: noBucket,
  InvalidBucketName: noBucket,
  PermanentRedirect: elsewhere,
  AuthorizationHeaderMalformed: elsewhere,
  IllegalLocationConstraintException: elsewhere,
  AccessDenied: denied,
  AllAccessDisabled: denied,
  AccountProblem: denied,
  UserSuspended: denied,
  InvalidAccessKeyId: unknownKey,
  InvalidClientTokenId: unknownKey,
  NotSignedUp: unknownKey,
  SignatureDoesNotMatch: badSignature,
  InvalidSecurity: badSignature,
  ExpiredToken: badToken,
  InvalidToken: badToken,
  TokenRefreshRequired: badToken,
  RequestTimeTooSkewed: badClock,
  RequestExpired: badClock,
  SlowDown: busy,
  SlowDownRead: busy,
  SlowDownWrite: busy,
  TooManyRequests: busy,
  Throttling: busy,
  ThrottlingException: busy,
  RequestLimitExceeded: busy,
  BandwidthLimitExceeded: busy,
  ServiceUnavailable: failing,
  InternalError: failing,
  OperationAborted: failing,
  ConditionalRequestConflict: failing,
  RequestTimeout: failing,
  TemporaryRedirect: failing,
  InvalidRange: { code: 'range_invalid', message: 'The range does not lie in the object' },
  InvalidObjectState: { code: 'unsupported', message: 'The object is archived: it must be restored in the store before it can be read' },
  PreconditionFailed: { code: 'precondition_failed', message: 'The object is not what it was' },
  InvalidPart: badPart,
  InvalidPartOrder: badPart,
  InvalidPartNumber: badPart,
  EntityTooSmall: badPart,
  MalformedXML: badPart,
  EntityTooLarge: { code: 'too_large', message: 'The store does not take an object of this size' },
  QuotaExceeded: { code: 'too_large', message: 'The quota of the bucket or its owner is used up' },
  InsufficientStorage: { code: 'too_large', message: 'The store is full' },
  KeyTooLongError: badName,
  InvalidURI: badName,
  InvalidObjectName: badName,
  DirectoryObjectContainsData: badName,
  NotImplemented: notDone,
  MethodNotAllowed: notDone,
};

const rowsByStatus: Readonly<Record<number, Row>> = {
  301: elsewhere,
  307: failing,
  401: denied,
  403: denied,
  404: noObject,
  405: notDone,
  408: failing,
  409: failing,
  412: rows['PreconditionFailed'] as Row,
  416: rows['InvalidRange'] as Row,
  429: busy,
  500: failing,
  501: notDone,
  502: failing,
  503: failing,
  504: failing,
};

/** The error that stands for a refusal. Its context holds the store’s status and code, and `skew` where clocks differ. */
export function storeError(refusal: Refusal, asked: Asked): PackageRError {
  const { status, code, retryAfter, skew } = refusal;
  const row = rowOf(refusal, asked);
  const name = asked.key === undefined || asked.key === '' ? '' : `: ${JSON.stringify(asked.key.slice(0, 120))}`;
  const isClock = row === badClock && skew !== undefined;
  const sentence = row === undefined ? 'The store answered with a refusal that packageR does not know' : row.message;
  const by = isClock ? ` (the store is ${Math.abs(skew)} s ${skew < 0 ? 'behind' : 'ahead'})` : '';
  return new PackageRError(row?.code ?? 'store_response', `${sentence}${by}${name}.`, {
    operation: asked.operation,
    context: { status, ...(code !== undefined && { upstream: code }), ...(isClock && { skew }) },
    ...(row?.isTemporary && { retry: 'temporary' }),
    ...(row?.isTemporary && retryAfter !== undefined && { retryAfter }),
  });
}

function rowOf({ status, code }: Refusal, { key, version, ifAbsent, isUpload, isRead }: Asked): Row | undefined {
  const row = (code === undefined ? undefined : own(rows, code)) ?? rowsByStatus[status];
  if (row?.code === 'precondition_failed' && ifAbsent === true) return { code: 'exists', message: 'There is already an object' };
  const isOddVersion = version !== undefined && (code === 'InvalidArgument' || (code === undefined && status === 400));
  if (isOddVersion || (version !== undefined && status === 405)) return noObject;
  if (row === noObject && key === undefined) return noBucket;
  if (isUpload === true && (row === noObject || code === 'InvalidRequest')) return noUpload;
  if (row === badName && isRead === true) return noObject;
  return row;
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** A name that the store would refuse, or take for another. */
export function impossibleName(asked: Asked): PackageRError {
  return storeError({ status: 400, code: 'InvalidObjectName' }, asked);
}

/** An answer that breaks the protocol. */
export function oddAnswer(message: string, operation: string): PackageRError {
  return new PackageRError('store_response', message, { operation });
}
