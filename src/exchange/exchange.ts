/**
 * The exchange: a pointer becomes a temporary URL, if the asker may, with the rights that its curator has now. It takes a handle opened
 * for download, and is the only caller of presign.
 */
import type { Handle } from '#access/handle.ts';
import { asError, isError, PackageRError } from '#errors/error.ts';
import type { Events } from '#events/events.ts';
import { bulkLineLimit, parseBulkItem, readLines } from '#exchange/bulk-lines.ts';
import { attachment } from '#exchange/disposition.ts';
import { Drift, type Seen } from '#exchange/drift.ts';
import { inOrder } from '#exchange/in-order.ts';
import { Receipts } from '#exchange/receipts.ts';
import type { BulkLine, ExchangeResult, Redirect } from '#exchange/result.ts';
import type { Clock } from '#model/clock.ts';
import type { Leaf, Pointer, Text } from '#model/entry.ts';
import { inertMediaType } from '#model/media-type.ts';
import { isWithin, nameOf, type Path } from '#model/path.ts';
import type { TemporaryUrl } from '#model/temporary-url.ts';
import { getEntry } from '#model/tree.ts';
import { ShareHandle } from '#shares/share-handle.ts';
import type { Shares } from '#shares/shares.ts';
import { placeOfKey } from '#sources/place.ts';
import { isOutdated, presignCapabilities, presignObject } from '#sources/presign.ts';
import { SourceHandle } from '#sources/source-handle.ts';
import type { Sources } from '#sources/sources.ts';

/** Seconds. */
export interface ExchangeLimits {
  /** Where nothing was asked. */
  readonly defaultSeconds: number;
  /** No temporary URL lives longer, whatever was asked. */
  readonly maxSeconds: number;
  /** A share or credential that has less left counts as ended. */
  readonly floorSeconds: number;
}

const exchangeLimits: ExchangeLimits = { defaultSeconds: 900, maxSeconds: 3600, floorSeconds: 15 };

export interface ExchangeOptions {
  readonly sources: Sources;
  readonly shares: Shares;
  readonly events: Events;
  readonly clock: Clock;
  readonly limits?: Partial<ExchangeLimits> | undefined;
}

export interface ExchangeRequest {
  readonly method: 'GET' | 'HEAD';
  /** Seconds, 1 to 604800; cut to the cap of the server, the end of the share and of the credential. */
  readonly expiresIn?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface BulkRequest extends ExchangeRequest {
  /** Of one line of the body; a longer one is refused, and the next goes on. 64 KiB where left out. */
  readonly lineBytes?: number | undefined;
  /** The stable URL of an entry of this handle, as the asker may use it. Pointer files count only where theirs is the same. */
  link(path: Path): string;
}

/** Seconds: what no store signs beyond. More is nonsense and refused, not cut. */
const askedLimit = 604_800;
const bulkInFlight = 64;
/** Handles taken for one signature, where the source changes under each of them. */
const mostHandles = 3;

export class Exchange {
  readonly #sources: Sources;
  readonly #shares: Shares;
  readonly #receipts: Receipts;
  readonly #clock: Clock;
  readonly #limits: ExchangeLimits;
  readonly #drift: Drift;

  constructor({ sources, shares, events, clock, limits }: ExchangeOptions) {
    this.#sources = sources;
    this.#shares = shares;
    this.#receipts = new Receipts({ events, clock });
    this.#clock = clock;
    this.#limits = { ...exchangeLimits, ...limits };
    this.#drift = new Drift({ clock });
  }

  /**
   * A temporary URL for a pointer, signed for GET or HEAD; the bytes of a text. A GET counts against the limits of a share before
   * anything is given out; a HEAD gives no bytes and counts nothing.
   * Errors: forbidden for a handle that was not opened for download or not for this path; request_invalid for a life that is no
   * number of seconds from 1 to 604800; not_found, also where the curator may no longer read the object; unsupported for a folder;
   * drifted, object_gone; share_limit_reached; share_not_found where the share ended or is about to; those of the store.
   */
  async exchange(handle: Handle, path: Path, request: ExchangeRequest): Promise<ExchangeResult> {
    const result = await this.#exchange(handle, path, request);
    if (request.method === 'GET') this.#receipts.one(handle, path, result.entry.size);
    return result;
  }

