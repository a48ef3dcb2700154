/** What the server refused, as it said it; or that it could not be reached. */

export interface ClientErrorFacts {
  readonly title?: string | undefined;
  readonly help?: string | undefined;
  /** Id of the request, as in the server’s log. */
  readonly instance?: string | undefined;
  /** Seconds. */
  readonly retryAfter?: number | undefined;
  /** Id of the job that stands in the way. */
  readonly job?: string | undefined;
  readonly cause?: unknown;
}

export class ClientError extends Error {
  override readonly name = 'ClientError';
  /** Of HTTP; 0 where there was no answer. */
  readonly status: number;
  /** Stable, of docs/reference/errors.md; `unreachable` where there was no answer. */
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly help: string;
  readonly instance: string | undefined;
  readonly retryAfter: number | undefined;
  readonly job: string | undefined;

  /** `detail`: one sentence, also the message. */
  constructor(status: number, code: string, detail: string, facts: ClientErrorFacts = {}) {
    super(detail, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.title = facts.title ?? detail;
    this.help = facts.help ?? '';
    this.instance = facts.instance;
    this.retryAfter = facts.retryAfter;
    this.job = facts.job;
  }
}

export function unreachable(cause?: unknown): ClientError {
  return new ClientError(0, 'unreachable', 'The server does not answer.', { help: 'Check that it runs, and its address.', cause });
}

/** An answer that is no success. What is no problem of ours (a proxy, another server) is said without its text. */
export function parseProblem(status: number, text: string, retryAfter: string | undefined): ClientError {
  const problem = parseObject(text);
  const read = (name: string): string | undefined => (typeof problem[name] === 'string' ? problem[name] : undefined);
  const title = read('title') ?? `The server answered with status ${status}.`;
  const seconds = Number(retryAfter);
  return new ClientError(status, read('code') ?? 'unknown', read('detail') ?? title, {
    title,
    help: read('help') ?? 'Check that the address is that of packageR.',
    instance: read('instance'),
    retryAfter: retryAfter === undefined || !Number.isFinite(seconds) ? undefined : seconds,
    job: read('job'),
  });
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
