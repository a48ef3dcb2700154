/** A bucket of the person who runs the demo, or a public one: connected read-only, tested, and a small package made of what lies in it. */
import { createHash } from 'node:crypto';
import type { EntryAnswer } from '#api/entries.ts';
import type { PackageHead, Version } from '#api/packages.ts';
import type { NewSource, SourceTest } from '#api/sources.ts';
import { annex, putText, shareOnce } from '#cli/demo/curate.ts';
import { connect, type Prepared, type Scene, unlessExists } from '#cli/demo/scene.ts';
import { packagePath } from '#cli/packages/reference.ts';
import { printable, writeSize } from '#cli/terminal.ts';
import { apiPath, type Client } from '#client/client.ts';
import { ClientError } from '#client/error.ts';
import { PackageRError } from '#errors/error.ts';

export interface OwnBucketOptions {
  readonly bucket?: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly anonymous?: true;
}

interface OwnBucket {
  readonly bucket: string;
  /** '' or ending in one slash. */
  readonly prefix: string;
  readonly endpoint: URL | undefined;
  readonly region: string | undefined;
  readonly isAnonymous: boolean;
}

export interface OwnBucketContext {
  /** The data folder, as people name it to other verbs. */
  readonly dataDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  say(line: string): void;
}

const keyNames = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;

/** What the package takes at most, and how far it looks for that. */
const sample = { objects: 50, bytes: 256 * 1024 * 1024, pages: 40 } as const;

/** Errors: argument_invalid, secret_invalid. */
export function openOwnBucket(given: OwnBucketOptions & { readonly bucket: string }, context: OwnBucketContext): Scene {
  const own = parseOwnBucket(given);
  const { env, say } = context;
  const missing = own.isAnonymous ? [] : keyNames.filter((name) => !env[name]);
  if (missing.length > 0) {
    const what = `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} not set in this shell`;
    throw new PackageRError('secret_invalid', `${what}. Export the keys of the bucket, or say --anonymous for a public one.`);
  }
  const { endpoint } = own;
  return {
    endpoints: endpoint === undefined ? [] : [`${endpoint.hostname}:${endpoint.port || (endpoint.protocol === 'https:' ? 443 : 80)}`],
    prepare(client) {
      const how = own.isAnonymous ? 'without keys' : `with AWS_ACCESS_KEY_ID and its secret from this shell, which are not kept`;
      say(`connecting ${printable(writePlace(own))} read-only, ${how} …`);
      return prepare(client, own, context);
    },
    sayStoreBytes: async () => 'store not counted: it is yours',
    close: async () => undefined,
  };
}

function parseOwnBucket({ bucket: place, endpoint, region, anonymous }: OwnBucketOptions & { readonly bucket: string }): OwnBucket {
  const match = /^s3:\/\/([A-Za-z0-9][A-Za-z0-9._-]{1,254})(?:\/(.*))?$/s.exec(place);
  if (match === null)
    throw new PackageRError('argument_invalid', `${JSON.stringify(place)} is not of the form s3://NAME or s3://NAME/PREFIX.`);
  const below = (match[2] ?? '').replace(/\/+$/, '');
  const url = endpoint === undefined || !URL.canParse(endpoint) ? undefined : new URL(endpoint);
  if (endpoint !== undefined && !/^https?:$/.test(url?.protocol ?? ''))
    throw new PackageRError('argument_invalid', `--endpoint ${JSON.stringify(endpoint)} is no http or https URL.`);
  return { bucket: match[1] as string, prefix: below === '' ? '' : `${below}/`, endpoint: url, region, isAnonymous: anonymous === true };
}

const writePlace = ({ bucket, prefix }: OwnBucket): string => `s3://${bucket}/${prefix}`;

async function prepare(client: Client, own: OwnBucket, context: OwnBucketContext): Promise<Prepared> {
  const { bucket, endpoint } = own;
  const place = writePlace(own);
  const source = toSource(own);
  const items = await connectSample(client, source, { ...context, place });
  const reference = `admin/${source.name}`;
  await unlessExists(client.post('api/v1/packages', { reference }));
  await annex(client, reference, { source: source.name, list: items.map(toItem), onConflict: 'replace' });
  const bytes = items.reduce((sum, { size = 0 }) => sum + size, 0);
  const count = items.length === 1 ? 'One object' : `${items.length} objects`;
  const about = `${count} of ${place}, ${writeSize(bytes)}. The store gives the bytes out itself: packageR only signs for them.`;
  await putText(client, reference, 'README.md', `# A part of ${place}\n\n${about}\n`);
  const version = await freezeChanges(client, reference, `From ${place}`);
  const share = await shareOnce(client, `${reference}@${version.number}`, `A part of ${place}`.slice(0, 200), 'Made by the packageR demo.');
  const store = { kind: 's3', endpoint: endpoint?.origin ?? 'https://s3.amazonaws.com', bucket } as const;
  return { package: reference, version, share, store, about: printable(about), folder: 'objects' };
}

