/** A packageR between its people and a real store: counting networks on every way, so that a test can say which bytes went where. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BadNetwork, openBadNetwork } from '../support/bad-network.ts';
import { freePort } from '../support/free-port.ts';
import { type Packager, type Ran, startPackager } from '../support/packager.ts';
import type { StoreServer } from '../support/stores/store-server.ts';

export const MiB: number = 1024 * 1024;

export interface StoreWorld {
  readonly server: StoreServer;
  readonly packager: Packager;
  /** Between people and packageR: links begin with its address. */
  readonly front: BadNetwork;
  /** Between packageR and the store. */
  readonly back: BadNetwork;
  /** Between people and the store: temporary URLs are signed for its address. */
  readonly direct: BadNetwork;
  /** Connects a bucket by the command line, its secrets on stdin unless others lie in the secrets folder. */
  connect(name: string, bucket: string, ...more: string[]): Promise<Ran>;
  /** Everything below these places as a frozen version: its share. */
  publish(reference: string, places: readonly string[], asked?: PublishAsked): Promise<PublishedShare>;
  share(version: string, asked?: ShareAsked): Promise<PublishedShare>;
  emptyFolder(name: string): Promise<string>;
  stop(): Promise<void>;
}

export interface ShareAsked {
  readonly password?: string;
}

export interface PublishAsked extends ShareAsked {
  /** Only these keys, each looked up in the store: what it states of a checksum is told by that. */
  readonly keys?: readonly string[];
}

export interface PublishedShare {
  readonly url: string;
  readonly number: number;
}

/** Where secrets of sources may lie, below the folder of the packager. */
export const secretsFolder = 'secrets';

export async function openStoreWorld(server: StoreServer, settings: Readonly<Record<string, string>> = {}): Promise<StoreWorld> {
  const port = Number(new URL(server.endpoint).port);
  const [back, direct, listen] = [await openBadNetwork(port), await openBadNetwork(port), await freePort()];
  const packager = await startPackager({
    PACKAGE_R_PUBLIC_URL: `http://127.0.0.1:${listen}`,
    PACKAGE_R_ENDPOINTS_ALLOW: '127.0.0.1',
    ...settings,
  });
  const front = await openBadNetwork(Number(new URL(packager.url).port), { listen });

  async function share(version: string, { password }: ShareAsked = {}): Promise<PublishedShare> {
    const options = password === undefined ? [] : ['--password', '-'];
    const ran = await packager.runWith({ input: password ?? '' }, '--json', 'shares', 'add', version, ...options);
    if (ran.code !== 0) throw new Error(`no share of ${version}: ${ran.stdout}${ran.stderr}`);
    return JSON.parse(ran.stdout) as PublishedShare;
  }

  return {
    server,
    packager,
    front,
    back,
    direct,
    share,
    connect(name, bucket, ...more) {
      const options = {
        bucket,
        provider: server.provider,
        endpoint: back.url,
        publicEndpoint: direct.url,
        region: server.region,
      };
      const set = Object.entries(options).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
      const secrets = more.includes('--no-secrets') ? [] : ['--secrets', '-'];
      const rest = more.filter((one) => one !== '--no-secrets');
      return packager.runWith({ input: secretsOf(server.keys) }, 'sources', 'add', name, 's3', ...set, ...secrets, ...rest);
    },
    async publish(reference, places, { keys, ...asked } = {}) {
      const list = keys === undefined ? [] : ['--list', '-'];
      const input = (keys ?? []).map((key) => `${JSON.stringify({ key })}\n`).join('');
      const ran = await packager.runWith({ input }, 'packages', 'add', reference, ...places, '--create', ...list);
      if (ran.code !== 0) throw new Error(`nothing was added to ${reference}: ${ran.stdout}${ran.stderr}`);
      const [version] = await packager.json<{ number: number }>('packages', 'freeze', reference, '-m', 'As it is');
      return share(`${reference}@${version?.number}`, asked);
    },
    async emptyFolder(name) {
      const folder = join(packager.folder, 'out', name);
      await mkdir(folder, { recursive: true });
      return folder;
    },
    async stop() {
      await packager.stop();
      await Promise.all([front.close(), back.close(), direct.close()]);
    },
  };
}

export const secretsOf = (keys: StoreServer['keys']): string =>
  JSON.stringify({ AWS_ACCESS_KEY_ID: keys.accessKeyId, AWS_SECRET_ACCESS_KEY: keys.secretAccessKey });

/** The line for a client as the page of the link prints it. */
export async function pastedLine(link: string, client: string): Promise<string> {
  const page = await (await fetch(link, { headers: { accept: 'text/html' } })).text();
  const lines = [...page.matchAll(/<code[^>]*>([\s\S]*?)<\/code>/g)].map((match) => unescapeHtml(match[1] ?? ''));
  const line = lines.find((one) => new RegExp(`(^|[ |])${client} `).test(one));
  if (line === undefined) throw new Error(`the page of the share has no line for ${client}`);
  return line;
}

function unescapeHtml(html: string): string {
  return html.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&');
}

/** A link with the ticket that its lists hold. */
export async function unlock(link: string, password: string): Promise<string> {
  const answer = await fetch(`${link}/unlock`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ password }),
  });
  return `${link}~${((await answer.json()) as { listTicket: string }).listTicket}`;
}

export interface RunningLine {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
  /** With everything it started. */
  kill(): void;
}

/** A pasted line in a shell of its own, begun in `folder`. */
export function runLine(line: string, folder: string): RunningLine {
  const child = spawn('/bin/sh', ['-c', line], { cwd: folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (chunk) => {
      text[stream] += chunk;
    });
  }
  const ended = new Promise<Ran>((resolve) => child.once('close', (code) => resolve({ code: code ?? 1, ...text })));
  return {
    child,
    ended,
    kill() {
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    },
  };
}

/** Asks every few milliseconds until it is so, or the line has ended. */
export async function until(isSo: () => boolean | Promise<boolean>, line?: RunningLine): Promise<void> {
  while (!(await isSo()) && line?.child.exitCode !== 0) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Bytes that repeat at no short distance. */
export function noise(size: number, seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = (seed * 2_654_435_761 + 1) | 0;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return Buffer.from(words.buffer).subarray(0, size);
}
