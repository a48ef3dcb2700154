/** Starts the canned store of `server/`, built with Go into .cache, on the first core; and knows the files that sides list into. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isOnPath, spawnPinned } from '../processes.ts';

export const shapes = ['date', 'hash', 'flat'] as const;
export const cache = fileURLToPath(new URL('../../.cache/', import.meta.url));

const source = fileURLToPath(new URL('server', import.meta.url));

export class ListServer {
  readonly endpoint: string;
  readonly folder: string;
  readonly #child: ChildProcess;

  private constructor(endpoint: string, child: ChildProcess) {
    this.endpoint = endpoint;
    this.#child = child;
    this.folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'package-r-bench-'));
  }

  /** `keys` in each bucket; `wait` in milliseconds before each answer to a LIST. */
  static async start(keys: number, wait: number): Promise<ListServer> {
    if (!isOnPath('go')) throw new Error('The canned store is built with Go: install go ≥ 1.21 (https://go.dev/dl).');
    const binary = join(cache, 'bench/list-server');
    execFileSync('go', ['build', '-o', binary, '.'], { cwd: source, stdio: 'inherit' });
    const child = spawnPinned(binary, ['-keys', String(keys), '-wait', `${wait}ms`], 0, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(child.stdout as NonNullable<typeof child.stdout>, 'data')) as [Buffer];
    return new ListServer(line.toString().trim(), child);
  }

  /** What came in since it was asked last. */
  async stats(): Promise<{ requests: number; most: number }> {
    return (await (await fetch(`${this.endpoint}/.stats`)).json()) as { requests: number; most: number };
  }

  output(side: string): string {
    return join(this.folder, side);
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill();
    await ended;
    rmSync(this.folder, { recursive: true });
  }
}

/** The keys that a side wrote, a line each or parted by tabs, also as addresses: how many, and the SHA-256 of them in byte order. */
export function digestOf(file: string, bucket = ''): { count: number; digest: string } {
  const address = `s3://${bucket}/`;
  const keys = readFileSync(file, 'latin1')
    .split(/[\t\n]/)
    .filter((key) => key !== '')
    .map((key) => (key.startsWith(address) ? key.slice(address.length) : key))
    .sort();
  return { count: keys.length, digest: createHash('sha256').update(keys.join('\n'), 'latin1').digest('hex') };
}
