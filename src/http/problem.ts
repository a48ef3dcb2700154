/**
 * Errors as HTTP answers, decided here and nowhere else: kind → status, problem+json (RFC 9457) with our code, nothing of what lies
 * inside. What is no error of ours is `internal`, without a word on it.
 */
import type { Problem } from '#api/problem.ts';
import { asError, PackageRError } from '#errors/error.ts';
import { type ErrorCode, type ErrorKind, errorTable } from '#errors/table.ts';

const statusOfKind: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  locked: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  gone: 410,
  too_large: 413,
  unsupported: 501,
  range: 416,
  rate_limited: 429,
  unavailable: 503,
  timeout: 504,
  cancelled: 499,
  internal: 500,
};

/** Where HTTP has a status of its own for a code. */
const statusOfCode: Readonly<Partial<Record<ErrorCode, number>>> = {
  method_not_allowed: 405,
  media_type_unsupported: 415,
  url_too_long: 414,
  headers_too_large: 431,
  body_timeout: 408,
  overloaded: 503,
};

/** Seconds, where the error itself names none. */
const retryAfterOf: Readonly<Partial<Record<number, number>>> = { 429: 60, 503: 5 };

export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly problem: Problem;
  /** What was thrown, as one of ours; for the log. */
  readonly error: PackageRError;
}

export function statusOf(code: ErrorCode): number {
  return statusOfCode[code] ?? statusOfKind[errorTable[code].kind];
}

/** `instance`: the id of the request, which is in the log too. */
export function toProblem(thrown: unknown, instance: string): ProblemAnswer {
  const error = toOurs(thrown);
  const status = statusOf(error.code);
  const { title, help } = errorTable[error.code];
  const retryAfter = error.retryAfter ?? retryAfterOf[status];
  // What is at fault there is an address inside; who manages sources reads it with the source and its test.
  const detail = status === 500 || error.code === 'endpoint_refused' ? title : error.message;
  return {
    status,
    headers: {
      ...(retryAfter === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfter))) }),
      ...(error.code === 'unauthenticated' ? { 'www-authenticate': 'Bearer realm="packageR"' } : {}),
    },
    problem: {
      type: `urn:package-r:error:${error.code}`,
      title,
      status,
      code: error.code,
      detail,
      help,
      instance,
      ...(retryAfter === undefined ? {} : { retryAfter }),
      ...(typeof error.context['job'] === 'string' ? { job: error.context['job'] } : {}),
    },
    error,
  };
}

interface FastifyFault {
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly validation?: readonly { readonly instancePath?: string; readonly message?: string; readonly params?: Record<string, unknown> }[];
  readonly validationContext?: string;
}

function toOurs(thrown: unknown): PackageRError {
  if (thrown instanceof PackageRError) return thrown;
  const fault = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as FastifyFault;
  if (fault.validation !== undefined) return new PackageRError('request_invalid', describe(fault), { cause: thrown });
  const code = codeOfFastify(fault);
  return code === undefined ? asError(thrown) : new PackageRError(code, undefined, { cause: thrown });
}

function codeOfFastify({ code, statusCode }: FastifyFault): ErrorCode | undefined {
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return 'media_type_unsupported';
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return 'too_large';
  if (code === 'FST_ERR_HANDLER_TIMEOUT') return 'timeout';
  if (code === 'FST_ERR_BAD_URL') return 'path_invalid';
  if (code === 'FST_ERR_MAX_PARAM_LENGTH' || statusCode === 414) return 'url_too_long';
  const isRequestFault = typeof code === 'string' && code.startsWith('FST_ERR_CTP_');
  return isRequestFault || statusCode === 400 ? 'request_invalid' : undefined;
}

/** The first fault in words of ours: where, and what; never a value. */
function describe({ validation, validationContext }: FastifyFault): string {
  const [first] = validation ?? [];
  const where = `${validationContext ?? 'body'}${(first?.instancePath ?? '').replaceAll('/', '.')}`;
  const extra = first?.params?.['additionalProperty'];
  if (typeof extra === 'string') return `“${where}” has an unknown field ${JSON.stringify(extra.slice(0, 80))}.`;
  return `“${where}” ${first?.message ?? 'is not valid'}.`;
}
