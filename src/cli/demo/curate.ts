/** Curates the package of the demo through the API, as anyone would. Every part is left alone where it is there already. */
import { setTimeout } from 'node:timers/promises';
import type { EntriesAnswer } from '#api/entries.ts';
import type { Job } from '#api/jobs.ts';
import type { Version } from '#api/packages.ts';
import type { Share } from '#api/shares.ts';
import type { NewSource } from '#api/sources.ts';
import { connect, unlessExists } from '#cli/demo/scene.ts';
import { demoReadme, demoYaml } from '#cli/demo/texts.ts';
import { entryPath, packagePath } from '#cli/packages/reference.ts';
import type { Client } from '#client/client.ts';
import { PackageRError } from '#errors/error.ts';

export const demoPackage = 'admin/snow-and-stations';

export interface DemoSources {
  /** Undefined where the data set is not installed: the package is made without it. */
  readonly vega: NewSource | undefined;
  readonly field: NewSource;
  /** Of the version whose pointers lead to these sources; there is one version for each message. */
  readonly message: string;
}

export async function curateDemo(client: Client, sources: DemoSources): Promise<{ share: Share; version: Version }> {
  if (sources.vega !== undefined) await connect(client, sources.vega);
  await connect(client, sources.field);
  await unlessExists(client.post('api/v1/packages', { reference: demoPackage }));
  const version = (await findVersion(client, sources.message)) ?? (await freezeDemo(client, sources));
  const target = `${demoPackage}@${version.number}`;
  return { version, share: await shareOnce(client, target, 'Snow and stations', 'The package of the packageR demo.') };
}

async function findVersion(client: Client, message: string): Promise<Version | undefined> {
  for await (const version of client.pages<Version>(`${packagePath(demoPackage)}/versions`, 'versions')) {
    if (version.message === message && version.withdrawn === undefined) return version;
  }
  return undefined;
}

async function freezeDemo(client: Client, { vega, field, message }: DemoSources): Promise<Version> {
  const path = packagePath(demoPackage);
  const add = (request: object): Promise<void> => annex(client, demoPackage, { onConflict: 'replace', ...request });
  await clear(client, demoPackage);
  // Names say station and day: 2024 only, in folders by month, the day in front.
  await add({
    source: field.name,
    select: {
      folder: 'stations',
      match: String.raw`^(?P<station>[a-z]+)/\d{4}/\d{2}/[a-z]+_(?P<date>(?P<month>\d{6})\d{2})\.csv$`,
      where: [{ group: 'date', op: '<', value: '20240701' }],
    },
    to: 'stations',
    rename: '{station}/{month}/{date}.csv',
  });
  await add({ source: field.name, select: { paths: ['elevation'] }, to: '' });
  await add({ source: field.name, select: { folder: 'awkward' }, to: 'names' });
  await add({ source: field.name, select: { folder: 'notebooks' }, to: 'notebooks', copyTexts: true });
  if (vega !== undefined) {
    await add({ source: vega.name, select: { glob: '*{weather,temp,precip}*.{csv,json}' }, to: 'weather' });
    await add({
      source: vega.name,
      select: { paths: ['world-110m.json', 'flights-3m.parquet', 'flights-200k.arrow', 'gimp.png'] },
      to: 'vega',
    });
  }
  await putText(client, demoPackage, 'README.md', demoReadme);
  await putText(client, demoPackage, 'package.yaml', demoYaml);
  await client.post(`${path}/steps`, {
    operation: 'meta',
    paths: ['elevation/alps.tif'],
    patch: { crs: 'EPSG:4326', unit: 'made up' },
  });
  return await client.post<Version>(`${path}/versions`, { message });
}

/** Takes out what an interrupted start left, or one with other sources. */
async function clear(client: Client, reference: string): Promise<void> {
  const { entries = [] } = await client.get<EntriesAnswer>(entryPath(reference, ''));
  const paths = entries.map(({ path }) => path);
  if (paths.length > 0) await client.post(`${packagePath(reference)}/steps`, { operation: 'remove', paths });
}

/** Tries of one annexing, and milliseconds between them: a store that has just started may list objects before it gives their bytes. */
const patience = { tries: 5, pause: 2000 } as const;

/** Resolves when the job has ended well. `request` must replace what is there, so that it may be repeated. */
export async function annex(client: Client, reference: string, request: object): Promise<void> {
  for (let tried = 1; ; tried++) {
    const { id } = await client.post<Job>(`${packagePath(reference)}/annex`, request);
    let last: Job | undefined;
    for await (const job of client.events<Job>(`api/v1/jobs/${id}/events`)) last = job;
    if (last?.state === 'done') return;
    if (last?.error?.code !== 'source_unavailable' || tried === patience.tries)
      throw new PackageRError('internal', `The demo could not be prepared: ${last?.error?.message ?? 'a job did not end'}`);
    await setTimeout(patience.pause);
  }
}

export async function putText(client: Client, reference: string, path: string, text: string): Promise<void> {
  await client.call('PUT', entryPath(reference, path), { body: text, contentType: 'application/octet-stream' });
}

/** The share of an earlier start where it still works. `target`: namespace/name@number. */
export async function shareOnce(client: Client, target: string, title: string, note: string): Promise<Share> {
  for await (const share of client.pages<Share>('api/v1/shares', 'shares')) {
    const isWhole = share.path === '' && share.rights.includes('exchange') && share.terms === '';
    if (share.target === target && share.state === 'open' && share.audience === 'link' && isWhole) return share;
  }
  return await client.post<Share>('api/v1/shares', { target, title, note });
}
