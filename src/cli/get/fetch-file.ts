/**
 * Fetches one entry: ask the stable URL, go where it points, append what comes, ask again when the connection or the signature ends.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { asError, PackageRError } from '#errors/error.ts';
import type { ManifestLine } from '#model/manifest.ts';
import { connectionFault, type Hop, sendHop } from './http.ts';
import { LocalFile, type Part } from './local-file.ts';
import { answerFault, type ShareLink } from './share-link.ts';

export interface FetchOptions {
  readonly folder: string;
  readonly overwrite: boolean;
  /** Tries in a row without a new byte before an entry is given up. */
  readonly tries: number;
  readonly signal: AbortSignal;
  onBytes(count: number): void;
}

/** verified: by checksum · size: only the size could be checked · present: it was there before. */
export type FetchOutcome = 'verified' | 'size' | 'present';

export async function fetchFile(link: ShareLink, line: ManifestLine, options: FetchOptions): Promise<FetchOutcome> {
  const local = new LocalFile(options.folder, line);
  const before = await local.compare(options.signal);
  if (before === 'same') {
    options.onBytes(line.size);
    return 'present';
  }
  if (before === 'differs' && !options.overwrite) {
    throw new PackageRError('exists', 'There is another file of that name; --overwrite replaces it.');
  }
  await local.makeFolders();
  const part = await local.openPart();
  const resumed = part.size;
  try {
    options.onBytes(part.size);
    for (let failures = 0; ; ) {
      const from = part.size;
      try {
        await receive(link, line, part, options);
        return await local.finish(part, options.signal);
      } catch (error) {
        const fault = asError(error);
        if (options.signal.aborted) throw new PackageRError('cancelled');
        if (fault.code === 'verify_failed' && resumed > 0) {
          // The part of an earlier run was wrong; it is gone now, so the second try begins at 0 and is the last.
          options.onBytes(-part.size);
          return await fetchFile(link, line, options);
        }
        failures = part.size > from ? 1 : failures + 1;
        if (fault.retry !== 'temporary' || fault.code === 'verify_failed' || failures >= options.tries) throw fault;
        await sleep(waitBefore(failures, fault.retryAfter), undefined, { signal: options.signal });
      }
    }
  } finally {
    await part.close();
  }
}

function waitBefore(failures: number, retryAfter: number | undefined): number {
  return retryAfter === undefined ? Math.min(30_000, 250 * 2 ** failures) * (0.5 + Math.random() / 2) : retryAfter * 1000;
}

async function receive(link: ShareLink, line: ManifestLine, part: Part, options: FetchOptions): Promise<void> {
  if (part.size === line.size && line.size > 0) return;
  const hop = await openBytes(link, line, part.size, options.signal);
  try {
    if (hop.status === 200 && part.size > 0) {
      options.onBytes(-part.size);
      await part.restart();
    }
    for await (const chunk of hop.body as AsyncIterable<Buffer>) {
      if (part.size + chunk.length > line.size)
        throw new PackageRError('verify_failed', `More than the ${line.size} bytes of the manifest came.`);
      await part.append(chunk);
      options.onBytes(chunk.length);
    }
  } catch (error) {
    if (error instanceof PackageRError) throw error;
    if (isDiskFault(error)) throw new PackageRError('internal', `The file could not be written (${error.code}).`, { cause: error });
    throw connectionFault(link.urlOf(line.path), error, options.signal);
  } finally {
    hop.body.destroy();
  }
  if (part.size < line.size) throw new PackageRError('source_unavailable', 'The connection ended early.', { retry: 'temporary' });
}

function isDiskFault(error: unknown): error is NodeJS.ErrnoException {
  const code = (error as NodeJS.ErrnoException).code;
  return typeof code === 'string' && ['ENOSPC', 'EACCES', 'EIO', 'EROFS', 'EDQUOT', 'EFBIG'].includes(code);
}

const maxRedirects = 5;

/** The answer that carries the bytes from `from` on: 206 with that very range, or 200 with all. */
async function openBytes(link: ShareLink, line: ManifestLine, from: number, signal: AbortSignal): Promise<Hop> {
  const range: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
  let url = link.urlOf(line.path);
  const { origin } = url;
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const isOurs = url.origin === origin && redirects === 0;
    const hop = await sendHop({ url, headers: isOurs ? { ...range, ...link.headers } : range, signal });
    const location = hop.headers['location'];
    if (hop.status >= 300 && hop.status < 400 && location !== undefined) {
      hop.body.resume();
      url = new URL(location, url);
      continue;
    }
    if (hop.status === 206 && from > 0 && startOf(hop) !== from) {
      hop.body.destroy();
      throw new PackageRError('store_response', 'The store sent another range than was asked for.');
    }
    if (hop.status === 200 || hop.status === 206) return hop;
    throw isOurs ? await answerFault(hop) : await storeFault(hop);
  }
  throw new PackageRError('store_response', `More than ${maxRedirects} redirects.`);
}

function startOf(hop: Hop): number {
  return Number(/^bytes (\d+)-/.exec(hop.headers['content-range'] ?? '')?.[1] ?? Number.NaN);
}

/** A store answers 403 when the signature has ended: the stable URL gives a new one. Its text is not shown. */
async function storeFault(hop: Hop): Promise<PackageRError> {
  hop.body.resume();
  const isTemporary = hop.status === 403 || hop.status === 408 || hop.status === 429 || hop.status >= 500;
  return new PackageRError('store_response', `The store answered ${hop.status}.`, isTemporary ? { retry: 'temporary' } : {});
}
