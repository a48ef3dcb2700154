/** The inventory of routes, from which come the OpenAPI document, the reference page, and the proof that nothing is open by mistake. */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import type { HTTPMethods } from 'fastify';
import { ProblemSchema } from '#api/problem.ts';
import { PackageRError } from '#errors/error.ts';
import type { RouteDeclaration, Server } from './route.ts';

declare module 'fastify' {
  interface FastifyInstance {
    routeInventory: readonly RouteDeclaration[];
  }
}

export const documentation: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: { title: 'packageR', version: 'v1', description: 'Sources, packages, shares and exchange.' },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'A session or API token.' } },
    },
  },
  transform: ({ schema, url, route }) => {
    const isPublic = route.config?.public === true;
    const problem = { description: 'Problem', content: { 'application/problem+json': { schema: ProblemSchema } } };
    const response = {
      ...((schema?.response as object | undefined) ?? { 200: { description: 'See the description.' } }),
      default: problem,
    };
    return { schema: { ...schema, response, security: isPublic ? [] : [{ token: [] }] }, url };
  },
};

/** Refuses a route that says neither who may come nor that everybody may. Errors: internal, at start-up. */
export function registerInventory(server: Server, routes: RouteDeclaration[]): void {
  server.addHook('onRoute', ({ method, url, config }) => {
    if (config?.audience === undefined || (config.public !== true && config.action === undefined)) {
      throw new PackageRError('internal', `The route ${String(method)} ${url} declares no action and audience, and is not public.`);
    }
    const methods: readonly (HTTPMethods | string)[] = Array.isArray(method) ? method : [method];
    for (const one of methods) {
      routes.push({ method: one, url, isPublic: config.public === true, action: config.action, audience: config.audience });
    }
  });
}
