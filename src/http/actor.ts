/**
 * From a request to an actor. Evidence is a bearer token, our own cookie, or the local socket, nothing else: no query, no other header.
 * What the evidence is worth only `access` decides.
 */
import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import type { Access } from '#access/access.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { Actor, UserActor } from '#model/actor.ts';

const sessionCookie = 'pr_session';

const localSockets = new WeakSet<Socket>();

/** Connections of a listener that only the operator of this data folder can reach. */
export function markLocal(socket: Socket): void {
  localSockets.add(socket);
}

export function isLocal(request: FastifyRequest): boolean {
  return localSockets.has(request.raw.socket);
}

/**
 * Who asks; undefined for nobody, also where the evidence is worth nothing and `isPublic`.
 * Errors: unauthenticated; csrf_refused for a write by cookie that another site could have sent.
 */
export async function findActor(
  request: FastifyRequest,
  options: { access: Access; isPublic: boolean; publicOrigin: string },
): Promise<Actor | undefined> {
  if (isLocal(request)) return await options.access.operator();
  const bearer = bearerOf(request.headers.authorization);
  const token = bearer ?? cookieOf(request.headers.cookie);
  if (token === undefined) return undefined;
  try {
    const actor = await options.access.authenticate(token, { address: request.peer.address });
    if (bearer === undefined && !options.isPublic) checkOrigin(request, options.publicOrigin);
    return actor;
  } catch (error) {
    if (options.isPublic && isError(error, 'unauthenticated')) return undefined;
    throw error;
  }
}

/** Errors: unauthenticated. */
export function actorOf(request: FastifyRequest): Actor {
  if (request.actor === undefined) throw new PackageRError('unauthenticated');
  return request.actor;
}

/** The signed-in person. Errors: unauthenticated; forbidden for the local socket, which is nobody in particular. */
export function userOf(request: FastifyRequest): UserActor {
  const actor = actorOf(request);
  if (actor.kind !== 'user') throw new PackageRError('forbidden', 'This needs a signed-in user.');
  return actor;
}

function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer ([A-Za-z0-9_.~+/=-]{1,512})$/i.exec(header ?? '')?.[1];
}

/** Nothing where the cookie came twice: one of the two was planted. */
function cookieOf(header: string | undefined): string | undefined {
  const values = (header ?? '').split(';').flatMap((pair) => {
    const [name, value] = pair.trim().split('=', 2);
    return name === sessionCookie && value !== undefined && /^[A-Za-z0-9_-]{1,512}$/.test(value) ? [value] : [];
  });
  return values.length === 1 ? values[0] : undefined;
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Passes a safe method, a header that no foreign page can send, or our own origin. Errors: csrf_refused. */
function checkOrigin(request: FastifyRequest, publicOrigin: string): void {
  if (safeMethods.has(request.method) || request.headers['x-requested-with'] === 'packageR') return;
  const { origin, host } = request.headers;
  const isOwn = origin !== undefined && (origin === publicOrigin || hostOf(origin) === host);
  if (!isOwn) throw new PackageRError('csrf_refused', undefined, { operation: 'http.origin' });
}

/** For forms of our own pages, which everybody may send: refuses only what says that it comes from elsewhere. Errors: csrf_refused. */
export function checkFormOrigin(request: FastifyRequest, publicOrigin: string): void {
  const { origin, host } = request.headers;
  const isForeign = origin !== undefined && origin !== 'null' && origin !== publicOrigin && hostOf(origin) !== host;
  const isCrossSite = request.headers['sec-fetch-site'] === 'cross-site' || request.headers['sec-fetch-site'] === 'same-site';
  if (isForeign || isCrossSite) throw new PackageRError('csrf_refused', undefined, { operation: 'http.origin' });
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

/** `isSecure`: the public URL is https. An empty token takes the cookie back. */
export function writeSessionCookie(token: string, maxAge: number, isSecure: boolean): string {
  return `${sessionCookie}=${token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${Math.max(0, Math.floor(maxAge))}${isSecure ? '; Secure' : ''}`;
}
