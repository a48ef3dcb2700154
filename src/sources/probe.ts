/**
 * The test of a source: tries what its driver declares, chosen by capability, and says in plain words what works and how to mend what
 * does not. It writes one small object where the source is declared writable, and removes it. It shows no secret, temporary URL or upstream text.
 */
import type { Driver, DriverDefinition, ObjectInfo } from '#drivers/driver.ts';
import { asError, PackageRError } from '#errors/error.ts';
import type { Clock } from '#model/clock.ts';
import { parseKey } from '#model/key.ts';
import type { TemporaryUrl } from '#model/temporary-url.ts';
import type { SourceCheck, SourceTest } from '#sources/source.ts';

export interface FetchedUrl {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body, cut after the bytes that were asked for. */
  readonly body: Uint8Array;
}

export interface ProbeHooks {
  /** Fetches a temporary URL as a collaborator would; `headers` are sent besides those of the URL. At most `maxBytes` of the body. */
  fetchSigned?(
    url: TemporaryUrl,
    options: { readonly headers: Readonly<Record<string, string>>; readonly maxBytes: number; readonly signal: AbortSignal | undefined },
  ): Promise<FetchedUrl>;
}

export interface ProbeOptions {
  readonly definition: DriverDefinition | undefined;
  /** Opens a driver, which is closed at the end. Errors say what is wrong with options and secrets. */
  open(): Promise<Driver>;
  readonly hooks: ProbeHooks;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

type Finding = Omit<SourceCheck, 'name'>;

interface Sample {
  readonly info: ObjectInfo;
  /** Its first bytes. */
  readonly head: Buffer;
}

const sampleBytes = 64;
const urlLife = 60;
const skew = { warning: 30_000, failed: 300_000 } as const;

/** Errors: cancelled. Everything else that goes wrong is a finding. */
export async function probeSource(options: ProbeOptions): Promise<SourceTest> {
  const probe = new Probe(options);
  await probe.run();
  return { works: probe.checks.every((check) => check.outcome !== 'failed'), checks: probe.checks };
}

class Probe {
  readonly checks: SourceCheck[] = [];
  readonly #options: ProbeOptions;

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const driver = await this.#check(
      'open',
      () => this.#options.open(),
      () => ok('Options and secrets are complete, and the source opens.'),
    );
    if (driver === undefined) return;
    try {
      await this.#try(driver);
    } finally {
      await driver.close?.();
    }
  }

  async #try(driver: Driver): Promise<void> {
    const { signal } = this.#options;
    const page = await this.#check(
      'list',
      () => driver.list({ prefix: '', limit: 100, signal }),
      ({ objects }) => sayListed(objects.length),
    );
    const info = page?.objects.find((one) => one.size > 0 && one.availability !== 'archived');
    const sample = info === undefined ? this.#skipReading(page !== undefined) : await this.#read(driver, info);
    await this.#presign(driver, sample);
    await this.#write(driver);
    this.#add('versions', sayVersions(driver, sample));
    this.#add('checksums', sayChecksums(driver, sample));
  }

  #skipReading(isListed: boolean): undefined {
    this.#add('read', skipped(isListed ? 'There is no object with bytes in it to read.' : 'Nothing could be listed.'));
    return undefined;
  }

  async #read(driver: Driver, info: ObjectInfo): Promise<Sample | undefined> {
    const { signal } = this.#options;
    const end = Math.min(info.size, sampleBytes);
    const bytesOf = async (start: number, to: number): Promise<Buffer> => {
      const { body } = await driver.read(info.key, { range: { start, end: to }, signal });
      return collect(body, to - start);
    };
    const read = async (): Promise<Sample> => {
      const known = await driver.stat(info.key, { signal });
      if (known.size !== info.size)
        throw new PackageRError('store_response', 'The size that the listing states is not the size of the object.');
      return { info: known, head: await bytesOf(0, end) };
    };
    const sample = await this.#check('read', read, ({ head }) =>
      head.length === end ? ok('An object was read.') : failed('An object was cut short.'),
    );
    if (sample === undefined || info.size < 2) return sample;
    const sayRange = (part: Buffer): Finding =>
      part.equals(sample.head.subarray(1))
        ? ok('Parts of an object can be read.')
        : failed('Asked for a part of an object, the store gave other bytes.');
    await this.#check('range', () => bytesOf(1, end), sayRange);
    return sample;
  }

  async #presign(driver: Driver, sample: Sample | undefined): Promise<void> {
    const { fetchSigned } = this.#options.hooks;
    if (driver.capabilities.presign === 'no') {
      return this.#add('presign', warning('It cannot make temporary URLs: people can browse it, but not fetch from it.'));
    }
    if (sample === undefined) return this.#add('presign', skipped('There is no object to make a temporary URL for.'));
    const { key } = sample.info;
    const make = async () => driver.presign({ method: 'GET', key, expiresIn: urlLife });
    if (fetchSigned === undefined) {
      await this.#check('presign', make, () => ok('A temporary URL was made; it was not tried.'));
      return;
    }
    const fetch = (url: TemporaryUrl, headers: Readonly<Record<string, string>>): Promise<FetchedUrl> =>
      fetchSigned(url, { headers, maxBytes: sampleBytes, signal: this.#options.signal });
    let made: TemporaryUrl | undefined;
    const fetchNew = async (): Promise<FetchedUrl> => {
      made = await make();
      return fetch(made, {});
    };
    const fetched = await this.#check('presign', fetchNew, (answer) => sayFetched(answer, sample));
    if (made === undefined || fetched?.status !== 200) return;
    const url = made;
    const last = sample.head.length - 1;
    if (last > 0) {
      const sayRange = (answer: FetchedUrl): Finding => saySignedRange(answer, sample);
      await this.#check('presign-range', () => fetch(url, { range: `bytes=1-${last}` }), sayRange);
    }
    if (url.expiresAt !== undefined) await this.#check('tampered', () => fetch({ ...url, url: tamper(url.url) }, {}), sayTampered);
    this.#add('clock', sayClock(fetched.headers['date'], this.#options.clock()));
  }

  /** Writes one small object and takes it away again, where the source is declared writable. */
  async #write(driver: Driver): Promise<void> {
    const { write, delete: remove } = driver;
    if (!driver.capabilities.write || write === undefined) return this.#add('write', ok('It is read-only, as it is set up.'));
    if (remove === undefined) return this.#add('write', skipped('It can be written, but not deleted from, so nothing was tried.'));
    const { signal, clock } = this.#options;
    const key = parseKey(`.package-r-test-${clock()}`);
    const writeAndRemove = async (): Promise<void> => {
      try {
        await write.call(driver, key, once(Buffer.from('package-r\n')), { size: 10, ifAbsent: true, signal });
      } finally {
        await remove.call(driver, key);
      }
    };
    await this.#check('write', writeAndRemove, () => ok('An object was written and deleted again.'));
  }

  /** What `run` gives, undefined where it failed and the failure was noted. */
  async #check<T>(name: string, run: () => Promise<T>, say: (result: T) => Finding): Promise<T | undefined> {
    try {
      const result = await run();
      this.#add(name, say(result));
      return result;
    } catch (error) {
      const known = asError(error);
      if (this.#options.signal?.aborted) throw new PackageRError('cancelled', 'The test of the source was cancelled.', { cause: error });
      this.#add(name, failed(known.code === 'internal' ? known.help : known.message, remedyOf(known, this.#options.definition)));
      return undefined;
    }
  }

  #add(name: string, finding: Finding): void {
    this.checks.push({ name, ...finding });
  }
}

