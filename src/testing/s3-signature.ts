/**
 * Verifies AWS Signature Version 4 as a store does: from the raw request and its own copy of the secret. Written apart from the signer of
 * the driver, with plain HMACs, so that one does not excuse the other.
 * Source: AWS Identity and Access Management user guide, “Create a signed AWS API request”.
 */
import { createHash, createHmac } from 'node:crypto';

export interface SignedRequest {
  readonly method: string;
  /** As it came over the wire. */
  readonly target: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface SigningKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface SignatureRules {
  readonly keys: readonly SigningKeys[];
  readonly region: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface SignatureFault {
  readonly status: number;
  readonly code: string;
}

interface Claim {
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly date: string;
  readonly token: string | undefined;
  readonly payload: string;
  /** Seconds; undefined for a signature in the headers. */
  readonly expires: number | undefined;
}

const skewLimit = 15 * 60_000;

/** Undefined where the signature holds; `anonymous` where there is none. */
export function checkSignature(request: SignedRequest, rules: SignatureRules): SignatureFault | 'anonymous' | undefined {
  const { headers } = request;
  const query = rawQuery(request.target);
  const isInQuery = query.some(([name]) => name === 'X-Amz-Signature' || name === 'X-Amz-Algorithm');
  const authorization = headers['authorization'];
  if (!isInQuery && authorization === undefined) return 'anonymous';
  if (isInQuery && authorization !== undefined) return { status: 400, code: 'InvalidArgument' };
  const claim = isInQuery ? claimOfQuery(query) : claimOfHeaders(headers);
  if (claim === undefined) return { status: 400, code: 'AuthorizationQueryParametersError' };
  return checkClaim(request, claim, query, rules);
}

function checkClaim(request: SignedRequest, claim: Claim, query: Query, { keys, region, now }: SignatureRules): SignatureFault | undefined {
  const [accessKeyId, day, scopeRegion, service, end] = claim.credential.split('/');
  const key = keys.find((one) => one.accessKeyId === accessKeyId);
  if (key === undefined) return { status: 403, code: 'InvalidAccessKeyId' };
  if (claim.token !== key.sessionToken) return { status: 400, code: 'InvalidToken' };
  if (scopeRegion !== region) return { status: 400, code: 'AuthorizationHeaderMalformed' };
  if (service !== 's3' || end !== 'aws4_request' || !claim.date.startsWith(day ?? '-'))
    return { status: 400, code: 'AuthorizationHeaderMalformed' };
  const at = toMilliseconds(claim.date);
  if (claim.expires === undefined) {
    if (!(Math.abs(now - at) <= skewLimit)) return { status: 403, code: 'RequestTimeTooSkewed' };
  } else {
    if (!(claim.expires >= 1 && claim.expires <= 604_800)) return { status: 400, code: 'AuthorizationQueryParametersError' };
    if (!(at - now <= skewLimit) || now > at + claim.expires * 1000) return { status: 403, code: 'AccessDenied' };
  }
  const names = claim.signedHeaders.split(';');
  const mustSign = Object.keys(request.headers).filter(
    (name) => name === 'host' || (name.startsWith('x-amz-') && claim.expires === undefined),
  );
  if (mustSign.some((name) => !names.includes(name))) return { status: 403, code: 'AccessDenied' };
  const isHashed = /^[0-9a-f]{64}$/.test(claim.payload);
  if (isHashed && claim.payload !== sha256(request.body)) return { status: 400, code: 'XAmzContentSHA256Mismatch' };
  const canonical = [
    request.method,
    encodeBytes(decodeBytes(request.target.split('?', 1)[0] ?? ''), '/'),
    canonicalQuery(query),
    ...names.map((name) => `${name}:${(request.headers[name] ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    claim.signedHeaders,
    claim.payload,
  ].join('\n');
  const scope = [day, scopeRegion, service, end].join('/');
  const text = ['AWS4-HMAC-SHA256', claim.date, scope, sha256(canonical)].join('\n');
  let secret: Buffer | string = `AWS4${key.secretAccessKey}`;
  for (const part of scope.split('/')) secret = createHmac('sha256', secret).update(part).digest();
  const expected = createHmac('sha256', secret).update(text).digest('hex');
  return expected === claim.signature ? undefined : { status: 403, code: 'SignatureDoesNotMatch' };
}

function claimOfHeaders(headers: Readonly<Record<string, string>>): Claim | undefined {
  const match = /^AWS4-HMAC-SHA256 Credential=([^,]+), *SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})$/.exec(
    headers['authorization'] ?? '',
  );
  const date = headers['x-amz-date'];
  const payload = headers['x-amz-content-sha256'];
  if (match === null || date === undefined || payload === undefined) return undefined;
  const [credential = '', signedHeaders = '', signature = ''] = match.slice(1);
  return { credential, signedHeaders, signature, date, token: headers['x-amz-security-token'], payload, expires: undefined };
}

function claimOfQuery(query: Query): Claim | undefined {
  const get = (name: string): string | undefined => query.find(([one]) => one === name)?.[1];
  const [credential, signedHeaders, signature, date, expires] = ['Credential', 'SignedHeaders', 'Signature', 'Date', 'Expires'].map(
    (name) => get(`X-Amz-${name}`),
  );
  if (get('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256') return undefined;
  if (credential === undefined || signedHeaders === undefined || signature === undefined || date === undefined) return undefined;
  return {
    credential,
    signedHeaders,
    signature,
    date,
    token: get('X-Amz-Security-Token'),
    payload: 'UNSIGNED-PAYLOAD',
    expires: Number(expires),
  };
}

type Query = readonly (readonly [name: string, value: string])[];

/** Names and values, a byte a character. */
export function rawQuery(target: string): Query {
  const mark = target.indexOf('?');
  if (mark < 0 || mark === target.length - 1) return [];
  return target
    .slice(mark + 1)
    .split('&')
    .map((pair) => {
      const equals = pair.indexOf('=');
      const [name, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
      return [decodeBytes(name.replaceAll('+', ' ')), decodeBytes(value.replaceAll('+', ' '))] as const;
    });
}

function canonicalQuery(query: Query): string {
  return query
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encodeBytes(name)}=${encodeBytes(value)}`)
    .sort()
    .join('&');
}

/** Percent-encoded → bytes, a byte a character. */
export function decodeBytes(encoded: string): string {
  return encoded.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Bytes, a byte a character → percent-encoded but for unreserved characters and those of `kept`. */
export function encodeBytes(bytes: string, kept = ''): string {
  return bytes.replace(/[^A-Za-z0-9\-._~]/g, (one) =>
    kept.includes(one) ? one : `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function toMilliseconds(date: string): number {
  return Date.parse(date.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5'));
}

function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex');
}
