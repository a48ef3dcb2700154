/**
 * The live Tree of a source: what a driver lists, as entries. One upstream call per page; nothing is asked per row.
 * Two orders: `list` gives what stores give, byte order of keys in which a folder counts with its slash (`a!` before `a/`); `walk` is in
 * byte order of full paths, which is that of the keys. An object `a` beside `a/b` gives both a pointer and a folder `a`: a live tree
 * shows what is there, and annexing decides.
 */
import { createHash, type Hash } from 'node:crypto';
import type { Driver, ListPage, ListRequest, ObjectInfo } from '#drivers/driver.ts';
import { walkRangePages } from '#drivers/ranges.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { Entry, Leaf, Pointer, Unnamable } from '#model/entry.ts';
import { compareKeys, type Key, keyLimits } from '#model/key.ts';
import { compareBytes, nameOf, type Path, root, toPath } from '#model/path.ts';
import type { PageRequest, ReadOptions, Tree, TreePage, WalkOptions } from '#model/tree.ts';

/** Small objects of these types may be shown and edited through packageR. */
export interface InlinePolicy {
  /** With the dot, lower case: `.md`. */
  readonly extensions: readonly string[];
  readonly maxBytes: number;
}

/** Makes cursors that nobody can forge or carry to another listing; `Vault` is one. */
export interface CursorSeal {
  seal(bytes: Uint8Array, label: string): Uint8Array;
  unseal(sealed: Uint8Array, label: string): Buffer;
}

export interface SourceTreeOptions {
  /** Id of the source. */
  readonly source: string;
  /** The driver in use now; may refuse once the source was changed. */
  readonly driver: () => Driver;
  readonly inline: InlinePolicy;
  readonly cursors: CursorSeal;
  /** Who lists: cursors of one actor are none of another’s. */
  readonly owner: string;
}

/** Characters of a cursor. */
const cursorLimit = 2048;
const defaultLimit = 200;
const maxLimit = 1000;

export class SourceTree implements Tree {
  readonly frozen = false;
  readonly #options: SourceTreeOptions;

  constructor(options: SourceTreeOptions) {
    this.#options = options;
  }

