/** What an exchange answers: one result for one entry, one line for each line of a bulk exchange. */
import type { ErrorCode } from '#errors/table.ts';
import type { Checksum } from '#model/checksum.ts';
import type { Pointer, Text } from '#model/entry.ts';
import type { Path } from '#model/path.ts';
import type { TemporaryUrl, TransferMethod } from '#model/temporary-url.ts';

/** Of the bytes that will really come: what X-Linked-Size, X-Linked-ETag and X-Linked-Checksum say. */
export interface Linked {
  readonly size: number;
  readonly etag?: string;
  /** Verified ones, or none. */
  readonly checksums: readonly Checksum[];
}

export interface Redirect {
  readonly kind: 'redirect';
  readonly temporaryUrl: TemporaryUrl;
  readonly entry: Pointer;
  readonly linked: Linked;
  /** The object has changed since it was put into the package, and the policy is to warn. */
  readonly drift?: { readonly size: number; readonly etag?: string };
}

export interface TextResult {
  readonly kind: 'text';
  readonly entry: Text;
  /** Bytes [start, end); all where left out. */
  read(range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
}

export type ExchangeResult = Redirect | TextResult;

/** One line of the answer, in the order of the lines that were asked. */
export type BulkLine = BulkUrl | BulkText | BulkError;

export interface BulkUrl {
  readonly path: Path;
  readonly method: TransferMethod;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since 1970; undefined for a public object. */
  readonly expiresAt: number | undefined;
  readonly size: number;
  readonly etag?: string;
  readonly drifted?: true;
}

/** A text has no temporary URL: its stable URL gives the bytes. */
export interface BulkText {
  readonly path: Path;
  readonly method: TransferMethod;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly expiresAt: undefined;
  readonly size: number;
  readonly sha256: string;
}

export interface BulkError {
  /** Number of the line, from 1. */
  readonly line: number;
  /** Where the line named one. */
  readonly path?: string;
  readonly error: { readonly code: ErrorCode; readonly message: string };
}
