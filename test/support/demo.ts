/** The demo as a process of its own: started, asked, interrupted; and what it prints, read. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const project: string = fileURLToPath(new URL('../..', import.meta.url));

export interface Answer {
  readonly url: string;
  readonly admin: { readonly name: string; readonly password: string };
  readonly token: string;
  readonly share: string;
  readonly package: string;
  readonly version: number;
  readonly digest: string;
  readonly store: { readonly kind: string; readonly endpoint: string; readonly bucket: string } | null;
}

export interface Demo {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  answer(): Answer;
  /** The exit code after Ctrl-C. */
  interrupt(): Promise<number | null>;
}

interface StartOptions {
  readonly port: number;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly until?: RegExp;
}

function spawnDemo(folder: string, { port, args = [], env: more }: StartOptions): Demo {
  const { PATH, LANG } = process.env;
  const env = { PATH, LANG, HOME: folder, PORT: String(port), DATA_DIR: join(folder, 'data'), ...more };
  const child = spawn(join(project, 'bin/package-r'), ['demo', ...args], { env, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    answer: () => JSON.parse(stdout) as Answer,
    interrupt: () =>
      new Promise((resolve) => {
        child.once('close', (code) => resolve(code));
        child.kill('SIGINT');
      }),
  };
}

export async function startDemo(folder: string, options: StartOptions): Promise<Demo> {
  const demo = spawnDemo(folder, options);
  const { child, stdout, stderr } = demo;
  for (let waited = 0; !(options.until ?? /\n/).test(stdout()); waited += 50) {
    if (child.exitCode !== null || waited > 100_000) throw new Error(`the demo did not get ready:\n${stderr()}${stdout()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return demo;
}

/** Runs to its end, which is to come soon. */
export async function failDemo(folder: string, options: StartOptions): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const demo = spawnDemo(folder, options);
  const code = await new Promise<number | null>((resolve) => demo.child.once('close', resolve));
  return { code, stdout: demo.stdout(), stderr: demo.stderr() };
}

/** A PATH with everything but the store and pip. */
export async function pathWithoutStores(folder: string): Promise<string> {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  for (const place of (process.env['PATH'] ?? '').split(delimiter).filter((one) => one !== '')) {
    for (const name of await readdir(place).catch(() => [])) {
      if (!/^(weed|python.*|pip.*)$/.test(name)) await symlink(join(place, name), join(bin, name)).catch(() => undefined);
    }
  }
  return bin;
}

/** Processes that have this in their command line. */
export async function processesWith(text: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(text)) found.push(pid);
  }
  return found;
}

/** Waits for the end of what was told to end. */
export async function untilGone(text: string): Promise<void> {
  for (let waited = 0; (await processesWith(text)).length > 0; waited += 100) {
    if (waited > 20_000) throw new Error(`still there: ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function paste(line: string, folder: string): Promise<{ code: number; said: string }> {
  return new Promise((resolve) => {
    execFile('sh', ['-c', line], { cwd: folder, timeout: 120_000, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : 1, said: stdout + stderr }),
    );
  });
}

/** The line of the welcome that begins so. */
export function lineOf(said: string, beginning: RegExp): string {
  const line = said.split('\n').find((one) => beginning.test(one.trim()));
  if (line === undefined) throw new Error(`no line ${beginning} in ${said}`);
  return line.trim();
}

export function bytesSaid(said: string): { packageR: number; store: number } {
  const [, packageR, store] = /^object bytes: packageR (\d+) · store (\d+)/m.exec(said) ?? [];
  return { packageR: Number(packageR), store: Number(store) };
}

export async function bytesOf(share: string): Promise<number> {
  const lines = (await (await fetch(`${share}/manifest.jsonl`)).text()).trimEnd().split('\n');
  const entries = lines.map((line) => JSON.parse(line) as { kind: string; size: number });
  return entries.filter(({ kind }) => kind === 'pointer').reduce((sum, { size }) => sum + size, 0);
}

/** In kB; 0 where the system does not tell. */
export async function residentOf(child: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0);
}

export function programOf(name: string): string {
  const found = (process.env['PATH'] ?? '').split(delimiter).map((place) => join(place, name));
  return (
    found.find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    }) ?? name
  );
}
