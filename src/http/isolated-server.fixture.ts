/** For tests of the edge alone: a server over a domain that is given in parts, with one user, Alice, whose token is `good`. */
import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import { PackageRError } from '#errors/error.ts';
import { urlsExport } from '#exports/lists/urls.ts';
import { manifestExport } from '#exports/manifest/manifest.ts';
import { zipExport } from '#exports/zip/zip.ts';
import type { ServerDeps } from './edge.ts';
import { defaultHttpLimits, type HttpLimits } from './limits.ts';
import { createLogger } from './log.ts';
import type { Server } from './route.ts';
import { createServer } from './server.ts';

export interface IsolatedOptions {
  readonly sources?: object;
  readonly packages?: object;
  readonly shares?: object;
  readonly exchange?: object;
  readonly jobs?: object;
  readonly exports?: ServerDeps['exports'];
  readonly limits?: Partial<HttpLimits>;
  readonly webFolder?: URL;
  /** False: routes may still be added. */
  readonly ready?: boolean;
}

export interface TestServer {
  readonly server: Server;
  /** Of the log. */
  readonly lines: string[];
}

export async function isolatedServer({
  sources = {},
  packages = {},
  shares = {},
  exchange = {},
  jobs = {},
  exports = [manifestExport, urlsExport, zipExport],
  limits = {},
  webFolder,
  ready = true,
}: IsolatedOptions): Promise<TestServer> {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const parts = { access: fakeAccess(), idempotency: fakeIdempotency(), sources, packages, exchange, jobs, events: {} };
  const visits = { open: () => Promise.reject(new PackageRError('share_not_found')), ...shares };
  const server = createServer({
    ...parts,
    webFolder,
    shares: visits,
    exports,
    operations: {
      isReady: async () => true,
      describeConfig: () => ({ settings: [], warnings: [] }),
      trouble: () => undefined,
      backup: () => Promise.reject(new PackageRError('unsupported')),
      verify: async function* verify() {},
      rotateKeys: () => Promise.reject(new PackageRError('unsupported')),
    },
    settings: {
      publicUrl: 'https://data.example',
      isDefaultPublicUrl: false,
      trustedProxies: [],
      metricsAllow: [],
      limits: { ...defaultHttpLimits, ...limits },
    },
    log: createLogger({ level: 'debug', stream }),
    clock: () => Date.UTC(2026, 10, 23),
    makeId: () => randomBytes(8).toString('hex'),
  } as unknown as ServerDeps);
  if (ready) await server.ready();
  return { server, lines };
}

const operator = { kind: 'user', id: 'u0', name: 'admin', admin: true } as const;
const alice = { kind: 'user', id: 'u1', name: 'alice', admin: true } as const;

function fakeAccess() {
  return {
    authenticate: async (token: string) => {
      if (token !== 'good') throw new PackageRError('unauthenticated');
      return alice;
    },
    operator: async () => operator,
    login: async () => ({ token: 'good', actor: alice, expiresAt: Date.UTC(2026, 10, 24) }),
    logout: async () => undefined,
    authorize: async (actor: unknown) => {
      if (actor === undefined) throw new PackageRError('unauthenticated');
    },
    can: async () => true,
    users: { names: async () => new Map() },
    namespaces: {},
    groups: {},
    tokens: {},
    sessions: {},
    grants: {},
  };
}

function fakeIdempotency() {
  const known = new Map<string, { request: string; status: number; answer: string }>();
  return {
    async begin({ key, request }: { key: string; request: string }) {
      const found = known.get(key);
      if (found === undefined) known.set(key, { request, status: 0, answer: '' });
      else if (found.request !== request) throw new PackageRError('idempotency_conflict');
      return found;
    },
    async finish({ key, request }: { key: string; request: string }, answer: { status: number; answer: string }) {
      known.set(key, { request, ...answer });
    },
    async forget({ key }: { key: string }) {
      known.delete(key);
    },
  };
}
