/** List, read, read a part; and what of the first page lies in an archive. */
import type { ListPage, ObjectInfo } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
import { type Finding, failed, ok, skipped, warning } from '#sources/probe/finding.ts';
import type { Probe } from '#sources/probe/probe.ts';

/** An object to try things with. */
export interface Sample {
  readonly info: ObjectInfo;
  /** Its first bytes. */
  readonly head: Buffer;
}

/** How many bytes of an object are enough. */
export const sampleBytes = 64;
const pageSize = 1000;

/** Undefined where there is nothing that can be read. */
export async function checkReading(probe: Probe): Promise<Sample | undefined> {
  const { driver, report, signal } = probe;
  const page = await report.check('list', () => driver.list({ prefix: '', limit: pageSize, signal }), sayListed);
  const archived = page?.objects.filter((one) => one.availability === 'archived').length ?? 0;
  if (page !== undefined && archived > 0) report.add('archive', sayArchived(archived, page));
  const readable = page?.objects.filter((one) => one.size > 0 && one.availability !== 'archived') ?? [];
  const info = readable.find((one) => !hasDots(one.key)) ?? readable[0];
  if (info !== undefined) return read(probe, info);
  report.add(
    'read',
    skipped(page === undefined ? 'Nothing could be listed.' : 'There is no object with bytes in it that can be read now.'),
  );
  return undefined;
}

async function read({ driver, report, signal }: Probe, info: ObjectInfo): Promise<Sample | undefined> {
  const end = Math.min(info.size, sampleBytes);
  const bytesOf = async (start: number, to: number): Promise<Buffer> => {
    const { body } = await driver.read(info.key, { range: { start, end: to }, signal });
    return collect(body, to - start);
  };
  const take = async (): Promise<Sample> => {
    const known = await driver.stat(info.key, { signal });
    if (known.size !== info.size)
      throw new PackageRError('store_response', 'The size that the listing states is not the size of the object.');
    return { info: known, head: await bytesOf(0, end) };
  };
  const sample = await report.check('read', take, ({ head }) =>
    head.length === end ? ok('An object was read.') : failed('An object was cut short.'),
  );
  if (sample === undefined || info.size < 2) return sample;
  const sayRange = (part: Buffer): Finding =>
    part.equals(sample.head.subarray(1))
      ? ok('Parts of an object can be read.')
      : failed('Asked for a part of an object, the store gave other bytes.');
  await report.check('range', () => bytesOf(1, end), sayRange);
  return sample;
}

function sayListed({ objects, cursor }: ListPage): Finding {
  if (objects.length === 0 && cursor === undefined)
    return warning('It can be listed, but there is nothing in it.', { remedy: 'Check the folder, bucket and prefix.' });
  if (objects.length === 1) return ok('One object was listed.');
  return ok(cursor === undefined ? `${objects.length} objects were listed.` : `The first ${objects.length} objects were listed.`);
}

function sayArchived(archived: number, { objects, cursor }: ListPage): Finding {
  const of = cursor === undefined ? `${objects.length}` : `the first ${objects.length}`;
  return warning(`${archived} of ${of} objects lie in an archive: until they are restored, they cannot be fetched.`, {
    remedy: 'Restore them at the store before they are shared, or leave them out of packages.',
  });
}

/** Clients fold `.` and `..` before they send them. */
function hasDots(key: string): boolean {
  return key.split('/').some((segment) => segment === '.' || segment === '..');
}

async function collect(body: AsyncIterable<Uint8Array>, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) throw new PackageRError('store_response', 'Asked for a part of an object, the store gave more.');
  }
  return Buffer.concat(chunks);
}
