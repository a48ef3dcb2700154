/**
 * The one place where everything is wired: configuration and a data folder in, a running packageR out. Plain constructors, in the order in
 * which data flows; closed in the reverse order.
 */
import { createHmac } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { Access } from '#access/access.ts';
import { attemptRules } from '#access/attempts.ts';
import { Idempotency } from '#access/idempotency.ts';
import type { RunningServer } from '#cli/context.ts';
import { localClient } from '#cli/run.ts';
import { catConfig, type LoadedConfig } from '#config/config.ts';
import type { Config } from '#config/settings.ts';
import { isError } from '#errors/error.ts';
import { Events } from '#events/events.ts';
import { Exchange } from '#exchange/exchange.ts';
import { fetchServed } from '#exchange/fetch-served.ts';
import { SigningKeys } from '#exchange/url-signer.ts';
import { type ContentDoor, createContentServer } from '#http/content-routes.ts';
import { listenLocal } from '#http/listen.ts';
import { batched, createLogger } from '#http/log.ts';
import { writeLogText } from '#http/log-text.ts';
import type { Server } from '#http/route.ts';
import { createServer } from '#http/server.ts';
import { Jobs } from '#jobs/jobs.ts';
import { createConnector } from '#layers/connector.ts';
import { randomId, systemClock } from '#model/clock.ts';
import { Secret } from '#model/secret.ts';
import { Packages } from '#packages/packages.ts';
import { verifyState } from '#packages/verify-state.ts';
import { Shares } from '#shares/shares.ts';
import { listObjects, statObject } from '#sources/presign.ts';
import { Sources } from '#sources/sources.ts';
import { lockData } from '#state/lock.ts';
import { openState } from '#state/open.ts';
import type { State } from '#state/state.ts';
import { Vault } from '#state/vault.ts';
import { watchState } from '#state/watched.ts';
import { builtinDrivers, builtinExports } from './builtin.ts';
import { finishRestore } from './restore.ts';

const day = 86_400_000;

/** Everything that runs on one data folder. */
interface App {
  /** With the settings of the state. */
  readonly config: Config;
  readonly server: Server;
  readonly socketPath: string;
  /** Serves bytes of folder sources where that has a listener of its own. */
  readonly content: Server | undefined;
  /** The administrator that was made just now, with the only copy of the password. */
  readonly admin: RunningServer['admin'];
  /** Bytes of objects that it sent itself so far. */
  objectBytes(): number;
  /** Stops taking requests, lets running jobs put themselves away, and closes the state. */
  close(): Promise<void>;
}

/** Opens the data folder and listens on its socket. Errors: data_locked, state_newer, key_missing, config_invalid. */
export async function openApp(loaded: LoadedConfig, level: string = loaded.config.log.level): Promise<App> {
  const { config } = loaded;
  // Whatever is made from here on is its owner's alone. A verb that only fetches keeps the umask of the person.
  process.umask(0o077);
  const closers: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) await closer();
  };
  try {
    const lock = lockData(config.dataDir);
    closers.push(() => lock.release());
    await finishRestore(config.dataDir);
    const state = await openState(config, config.dataDir);
    closers.push(() => state.close());
    return await wire(loaded.withStored(await readSettings(state)), level, state, closers, close);
  } catch (error) {
    await close();
    throw error;
  }
}

/** What an administrator stored. A value that is no JSON is handed on as it is, and refused with its name. */
async function readSettings(state: State): Promise<Readonly<Record<string, unknown>>> {
  const rows = await state.db.selectFrom('setting').selectAll().execute();
  const parse = (value: string): unknown => {
    try {
      return JSON.parse(value);
    } catch {
      return value;
    }
  };
  return Object.fromEntries(rows.map(({ key, value }) => [key, parse(value)]));
}

