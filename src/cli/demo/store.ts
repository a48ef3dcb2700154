/**
 * The bucket of the demo: SeaweedFS in a process of its own, on the loopback, with its data below the demo's folder. It is filled once,
 * before it gives out a key; from then on it refuses what is not signed, and the only key may list and read this bucket, no more.
 * Source: SeaweedFS 4.48, `weed help mini`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { PackageRError } from '#errors/error.ts';
import { type DemoObject, putObjects } from './put-objects.ts';
import type { ReservedPorts } from './reserve-ports.ts';

export const demoBucket = 'packager-demo';

/** Of the interfaces that SeaweedFS listens on; only `s3` and `metrics` are spoken to by us. */
export const storePorts = [
  's3',
  's3.grpc',
  'master',
  'master.grpc',
  'volume',
  'volume.grpc',
  'filer',
  'filer.grpc',
  'admin',
  'admin.grpc',
  'metrics',
] as const;
export type StorePorts = ReservedPorts<(typeof storePorts)[number]>;

export interface DemoStore {
  readonly endpoint: string;
  readonly keys: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Bytes of objects that it sent to anybody since it started, as it counts them itself; undefined where it does not answer. */
  sentBytes(): Promise<number | undefined>;
  /** Resolves when its process is gone. May be called twice. */
  stop(): Promise<void>;
}

export interface StoreOptions {
  /** `weed`. */
  readonly program: string;
  /** The PATH that it runs with. */
  readonly path: string | undefined;
  /** For its data, its configuration and its log. */
  readonly folder: string;
  readonly reserved: StorePorts;
  readonly signal: AbortSignal;
  /** What it holds; asked for at the first start. */
  objects(): Iterable<DemoObject>;
  /** A line of progress. */
  say(line: string): void;
}

/** Milliseconds. */
const longestStart = 30_000;
const longestStop = 8000;
const longestAnswer = 2000;

/** Errors: source_unavailable in plain words where it does not start or cannot be filled; what the signal aborts with. */
export async function startStore(options: StoreOptions): Promise<DemoStore> {
  const { folder, reserved, objects, signal, say } = options;
  await mkdir(join(folder, 'data'), { recursive: true, mode: 0o700 });
  const endpoint = `http://127.0.0.1:${reserved.ports.s3}`;
  const bucketUrl = `${endpoint}/${demoBucket}`;
  await reserved.release();
  const filled = join(folder, 'filled');
  if (!existsSync(filled)) {
    say('filling a bucket of SeaweedFS with the data (once) …');
    const open = await StoreProcess.start(options, [{ name: 'anonymous', actions: [`List:${demoBucket}`, `Write:${demoBucket}`] }]);
    try {
      await open.until(`${bucketUrl}?list-type=2`, 200, signal);
      await putObjects({ bucketUrl, objects: objects(), signal });
    } finally {
      await open.stop();
    }
    await writeFile(filled, '');
  }
  const keys = { accessKeyId: randomBytes(10).toString('hex').toUpperCase(), secretAccessKey: randomBytes(30).toString('base64url') };
  const credentials = [{ accessKey: keys.accessKeyId, secretKey: keys.secretAccessKey }];
  const store = await StoreProcess.start(options, [
    { name: 'package-r', credentials, actions: [`List:${demoBucket}`, `Read:${demoBucket}`] },
  ]);
  try {
    await store.until(`${bucketUrl}?list-type=2`, 403, signal);
  } catch (error) {
    await store.stop();
    throw error;
  }
  const sentBytes = () => readSentBytes(`http://127.0.0.1:${reserved.ports.metrics}/metrics`);
  return { endpoint, keys, sentBytes, stop: () => store.stop() };
}

/** Undefined where nobody answers. Before the first object is sent there is no such line. */
async function readSentBytes(url: string): Promise<number | undefined> {
  try {
    const text = await (await fetch(url, { signal: AbortSignal.timeout(longestAnswer) })).text();
    const line = `SeaweedFS_s3_bucket_traffic_sent_bytes_total{bucket="${demoBucket}"} `;
    const found = text.split('\n').find((one) => one.startsWith(line));
    return found === undefined ? 0 : Number(found.slice(line.length));
  } catch {
    return undefined;
  }
}

