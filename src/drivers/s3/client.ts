/**
 * Requests to one bucket: signed, sent by their raw target, answered with an expected status or one of our errors. A region that turns
 * out to be another is learned, once a request. Redirects are never followed.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Connector, OutboundResponse } from '#drivers/connector.ts';
import { addressOf } from '#drivers/s3/address.ts';
import type { CredentialSource } from '#drivers/s3/credentials.ts';
import { type Asked, impossibleName, oddAnswer, type Refusal, storeError } from '#drivers/s3/errors.ts';
import { canHold, type Habits, habitsOf } from '#drivers/s3/habits.ts';
import type { S3Settings } from '#drivers/s3/settings.ts';
import { type Credentials, encodeQuery, type Query, Signer, unsignedPayload } from '#drivers/s3/sign.ts';
import { rootOf, textOf } from '#drivers/s3/xml.ts';
import type { Clock } from '#model/clock.ts';
import type { Key } from '#model/key.ts';

export interface S3ClientOptions {
  readonly settings: S3Settings;
  readonly credentials: CredentialSource;
  readonly connector: Connector;
  readonly clock: Clock;
}

export interface S3Call extends Asked {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Left out: the bucket itself. */
  readonly key?: Key | undefined;
  /** The service instead of the bucket: to list buckets. */
  readonly service?: boolean;
  readonly query?: Query;
  /** Lower-case names; all are signed. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal?: AbortSignal | undefined;
  /** Statuses that are answers; others become errors. */
  readonly expect: readonly number[];
}

/** Bytes. */
const controlLimit = 8 * 1024 * 1024;
const refusalLimit = 64 * 1024;
const emptyPayload = createHash('sha256').digest('hex');

export class S3Client {
  readonly settings: S3Settings;
  #habits: Habits;
  #isIntroduced = false;
  readonly #credentials: CredentialSource;
  readonly #connector: Connector;
  readonly #clock: Clock;
  #region: string;
  #endpoint: URL;
  #signer: { readonly credentials: Credentials; readonly region: string; readonly signer: Signer } | undefined;

  constructor({ settings, credentials, connector, clock }: S3ClientOptions) {
    this.settings = settings;
    this.#habits = habitsOf(settings.quirks.name);
    this.#credentials = credentials;
    this.#connector = connector;
    this.#clock = clock;
    this.#region = settings.region ?? 'us-east-1';
    this.#endpoint = settings.endpoint;
  }

  get habits(): Habits {
    return this.#habits;
  }

  /** What requests are signed for: the region of the settings, or the one that the store named instead. */
  get region(): string {
    return this.#region;
  }

  /** The settings with what was learned of where the bucket lies. */
  get located(): S3Settings & { readonly region: string } {
    const { settings } = this;
    const isSame = settings.publicEndpoint.origin === settings.endpoint.origin;
    return {
      ...settings,
      region: this.#region,
      endpoint: this.#endpoint,
      publicEndpoint: isSame ? this.#endpoint : settings.publicEndpoint,
    };
  }

