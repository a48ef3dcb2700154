/**
 * The one error type. Everything that packageR refuses or fails at is a PackageRError with a code of the table; whatever
 * else is thrown is a fault of packageR and is shown to nobody but the log.
 */
import { type ErrorCode, type ErrorKind, errorTable } from '#errors/table.ts';

/** permanent: will fail again; temporary: may be retried; exhausted: was retried until the limit. */
export type Retry = 'permanent' | 'temporary' | 'exhausted';

/** Facts for the reader. Never a credential, a temporary URL, or text of an upstream answer. */
export type ErrorContext = Readonly<Record<string, string | number | boolean | undefined>>;

export interface ErrorOptions {
  /** What was being done, as noun.verb: `driver.list`, `packages.freeze`. */
  readonly operation?: string;
  readonly context?: ErrorContext;
  readonly retry?: Retry;
  /** Seconds after which a retry makes sense; sent as Retry-After. */
  readonly retryAfter?: number;
  readonly cause?: unknown;
}

export class PackageRError extends Error {
  override readonly name = 'PackageRError';
  readonly code: ErrorCode;
  readonly operation: string | undefined;
  readonly context: ErrorContext;
  readonly retry: Retry;
  readonly retryAfter: number | undefined;

  /** `message`: one sentence that says what was wrong and where; the table's title when left out. */
  constructor(code: ErrorCode, message?: string, options: ErrorOptions = {}) {
    super(message ?? errorTable[code].title, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.operation = options.operation;
    this.context = options.context ?? {};
    this.retry = options.retry ?? 'permanent';
    this.retryAfter = options.retryAfter;
  }

  get kind(): ErrorKind {
    return errorTable[this.code].kind;
  }

  get help(): string {
    return errorTable[this.code].help;
  }
}

/** True for a PackageRError, of that code where one is named. */
export function isError(error: unknown, code?: ErrorCode): error is PackageRError {
  return error instanceof PackageRError && (code === undefined || error.code === code);
}

/** `error` itself if it is ours, `cancelled` for an abort, else `internal` with the original as cause. */
export function asError(error: unknown, operation?: string): PackageRError {
  if (error instanceof PackageRError) return error;
  const context = operation === undefined ? {} : { operation };
  if (error instanceof Error && error.name === 'AbortError') return new PackageRError('cancelled', undefined, { ...context, cause: error });
  if (error instanceof Error && error.name === 'TimeoutError') return new PackageRError('timeout', undefined, { ...context, cause: error });
  return new PackageRError('internal', undefined, { ...context, cause: error });
}