interface Identity {
  readonly name: string;
  readonly credentials?: readonly { readonly accessKey: string; readonly secretKey: string }[];
  readonly actions: readonly string[];
}

/**
 * Ends the store with us, also where we are killed: standard input is a pipe that only we hold, and its end is what `read` waits for. A
 * store that does not heed is killed.
 */
const guard = `exec 3<&0
"$@" 3<&- </dev/null &
store=$!
{
  read -r _ <&3
  kill -TERM $store
  for _ in 1 2 3 4 5; do sleep 1; kill -0 $store || exit 0; done
  kill -KILL $store
} 2>/dev/null &
wait $store
kill $! 2>/dev/null`;

class StoreProcess {
  readonly #child: ChildProcess;
  readonly #gone: Promise<unknown>;

  readonly #sockets: readonly string[];

  private constructor(child: ChildProcess, sockets: readonly string[]) {
    this.#child = child;
    this.#sockets = sockets;
    this.#gone = once(child, 'close').catch(() => undefined);
    child.stdin?.on('error', () => undefined);
  }

  /** In a group of its own, so that Ctrl-C at the terminal reaches us alone, and with nothing of our environment but the PATH. */
  static async start({ program, path, folder, reserved: { ports } }: StoreOptions, identities: readonly Identity[]): Promise<StoreProcess> {
    await writeFile(join(folder, 's3.json'), JSON.stringify({ identities }), { mode: 0o600 });
    const log = openSync(join(folder, 'weed.log'), 'w', 0o600);
    const args = [
      '-logtostderr=true',
      ...['mini', '-dir=data', `-bucket=${demoBucket}`, '-s3.config=s3.json', '-s3.autoCreateBucket=false'],
      ...['-ip=127.0.0.1', '-ip.bind=127.0.0.1', '-master.telemetry=false'],
      ...['-webdav=false', '-admin.ui=false', '-s3.port.iceberg=0', '-s3.port.lance=0', '-disableHttp'],
      ...['-s3.localSocket=s3.sock', '-filer.localSocket=filer.sock'],
      ...['-master.volumeSizeLimitMB=64', '-volume.preStopSeconds=0', `-metricsPort=${ports.metrics}`],
      ...storePorts.filter((name) => name !== 'metrics').map((name) => `-${name.replace(/^(\w+)/, '$1.port')}=${ports[name]}`),
    ];
    const env = { PATH: path, HOME: folder, GOMEMLIMIT: '400MiB' };
    const child = spawn('sh', ['-c', guard, 'sh', program, ...args], { cwd: folder, env, stdio: ['pipe', log, log], detached: true });
    closeSync(log);
    // It makes these whatever it is told, and leaves some behind.
    const sockets = storePorts
      .filter((name) => name.endsWith('.grpc'))
      .map((name) => `/tmp/seaweedfs-${name.replace('.', '-')}-${ports[name]}.sock`);
    return new StoreProcess(child, sockets);
  }

  /** Resolves at the first answer of this status to a request without a signature. */
  async until(url: string, status: number, signal: AbortSignal): Promise<void> {
    for (const end = Date.now() + longestStart; Date.now() < end; await setTimeout(50, undefined, { signal })) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) break;
      if ((await statusOf(url, signal)) === status) return;
    }
    throw new PackageRError('source_unavailable', 'SeaweedFS does not start here');
  }

  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const bound = new AbortController();
    const late = setTimeout(longestStop, undefined, { signal: bound.signal }).then(
      () => this.#kill(),
      () => undefined,
    );
    await this.#gone;
    bound.abort();
    await late;
    await Promise.all(this.#sockets.map((path) => rm(path, { force: true })));
  }

  #kill(): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // It is gone already.
    }
  }
}

/** Undefined where nobody answers yet. */
async function statusOf(url: string, signal: AbortSignal): Promise<number | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(longestAnswer)]) });
    await response.body?.cancel();
    return response.status;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}