  /** The answer; who calls consumes or destroys its body. Errors: those of the store and of the connector. */
  async call(call: S3Call): Promise<OutboundResponse> {
    if (call.key !== undefined && !canHold(call.key, this.habits)) throw impossibleName(call);
    const first = await this.#send(call);
    if (call.expect.includes(first.status)) return first;
    const refusal = await this.#readRefusal(first, call);
    if (!this.#learn(refusal)) throw await this.#errorOf(refusal, call);
    const second = await this.#send(call);
    if (call.expect.includes(second.status)) return second;
    throw await this.#errorOf(await this.#readRefusal(second, call), call);
  }

  /** The whole body of an answer as `latin1`, at most 8 MiB, and the answer. An `Error` document under a good status is an error too. */
  async text(call: S3Call): Promise<{ readonly xml: string; readonly answer: OutboundResponse }> {
    const answer = await this.call(call);
    const xml = (await collect(answer.body, controlLimit, call.operation)).toString('latin1');
    if (rootOf(xml) === 'Error') throw storeError({ ...this.#refusalOf(answer, xml), status: 500 }, call);
    return { xml, answer };
  }

  /** The body of an answer as it arrives, at most 8 MiB. What `take` throws ends the connection, and is thrown. */
  async each(call: S3Call, take: (chunk: Buffer) => void): Promise<void> {
    const { body } = await this.call(call);
    await drain(body, { limit: controlLimit, operation: call.operation, take });
  }

  /** For calls whose answer has no body that matters. */
  async run(call: S3Call): Promise<OutboundResponse> {
    const answer = await this.call(call);
    await collect(answer.body, controlLimit, call.operation);
    return answer;
  }

  async #send(call: S3Call): Promise<OutboundResponse> {
    const { method, query = [], body, signal, key } = call;
    const { settings } = this;
    const { host, origin, path } = call.service
      ? { host: this.#endpoint.host, origin: this.#endpoint.origin, path: '/' }
      : addressOf(settings, this.#endpoint, key);
    const credentials = this.#credentials.current ?? (await this.#credentials.get(signal));
    const headers = { ...call.headers };
    const signed = credentials === undefined ? headers : this.#authorize(credentials, call, { host, path, query, headers });
    const search = query.length === 0 ? '' : `?${query.map(([name, value]) => `${encodeQuery(name)}=${encodeQuery(value)}`).join('&')}`;
    const answer = await this.#connector.request({
      method,
      url: new URL(origin),
      target: path + search,
      headers: body === undefined ? signed : { ...signed, 'content-length': String(body.length) },
      ...(body !== undefined && { body }),
      signal,
      ...(settings.ca !== undefined && { ca: settings.ca }),
      insecure: settings.insecure,
    });
    if (!this.#isIntroduced) this.#habits = habitsOf(settings.quirks.name, answer.headers['server']);
    this.#isIntroduced = true;
    return answer;
  }

  #authorize(
    credentials: Credentials,
    { method, body }: S3Call,
    request: { host: string; path: string; query: Query; headers: Record<string, string> },
  ): Record<string, string> {
    const isPlain = this.#endpoint.protocol !== 'https:';
    const payload = body === undefined ? emptyPayload : isPlain ? createHash('sha256').update(body).digest('hex') : unsignedPayload;
    return this.#signerFor(credentials).authorize({ ...request, method, payload, at: this.#clock() });
  }

  #signerFor(credentials: Credentials): Signer {
    const known = this.#signer;
    if (known?.credentials === credentials && known.region === this.#region) return known.signer;
    const signer = new Signer({ credentials, region: this.#region });
    this.#signer = { credentials, region: this.#region, signer };
    return signer;
  }

  async #readRefusal(answer: OutboundResponse, { method }: S3Call): Promise<Refusal> {
    if (method === 'HEAD') answer.body.destroy();
    const bytes = method === 'HEAD' ? undefined : await collect(answer.body, refusalLimit, 'driver.call').catch(() => undefined);
    return this.#refusalOf(answer, bytes?.toString('latin1') ?? '');
  }

  #refusalOf({ status, headers }: OutboundResponse, xml: string): Refusal {
    const isError = rootOf(xml) === 'Error';
    const read = (name: string, form: RegExp): string | undefined => (isError ? form.exec(rawText(xml, name) ?? '')?.[0] : undefined);
    const region = /^[a-z0-9-]{1,64}$/.exec(headers['x-amz-bucket-region'] ?? '')?.[0] ?? read('Region', /^[a-z0-9-]{1,64}$/);
    const date = Date.parse(headers['date'] ?? '');
    const retryAfter = /^\d{1,4}$/.exec(headers['retry-after'] ?? '')?.[0];
    return {
      status,
      code: read('Code', /^[A-Za-z]{1,64}$/),
      region,
      ...(retryAfter !== undefined && { retryAfter: Number(retryAfter) }),
      ...(!Number.isNaN(date) && { skew: Math.round((date - this.#clock()) / 1000) }),
    };
  }

  /** True where the store named another region than the one that was tried. */
  #learn({ status, code, region }: Refusal): boolean {
    const isAboutRegion = [301, 307, 400].includes(status) || code === 'AuthorizationHeaderMalformed' || code === 'PermanentRedirect';
    if (!isAboutRegion || region === undefined || region === this.#region) return false;
    this.#region = region;
    const host = this.#endpoint.host.replace(/^s3[.-]([a-z0-9-]+\.)?amazonaws\.com$/, `s3.${region}.amazonaws.com`);
    this.#endpoint = new URL(`${this.#endpoint.protocol}//${host}`);
    return true;
  }

  /** An answer to HEAD says no code: where it matters, the same is asked by a GET of one byte. */
  async #errorOf(refusal: Refusal, call: S3Call): Promise<Error> {
    if (call.method !== 'HEAD' || ![400, 403].includes(refusal.status)) return storeError(refusal, call);
    const query = call.key === undefined ? [['max-keys', '0'] as const] : (call.query ?? []);
    const answer = await this.#send({ ...call, method: 'GET', query, headers: { ...call.headers, range: 'bytes=0-0' } });
    if (answer.status < 300) {
      answer.body.destroy();
      return storeError(refusal, call);
    }
    return storeError(await this.#readRefusal(answer, { ...call, method: 'GET' }), call);
  }
}

/** As it stands there: what is no plain word falls through the form that is expected of it. */
function rawText(xml: string, name: string): string | undefined {
  try {
    return textOf(xml, name);
  } catch {
    return undefined;
  }
}

/** All of a body. Errors: store_response over `limit` bytes. */
async function collect(body: Readable, limit: number, operation: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await drain(body, { limit, operation, take: (chunk) => void chunks.push(chunk) });
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}

interface Drain {
  /** Bytes. */
  readonly limit: number;
  readonly operation: string;
  take(chunk: Buffer): void;
}

/** By plain events: an iterator would cost as much as what is done with the bytes of a listing. */
function drain(body: Readable, { limit, operation, take }: Drain): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let size = 0;
  const fail = (error: unknown): void => {
    reject(error);
    body.destroy();
  };
  body.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > limit) return fail(oddAnswer(`The answer of the store is longer than ${limit} bytes.`, operation));
    try {
      take(chunk);
    } catch (error) {
      fail(error);
    }
  });
  body.once('end', resolve);
  body.on('error', reject);
  body.once('close', () => {
    if (!body.readableEnded) reject(oddAnswer('The answer of the store ended early.', operation));
  });
  return promise;
}
