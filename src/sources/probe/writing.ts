/** Writing and deleting, where the source is declared writable; old versions; checksums. What is written is taken away again. */
import type { Driver, ObjectInfo } from '#drivers/driver.ts';
import { isError, PackageRError } from '#errors/error.ts';
import { type Key, parseKey } from '#model/key.ts';
import { type Finding, failed, ok, sayError, skipped, warning } from '#sources/probe/finding.ts';
import type { Probe } from '#sources/probe/probe.ts';
import type { Sample } from '#sources/probe/reading.ts';
import { useUrl } from '#sources/probe/signing.ts';

const first = Buffer.from('package-r\n');
const second = Buffer.from('package-r, once more\n');

/** Writes an object, reads it by its temporary URL when it has become an old version, and takes all of it away. */
export async function checkWriting(probe: Probe): Promise<void> {
  const { driver, report, clock } = probe;
  const { write, delete: remove, capabilities } = driver;
  if (!capabilities.write || write === undefined) return report.add('write', ok('It is read-only, as it is set up.'));
  if (remove === undefined) return report.add('write', skipped('It can be written, but not deleted from, so nothing was tried.'));
  const key = parseKey(`.package-r-test-${clock()}`);
  const written: ObjectInfo[] = [];
  const undo = (): Promise<boolean> => removeAll(remove.bind(driver), key, written);
  const tried = await report
    .attempt(() => writeTwice(probe, write.bind(driver), key, written))
    .catch(async (cancelled: unknown) => {
      await undo().catch(() => undefined);
      throw cancelled;
    });
  if (tried instanceof PackageRError) {
    // It may be there all the same; only a refusal says that it is not.
    if (written.length > 0 || !['forbidden', 'exists'].includes(tried.code)) await report.attempt(undo);
    report.add('write', sayUnwritten(tried));
    return;
  }
  const removed = await report.attempt(undo);
  report.add('write', removed instanceof PackageRError ? sayUnwritten(removed) : sayWritten(removed));
  if (tried !== undefined) report.add('old-version', tried);
}

/** What there is to say of the old version, if there is one. */
async function writeTwice(
  probe: Probe,
  write: NonNullable<Driver['write']>,
  key: Key,
  written: ObjectInfo[],
): Promise<Finding | undefined> {
  const { capabilities } = probe.driver;
  const put = async (bytes: Buffer, ifAbsent: boolean): Promise<void> => {
    written.push(await write(key, once(bytes), { size: bytes.length, ifAbsent, signal: probe.signal }));
  };
  await put(first, true);
  const version = written[0]?.version;
  if (!capabilities.versions || version === undefined || capabilities.presign === 'no') return undefined;
  await put(second, false);
  return sayOldVersion(probe, key, version);
}

/** Each version that was written, so that nothing stays; where versions may not be deleted, the object. False where something stays. */
async function removeAll(remove: NonNullable<Driver['delete']>, key: Key, written: readonly ObjectInfo[]): Promise<boolean> {
  try {
    for (const { version } of written.length === 0 ? [{ version: undefined }] : written) await remove(key, { version });
    return true;
  } catch (error) {
    if (!isError(error, 'forbidden') || written.every(({ version }) => version === undefined)) throw error;
    await remove(key);
    return false;
  }
}

function sayWritten(isClean: boolean): Finding {
  if (isClean) return ok('An object was written and deleted again.');
  return ok('An object was written and deleted again; old versions of it stay, which the identity of the source may not delete.');
}

function sayUnwritten(error: PackageRError): Finding {
  const remedy =
    error.code === 'forbidden'
      ? 'Allow the identity of the source to write and delete objects, or set the source up as read-only.'
      : error.help;
  return failed(`Writing and deleting an object did not work: ${sayError(error)}`, { remedy });
}

async function sayOldVersion(probe: Probe, key: Key, version: string): Promise<Finding> {
  const { driver, report } = probe;
  const answer = await report.attempt(async () => {
    const url = await driver.presign({ method: 'GET', key, version, expiresIn: 60 });
    return useUrl(probe, url);
  });
  if (answer instanceof PackageRError) return skipped('A temporary URL for an old version could not be tried from here.');
  if (answer.status === 200 && Buffer.from(answer.body).equals(first))
    return ok('A temporary URL gives an old version after it was replaced: packages stay exact.');
  return failed(`A temporary URL for an old version answers ${answer.status}${answer.status === 200 ? ' with other bytes' : ''}.`, {
    remedy: 'Allow the identity of the source to read object versions, or set its option versions to off.',
  });
}

/** Whether the version that an object has can be signed for. */
export async function checkVersions(probe: Probe, sample: Sample | undefined): Promise<void> {
  const { driver, report, facts } = probe;
  const remedy = 'Turn on versioning, so that packages stay exact when objects are replaced.';
  if (!driver.capabilities.versions) {
    const says = 'It keeps no object versions: packages notice a changed object, but cannot give the old one.';
    return report.add('versions', facts.versioning === undefined ? ok(says) : warning(says, { remedy }));
  }
  if (sample === undefined) return report.add('versions', skipped('There is no object to see a version of.'));
  const { key, version } = sample.info;
  if (facts.versioning === 'suspended')
    return report.add('versions', warning('Its versioning is suspended: an object that is replaced now is lost.', { remedy }));
  if (version === undefined && facts.versioning === 'on')
    return report.add('versions', ok('It keeps object versions; the object that was read is older than that.'));
  if (version === undefined) return report.add('versions', warning('It could keep object versions, but does not.', { remedy }));
  const says = 'It keeps object versions: packages stay exact when objects are replaced.';
  if (driver.capabilities.presign === 'no') return report.add('versions', ok(says));
  const answer = await report.attempt(async () => {
    const url = await driver.presign({ method: 'GET', key, version, expiresIn: 60 });
    return useUrl(probe, url);
  });
  if (answer instanceof PackageRError)
    return report.add('versions', skipped('It keeps object versions; a temporary URL for one could not be tried from here.'));
  if (answer.status === 200) return report.add('versions', ok(says));
  report.add(
    'versions',
    failed(`It keeps object versions, but a temporary URL for one answers ${answer.status}.`, {
      remedy: 'Allow the identity of the source to read object versions, or set its option versions to off.',
      paste: facts.leastPolicy,
    }),
  );
}

export function checkChecksums({ driver, report }: Probe, sample: Sample | undefined): void {
  report.add('checksums', sayChecksums(driver.capabilities.checksums.length > 0, sample));
}

function sayChecksums(isDeclared: boolean, sample: Sample | undefined): Finding {
  if (!isDeclared) return ok('It states no checksums: what is fetched from it is checked by size, unless a list or a person states more.');
  if (sample === undefined) return skipped('There is no object to see a checksum of.');
  const found = (sample.info.checksums ?? []).map((one) => one.algorithm);
  return ok(found.length === 0 ? 'It states no checksum for the object that was read.' : `It states checksums: ${found.join(', ')}.`);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
