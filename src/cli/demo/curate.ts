/** Curates the package of the demo through the API, as anyone would. Every part is left alone where it is there already. */
import type { Job } from '#api/jobs.ts';
import type { PackageHead, Version } from '#api/packages.ts';
import type { Share } from '#api/shares.ts';
import { demoReadme, demoYaml } from '#cli/demo/texts.ts';
import { entryPath, packagePath } from '#cli/packages/reference.ts';
import type { Client } from '#client/client.ts';
import { ClientError } from '#client/error.ts';
import { PackageRError } from '#errors/error.ts';

export const demoPackage = 'admin/snow-and-stations';

export interface DemoFolders {
  /** Undefined where the data set is not installed: the package is made without it. */
  readonly vega: string | undefined;
  readonly field: string;
}

export async function curateDemo(client: Client, folders: DemoFolders): Promise<{ share: Share; version: Version }> {
  if (folders.vega !== undefined) await connect(client, 'vega', 'Data sets of Vega', folders.vega);
  await connect(client, 'field', 'Snow campaign', folders.field);
  await unlessExists(client.post('api/v1/packages', { reference: demoPackage }));
  const path = packagePath(demoPackage);
  const { latest } = (await client.get<PackageHead>(path)).package;
  const version = latest === undefined ? await freezeFirst(client, folders) : await getVersion(client, latest);
  return { version, share: await shareOnce(client, version) };
}

async function connect(client: Client, name: string, title: string, root: string): Promise<void> {
  await unlessExists(client.post('api/v1/sources', { name, driver: 'folder', title, options: { root } }));
}

async function unlessExists(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof ClientError && error.code === 'exists')) throw error;
  }
}

async function freezeFirst(client: Client, { vega }: DemoFolders): Promise<Version> {
  const path = packagePath(demoPackage);
  // Names say station and day: 2024 only, in folders by month, the day in front.
  await annex(client, {
    source: 'field',
    select: {
      folder: 'stations',
      match: String.raw`^(?P<station>[a-z]+)/\d{4}/\d{2}/[a-z]+_(?P<date>(?P<month>\d{6})\d{2})\.csv$`,
      where: [{ group: 'date', op: '<', value: '20240701' }],
    },
    to: 'stations',
    rename: '{station}/{month}/{date}.csv',
    onConflict: 'skip',
  });
  await annex(client, { source: 'field', select: { paths: ['elevation'] }, to: '', onConflict: 'skip' });
  await annex(client, { source: 'field', select: { folder: 'awkward' }, to: 'names', onConflict: 'skip' });
  await annex(client, { source: 'field', select: { folder: 'notebooks' }, to: 'notebooks', copyTexts: true, onConflict: 'skip' });
  if (vega !== undefined) {
    await annex(client, { source: 'vega', select: { glob: '*{weather,temp,precip}*.{csv,json}' }, to: 'weather', onConflict: 'skip' });
    await annex(client, {
      source: 'vega',
      select: { paths: ['world-110m.json', 'flights-3m.parquet', 'flights-200k.arrow', 'gimp.png'] },
      to: 'vega',
      onConflict: 'skip',
    });
  }
  await put(client, 'README.md', demoReadme);
  await put(client, 'package.yaml', demoYaml);
  await client.post(`${path}/steps`, {
    operation: 'meta',
    paths: ['elevation/alps.tif'],
    patch: { crs: 'EPSG:4326', unit: 'made up' },
  });
  return await client.post<Version>(`${path}/versions`, { message: 'First release of the demo' });
}

async function getVersion(client: Client, number: number): Promise<Version> {
  const { version } = await client.get<PackageHead>(packagePath(`${demoPackage}@${number}`));
  if (version === undefined) throw new TypeError('a version was asked for');
  return version;
}

async function annex(client: Client, request: unknown): Promise<void> {
  const { id } = await client.post<Job>(`${packagePath(demoPackage)}/annex`, request);
  let last: Job | undefined;
  for await (const job of client.events<Job>(`api/v1/jobs/${id}/events`)) last = job;
  if (last?.state !== 'done')
    throw new PackageRError('internal', `The demo could not be prepared: ${last?.error?.message ?? 'a job did not end'}`);
}

async function put(client: Client, path: string, text: string): Promise<void> {
  await client.call('PUT', entryPath(demoPackage, path), { body: text, contentType: 'application/octet-stream' });
}

/** The share of an earlier start where it still works. */
async function shareOnce(client: Client, { number }: Version): Promise<Share> {
  const target = `${demoPackage}@${number}`;
  for await (const share of client.pages<Share>('api/v1/shares', 'shares')) {
    const isWhole = share.path === '' && share.rights.includes('exchange') && share.terms === '';
    if (share.target === target && share.state === 'open' && share.audience === 'link' && isWhole) return share;
  }
  return await client.post<Share>('api/v1/shares', { target, title: 'Snow and stations', note: 'The package of the packageR demo.' });
}
