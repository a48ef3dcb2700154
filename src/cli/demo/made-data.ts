/**
 * The demo's own data, real and made up: in a bucket where SeaweedFS can be had, else in folders, which packageR serves itself. What is
 * missing for a bucket is said in a line.
 */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { NewSource } from '#api/sources.ts';
import { curateDemo, type DemoSources, demoPackage } from '#cli/demo/curate.ts';
import type { Client } from '#client/client.ts';
import { isError } from '#errors/error.ts';
import { fieldFiles, writeFieldData } from './field-data.ts';
import { findWeed } from './find-weed.ts';
import type { DemoObject } from './put-objects.ts';
import { reservePorts } from './reserve-ports.ts';
import type { Prepared, Scene } from './scene.ts';
import { type DemoStore, demoBucket, type StorePorts, startStore, storePorts } from './store.ts';

export interface MadeDataOptions {
  /** Below it all of this lies. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Folders, even where there could be a bucket. */
  readonly foldersOnly: boolean;
  /** A line of progress. */
  say(line: string): void;
}

export async function openMadeData(options: MadeDataOptions): Promise<Scene> {
  const reserved = options.foldersOnly ? undefined : await reservePorts(storePorts);
  let store: DemoStore | undefined;
  return {
    endpoints: reserved === undefined ? [] : [`127.0.0.1:${reserved.ports.s3}`],
    async prepare(client) {
      options.say('preparing the demo …');
      const found = reserved === undefined ? { missing: undefined } : await openStore(options, reserved);
      if ('missing' in found) return await prepareFolders(client, options, found.missing);
      store = found.store;
      return await prepareBucket(client, store);
    },
    async sayStoreBytes() {
      if (store === undefined) return 'store 0 (folders stood in for a bucket)';
      const bytes = await store.sentBytes();
      return bytes === undefined ? 'store unknown, since it has ended' : `store ${bytes}`;
    },
    async close() {
      await reserved?.release();
      await store?.stop();
    },
  };
}

/** Or `missing`: why there is none. */
async function openStore(
  { folder, env, signal, say }: MadeDataOptions,
  reserved: StorePorts,
): Promise<{ readonly store: DemoStore } | { readonly missing: string }> {
  const found = await findWeed({ env, folder: join(folder, 'seaweedfs'), signal, say });
  if ('missing' in found) return found;
  try {
    const place = { program: found.program, path: env['PATH'], folder: join(folder, 'store') };
    return { store: await startStore({ ...place, reserved, signal, objects, say }) };
  } catch (error) {
    if (!isError(error, 'source_unavailable')) throw error;
    return { missing: `${error.message} (its log is ${join(folder, 'store', 'weed.log')})` };
  }
}

async function prepareBucket(client: Client, { endpoint, keys }: DemoStore): Promise<Prepared> {
  const sourceOf = (name: string, title: string): NewSource => ({
    name: `${name}-bucket`,
    driver: 's3',
    title,
    options: { bucket: demoBucket, prefix: `${name}/`, endpoint, region: 'us-east-1', provider: 'seaweedfs', credentials: 'keys' },
    secrets: { AWS_ACCESS_KEY_ID: keys.accessKeyId, AWS_SECRET_ACCESS_KEY: keys.secretAccessKey },
  });
  const vega = vegaFolder() === undefined ? undefined : sourceOf('vega', 'Data sets of Vega');
  const sources = { field: sourceOf('field', 'Snow campaign'), vega, message: 'Release of the demo in a bucket' };
  const about = `The data lie in the bucket ${demoBucket} of SeaweedFS at ${endpoint}, a process of its own,\nwhich gives the bytes out itself: packageR only signs for them.`;
  return { ...(await prepare(client, sources)), store: { kind: 'seaweedfs', endpoint, bucket: demoBucket }, about };
}

async function prepareFolders(client: Client, { folder, signal }: MadeDataOptions, missing: string | undefined): Promise<Prepared> {
  const root = join(folder, 'field');
  await writeFieldData(root, signal);
  const vega = vegaFolder();
  const sourceOf = (name: string, title: string, place: string): NewSource => ({ name, driver: 'folder', title, options: { root: place } });
  const sources = {
    field: sourceOf('field', 'Snow campaign', root),
    vega: vega === undefined ? undefined : sourceOf('vega', 'Data sets of Vega', vega),
    message: 'First release of the demo',
  };
  const why = missing === undefined ? '' : `For a bucket: ${missing}\n`;
  const about = `The data lie in folders, and packageR gives the bytes out itself.\n${why}`.trimEnd();
  return { ...(await prepare(client, sources)), store: null, about };
}

async function prepare(client: Client, sources: DemoSources): Promise<Omit<Prepared, 'store' | 'about'>> {
  const { share, version } = await curateDemo(client, sources);
  return { package: demoPackage, version, share, folder: 'snow' };
}

/** What the bucket holds: the same files that the folders would. */
function* objects(): Generator<DemoObject, void> {
  for (const [name, content] of fieldFiles()) yield { key: `field/${name}`, content };
  const folder = vegaFolder();
  if (folder === undefined) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isFile()) yield { key: `vega/${entry.name}`, content: { file: join(folder, entry.name) } };
  }
}

/** The folder of the npm package `vega-datasets`; undefined where it is not installed. */
function vegaFolder(): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '..', 'data');
  } catch {
    return undefined;
  }
}
