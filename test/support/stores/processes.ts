/**
 * Processes of a server that a test starts: each in a group of its own, its output kept, its end awaited. None outlives the test's
 * process, however that ends.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { accessSync, constants, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const logBytes = 256 * 1024;

/** util-linux has it: the kernel ends a child when its parent dies, also by SIGKILL. */
const dieWithParent = hasProgram('setpriv') ? ['setpriv', '--pdeathsig', 'KILL', '--'] : [];

export interface StoreProcess {
  start(): void;
  signal(name: NodeJS.Signals): void;
  /** Resolves when the process is gone; one that does not heed the signal within 20 s is killed. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

export interface Processes {
  readonly folder: string;
  readonly pids: readonly number[];
  /** Declares a process and starts it. Those declared last end first. */
  start(command: string, args: readonly string[]): StoreProcess;
  /** Runs a program to its end and gives its standard output. */
  run(command: string, args: readonly string[]): Promise<string>;
  log(): string;
  /** The command of a process that ended by itself. */
  readonly fallen: string | undefined;
  /** Ends all and removes the folder. */
  stop(): Promise<void>;
}

/** A fresh folder, and processes whose environment is this one with `env`. */
export async function makeProcesses(
  name: string,
  env: (folder: string) => Readonly<Record<string, string>> = () => ({}),
): Promise<Processes> {
  const folder = await mkdtemp(join(tmpdir(), `package-r-${name}-`));
  const environment = { PATH: searchPath(), LANG: 'C.UTF-8', HOME: folder, TMPDIR: folder, ...env(folder) };
  const running = new Set<ChildProcess>();
  const declared: StoreProcess[] = [];
  let text = '';
  let fallen: string | undefined;

  function write(chunk: unknown): void {
    text = (text + chunk).slice(-logBytes);
  }

  function killAll(): void {
    for (const child of running) kill(child, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }

  function declare(command: string, args: readonly string[]): StoreProcess {
    let child: ChildProcess | undefined;
    let isEnding = false;
    return {
      start() {
        isEnding = false;
        fallen = undefined;
        const [program = command, ...rest] = [...dieWithParent, command, ...args];
        const started = spawn(program, rest, { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
        child = started;
        running.add(started);
        started.stdout?.on('data', write);
        started.stderr?.on('data', write);
        started.once('error', (error) => {
          running.delete(started);
          fallen = `${command}: ${error.message}`;
        });
        started.once('exit', (code, signal) => {
          running.delete(started);
          if (!isEnding) fallen = `${command} ended with ${signal ?? code}`;
        });
      },
      signal(name) {
        if (child !== undefined) kill(child, name);
      },
      async end(signal = 'SIGTERM') {
        const ending = child;
        if (ending === undefined || !running.has(ending)) return;
        isEnding = true;
        const gone = new Promise((resolve) => ending.once('exit', resolve));
        kill(ending, signal);
        kill(ending, 'SIGCONT');
        const timer = setTimeout(() => kill(ending, 'SIGKILL'), 20_000);
        await gone;
        clearTimeout(timer);
      },
    };
  }

  process.once('exit', killAll);
  return {
    folder,
    get pids() {
      return [...running].flatMap((child) => child.pid ?? []);
    },
    get fallen() {
      return fallen;
    },
    log: () => text,
    start(command, args) {
      const one = declare(command, args);
      declared.push(one);
      one.start();
      return one;
    },
    async run(command, args) {
      const { stdout } = await execute(command, [...args], { cwd: folder, env: environment, timeout: 60_000 });
      return stdout;
    },
    async stop() {
      for (const one of declared.reverse()) await one.end();
      process.off('exit', killAll);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Asks again until the answer is true. Fails with the log after a minute, or when a process of the server has ended. */
export async function waitFor(what: string, processes: Processes, isSo: () => Promise<boolean>): Promise<void> {
  const until = Date.now() + 60_000;
  for (;;) {
    if (processes.fallen !== undefined) throw new Error(`waiting for ${what}: ${processes.fallen}\n${processes.log()}`);
    if (await isSo().catch(() => false)) return;
    if (Date.now() > until) throw new Error(`no ${what} within a minute\n${processes.log()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // It is gone already.
  }
}

/** Where servers lie that an ordinary user's PATH leaves out. */
function searchPath(): string {
  return [process.env['PATH'] ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter);
}

function hasProgram(name: string): boolean {
  return searchPath()
    .split(delimiter)
    .some((folder) => {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
