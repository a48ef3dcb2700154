/**
 * Requests to an S3 store, signed by a few lines of SigV4 that are independent of the driver under test, and sent with the path
 * exactly as it was signed: `a/../b` stays.
 */
import { createHash, createHmac } from 'node:crypto';
import { type Agent, request } from 'node:http';

export interface StoreKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

interface StoreAddress {
  readonly endpoint: string;
  readonly region: string;
  readonly keys: StoreKeys;
}

export interface StoreCall {
  readonly method: string;
  readonly bucket?: string;
  readonly key?: string | Uint8Array;
  readonly query?: readonly (readonly [string, string])[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** 'anonymous' sends no signature. */
  readonly keys?: StoreKeys | 'anonymous';
  /** For many requests over few connections. */
  readonly agent?: Agent;
}

export interface StoreAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');
const hmac = (key: string | Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest();

export const escapeXml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Percent-encodes every byte but RFC 3986's unreserved characters and those of `keep`. */
function percentEncode(bytes: Uint8Array | string, keep = ''): string {
  return [...Buffer.from(bytes as string)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9._~-]/.test(character) || keep.includes(character)
        ? character
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

const objectPath = (bucket: string, key: string | Uint8Array): string => `/${bucket}/${percentEncode(key, '/')}`;

/** One request with a signature in its headers. */
export function send({ endpoint, region, keys: own }: StoreAddress, call: StoreCall): Promise<StoreAnswer> {
  const { host } = new URL(endpoint);
  const keys = call.keys ?? own;
  const path = call.bucket === undefined ? '/' : call.key === undefined ? `/${call.bucket}` : objectPath(call.bucket, call.key);
  const query = joinQuery(call.query ?? []);
  const body = Buffer.from((call.body ?? '') as string);
  const headers: Record<string, string> = { ...call.headers, host };
  if (keys !== 'anonymous') Object.assign(headers, authorize({ method: call.method, path, query, headers, body, region, keys }));
  return sendRaw(endpoint, call.method, query === '' ? path : `${path}?${query}`, headers, body, call.agent);
}

interface PresignCall {
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  /** Seconds; whatever is asked, allowed or not. */
  readonly expiresIn: number;
}

/** The target of a URL with a signature in its query. */
export function presignTarget({ endpoint, region, keys }: StoreAddress, { method, bucket, key, expiresIn }: PresignCall): string {
  const at = amzDate();
  const path = objectPath(bucket, key);
  const query = joinQuery([
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `${keys.accessKeyId}/${scopeOf(at, region)}`],
    ['X-Amz-Date', at],
    ['X-Amz-Expires', String(expiresIn)],
    ['X-Amz-SignedHeaders', 'host'],
  ]);
  const canonical = [method, path, query, `host:${new URL(endpoint).host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join('\n');
  return `${path}?${query}&X-Amz-Signature=${sign(canonical, at, region, keys)}`;
}

/** Writes one request with this target, untouched. */
export function sendRaw(
  endpoint: string,
  method: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
  body: Uint8Array = Buffer.alloc(0),
  agent: Agent | false = false,
): Promise<StoreAnswer> {
  const { hostname, port } = new URL(endpoint);
  return new Promise((resolve, reject) => {
    const length = body.length > 0 || method === 'PUT' || method === 'POST' ? { 'content-length': String(body.length) } : {};
    const sent = request({ hostname, port, method, path: target, headers: { ...headers, ...length }, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers as Record<string, string>, body: Buffer.concat(chunks) }),
      );
    });
    sent.once('error', reject);
    sent.setTimeout(60_000, () => sent.destroy(new Error(`no answer to ${method} within a minute`)));
    sent.end(body);
  });
}

interface Signing {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly region: string;
  readonly keys: StoreKeys;
}

function authorize({ method, path, query, headers, body, region, keys }: Signing): Record<string, string> {
  const at = amzDate();
  const payload = sha256(body);
  const added: Record<string, string> = { 'x-amz-content-sha256': payload, 'x-amz-date': at };
  const signed = Object.entries({ ...headers, ...added })
    .map(([name, value]) => [name.toLowerCase(), value.trim()] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(';');
  const canonical = [method, path, query, ...signed.map(([name, value]) => `${name}:${value}`), '', names, payload].join('\n');
  const credential = `${keys.accessKeyId}/${scopeOf(at, region)}`;
  const signature = sign(canonical, at, region, keys);
  return { ...added, authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}` };
}

const amzDate = (): string => new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
const scopeOf = (at: string, region: string): string => `${at.slice(0, 8)}/${region}/s3/aws4_request`;

function joinQuery(query: readonly (readonly [string, string])[]): string {
  return query
    .map(([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`)
    .sort((a, b) => (a < b ? -1 : 1))
    .join('&');
}

function sign(canonical: string, at: string, region: string, keys: StoreKeys): string {
  const text = ['AWS4-HMAC-SHA256', at, scopeOf(at, region), sha256(canonical)].join('\n');
  const key = [at.slice(0, 8), region, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${keys.secretAccessKey}`);
  return hmac(key, text).toString('hex');
}
