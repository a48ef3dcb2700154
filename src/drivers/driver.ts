/**
 * The contract of a driver: code that speaks one store's API. A driver holds no policy, knows no person, and takes keys as they
 * are. It is reached only through `sources`. What it declares in `capabilities` it must do; `testDriver()` checks it.
 */
import type { TObject } from 'typebox';
import type { Capabilities } from '#drivers/capability.ts';
import type { Connector } from '#drivers/connector.ts';
import type { Checksum } from '#model/checksum.ts';
import type { Clock } from '#model/clock.ts';
import type { Key } from '#model/key.ts';
import type { Secret } from '#model/secret.ts';
import type { ResponseHeaders, SignedObject, TemporaryUrl, TransferMethod } from '#model/temporary-url.ts';

export interface Driver {
  readonly kind: string;
  readonly capabilities: Capabilities;
  /**
   * One page of what lies under a prefix, in byte order of the keys.
   * Shape:  at most `limit` (1–1000) objects and prefixes together; `cursor` is absent on the last page. With `delimiter: '/'`
   *         what lies deeper is folded into `prefixes` (each ends in `/`); without it all objects are listed.
   * Units:  sizes in bytes, instants in milliseconds since 1970.
   * Errors: forbidden, source_credentials, source_unavailable, store_rate_limited (temporary), cursor_invalid. A prefix under which
   *         there is nothing is an empty page.
   * Source: Amazon S3 API reference, ListObjectsV2.
   */
  list(request: ListRequest): Promise<ListPage>;
  /** The object at a key. Errors: object_not_found, and those of `list`. */
  stat(key: Key, options?: StatOptions): Promise<ObjectInfo>;
  /** The bytes. The caller consumes or returns the iterator, which closes the connection. Errors: object_not_found, range_invalid. */
  read(key: Key, options?: ReadObjectOptions): Promise<ObjectBody>;
  /**
   * A temporary URL for exactly one object and method, never for more than was asked. Synchronous where `presign` is `local`.
   * Errors: unsupported where the capability is `no`. It does not look whether the object is there.
   */
  presign(request: PresignRequest): TemporaryUrl | Promise<TemporaryUrl>;
  /** Creates or replaces, atomically: readers see the old or the new object, never a part. */
  write?(key: Key, body: AsyncIterable<Uint8Array>, options?: WriteOptions): Promise<ObjectInfo>;
  /** Within this store. Errors: object_not_found. */
  copy?(from: Key, to: Key, options?: StatOptions): Promise<ObjectInfo>;
  /** Idempotent: deleting what is not there succeeds. */
  delete?(key: Key, options?: StatOptions): Promise<void>;
  readonly multipart?: Multipart;
  readonly cors?: Cors;
  /** What a test of the source wants to know beyond what a caller needs. Changes nothing that stays. Errors: those of `list`. */
  inspect?(options?: InspectOptions): Promise<StoreFacts>;
  /** Releases descriptors and connections. May be called twice. */
  close?(): Promise<void>;
}