async function wire(
  loaded: LoadedConfig,
  level: string,
  bare: State,
  closers: (() => unknown)[],
  close: () => Promise<void>,
): Promise<App> {
  const { config } = loaded;
  const clock = systemClock;
  const makeId = randomId;
  const log = createLogger({ level, stream: logStream(config) });
  const watch = watchState(bare, {
    clock,
    onTrouble: (error) => log.error({ err: error }, 'the state cannot be written; packageR goes on reading and tries again'),
    onRecovery: () => log.warn('the state can be written again'),
  });
  closers.push(() => watch.close());
  const { state } = watch;
  const vault = await Vault.open({ state, folder: config.dataDir, envKey: config.key });
  for (const warning of loaded.warnings) log.warn(warning);
  const { message, openable } = await vault.status();
  if (!openable) log.warn(message);

  const events = new Events({ state, clock, onFailure: (error) => log.error({ err: error }, 'events could not be written') });
  closers.push(() => events.close());
  const jobs = new Jobs({ state, clock, makeId, log, concurrency: config.jobs.concurrency });
  const access = new Access({ state, clock, makeId, events, settings: accessSettings(config) });

  const connector = createConnector({ allow: config.endpoints.allow, exclusive: config.endpoints.exclusive });
  closers.push(() => connector.close());
  const contentBase = (): string => config.content.url ?? config.publicUrl;
  const signer = await SigningKeys.open({ state, vault, clock, makeId, base: contentBase });
  const sources: Sources = new Sources({
    state,
    access,
    events,
    vault,
    drivers: builtinDrivers,
    connector,
    signer,
    secretsFolder: config.secretsFolder,
    clock,
    log: (event) => log.debug(event, 'store'),
    inline: config.inline,
    limits: config.limits.upstream,
    probe: { serveOwn: (request) => fetchServed(contentOptions, contentBase(), clock)(request), origin: new URL(config.publicUrl).origin },
  });
  closers.push(() => sources.close());
  const packages = new Packages({
    state,
    access,
    sources,
    jobs,
    events,
    clock,
    makeId,
    stat: statObject,
    list: listObjects,
    inline: config.inline,
    limits: {
      textBytes: config.limits.packages.textBytes,
      driftPerSecond: config.drift.perSecond,
      uploadBytes: config.limits.uploads.bytes,
      uploadsPerUser: config.limits.uploads.perUser,
    },
  });
  closers.push(() => packages.close());
  const shares = new Shares({
    state,
    access,
    sources,
    packages,
    events,
    clock,
    makeId,
    hashKey: await hashKeyOf(state, vault),
    limits: shareLimits(config),
  });
  closers.push(() => shares.close());
  const exchange = new Exchange({ sources, shares, events, clock, limits: config.exchange });
  closers.push(() => exchange.close());
  let objectBytes = 0;
  const onSent = (bytes: number): void => {
    objectBytes += bytes;
  };
  const contentOptions: ContentDoor = { keys: signer, sources, onSent };

  const admin = await access.ensureAdmin();
  closers.push(() => jobs.close());
  await jobs.recover();
  await packages.recover();

  let isReady = true;
  const server = createServer({
    access,
    sources,
    packages,
    shares,
    exchange,
    exports: builtinExports,
    jobs,
    events,
    idempotency: new Idempotency({ state, clock }),
    content: config.content.port === undefined ? contentOptions : undefined,
    operations: {
      isReady: async () => isReady && (await canRead(state)),
      trouble: () => watch.trouble()?.message,
      describeConfig: () => ({ settings: catConfig(loaded).map((row) => ({ ...row })), warnings: [...loaded.warnings] }),
      async rotateKeys(actor, { now }) {
        await signer.rotate({ now });
        events.record({ actor, action: 'key.rotate', subject: 'keys', details: { now } });
      },
      backup: (name, signal) => backup(state, config.dataDir, name, signal),
      verify: (signal, { rebuild }) => verifyState(state, signal, rebuild ? { rebuild: (id) => packages.search.rebuild(id) } : {}),
    },
    settings: {
      publicUrl: config.publicUrl,
      isDefaultPublicUrl: loaded.isDefaultPublicUrl,
      trustedProxies: config.trustedProxies,
      metricsAllow: config.metrics.allow,
      limits: config.limits.http,
    },
    log,
    clock,
    makeId,
    processMetrics: true,
    objectBytes: () => objectBytes,
  });
  closers.push(async () => {
    isReady = false;
    await server.close();
  });
  const socketPath = join(config.dataDir, 'package-r.sock');
  const socket = await listenLocal(server, socketPath);
  closers.push(() => socket.close());
  const { trustedProxies } = config;
  const content =
    config.content.port === undefined
      ? undefined
      : createContentServer({ content: contentOptions, limits: config.limits.http, trustedProxies, log, clock, makeId });
  if (content !== undefined) closers.push(() => content.close());
  return { config, server, socketPath, content, admin, objectBytes: () => objectBytes, close };
}

