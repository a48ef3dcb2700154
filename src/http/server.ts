/**
 * The HTTP edge: it translates requests into calls of the domain and answers back, and holds no rules. Each resource is a file; what all of
 * them share (limits, identity, errors, headers, log) is put together here.
 */
import swagger from '@fastify/swagger';
import { fastify } from 'fastify';
import { registerContent } from './content-routes.ts';
import type { Edge, ServerDeps } from './edge.ts';
import { answerFrameworkFault, answerProblem, registerErrors } from './errors.ts';
import { registerEvents } from './events.ts';
import { registerGrants } from './grants.ts';
import { registerGroups } from './groups.ts';
import { registerHooks } from './hooks.ts';
import { registerIdempotency } from './idempotency.ts';
import { documentation, registerInventory } from './inventory.ts';
import { registerJobs } from './jobs.ts';
import { registerLeanObjects } from './lean-objects.ts';
import { registerLink } from './link-routes.ts';
import { Metrics } from './metrics.ts';
import { registerNamespaces } from './namespaces.ts';
import { registerPackages } from './packages.ts';
import { registerParsers } from './parsers.ts';
import { Peers } from './peer.ts';
import { Rates, Slots } from './rates.ts';
import type { RouteDeclaration, Server } from './route.ts';
import { registerSession } from './session.ts';
import { registerSharePages } from './share-pages.ts';
import { registerShares } from './shares.ts';
import { registerSources } from './sources.ts';
import { registerSystem } from './system.ts';
import { registerTokens } from './tokens.ts';
import { registerUsers } from './users.ts';
import { registerWeb } from './web.ts';

/** Not listening yet. Errors: config_invalid for a setting that is no network or URL. */
export function createServer(deps: ServerDeps): Server {
  const { settings, clock, makeId } = deps;
  const { limits } = settings;
  const server: Server = fastify({
    http: {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersTimeout,
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(5000, limits.headersTimeout),
    },
    routerOptions: { caseSensitive: true, ignoreDuplicateSlashes: false, ignoreTrailingSlash: false, maxParamLength: 1024 },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: true, allErrors: false } },
    bodyLimit: limits.listBytes,
    forceCloseConnections: true,
    genReqId: makeId,
    requestIdHeader: false,
    logger: false,
    clientErrorHandler: answerProblem,
    frameworkErrors: answerFrameworkFault,
  });
  const edge: Edge = { ...deps, ...sharedParts(deps), rates: new Rates(clock), slots: new Slots() };
  const routes: RouteDeclaration[] = [];
  server.decorate('routeInventory', routes);
  registerInventory(server, routes);
  registerErrors(server, edge);
  registerParsers(server, limits);
  registerHooks(server, { ...edge, limits });
  registerIdempotency(server, edge);
  registerLeanObjects(server, edge);
  void server.register(swagger, documentation);
  void server.register((scope, _options, done) => {
    registerResources(scope as Server, edge);
    done();
  });
  return server;
}

function sharedParts({
  settings,
  processMetrics = false,
  objectBytes,
}: ServerDeps): Pick<Edge, 'metrics' | 'peers' | 'publicOrigin' | 'isSecure' | 'rootPath'> {
  const { origin, protocol, pathname } = new URL(settings.publicUrl);
  return {
    metrics: new Metrics({ process: processMetrics, objectBytes }),
    peers: new Peers(settings.trustedProxies),
    publicOrigin: origin,
    isSecure: protocol === 'https:',
    rootPath: `${pathname.replace(/\/$/, '')}/`,
  };
}

function registerResources(server: Server, edge: Edge): void {
  registerSystem(server, edge);
  registerSession(server, edge);
  registerUsers(server, edge);
  registerGroups(server, edge);
  registerTokens(server, edge);
  registerGrants(server, edge);
  registerNamespaces(server, edge);
  registerSources(server, edge);
  registerPackages(server, edge);
  registerShares(server, edge);
  registerJobs(server, edge);
  registerEvents(server, edge);
  registerSharePages(server, edge);
  registerLink(server, edge);
  registerWeb(server, edge);
  if (edge.content !== undefined) registerContent(server, edge.content);
}
