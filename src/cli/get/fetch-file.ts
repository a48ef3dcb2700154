/**
 * Fetches one entry: ask the stable URL, go where it points, append what comes, ask again when the connection or the signature ends.
 */
import { PackageRError } from '#errors/error.ts';
import type { ManifestLine } from '#model/manifest.ts';
import type { Path } from '#model/path.ts';
import { answerFault } from './answer-fault.ts';
import { connectionFault, dismiss, type Hop, redirectOf, retryAfterOf, sendHop } from './http.ts';
import { LocalFile } from './local-file.ts';
import type { Part } from './part.ts';
import { withRetries } from './retries.ts';
import type { ShareLink } from './share-link.ts';

/** One thing to fetch: an entry of a link, and where it is to lie. */
export interface Wanted {
  readonly link: ShareLink;
  /** Its path below the link. */
  readonly path: Path;
  readonly folder: string;
  /** Size and checksums; its path is the place in `folder`. */
  readonly line: ManifestLine;
}

export interface FetchOptions {
  readonly overwrite: boolean;
  /** Tries in a row without a new byte before an entry is given up. */
  readonly tries: number;
  readonly signal: AbortSignal;
  /** Bytes that are there now, negative where they turned out to be wrong. `received`: how many of them came over the network. */
  onBytes(count: number, received: number): void;
}

/** verified: by checksum · size: only the size could be checked · present: it was there before. */
export type FetchOutcome = 'verified' | 'size' | 'present';

/**
 * Errors: exists where another file of that name is not to be replaced, verify_failed (nothing is left of the file), link_refused,
 * not_a_folder, file_failed, those of the link and its store, cancelled.
 */
export async function fetchFile(wanted: Wanted, options: FetchOptions): Promise<FetchOutcome> {
  const { folder, line } = wanted;
  const local = new LocalFile(folder, line);
  await local.makeFolders();
  const before = await local.compare(options.signal);
  if (before === 'same') {
    options.onBytes(line.size, 0);
    return 'present';
  }
  if (before === 'differs' && !options.overwrite) {
    throw new PackageRError('exists', 'There is another file of that name; --overwrite replaces it.');
  }
  const joined = await fetchPart(wanted, local, options);
  // Pieces of different answers may not belong together, or an earlier run left something wrong: once more, in one piece.
  return joined === 'wrong' ? ((await fetchPart(wanted, local, options, true)) as FetchOutcome) : joined;
}

async function fetchPart(wanted: Wanted, local: LocalFile, options: FetchOptions, isLast = false): Promise<FetchOutcome | 'wrong'> {
  const { tries, signal } = options;
  const { line } = wanted;
  const part = await local.openPart();
  const receiver = new Receiver(wanted, part, options);
  try {
    options.onBytes(part.size, 0);
    await withRetries(() => receiver.receive(local.hasChecksum), { tries, signal, reached: () => part.size });
    return await local.finish(part, signal);
  } catch (error) {
    const isWrong = error instanceof PackageRError && error.code === 'verify_failed';
    if (!isWrong) throw error;
    options.onBytes(-part.size, 0);
    await local.discard(part);
    if (!receiver.isJoined || isLast) throw error;
    return 'wrong';
  } finally {
    await (part.size === 0 && line.size > 0 ? local.discard(part) : part.close());
  }
}

class Receiver {
  readonly #wanted: Wanted;
  readonly #part: Part;
  readonly #options: FetchOptions;
  /** Strong validator of the answer that the bytes came with, as far as they came in this run. */
  #etag: string | undefined;
  /** The bytes are not all of one answer. */
  isJoined: boolean;

  constructor(wanted: Wanted, part: Part, options: FetchOptions) {
    this.#wanted = wanted;
    this.#part = part;
    this.#options = options;
    this.isJoined = part.size > 0;
  }

