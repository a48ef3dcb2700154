/**
 * What PostgreSQL says, as errors of packageR. Details of its messages hold values of rows, so only the code and names of tables and
 * constraints are kept. Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
import { asError, PackageRError } from '#errors/error.ts';
import { protectedRow } from '#state/migrations/postgres-triggers.ts';

interface DatabaseFault {
  readonly code: string;
  readonly message: string;
  readonly table?: string;
  readonly constraint?: string;
}

/** Seconds after which it is worth another try. */
const retryAfter = 2;

function faultOf(error: unknown): DatabaseFault | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in error ? (error as unknown as DatabaseFault) : undefined;
}

/** The session is gone, or could not be had. */
export function isLost(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof PackageRError || error.name === 'AbortError') return false;
  const code = faultOf(error)?.code;
  return code === undefined
    ? error instanceof Error && !(error instanceof TypeError || error instanceof RangeError)
    : /^(08|57P0|53300)/.test(code);
}

/** Others stood in the way; the same may go well now. */
export function isConflict(error: unknown): boolean {
  return ['40001', '40P01'].includes(faultOf(error)?.code ?? '');
}

/** `what`: what was being done, as in “The state could not be …”. */
export function toStateError(error: unknown, what: 'read' | 'written' | 'opened'): PackageRError {
  if (error instanceof PackageRError || (error instanceof Error && error.name === 'AbortError')) return asError(error);
  const fault = faultOf(error);
  if (fault === undefined) return isLost(error) ? lostError(error) : failed(`The state could not be ${what}.`, error);
  const cause = causeOf(fault);
  switch (fault.code) {
    case '23505':
      return new PackageRError('exists', undefined, { operation: 'state.write', cause });
    case protectedRow:
      return failed(`A protected row would have been changed: ${fault.message}.`, cause);
    case '22021':
      return new PackageRError('request_invalid', 'A text holds what cannot be kept.', { operation: 'state', cause });
    case '25006':
      return failed('The database takes no writes for now: it is read-only.', cause, 'temporary');
    case '28P01':
    case '28000':
      return failed('The database refused the user or its password.', cause);
    case '3D000':
      return failed('There is no such database.', cause);
    case '42501':
      return failed('The user of the database lacks a right that is needed.', cause);
    case '53100':
      return failed('The disk of the database is full.', cause, 'temporary');
    case '55P03':
      return failed('The database is locked by somebody else.', cause, 'temporary');
    case '57014':
      return failed('The database took too long.', cause, 'temporary');
    default:
      return isLost(error)
        ? lostError(cause)
        : failed(`The state could not be ${what}.`, cause, isConflict(error) ? 'temporary' : 'permanent');
  }
}

function causeOf({ code, message, table, constraint }: DatabaseFault): Error {
  const names = [table, constraint].filter((one) => one !== undefined).join(', ');
  // Messages of data exceptions quote the data.
  const text = code.startsWith('22') ? 'a value was refused' : message;
  return new Error(`PostgreSQL ${code}${names === '' ? '' : ` (${names})`}: ${text}`);
}

/** Names of hosts and files may be told, and what TLS found wrong; a password is never part of these. */
function lostError(error: unknown): PackageRError {
  const code = String((error as { code?: unknown }).code ?? '');
  const isTls = /CERT|TLS|SSL|SIGNATURE/.test(code) || (error instanceof Error && /SSL connection/.test(error.message));
  if (isTls)
    return failed('The database cannot be spoken to by TLS: its certificate is not trusted, has another name, or it has none.', error);
  return failed('The database does not answer.', error, 'temporary');
}

function failed(message: string, cause: unknown, retry: 'permanent' | 'temporary' = 'permanent'): PackageRError {
  return new PackageRError('state_failed', message, { operation: 'state', cause, retry, ...(retry === 'temporary' ? { retryAfter } : {}) });
}
