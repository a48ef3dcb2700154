/**
 * A TemporaryUrl lets whoever holds it do one thing with one object until it expires. It cannot be taken back, so it is
 * made only at the click, is never stored, logged or listed, and travels with `Cache-Control: no-store`.
 */
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
