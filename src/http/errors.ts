/** How errors leave the server: problem+json, or a plain page for browsers on pages; also where there is no route, and no HTTP at all. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { PackageRError } from '#errors/error.ts';
import { baseHeaders } from './headers.ts';
import { sendPage, writeErrorPage } from './pages.ts';
import { type ProblemAnswer, toProblem } from './problem.ts';
import { pathnameOf } from './raw-path.ts';
import type { Server } from './route.ts';

const bodyHeaders = ['content-length', 'content-disposition', 'etag', 'accept-ranges', 'vary', 'location', 'set-cookie'];

export interface ErrorsOptions {
  readonly log: Logger;
  /** The path of the server as browsers see it, ending in a slash. */
  readonly rootPath: string;
}

export function registerErrors(server: Server, { log, rootPath }: ErrorsOptions): void {
  server.setErrorHandler((thrown, request, reply) => {
    const answer = toProblem(thrown, request.id);
    if (answer.status >= 500) logFault(log, request, answer);
    return sendProblem(request, reply, answer, rootPath);
  });
  server.setNotFoundHandler((request, reply) => {
    const allowed = allowedMethods(server, pathnameOf(request.raw.url ?? ''));
    if (allowed.length === 0) return sendProblem(request, reply, toProblem(new PackageRError('not_found'), request.id), rootPath);
    reply.header('allow', allowed.join(', '));
    return sendProblem(request, reply, toProblem(new PackageRError('method_not_allowed'), request.id), rootPath);
  });
}

function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, headers, problem }: ProblemAnswer,
  rootPath: string,
): FastifyReply {
  for (const name of bodyHeaders) reply.removeHeader(name);
  reply.headers({ ...baseHeaders, ...headers }).code(status);
  // Closed at once, the connection would be reset under a client that is still sending: see linger() in hooks.ts.
  if (!request.raw.complete) reply.removeHeader('connection');
  const wantsPage = request.routeOptions.config?.page === true && /\btext\/html\b/.test(request.headers.accept ?? '');
  if (wantsPage) {
    return sendPage(reply, writeErrorPage(problem, rootPath), { status });
  }
  reply.header('content-type', 'application/problem+json; charset=utf-8');
  return reply.serializer((value: unknown) => JSON.stringify(value)).send(problem);
}

/** The cause goes to the log and nowhere else; its message may hold anything, so only its kind and place are kept. */
function logFault(log: Logger, request: FastifyRequest, { error, problem }: ProblemAnswer): void {
  const { cause } = error;
  const stack =
    cause instanceof Error
      ? (cause.stack ?? '')
          .split('\n')
          .filter((line) => /^\s+at /.test(line))
          .slice(0, 8)
      : [];
  const fault = cause instanceof Error ? cause.name : undefined;
  log[problem.status === 500 ? 'error' : 'warn']({ id: request.id, code: error.code, operation: error.operation, fault, stack }, 'fault');
}

function allowedMethods(server: Server, pathname: string): string[] {
  const methods = server.routeInventory.filter(({ url }) => toPattern(url).test(pathname)).map(({ method }) => method);
  return [...new Set(methods)].sort();
}

const patterns = new Map<string, RegExp>();

function toPattern(url: string): RegExp {
  const known = patterns.get(url);
  if (known !== undefined) return known;
  const source = url
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/:[a-z]+/gi, '[^/]+');
  const pattern = new RegExp(`^${source}$`);
  patterns.set(url, pattern);
  return pattern;
}

/** What the router refuses before any hook runs: a malformed URL. */
export function answerFrameworkFault(fault: Error, request: FastifyRequest, reply: FastifyReply): void {
  const { status, problem } = toProblem(fault, request.id);
  reply.code(status).headers({ ...baseHeaders, 'content-type': 'application/problem+json; charset=utf-8' });
  void reply.serializer((value: unknown) => JSON.stringify(value)).send(problem);
}

/** What is no HTTP request at all, or came too slowly: a bare answer, and the connection ends. */
export function answerProblem(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const code =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'headers_too_large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'body_timeout'
        : 'request_invalid';
  const { status, problem } = toProblem(new PackageRError(code), '');
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'X-Content-Type-Options: nosniff',
    'Cache-Control: no-store',
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
