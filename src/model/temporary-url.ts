/**
 * A TemporaryUrl lets whoever holds it do one thing with one object until it expires. It cannot be taken back, so it is
 * made only at the click, is never stored, logged or listed, and travels with `Cache-Control: no-store`.
 */
import type { Key } from '#model/key.ts';

export type TransferMethod = 'GET' | 'HEAD' | 'PUT';

export interface TemporaryUrl {
  readonly method: TransferMethod;
  /** Absolute; to be used as it stands, never re-encoded. */
  readonly url: string;
  /** Headers that the client must send, exactly. Usually none. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since 1970; undefined for an object that is public for everyone. */
  readonly expiresAt: number | undefined;
}

/** What the store shall answer with; part of the signature. */
export interface ResponseHeaders {
  readonly contentType?: string;
  readonly contentDisposition?: string;
  readonly cacheControl?: string;
}

/** What a temporary URL of packageR's own opens, and until when. */
export interface SignedObject {
  /** Id of the source. */
  readonly source: string;
  readonly key: Key;
  readonly method: TransferMethod;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  readonly version?: string | undefined;
  /** Any other bytes are refused. */
  readonly etag?: string | undefined;
  readonly responseHeaders?: ResponseHeaders | undefined;
  /** For the PUT of one part of an upload. */
  readonly part?: { readonly upload: string; readonly number: number } | undefined;
}