  /**
   * As `exchange`, for what needs no store and no waiting: a pointer that is pinned to an object version, of a source that was used
   * before and has not changed since, by somebody with no limit. Undefined for all else, and nothing was counted or recorded then:
   * `exchange` is to be asked.
   */
  async redirect(handle: Handle, path: Path, { method }: Pick<ExchangeRequest, 'method'>): Promise<Redirect | undefined> {
    const { share } = handle;
    const isPlain = handle.action === 'download' && isWithin(path, handle.path);
    if (!isPlain || share?.maxObjects !== undefined || share?.maxBytes !== undefined || isLive(handle)) return undefined;
    await this.#shares.stillOpen(handle);
    const entry = await handle.tree.find(path);
    if (entry?.kind !== 'pointer') return undefined;
    const object = this.#sources.openAgain(handle.curator, 'download', entry.source, placeOfKey(entry.key));
    if (object === undefined) return undefined;
    const { presign, versions } = presignCapabilities(object);
    if (presign !== 'local' || !versions || entry.version === undefined) return undefined;
    const temporaryUrl = await this.#presign(object, handle, entry, {
      seconds: this.#limits.defaultSeconds,
      method,
      version: entry.version,
    });
    if (method === 'GET') {
      await this.#shares.countUse(handle, entry);
      this.#receipts.one(handle, path, entry.size);
    }
    return { kind: 'redirect', temporaryUrl, entry, ...linkedOf(handle, entry, undefined) };
  }

  /**
   * Many at once: NDJSON as it arrives, each line a path as JSON string, `{"path": …}` or `{"pointer": "text of a .pointer file"}`;
   * the answers come in the order of the lines, at most 64 under way. A line that fails is an answer and stops no other. Stops with
   * the signal, and where the reader leaves.
   */
  async *bulk(handle: Handle, body: AsyncIterable<Uint8Array>, request: BulkRequest): AsyncGenerator<BulkLine> {
    checkHandle(handle);
    this.#secondsFor(handle, request.expiresIn);
    const total = { objects: 0, bytes: 0, failed: 0 };
    const answer = (line: string | PackageRError, index: number) => this.#answerLine(handle, line, index + 1, request);
    try {
      for await (const line of inOrder(readLines(body, request.lineBytes ?? bulkLineLimit), answer, bulkInFlight, request.signal)) {
        if ('error' in line) total.failed++;
        else {
          total.objects++;
          total.bytes += line.size;
        }
        yield line;
      }
    } finally {
      if (total.objects + total.failed > 0) this.#receipts.many(handle, total);
    }
  }

  async #answerLine(handle: Handle, line: string | PackageRError, number: number, request: BulkRequest): Promise<BulkLine> {
    let path: string | undefined;
    try {
      if (typeof line !== 'string') throw line;
      const item = parseBulkItem(line, request.link);
      path = item.path;
      const result = await this.#exchange(handle, item.path, request, item.check);
      return toLine(result, item.path, request);
    } catch (error) {
      const { code, message } = asError(error, 'exchange.bulk');
      return { line: number, ...(path === undefined ? {} : { path }), error: { code, message } };
    }
  }

  async #exchange(handle: Handle, path: Path, request: ExchangeRequest, check?: (leaf: Leaf) => void): Promise<ExchangeResult> {
    checkHandle(handle);
    if (!isWithin(path, handle.path))
      throw new PackageRError('forbidden', 'This lies outside of what was opened.', { operation: 'exchange' });
    const seconds = this.#secondsFor(handle, request.expiresIn);
    await this.#shares.stillOpen(handle);
    const entry = await getEntry(handle.tree, path, request.signal);
    if (entry.kind === 'folder') {
      throw new PackageRError('unsupported', 'A folder has no bytes of its own: list it, or use an export.', { operation: 'exchange' });
    }
    check?.(entry);
    return entry.kind === 'text' ? this.#giveText(handle, entry, request) : this.#sign(handle, entry, seconds, request);
  }

  async #giveText(handle: Handle, entry: Text, { method, signal }: ExchangeRequest): Promise<ExchangeResult> {
    if (method === 'GET') await this.#shares.countUse(handle, entry);
    return { kind: 'text', entry, read: (range) => handle.tree.read(entry.path, { range, signal }) };
  }

  /** Anew where the source was changed meanwhile, say its keys were rotated: nobody’s exchange fails for that. */
  async #sign(handle: Handle, entry: Pointer, seconds: number, { method }: ExchangeRequest): Promise<Redirect> {
    for (let handles = 1; ; handles++) {
      const object = await this.#openObject(handle, entry);
      try {
        const version = presignCapabilities(object).versions && !isLive(handle) ? entry.version : undefined;
        const changed = version === undefined && !isLive(handle) ? await this.#findDrift(handle, object, entry) : undefined;
        if (method === 'GET' && handles === 1) await this.#shares.countUse(handle, entry);
        const temporaryUrl = await this.#presign(object, handle, entry, { seconds, method, version });
        return { kind: 'redirect', temporaryUrl, entry, ...linkedOf(handle, entry, changed) };
      } catch (error) {
        if (handles >= mostHandles || !isOutdated(object)) throw error;
      }
    }
  }

  async #presign(
    object: SourceHandle,
    handle: Handle,
    entry: Pointer,
    { seconds: wanted, method, version }: Signing,
  ): Promise<TemporaryUrl> {
    // Anew: a store may have kept us waiting, and no URL outlives its share.
    const seconds = this.#secondsFor(handle, wanted);
    const temporaryUrl = await presignObject(object, {
      key: entry.key,
      version,
      etag: isLive(handle) || version !== undefined || handle.onDrift !== 'refuse' ? undefined : entry.etag,
      method,
      expiresIn: Math.min(seconds, presignCapabilities(object).presignMaxSeconds),
      responseHeaders: { contentType: inertMediaType(entry.path), contentDisposition: attachment(nameOf(entry.path)) },
    });
    const { expiresAt } = temporaryUrl;
    if (expiresAt !== undefined) {
      if (expiresAt - this.#clock() < Math.min(seconds, this.#limits.floorSeconds) * 1000 - 1000) {
        throw new PackageRError('source_credentials', 'The credentials of the source are about to end.', { retry: 'temporary' });
      }
      this.#shares.noteHorizon(handle, expiresAt);
    }
    return temporaryUrl;
  }

  /** A pointer grants nothing: it is opened with the rights that its curator has now. */
  async #openObject(handle: Handle, entry: Pointer): Promise<SourceHandle> {
    try {
      return await this.#sources.openById(handle.curator, 'download', entry.source, placeOfKey(entry.key));
    } catch (error) {
      if (!isError(error, 'not_found') && !isError(error, 'forbidden') && !isError(error, 'unauthenticated')) throw error;
      const message = `The object behind ${JSON.stringify(entry.path)} can no longer be reached.`;
      throw new PackageRError('not_found', message, { operation: 'exchange.open' });
    }
  }

  async #findDrift(handle: Handle, object: SourceHandle, entry: Pointer): Promise<Seen | undefined> {
    const changed = await this.#drift.find(object, entry);
    if (changed !== undefined && handle.onDrift === 'refuse') {
      const message = `The object behind ${JSON.stringify(entry.path)} has changed since it was put into the package.`;
      throw new PackageRError('drifted', message, { operation: 'exchange.drift' });
    }
    return changed;
  }

  /** The asked life, cut to the cap and to the end of the share. */
  #secondsFor({ endsAt }: Handle, asked = this.#limits.defaultSeconds): number {
    if (!Number.isInteger(asked) || asked < 1 || asked > askedLimit) {
      throw new PackageRError('request_invalid', `A temporary URL lives a whole number of seconds from 1 to ${askedLimit}.`);
    }
    const wanted = Math.min(asked, this.#limits.maxSeconds);
    if (endsAt === undefined) return wanted;
    const left = Math.floor((endsAt - this.#clock()) / 1000);
    if (left < this.#limits.floorSeconds) throw new PackageRError('share_not_found', undefined, { operation: 'exchange' });
    return Math.min(wanted, left);
  }

  /** Records what is summed up still. */
  close(): void {
    this.#receipts.close();
  }
}

interface Signing {
  readonly seconds: number;
  readonly method: 'GET' | 'HEAD';
  readonly version: string | undefined;
}

/** What a live handle shows is the object as it is now: nothing was pinned, so nothing can have drifted. */
function isLive(handle: Handle): boolean {
  return handle instanceof SourceHandle || (handle instanceof ShareHandle && handle.view.kind === 'live');
}

function checkHandle(handle: Handle): void {
  if (handle.action === 'download') return;
  throw new PackageRError('forbidden', `This was opened to ${handle.action}, which gives no bytes.`, { operation: 'exchange' });
}

/** Under `warn` the change is told, under `follow` the new object simply is what is linked. */
function linkedOf(handle: Handle, entry: Pointer, changed: Seen | undefined): Pick<Redirect, 'linked' | 'drift'> {
  const { size, etag } = changed ?? entry;
  const now = { size, ...(etag === undefined ? {} : { etag }) };
  const checksums = changed === undefined ? entry.checksums.filter((one) => one.evidence === 'verified') : [];
  return { linked: { ...now, checksums }, ...(changed !== undefined && handle.onDrift === 'warn' ? { drift: now } : {}) };
}

function toLine(result: ExchangeResult, path: Path, { method, link }: BulkRequest): BulkLine {
  if (result.kind === 'text') {
    const { size, sha256 } = result.entry;
    return { path, method, url: link(path), headers: {}, expiresAt: undefined, size, sha256 };
  }
  const { temporaryUrl, linked, drift } = result;
  return { path, ...temporaryUrl, ...pickSize(linked), ...(drift === undefined ? {} : { drifted: true }) };
}

function pickSize({ size, etag }: Redirect['linked']): { readonly size: number; readonly etag?: string } {
  return etag === undefined ? { size } : { size, etag };
}