  async list(folder: Path, { cursor, limit = defaultLimit, signal }: PageRequest = {}): Promise<TreePage> {
    if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit)
      throw new PackageRError('request_invalid', `The limit of a page is an integer from 1 to ${maxLimit}.`, { operation: 'sources.list' });
    if (!fitsKey(folder, 1)) throw noFolder(folder);
    const from = cursor === undefined ? undefined : this.#unsealCursor(folder, cursor);
    const page = await listOnward(this.#options.driver(), { prefix: prefixOf(folder), delimiter: '/', cursor: from, limit, signal });
    const isFirst = from === undefined && folder !== root;
    if (isFirst && isEmpty(page) && !(await this.#holdsFolder(folder, signal))) throw noFolder(folder);
    const entries = this.#entriesOf(page, folder);
    return page.cursor === undefined ? { entries } : { entries, cursor: this.#sealCursor(folder, page.cursor) };
  }

  async find(path: Path, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<Entry | undefined> {
    if (path === root) return { kind: 'folder', path };
    const pointer = await this.#findPointer(path, signal);
    if (pointer !== undefined) return pointer;
    if (!fitsKey(path, 1)) return undefined;
    const page = await this.#options.driver().list({ prefix: prefixOf(path), delimiter: '/', limit: 1, signal });
    const isThere = !isEmpty(page) || (await this.#holdsFolder(path, signal));
    return isThere ? { kind: 'folder', path } : undefined;
  }

  /** What cannot be named is passed over and told to `options.onUnnamable`. Errors also: unsupported for a store without order. */
  async *walk(folder: Path, options: WalkOptions = {}): AsyncGenerator<Leaf, void> {
    for await (const leaves of this.batches(folder, options)) yield* leaves;
  }

  async *batches(folder: Path, options: WalkOptions = {}): AsyncGenerator<readonly Leaf[], void> {
    const { after, signal } = options;
    if (!this.#options.driver().capabilities.ordered)
      throw new PackageRError('unsupported', 'This source lists in no order, so it cannot be walked.', { operation: 'sources.walk' });
    const own =
      folder === root || (after !== undefined && compareBytes(after, folder) >= 0) ? undefined : await this.#findPointer(folder, signal);
    if (own !== undefined) yield [own];
    if (!fitsKey(folder, 1)) return;
    for await (const page of walkPages(this.#options.driver, prefixOf(folder), after, signal)) {
      const leaves: Leaf[] = [];
      const unnamable: Unnamable[] = [];
      const tell = (): void => {
        for (const one of unnamable.splice(0)) options.onUnnamable?.(one);
      };
      for (const info of page) {
        const path = toPath(info.key);
        if (path !== undefined) {
          tell();
          leaves.push(this.#pointerOf(info, path));
        } else if (!isMarker(info)) unnamable.push(unnamableOf(info));
      }
      if (leaves.length > 0) yield leaves;
      // Who goes on behind the last leaf later is told of these then.
      tell();
    }
  }

  async *read(path: Path, { range, signal }: ReadOptions = {}): AsyncGenerator<Uint8Array, void> {
    const pointer = await this.#findPointer(path, signal);
    if (pointer === undefined)
      throw new PackageRError('not_found', `There is no file ${JSON.stringify(path)}.`, { operation: 'sources.read' });
    const { maxBytes } = this.#options.inline;
    if (!pointer.inline) {
      const message = `${JSON.stringify(path)} is not a text of at most ${maxBytes} bytes: its bytes come from its store, by a temporary URL.`;
      throw new PackageRError('unsupported', message, { operation: 'sources.read' });
    }
    const driver = this.#options.driver();
    const version = driver.capabilities.versions ? pointer.version : undefined;
    const { info, body } = await driver.read(pointer.key, { range, version, signal });
    const whole = range === undefined ? new WholeBody(pointer, info) : undefined;
    let size = 0;
    for await (const chunk of body) {
      size += chunk.length;
      if (size > maxBytes) throw new PackageRError('too_large', `${JSON.stringify(path)} has grown beyond ${maxBytes} bytes.`);
      whole?.push(chunk);
      yield chunk;
    }
    whole?.end();
  }

  async #findPointer(path: Path, signal: AbortSignal | undefined): Promise<Pointer | undefined> {
    if (path === root || !fitsKey(path, 0)) return undefined;
    try {
      return this.#pointerOf(await this.#options.driver().stat(path as string as Key, { signal }), path);
    } catch (error) {
      if (isError(error, 'object_not_found')) return undefined;
      throw error;
    }
  }

  /** For a folder without anything in it, as a `folder` source may have: it shows as a prefix in the listing above it. */
  async #holdsFolder(folder: Path, signal: AbortSignal | undefined): Promise<boolean> {
    if (!fitsKey(folder, 1)) return false;
    const prefix = prefixOf(folder);
    const page = await this.#options
      .driver()
      .list({ prefix: folder, delimiter: '/', startAfter: `${folder}.\u{10ffff}`, limit: 1, signal });
    return page.prefixes.includes(prefix);
  }

  #entriesOf(page: ListPage, folder: Path): (Entry | Unnamable)[] {
    const rows: { readonly key: string; readonly info?: ObjectInfo }[] = [
      ...page.prefixes.map((key) => ({ key })),
      ...page.objects.map((info) => ({ key: info.key, info })),
    ];
    rows.sort((a, b) => compareKeys(a.key, b.key));
    const entries: (Entry | Unnamable)[] = [];
    for (const [index, { key, info }] of rows.entries()) {
      if (key === rows[index - 1]?.key || (info !== undefined && key === prefixOf(folder) && info.size === 0)) continue;
      entries.push(info === undefined ? folderOf(key) : this.#leafOf(info));
    }
    return entries;
  }

  #leafOf(info: ObjectInfo): Pointer | Unnamable {
    const path = toPath(info.key);
    return path === undefined ? unnamableOf(info) : this.#pointerOf(info, path);
  }

  #pointerOf(info: ObjectInfo, path: Path): Pointer {
    return {
      kind: 'pointer',
      path,
      source: this.#options.source,
      key: info.key,
      ...(info.version === undefined ? {} : { version: info.version }),
      size: info.size,
      ...(info.etag === undefined ? {} : { etag: info.etag }),
      ...(info.modifiedAt === undefined ? {} : { modifiedAt: info.modifiedAt }),
      checksums: info.checksums ?? [],
      inline: isInline(path, info.size, this.#options.inline),
    };
  }

  #sealCursor(folder: Path, cursor: string): string {
    return Buffer.from(this.#options.cursors.seal(packCursor(cursor), this.#labelOf(folder))).toString('base64url');
  }

  #unsealCursor(folder: Path, cursor: string): string {
    try {
      if (cursor.length > cursorLimit || !/^[A-Za-z0-9_-]+$/.test(cursor)) throw new PackageRError('cursor_invalid');
      return unpackCursor(this.#options.cursors.unseal(Buffer.from(cursor, 'base64url'), this.#labelOf(folder)));
    } catch (cause) {
      throw new PackageRError('cursor_invalid', undefined, { operation: 'sources.list', cause });
    }
  }

  #labelOf(folder: Path): string {
    return `cursor\n${this.#options.source}\n${this.#options.owner}\n${folder}`;
  }
}

/** Holds what is read to what was found: no other object, no byte less, no byte changed. */
class WholeBody {
  readonly #pointer: Pointer;
  readonly #hashes: readonly { readonly value: string; readonly hash: Hash }[];
  #size = 0;

  constructor(pointer: Pointer, info: ObjectInfo) {
    const isSame = info.size === pointer.size && (info.etag ?? pointer.etag) === (pointer.etag ?? info.etag);
    if (!isSame) throw changed(pointer.path);
    this.#pointer = pointer;
    this.#hashes = pointer.checksums
      .filter(({ algorithm, evidence }) => evidence !== 'stated' && (algorithm === 'sha256' || algorithm === 'md5'))
      .map(({ algorithm, value }) => ({ value, hash: createHash(algorithm) }));
  }

  push(chunk: Uint8Array): void {
    this.#size += chunk.length;
    for (const { hash } of this.#hashes) hash.update(chunk);
  }

  end(): void {
    const { path, size } = this.#pointer;
    if (this.#size !== size) throw changed(path);
    for (const { value, hash } of this.#hashes) if (hash.digest('hex') !== value) throw changed(path);
  }
}

function changed(path: Path): PackageRError {
  const message = `The bytes of ${JSON.stringify(path)} are not those that the store told of: it changed while it was read, or came broken.`;
  return new PackageRError('store_response', message, { operation: 'sources.read', retry: 'temporary' });
}

/** Whether an object of this name and size may be shown and edited in place. */
export function isInline(path: Path, size: number, policy: InlinePolicy): boolean {
  const name = nameOf(path);
  const dot = name.lastIndexOf('.');
  return dot >= 0 && size <= policy.maxBytes && policy.extensions.includes(name.slice(dot).toLowerCase());
}

/**
 * All objects under a prefix in byte order: in as many key ranges at once as pay for this store, else a page when it is wanted. Each states
 * its object version where the store keeps them, so that what is made of it names one object exactly.
 */
function walkPages(driver: () => Driver, prefix: string, after: string | undefined, signal: AbortSignal | undefined) {
  const { parallelListings, versions } = driver().capabilities;
  const pace = parallelListings === undefined ? { window: 0 } : { concurrency: parallelListings };
  return walkRangePages(driver, { prefix, after, versions, signal, ...pace });
}

const packings = ['utf8', 'base64url', 'base64'] as const;

/** Most stores give base64: kept as its bytes, a sealed cursor stays short. */
function packCursor(cursor: string): Buffer {
  const packing = packings.findLast((one) => Buffer.from(cursor, one).toString(one) === cursor) ?? 'utf8';
  return Buffer.concat([Buffer.of(packings.indexOf(packing)), Buffer.from(cursor, packing)]);
}

function unpackCursor(bytes: Buffer): string {
  return bytes.subarray(1).toString(packings[bytes[0] ?? 0]);
}

/** How often a page may lead back to itself. */
const patience = 2;

/** A page whose cursor leads on. */
async function listOnward(driver: Driver, request: ListRequest): Promise<ListPage> {
  for (let stays = 0; stays <= patience; stays++) {
    const page = await driver.list(request);
    if (page.cursor === undefined || page.cursor !== request.cursor) return page;
  }
  throw stuck();
}

function stuck(): PackageRError {
  return new PackageRError('store_response', 'The listing of the store leads back to itself.', { operation: 'sources.list' });
}

function noFolder(folder: Path): PackageRError {
  return new PackageRError('not_found', `There is no folder ${JSON.stringify(folder)}.`, { operation: 'sources.list' });
}

function prefixOf(folder: Path): string {
  return folder === root ? '' : `${folder}/`;
}

/** Whether `path`, as it is or with a slash behind it, is short enough for a key. */
function fitsKey(path: Path, slash: 0 | 1): boolean {
  return path.length + slash <= keyLimits.bytes && Buffer.byteLength(path) + slash <= keyLimits.bytes;
}

function isEmpty(page: ListPage): boolean {
  return page.objects.length === 0 && page.prefixes.length === 0 && page.cursor === undefined;
}

function isMarker(info: ObjectInfo): boolean {
  return info.size === 0 && info.key.endsWith('/');
}

function folderOf(prefix: string): Entry | Unnamable {
  const path = toPath(prefix.slice(0, -1));
  if (path === undefined || path === root) return { kind: 'unnamable', key: prefix as Key, size: 0, prefix: true };
  return { kind: 'folder', path };
}

function unnamableOf(info: ObjectInfo): Unnamable {
  return {
    kind: 'unnamable',
    key: info.key,
    size: info.size,
    ...(info.modifiedAt === undefined ? {} : { modifiedAt: info.modifiedAt }),
  };
}
