/** What people do during a soak, each with the answer that is right. A duty throws where the answer was another. */
import { createHash } from 'node:crypto';
import { noise, type StoreWorld } from '../stores/store-world.ts';
import { Refusal } from './tally.ts';

export type Duty = (scene: SoakScene, turn: number) => Promise<void>;

const folders = 12;
const perFolder = 120;

const folderOf = (index: number): string => `set-${String(index % folders).padStart(2, '0')}`;
const nameOf = (index: number): string => `object ${String(index).padStart(3, '0')}.bin`;
const bytesOf = (key: string): Buffer => noise(200 + (hashOf(key) % 20_000), hashOf(key) || 1);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function hashOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32LE();
}

export class SoakScene {
  readonly #world: StoreWorld;
  readonly #token: string;
  /** Digests of versions and hashes of archives, by what they are made of: the same content must give the same. */
  readonly known: Map<string, string> = new Map();
  readonly link: string;
  #made = 0;

  private constructor(world: StoreWorld, token: string, link: string) {
    this.#world = world;
    this.#token = token;
    this.link = link;
  }

  /** A bucket of small objects, connected and shared. */
  static async prepare(world: StoreWorld): Promise<SoakScene> {
    const { server, packager } = world;
    const bucket = await server.makeBucket();
    const keys = Array.from({ length: folders }, (_, folder) =>
      Array.from({ length: perFolder }, (__, index) => `${folderOf(folder)}/${nameOf(index)}`),
    ).flat();
    await server.fill(bucket, keys, bytesOf);
    const ran = await world.connect('lab', bucket);
    if (ran.code !== 0) throw new Error(`the bucket was not connected: ${ran.stdout}${ran.stderr}`);
    const { url } = await world.publish('admin/all', ['lab']);
    const [made] = await packager.json<{ token: string }>('tokens', 'add', 'soak');
    return new SoakScene(world, made?.token ?? '', url);
  }

  /** A package name that was not used before. */
  nextName(): string {
    return `p-${this.#made++}`;
  }