export interface ListRequest {
  /** '' for all; need not end at a `/`. */
  readonly prefix: string;
  readonly delimiter?: '/' | undefined;
  readonly cursor?: string | undefined;
  /** Begin behind this key (exclusive); ignored with a cursor. */
  readonly startAfter?: string | undefined;
  /** 1–1000; 1000 where left out. */
  readonly limit?: number | undefined;
  /** State the object version of each object (the newest of its key), at the cost of a dearer call. A page may then be empty and go on. */
  readonly versions?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ListPage {
  readonly objects: readonly ObjectInfo[];
  readonly prefixes: readonly string[];
  readonly cursor?: string;
}

export interface ObjectInfo {
  readonly key: Key;
  /** Bytes. */
  readonly size: number;
  /** Without quotes. Changes whenever the bytes do. */
  readonly etag?: string;
  readonly version?: string;
  readonly modifiedAt?: number;
  /** What the store vouches for; a multipart ETag is none. */
  readonly checksums?: readonly Checksum[];
  /** `archived`: not readable at once. */
  readonly availability?: 'online' | 'archived';
}

export interface StatOptions {
  readonly version?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ReadObjectOptions extends StatOptions {
  /** Bytes [start, end). */
  readonly range?: { readonly start: number; readonly end: number } | undefined;
}

export interface ObjectBody {
  readonly info: ObjectInfo;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes, where known. A longer or shorter body fails and leaves nothing. */
  readonly size?: number | undefined;
  /** Refuse to replace: errors with `exists`. */
  readonly ifAbsent?: boolean | undefined;
  /** Told the name of an upload in parts before its first byte, where one is made of it: what a crash leaves can be aborted by it. */
  readonly onUpload?: ((upload: string) => Promise<void>) | undefined;
}

export interface PresignRequest {
  readonly method: TransferMethod;
  readonly key: Key;
  readonly version?: string | undefined;
  /** The bytes must still be these when the URL is used. Stores that cannot hold to it in a plain URL leave it out. */
  readonly etag?: string | undefined;
  /** Seconds, 1 to `presignMaxSeconds`. */
  readonly expiresIn: number;
  /** Made part of the signature: what the store shall answer with. */
  readonly responseHeaders?: ResponseHeaders | undefined;
  /** For PUT of one part of a multipart upload. */
  readonly part?: { readonly upload: string; readonly number: number } | undefined;
}

/** Upload in parts that the client sends to temporary URLs (method PUT, with `part`). */
export interface Multipart {
  /** Smallest size of a part but the last, and most parts. */
  readonly limits: { readonly minPartBytes: number; readonly maxParts: number };
  create(key: Key, options?: StatOptions): Promise<string>;
  /** Parts that have arrived, by number. */
  list(key: Key, upload: string, options?: StatOptions): Promise<readonly UploadedPart[]>;
  write(key: Key, upload: string, part: number, body: AsyncIterable<Uint8Array>, options?: WriteOptions): Promise<UploadedPart>;
  /** All or nothing; the object appears at once. */
  complete(key: Key, upload: string, parts: readonly UploadedPart[], options?: WriteOptions): Promise<ObjectInfo>;
  /** Idempotent. */
  abort(key: Key, upload: string, options?: StatOptions): Promise<void>;
}

export interface UploadedPart {
  readonly number: number;
  readonly etag: string;
  readonly size: number;
}

export interface Cors {
  get(signal?: AbortSignal): Promise<readonly CorsRule[]>;
  set(rules: readonly CorsRule[], signal?: AbortSignal): Promise<void>;
}

export interface InspectOptions {
  /** What the source is cut to: '' or ending in `/`. The caller of a source never gives it; `layers/prefix.ts` does. */
  readonly prefix?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is known of a store; what could not be learned is left out. */
export interface StoreFacts {
  /** Where the bucket says it lies, beside what the source signs for. */
  readonly region?: { readonly signed: string; readonly actual: string };
  readonly versioning?: 'on' | 'suspended' | 'off';
  /** What the identity may do that the source does not need. */
  readonly excessRights?: readonly ExcessRight[];
  /** The least rights that do, to paste where the store manages them. */
  readonly leastPolicy?: string;
  /** Host whose clients' requests are signed, where it differs from the one that is called. */
  readonly publicEndpoint?: string;
}

/** write: put objects though the source is read-only · buckets: list other buckets · outside: list what lies beyond the prefix. */
export type ExcessRight = 'write' | 'buckets' | 'outside';

export interface CorsRule {
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly exposedHeaders: readonly string[];
  readonly maxAgeSeconds?: number;
}

/**
 * What a driver's folder exports and `builtin.ts` registers. Options are declared once, here: validation, flags, environment
 * names, docs and the “Add source” form come from the schema. Options whose name is in `secrets` are taken as Secret only.
 */
export interface DriverDefinition {
  readonly kind: string;
  readonly title: string;
  /** Flat object of strings, numbers and booleans, each with a `description`. Unknown options are refused. */
  readonly options: TObject;
  readonly secrets: readonly SecretOption[];
  open(options: DriverOptions, context: DriverContext): Driver | Promise<Driver>;
}

export interface SecretOption {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  /** File name in the secrets folder and name of the field’s standard environment variable. */
  readonly file: string;
}

export interface DriverOptions {
  readonly options: Readonly<Record<string, string | number | boolean>>;
  readonly secrets: Readonly<Record<string, Secret>>;
}

export interface DriverContext {
  /** Id of the source, for signatures of our own. */
  readonly source: string;
  readonly clock: Clock;
  /** The only way to open a connection. */
  readonly connector: Connector;
  /** For drivers whose temporary URLs packageR serves itself (`folder`, `memory`). */
  readonly signer: UrlSigner;
}

/** Signs and checks packageR's own temporary URLs; keys rotate, the newest signs, the ones before it still verify. */
export interface UrlSigner {
  sign(object: SignedObject): string;
}
