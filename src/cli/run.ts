/** Runs one command line: makes the context that verbs are given, and turns what goes wrong into an exit code. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { VerifyLine } from '#api/system.ts';
import type { CliContext, CopiedState, CopyStateRequest, RestoreDone, RestoreRequest, RunningServer } from '#cli/context.ts';
import { readLogins } from '#cli/logins.ts';
import { createProgram, explainFailure, type GlobalOptions } from '#cli/program.ts';
import { printable, type Terminal } from '#cli/terminal.ts';
import { Client } from '#client/client.ts';
import { unixTransport } from '#client/unix-transport.ts';
import { type LoadedConfig, loadConfig } from '#config/config.ts';
import { PackageRError } from '#errors/error.ts';
import { Secret } from '#model/secret.ts';

/** An app in this process, reached through its socket as the local administrator. */
export interface LocalApp {
  readonly socketPath: string;
  close(): Promise<void>;
}

export interface RunOptions {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Opens the data folder for one command. Errors: data_locked while a server runs on it. */
  openLocal(config: LoadedConfig): Promise<LocalApp>;
  serve(config: LoadedConfig, onReady: (server: RunningServer) => Promise<void>, signal: AbortSignal): Promise<void>;
  copyState(config: LoadedConfig, request: CopyStateRequest): Promise<CopiedState>;
  /** Puts a verified copy of a backup in the place of the state, which is kept aside. Errors: data_locked, state_newer, verify_failed. */
  restore(config: LoadedConfig, request: RestoreRequest): Promise<RestoreDone>;
  /** Verifies a backup where it lies. Errors: not_found, state_newer, verify_failed for what is no state at all. */
  verifyFile(file: string, signal: AbortSignal): AsyncIterable<VerifyLine>;
}

/** The exit code. */
export async function runCli(options: RunOptions): Promise<number> {
  const { terminal } = options;
  const state = { code: 0, closers: [] as (() => Promise<void>)[], client: undefined as Promise<Client> | undefined };
  const globals = (): GlobalOptions => program.opts<GlobalOptions>();
  const configFor = (flags: Readonly<Record<string, unknown>> = {}): LoadedConfig =>
    loadConfig({ flags: { dataDir: globals().dataDir, ...flags }, env: options.env, cwd: options.cwd, configFile: globals().config });
  const context: CliContext = {
    terminal,
    env: options.env,
    signal: options.signal,
    get isJson() {
      return globals().json === true;
    },
    get isQuiet() {
      return globals().quiet === true;
    },
    print: (text) => void terminal.stdout.write(text),
    json: (value) => void terminal.stdout.write(`${JSON.stringify(value)}\n`),
    fail(message) {
      state.code = 1;
      if (!context.isJson) terminal.stderr.write(`package-r: ${printable(message)}\n`);
    },
    client: () => {
      state.client ??= connect(options, globals(), configFor, state.closers);
      return state.client;
    },
    loadConfig: async (flags) => configFor(flags),
    serve: (config, onReady) => options.serve(config, onReady, options.signal),
    copyState: (config, request) => options.copyState(config, { ...request, cwd: options.cwd, signal: options.signal }),
    restore: async (file, onLine) =>
      options.restore(configFor(), { file: resolve(options.cwd, file), name: file, signal: options.signal, onLine }),
    verifyFile: (file) => options.verifyFile(resolve(options.cwd, file), options.signal),
  };
  const program = createProgram(context);
  try {
    await program.parseAsync([...options.argv], { from: 'user' });
    return state.code;
  } catch (error) {
    return explainFailure(error, context);
  } finally {
    for (const close of state.closers) await close();
  }
}

function tokenOf(env: RunOptions['env'], server: string): Secret | undefined {
  const given = env['PACKAGE_R_TOKEN'];
  if (given !== undefined && given !== '') return Secret.parse(given);
  const base = URL.canParse(server) ? new URL(server).href.replace(/\/*$/, '/') : server;
  const login = readLogins(env)[base];
  return login === undefined ? undefined : Secret.parse(login.token);
}

async function connect(
  options: RunOptions,
  { server = options.env['PACKAGE_R_URL'] }: GlobalOptions,
  configFor: () => LoadedConfig,
  closers: (() => Promise<void>)[],
): Promise<Client> {
  if (server !== undefined) {
    const token = tokenOf(options.env, server);
    if (token === undefined)
      throw new PackageRError('unauthenticated', `There is no token for ${server}: sign in with “package-r login ${server}”.`);
    return new Client({ base: new URL(server.replace(/\/*$/, '/')), token: token.reveal() });
  }
  const loaded = configFor();
  const socketPath = join(loaded.config.dataDir, 'package-r.sock');
  const running = existsSync(socketPath) ? await reach(socketPath) : undefined;
  if (running !== undefined) return running;
  const app = await options.openLocal(loaded);
  closers.push(() => app.close());
  return localClient(app.socketPath);
}

/** The server behind the socket; undefined where the socket was left by a process that is dead. */
async function reach(socketPath: string): Promise<Client | undefined> {
  const client = localClient(socketPath);
  try {
    await client.get('health');
    return client;
  } catch {
    return undefined;
  }
}

export function localClient(socketPath: string): Client {
  return new Client({ base: new URL('http://localhost/'), transport: unixTransport(socketPath) });
}
