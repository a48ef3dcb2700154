/** What an answer of packageR stands for when it is no success. */
import { PackageRError } from '#errors/error.ts';
import { type ErrorCode, errorTable } from '#errors/table.ts';
import { type Hop, readText, retryAfterOf } from './http.ts';

/** Limits of a share do not pass in a while worth waiting for. */
const lasting: readonly ErrorCode[] = ['share_limit_reached', 'drifted', 'object_gone'];

/** The error of a problem+json answer; a plain status where the body is none. Addresses in its text are left out. */
export async function answerFault(hop: Hop): Promise<PackageRError> {
  const text = await readText(hop.body, 64 * 1024).catch(() => '');
  hop.body.destroy();
  const problem = parseProblem(text);
  const code = problem?.code ?? codeOf(hop.status);
  const retryAfter = retryAfterOf(hop.headers);
  const isTemporary = (hop.status === 429 || hop.status === 408 || hop.status >= 500) && !lasting.includes(code);
  const options = { ...(isTemporary ? { retry: 'temporary' as const } : {}), ...(retryAfter === undefined ? {} : { retryAfter }) };
  const message = problem === undefined ? `The server answered ${hop.status}.` : problem.detail;
  return new PackageRError(code, message?.replace(/\b[a-z][a-z0-9+.-]*:\/\/\S*/gi, '(address)').slice(0, 500), options);
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not_found';
  return status === 429 ? 'rate_limited' : 'source_unavailable';
}

function parseProblem(text: string): { code: ErrorCode; detail?: string } | undefined {
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    if (typeof code !== 'string' || !Object.hasOwn(errorTable, code)) return undefined;
    return { code: code as ErrorCode, ...(typeof detail === 'string' ? { detail } : {}) };
  } catch {
    return undefined;
  }
}