/** To stderr: stdout belongs to the verbs. */
function logStream({ log }: Config): { write(line: string): void } {
  const isText = log.format === 'text' || (log.format === 'auto' && process.stderr.isTTY);
  const toText = (lines: string): string => lines.split('\n').filter(Boolean).map(writeLogText).join('');
  return batched((lines) => void process.stderr.write(isText ? toText(lines) : lines));
}

function accessSettings({ sessions, tokens, passwords, limits: { rates } }: Config) {
  return {
    sessionIdle: sessions.idle,
    sessionLife: sessions.life,
    adminSessionIdle: sessions.adminIdle,
    adminSessionLife: sessions.adminLife,
    tokenLife: tokens.defaultDays * day,
    tokenMaxLife: tokens.maxDays * day,
    passwordMin: passwords.minBytes,
    attempts: {
      account: { ...attemptRules.account, limit: rates.loginAccount },
      peer: { ...attemptRules.peer, limit: rates.loginPeer },
      share: { ...attemptRules.share, limit: rates.sharePassword },
      sharePeer: { ...attemptRules.sharePeer, limit: rates.sharePasswordPeer },
      unknownShare: { ...attemptRules.unknownShare, limit: rates.unknownShare },
    },
  };
}

function shareLimits({ share }: Config) {
  const { perOwner, createdPerHour, allowEndless, passwordMinBytes } = share;
  return {
    perOwner,
    createdPerHour,
    allowEndless,
    passwordMinBytes,
    defaultLife: (share.defaultDays * day) / 1000,
    maxLife: (share.maxDays * day) / 1000,
  };
}

function canRead(state: State): Promise<boolean> {
  const query = state.db.selectFrom('setting').select('key').limit(1).execute();
  return query.then(
    () => true,
    () => false,
  );
}

/** The key under which addresses of visitors are hashed; a new one only where the old one was sealed with a key that is lost. */
async function hashKeyOf(state: State, vault: Vault): Promise<Buffer> {
  const known = await vault.get('server', 'client-hash').catch((error: unknown) => {
    if (isError(error, 'key_missing')) return undefined;
    throw error;
  });
  const secret = known ?? Secret.parse(`${randomId()}${randomId()}`);
  if (known === undefined) await state.write(vault.set('server', 'client-hash', secret));
  return createHmac('sha256', secret.reveal()).update('package-r client').digest();
}

async function backup(state: State, dataDir: string, name: string, signal: AbortSignal): Promise<{ path: string; bytes: number }> {
  const folder = join(dataDir, 'backups');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, name);
  await state.backup(path, { signal });
  return { path, bytes: statSync(path).size };
}

/** Listens on the network until the signal. */
export async function serve(given: LoadedConfig, onReady: (server: RunningServer) => Promise<void>, signal: AbortSignal): Promise<void> {
  const app = await openApp(await withPort(given));
  try {
    const { host, port, content, publicUrl } = app.config;
    await app.server.listen({ host, port });
    await app.content?.listen({ host: content.host, port: content.port ?? 0 });
    closeOnAbort(app, signal);
    if (!signal.aborted) {
      await onReady({ url: publicUrl, client: localClient(app.socketPath), admin: app.admin, objectBytes: () => app.objectBytes() });
    }
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await app.close();
  }
}

/** Port 0 becomes a free one before anything is wired, since links begin with it. */
async function withPort(loaded: LoadedConfig): Promise<LoadedConfig> {
  if (loaded.config.port !== 0) return loaded;
  const port = await freePort(loaded.config.host);
  const patch = (one: LoadedConfig): LoadedConfig => {
    const publicUrl = one.isDefaultPublicUrl ? `http://127.0.0.1:${port}` : one.config.publicUrl;
    return { ...one, config: { ...one.config, port, publicUrl }, withStored: (stored) => patch(one.withStored(stored)) };
  };
  return patch(loaded);
}

/** Ctrl-C also ends requests that are under way; those of wget and the like go on at the next start. */
function closeOnAbort(app: App, signal: AbortSignal): void {
  signal.addEventListener('abort', () => app.server.server.closeAllConnections(), { once: true });
}

/** A free port of the loopback, for a server whose own address must be known before it starts. */
function freePort(host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createTcpServer();
    probe.once('error', reject);
    probe.listen(0, host, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