  async api<T = Record<string, unknown>>(method: string, path: string, json?: unknown): Promise<T> {
    const response = await fetch(`${this.#world.front.url}/api/v1/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        accept: 'application/json',
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    const text = await response.text();
    if (!response.ok) throw refusalOf(response.status, text);
    return (text === '' ? {} : JSON.parse(text)) as T;
  }
}

function refusalOf(status: number, text: string): Refusal {
  try {
    const { code, detail } = JSON.parse(text) as { code?: string; detail?: string };
    return new Refusal(code ?? `status ${status}`, detail ?? '');
  } catch {
    return new Refusal(`status ${status}`, text.slice(0, 200));
  }
}

function must(isRight: boolean, what: string): void {
  if (!isRight) throw new Error(`wrong: ${what}`);
}

const pick = (count: number): number => Math.floor(Math.random() * count);
const pickKey = (): string => `${folderOf(pick(folders))}/${nameOf(pick(perFolder))}`;
const encode = (key: string): string => key.split('/').map(encodeURIComponent).join('/');

/** The bytes behind a temporary URL are those of the key. A store that is starting may refuse; then it must not be with other bytes. */
async function checkBytes(url: string, key: string): Promise<void> {
  const response = await fetch(url);
  const bytes = Buffer.from(await response.arrayBuffer());
  if (response.status >= 500) throw new Refusal('source_unavailable', `the store answers ${response.status}`);
  must(response.status === 200, `the store answers ${response.status} for ${key}: ${bytes.toString('utf8', 0, 300)}`);
  must(bytes.equals(bytesOf(key)), `other bytes for ${key}`);
}

export const checkBrowse: Duty = async (scene) => {
  const folder = folderOf(pick(folders));
  const { entries } = await scene.api<{ entries: { path: string; size: number }[] }>('GET', `sources/lab/entries/${folder}?limit=1000`);
  const found = entries.map(({ path, size }) => `${path} ${size}`).join('\n');
  const expected = Array.from({ length: perFolder }, (_, index) => `${folder}/${nameOf(index)}`)
    .map((key) => `${key} ${bytesOf(key).length}`)
    .join('\n');
  must(found === expected, `${folder} lists ${entries.length} entries, not its ${perFolder}`);
};

export const checkExchange: Duty = async (scene) => {
  const key = pickKey();
  const hop = await fetch(`${scene.link}/o/${encode(key)}?expires=120`, { redirect: 'manual' });
  const text = await hop.text();
  if (hop.status !== 307) throw refusalOf(hop.status, text);
  must(hop.headers.get('x-linked-size') === String(bytesOf(key).length), `X-Linked-Size of ${key}`);
  await checkBytes(hop.headers.get('location') ?? '', key);
};

export const checkHead: Duty = async (scene) => {
  const key = pickKey();
  const response = await fetch(`${scene.link}/o/${encode(key)}`, { method: 'HEAD' });
  if (response.status >= 500) throw new Refusal('source_unavailable', `HEAD answers ${response.status}`);
  must(response.status === 200, `HEAD of ${key} answers ${response.status}`);
  must(response.headers.get('content-length') === String(bytesOf(key).length), `Content-Length of ${key}`);
};

export const checkBulk: Duty = async (scene) => {
  const keys = Array.from({ length: 40 }, pickKey);
  const body = keys.map((key) => JSON.stringify(key)).join('\n');
  const response = await fetch(`${scene.link}/exchange`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body });
  const text = await response.text();
  if (!response.ok) throw refusalOf(response.status, text);
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { path?: string; url?: string; error?: { code: string; message: string } });
  const failed = lines.find((line) => line.error !== undefined)?.error;
  if (failed !== undefined) throw new Refusal(failed.code, failed.message);
  must(lines.map(({ path }) => path).join('\n') === keys.join('\n'), 'the answers of a bulk exchange are not those of its lines');
  for (const index of [0, 17, 39]) await checkBytes(lines[index]?.url ?? '', keys[index] ?? '');
};

export const checkArchive: Duty = async (scene) => {
  const folder = folderOf(pick(folders));
  const response = await fetch(`${scene.link}/package.zip?folder=${folder}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  if (!response.ok) throw refusalOf(response.status, bytes.toString());
  must(bytes.length === Number(response.headers.get('content-length')), `the archive of ${folder} has another length than was said`);
  keep(scene, `archive of ${folder}`, sha256(bytes));
};

/** A folder becomes a package and a version; what it is made of decides its digest. Then it is gone again. */
export const checkCuration: Duty = async (scene) => {
  const [folder, name] = [folderOf(pick(folders)), scene.nextName()];
  await scene.api('POST', 'packages', { reference: `admin/${name}` });
  const begun = await scene.api<{ id: string }>('POST', `packages/admin/${name}/annex`, { source: 'lab', select: { folder } });
  const job = await waitFor(scene, begun.id);
  if (job.state !== 'done') throw new Refusal(job.error?.code ?? job.state, job.error?.message ?? 'the job did not end well');
  const version = await scene.api<{ digest: string; entries: number }>('POST', `packages/admin/${name}/versions`, { message: 'Soak' });
  must(version.entries === perFolder, `${version.entries} entries were frozen, not ${perFolder}`);
  keep(scene, `digest of ${folder}`, version.digest);
  await scene.api('DELETE', `packages/admin/${name}`);
};

interface Job {
  readonly state: string;
  readonly error?: { readonly code: string; readonly message: string };
}

/** A job outlives a restart of packageR: asking goes on. */
async function waitFor(scene: SoakScene, id: string): Promise<Job> {
  for (let asked = 0; asked < 600; asked++) {
    const job = await scene.api<Job>('GET', `jobs/${id}`).catch(() => undefined);
    if (job !== undefined && ['done', 'failed', 'cancelled'].includes(job.state)) return job;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('wrong: a job did not end within a minute');
}

function keep(scene: SoakScene, what: string, value: string): void {
  const before = scene.known.get(what);
  scene.known.set(what, value);
  must(before === undefined || before === value, `the ${what} is not what it was`);
}