  /** One connection's worth of bytes. Without a checksum only a validator tells whether the next bytes belong to those before. */
  async receive(hasChecksum: boolean): Promise<void> {
    const { link, path, line } = this.#wanted;
    const part = this.#part;
    if (part.size === line.size && line.size > 0) return;
    const ifRange = !hasChecksum && this.#etag !== undefined ? { 'if-range': this.#etag } : {};
    const range: Record<string, string> = part.size > 0 ? { range: `bytes=${part.size}-`, ...ifRange } : {};
    const hop = await openBytes(link, path, range, this.#options.signal);
    try {
      await this.#place(hop);
      for await (const chunk of hop.body as AsyncIterable<Buffer>) {
        if (part.size + chunk.length > line.size)
          throw new PackageRError('verify_failed', `More than the ${line.size} bytes of the manifest came.`);
        await part.append(chunk);
        this.#options.onBytes(chunk.length, chunk.length);
      }
    } catch (error) {
      throw error instanceof PackageRError ? error : connectionFault(link.urlOf(path), error, this.#options.signal);
    } finally {
      hop.body.destroy();
    }
    if (part.size < line.size) throw cutOff(part, hop);
  }

  /** Makes the part end where the answer begins. */
  async #place(hop: Hop): Promise<void> {
    const part = this.#part;
    const start = hop.status === 206 ? startOf(hop) : 0;
    if (hop.status === 416 || start !== part.size) {
      this.#options.onBytes(-part.size, 0);
      await part.restart();
    }
    if (hop.status === 416) throw shorter(hop, this.#wanted.line);
    if (start !== part.size)
      throw new PackageRError('store_response', 'The store sent another range than was asked for.', { retry: 'temporary' });
    this.isJoined = part.size > 0;
    const { etag } = hop.headers;
    this.#etag = etag?.startsWith('"') === true ? etag : undefined;
  }
}

function startOf(hop: Hop): number {
  return Number(/^bytes (\d+)-/.exec(hop.headers['content-range'] ?? '')?.[1] ?? Number.NaN);
}

/** A whole answer that is too short will not grow; one that broke off goes on. */
function cutOff(part: Part, hop: Hop): PackageRError {
  const isWhole = hop.body.complete && hop.status === 200 && Number(hop.headers['content-length']) === part.size;
  if (isWhole) return new PackageRError('verify_failed', `Only ${part.size} bytes came, less than the manifest says.`);
  return new PackageRError('source_unavailable', 'The connection ended early.', { retry: 'temporary' });
}

function shorter(hop: Hop, line: ManifestLine): PackageRError {
  const size = /^bytes \*\/(\d{1,16})$/.exec(hop.headers['content-range'] ?? '')?.[1];
  const isShorter = size !== undefined && Number(size) < line.size;
  if (isShorter) return new PackageRError('verify_failed', `The object has ${size} bytes instead of ${line.size}.`);
  return new PackageRError('store_response', 'The store refused the range that was asked for.', { retry: 'temporary' });
}

const maxRedirects = 5;

/** The answer with bytes: 206, 200 with all, or 416. */
async function openBytes(link: ShareLink, path: Path, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Hop> {
  let url = link.urlOf(path);
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const hop = await sendHop({ url, headers: { ...headers, ...link.headersFor(url) }, signal });
    const to = redirectOf(hop, url);
    if (to !== undefined) {
      url = to;
      continue;
    }
    if (hop.status === 200 || hop.status === 206 || hop.status === 416) return hop;
    throw redirects === 0 ? await answerFault(hop) : storeFault(hop);
  }
  throw new PackageRError('store_response', `More than ${maxRedirects} redirects.`);
}

/**
 * A store answers 403 when the signature has ended: the stable URL gives a new one; and 409 where the bytes that the URL was made for have
 * been replaced. Its text is not shown.
 */
function storeFault(hop: Hop): PackageRError {
  dismiss(hop);
  if (hop.status === 409) return new PackageRError('drifted');
  const isTemporary = [403, 408, 429].includes(hop.status) || hop.status >= 500;
  const retryAfter = retryAfterOf(hop.headers);
  return new PackageRError('store_response', `The store answered ${hop.status}.`, {
    ...(isTemporary ? { retry: 'temporary' } : {}),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}