function remedyOf(error: PackageRError, definition: DriverDefinition | undefined): string {
  switch (error.code) {
    case 'source_credentials':
      return `Update the secrets of the source${namesOf(definition)}, and see that they have not expired.`;
    case 'forbidden':
      return 'Allow the identity that the source uses to list and read it.';
    case 'source_broken':
      return `Correct what is named, with “sources update”${namesOf(definition)}.`;
    default:
      return error.help;
  }
}

function namesOf(definition: DriverDefinition | undefined): string {
  const names = definition?.secrets.map((secret) => secret.name) ?? [];
  return names.length === 0 ? '' : ` (${names.join(', ')})`;
}

function sayListed(count: number): Finding {
  if (count === 0) return warning('It can be listed, but there is nothing in it.', 'Check the folder, bucket and prefix.');
  return ok(count === 1 ? 'One object was listed.' : `${count} objects were listed.`);
}

function sayFetched(answer: FetchedUrl, sample: Sample): Finding {
  if (answer.status !== 200)
    return failed(
      `The temporary URL answers ${answer.status}.`,
      'Check that its address can be reached from where people are, and that the identity of the source may read.',
    );
  return Buffer.from(answer.body).subarray(0, sample.head.length).equals(sample.head)
    ? ok('A temporary URL was made and gave the bytes of its object.')
    : failed('The temporary URL gave other bytes than the object has.', 'See whether a proxy or a cache stands before the store.');
}