type Connecting = OwnBucketContext & { readonly place: string };

/** A source that does not work is not left behind. */
async function connectSample(client: Client, source: NewSource, context: Connecting): Promise<Found[]> {
  const isNew = await connect(client, source);
  try {
    await requireWorking(client, source.name, context);
    const items = await collectSample(client, source.name, context.signal);
    if (items.length === 0) throw new PackageRError('argument_invalid', `There are no objects in ${context.place}.`);
    return items;
  } catch (error) {
    if (isNew && !context.signal.aborted) await client.delete(apiPath`api/v1/sources/${source.name}`);
    throw error;
  }
}

/** A name for each place, so that pointers of an earlier start never lead elsewhere. */
function toSource({ bucket, prefix, endpoint, region, isAnonymous }: OwnBucket): NewSource {
  const place = [endpoint?.origin ?? '', bucket, prefix].join('\n');
  const digest = createHash('sha256').update(place).digest('hex').slice(0, 8);
  const readable = bucket
    .toLowerCase()
    .replace(/\.{2,}/g, '.')
    .slice(0, 50);
  return {
    name: `${readable}-${digest}`,
    driver: 's3',
    title: bucket,
    options: {
      bucket,
      ...(isAnonymous ? { credentials: 'anonymous' } : { credentials: 'ambient', ambient: 'environment' }),
      ...(prefix === '' ? {} : { prefix }),
      ...(endpoint === undefined ? {} : { endpoint: endpoint.href.replace(/\/$/, '') }),
      ...(region === undefined ? {} : { region }),
    },
  };
}

const needed: readonly string[] = ['open', 'list', 'read', 'presign', 'region'];

/** Says what the test of the source found. Errors: source_unavailable with what keeps it from being shown. */
async function requireWorking(client: Client, name: string, { place, dataDir, say }: Connecting): Promise<void> {
  const { checks } = await client.post<SourceTest>(apiPath`api/v1/sources/${name}/test`);
  const failure = checks.find((check) => check.outcome === 'failed' && needed.includes(check.name));
  if (failure !== undefined) throw new PackageRError('source_unavailable', `${place} cannot be shown. ${failure.says}`);
  for (const { outcome, says } of checks) if (outcome !== 'skipped') say(`  ${outcome === 'ok' ? '✓' : '!'} ${printable(says)}`);
  if (checks.some(({ remedy }) => remedy !== undefined))
    say(`  How to mend what has a “!”: bin/package-r --data-dir ${printable(dataDir)} sources test ${name}`);
}

type Found = EntryAnswer & { readonly key: string; readonly path: string };

/** The first objects, folder by folder from the top; of too much, what fits; at least one. */
async function collectSample(client: Client, source: string, signal: AbortSignal): Promise<Found[]> {
  const taken: Found[] = [];
  let smallest: Found | undefined;
  let room: number = sample.bytes;
  for await (const entry of walk(client, source)) {
    signal.throwIfAborted();
    const { size = 0 } = entry;
    if (smallest === undefined || size < (smallest.size ?? 0)) smallest = entry;
    if (size > room) continue;
    room -= size;
    taken.push(entry);
    if (taken.length === sample.objects) break;
  }
  return taken.length > 0 || smallest === undefined ? taken : [smallest];
}

async function* walk(client: Client, source: string): AsyncGenerator<Found, void> {
  const folders = [''];
  let pages = 0;
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    let cursor: string | undefined;
    do {
      if (++pages > sample.pages) return;
      const page: { entries?: EntryAnswer[]; cursor?: string } = await client.get(apiPath`api/v1/sources/${source}/entries/${folder}`, {
        cursor,
      });
      for (const entry of page.entries ?? []) {
        if (entry.kind === 'folder' && entry.path !== undefined) folders.push(entry.path);
        else if (entry.path !== undefined && entry.key !== undefined) yield entry as Found;
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
  }
}

function toItem({ key, path, size, etag, version, modifiedAt }: Found): object {
  const known = { size, etag, version, modifiedAt };
  return { key, to: path, ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)) };
}

/** The newest version where nothing has changed since. */
async function freezeChanges(client: Client, reference: string, message: string): Promise<Version> {
  const path = packagePath(reference);
  try {
    return await client.post<Version>(`${path}/versions`, { message });
  } catch (error) {
    if (!(error instanceof ClientError && error.code === 'nothing_to_freeze')) throw error;
  }
  const { latest } = (await client.get<PackageHead>(path)).package;
  const { version } = await client.get<PackageHead>(packagePath(`${reference}@${latest}`));
  if (version === undefined) throw new TypeError('a version was asked for');
  return version;
}
