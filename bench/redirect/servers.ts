/** Both sides: packageR with a share of a frozen package, made as people make one, and a bare server. Each on core 0, in turn. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../test/support/free-port.ts';
import { spawnPinned } from '../processes.ts';

export interface Served {
  readonly pid: number;
  /** What the paths are put behind. */
  readonly base: string;
  close(): Promise<void>;
}

export interface Store {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface ShareServer extends Served {
  readonly paths: readonly string[];
  readonly bases: { readonly link: string; readonly ticket: string };
  readonly store: Store;
}

const program = fileURLToPath(new URL('../../bin/package-r', import.meta.url));
const bare = fileURLToPath(new URL('./bare.ts', import.meta.url));
const password = 'correct horse battery staple';
const store: Store = {
  endpoint: 'https://objects.example.org',
  region: 'eu-central-1',
  bucket: 'archive',
  accessKeyId: 'AKIDEXAMPLEEXAMPLE00',
  secretAccessKey: 'anExampleOfASecretAccessKeyOfFortySigns0',
};

/** Names as archives have them: some folders, a station, a month; no two alike. */
export function pathsOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const hashed = digestOf(String(index));
    const month = String((index % 12) + 1).padStart(2, '0');
    return `obs/${hashed.slice(0, 2)}/station-${hashed.slice(2, 8)}/2026-${month}/${hashed.slice(8, 24)}.nc`;
  });
}

/** The object version that is pinned for a path. */
export function versionOf(path: string): string {
  return digestOf(path).slice(32);
}

/** A source, a frozen package of all paths, and a share of each kind. `folder` keeps its state. */
export async function serveShares(folder: string, paths: readonly string[]): Promise<ShareServer> {
  const port = await freePort();
  const dataDir = join(folder, 'state');
  const env = {
    ...process.env,
    HOME: folder,
    PACKAGE_R_DATA_DIR: dataDir,
    PACKAGE_R_PORT: String(port),
    // All load comes from one address: what protects against that is not what is measured.
    PACKAGE_R_LIMITS_HTTP_IN_FLIGHT_PER_PEER: '512',
    PACKAGE_R_LIMITS_HTTP_RATES_EXCHANGE_PER_MINUTE: '6000000',
    PACKAGE_R_LIMITS_HTTP_RATES_EXCHANGE_BURST: '600000',
  };
  const child = spawnPinned(program, ['serve'], 0, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  await said(child, 'serves on');
  const cli = (input: string, ...args: string[]): Promise<string> => runCli(['--json', ...args], env, input);
  const { accessKeyId, secretAccessKey, ...options } = store;
  const secrets = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  await post(join(dataDir, 'package-r.sock'), '/api/v1/sources', {
    name: 'archive',
    driver: 's3',
    options: { ...options, versions: 'on' },
    secrets,
  });
  const list = join(folder, 'objects.ndjson');
  await writeFile(list, paths.map((path, index) => JSON.stringify(objectOf(path, index))).join('\n'));
  await cli('', 'packages', 'add', 'admin/field', 'archive', '--list', list, '--create');
  await cli('', 'packages', 'freeze', 'admin/field', '--message', 'for the bench');
  await writeFile(join(folder, 'paths'), paths.join('\n'));
  const own = `http://127.0.0.1:${port}/s/`;
  const link = JSON.parse(await cli('', 'shares', 'add', 'admin/field@1')) as { id: string };
  const locked = JSON.parse(await cli(password, 'shares', 'add', 'admin/field@1', '--password', '-')) as { id: string };
  const unlocked = await fetch(`${own}${locked.id}/unlock`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ password }),
  });
  const { ticket } = (await unlocked.json()) as { ticket: string };
  const bases = { link: `${own}${link.id}/o/`, ticket: `${own}${locked.id}~${ticket}/o/` };
  return { pid: child.pid ?? 0, base: bases.link, bases, paths, store, close: () => end(child) };
}

export async function serveBare(): Promise<Served> {
  const child = spawnPinned(process.execPath, [bare], 0, { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = Number(/port (\d+)/.exec(await said(child, 'port'))?.[1]);
  return { pid: child.pid ?? 0, base: `http://127.0.0.1:${port}/`, close: () => end(child) };
}

function objectOf(path: string, index: number) {
  return { key: path, size: 1000 + index, etag: digestOf(path).slice(0, 32), version: versionOf(path) };
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** What a process said until it said this. */
function said(child: ChildProcess, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    child.once('exit', (code) => reject(new Error(`The server ended with ${code}: ${heard}`)));
    child.stdout?.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      if (heard.includes(text)) resolve(heard);
    });
  });
}

async function runCli(args: readonly string[], env: NodeJS.ProcessEnv, input: string): Promise<string> {
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`package-r ${args.join(' ')} ended with ${code}.`);
  return output;
}

/** As the operator of the data folder. */
function post(socketPath: string, path: string, body: object): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method: 'POST', headers: { 'content-type': 'application/json' } }, (response) => {
      response.resume();
      if (response.statusCode === 201) response.once('end', resolve);
      else reject(new Error(`POST ${path} answered ${response.statusCode}.`));
    });
    sent.once('error', reject);
    sent.end(JSON.stringify(body));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