function saySignedRange(answer: FetchedUrl, sample: Sample): Finding {
  const isPart = answer.status === 206 && Buffer.from(answer.body).equals(sample.head.subarray(1));
  if (isPart) return ok('Temporary URLs give parts of an object, so that downloads resume.');
  return warning('Temporary URLs do not give parts of an object: downloads cannot resume.', 'See whether a proxy drops the header Range.');
}

function sayTampered(answer: FetchedUrl): Finding {
  if (answer.status >= 400 && answer.status < 500) return ok('A temporary URL that was changed is refused.');
  return failed(
    `A temporary URL that was changed answers ${answer.status}.`,
    'Take away public access: the store gives objects to everyone.',
  );
}

function sayClock(date: string | undefined, now: number): Finding {
  const there = date === undefined ? Number.NaN : Date.parse(date);
  if (Number.isNaN(there)) return skipped('The store does not tell its time.');
  const difference = Math.abs(there - now);
  const seconds = Math.round(difference / 1000);
  const remedy = 'Let this machine keep its time by NTP: signatures depend on it.';
  if (difference >= skew.failed) return failed(`The clocks of this machine and of the store are ${seconds} s apart.`, remedy);
  if (difference >= skew.warning) return warning(`The clocks of this machine and of the store are ${seconds} s apart.`, remedy);
  return ok('The clocks of this machine and of the store agree.');
}

function sayVersions({ capabilities }: Driver, sample: Sample | undefined): Finding {
  if (!capabilities.versions) return ok('It keeps no object versions: packages notice a changed object, but cannot give the old one.');
  if (sample === undefined) return skipped('There is no object to see a version of.');
  if (sample.info.version !== undefined) return ok('It keeps object versions: packages stay exact when objects are replaced.');
  return warning(
    'It could keep object versions, but does not.',
    'Turn on versioning, so that packages stay exact when objects are replaced.',
  );
}

function sayChecksums({ capabilities }: Driver, sample: Sample | undefined): Finding {
  if (capabilities.checksums.length === 0)
    return ok('It states no checksums: what is fetched from it is checked by size, unless a list or a person states more.');
  if (sample === undefined) return skipped('There is no object to see a checksum of.');
  const found = (sample.info.checksums ?? []).map((one) => one.algorithm);
  return ok(found.length === 0 ? 'It states no checksum for the object that was read.' : `It states checksums: ${found.join(', ')}.`);
}

/** Another URL: the middle character of the longest value of its query (of its path where it has none) is replaced. */
function tamper(text: string): string {
  const url = new URL(text);
  const [longest] = [...url.searchParams].sort(([, a], [, b]) => b.length - a.length);
  if (longest === undefined) {
    url.pathname = change(url.pathname);
  } else {
    url.searchParams.set(longest[0], change(longest[1]));
  }
  return url.href;
}

function change(text: string): string {
  const middle = Math.floor(text.length / 2);
  return `${text.slice(0, middle)}${text[middle] === 'x' ? 'y' : 'x'}${text.slice(middle + 1)}`;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
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

function ok(says: string): Finding {
  return { outcome: 'ok', says };
}

function skipped(says: string): Finding {
  return { outcome: 'skipped', says };
}

function warning(says: string, remedy?: string): Finding {
  return { outcome: 'warning', says, ...(remedy === undefined ? {} : { remedy }) };
}

function failed(says: string, remedy?: string): Finding {
  return { outcome: 'failed', says, ...(remedy === undefined ? {} : { remedy }) };
}
