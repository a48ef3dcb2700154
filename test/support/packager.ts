/** A real packageR for end-to-end tests: a server process on free loopback ports, and the command line as people run it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
/** The command line as people run it; it becomes the process of its Node. */
export const program: string = join(project, 'bin', 'package-r');

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Packager {
  readonly url: string;
  readonly dataDir: string;
  /** A folder of the test's own, removed at the end. */
  readonly folder: string;
  readonly adminPassword: string;
  readonly pid: number;
  /** Everything the server wrote to its log. */
  log(): string;
  /** Runs a verb against this server's data folder, as its operator. */
  run(...args: string[]): Promise<Ran>;
  runWith(options: RunOptions, ...args: string[]): Promise<Ran>;
  /** The JSON lines of a verb that must succeed. */
  json<T = Record<string, unknown>>(...args: string[]): Promise<T[]>;
  /** Ends the process with this signal and starts it again on the same folder and port. */
  restart(signal?: NodeJS.Signals): Promise<void>;
  /** Ends the process; the folder stays until `stop`. */
  end(signal?: NodeJS.Signals): Promise<void>;
  /** Does something while no server runs, and starts it again. */
  whileDown(work: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { PATH, LANG, TMPDIR } = process.env;
  return { PATH, LANG, TMPDIR, ...more };
}

function passwordIn(log: string): string | undefined {
  return /\n {4}(\S+)\n/.exec(log)?.[1];
}

/** Runs the command line in a process of its own. */
export function runCli(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      program,
      [...args],
      { env: environment(options.env), cwd: options.cwd, maxBuffer: 256 * 1024 * 1024, timeout: 120_000 },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, stderr }),
    );
    child.stdin?.end(options.input ?? '');
  });
}

export async function startPackager(settings: Readonly<Record<string, string>> = {}): Promise<Packager> {
  const folder = await mkdtemp(join(tmpdir(), 'package-r-e2e-'));
  const dataDir = join(folder, 'state');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = { HOME: folder, PACKAGE_R_DATA_DIR: dataDir, PACKAGE_R_PORT: String(port), ...settings };
  let log = '';
  let child = await start();
  const adminPassword = passwordIn(log) ?? '';

  async function start(): Promise<ChildProcess> {
    const started = spawn(program, ['serve'], {
      env: environment(env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    started.stdout?.on('data', (chunk) => {
      stdout += chunk;
      log += chunk;
    });
    started.stderr?.on('data', (chunk) => {
      log += chunk;
    });
    // The password of the first start comes by the other stream, a little later.
    for (let waited = 0; !stdout.includes('serves on') || passwordIn(log) === undefined; waited += 50) {
      if (started.exitCode !== null || waited > 60_000) throw new Error(`the server did not start:\n${log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return started;
  }

  async function end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  const runWith = (options: RunOptions, ...args: string[]): Promise<Ran> => runCli(args, { ...options, env: { ...env, ...options.env } });
  return {
    url,
    dataDir,
    folder,
    adminPassword,
    get pid() {
      return child.pid ?? 0;
    },
    log: () => log,
    runWith,
    run: (...args) => runWith({}, ...args),
    async json(...args) {
      const ran = await runWith({}, '--json', ...args);
      if (ran.code !== 0) throw new Error(`package-r ${args.join(' ')} ended with ${ran.code}: ${ran.stderr}${ran.stdout}`);
      return ran.stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line));
    },
    async restart(signal = 'SIGTERM') {
      await end(signal);
      child = await start();
    },
    async whileDown(work) {
      await end('SIGTERM');
      await work();
      child = await start();
    },
    end,
    async stop() {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
