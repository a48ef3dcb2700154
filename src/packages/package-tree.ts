/**
 * The Tree of a package at one step: of the draft, or of a version (a frozen step). Folders are found by skipping over their content, so
 * a page costs what it shows and not what lies below.
 */
import { PackageRError } from '#errors/error.ts';
import type { Entry, Leaf, Pointer } from '#model/entry.ts';
import { compareBytes, type Path, root } from '#model/path.ts';
import type { PageRequest, ReadOptions, Tree, TreePage, WalkOptions } from '#model/tree.ts';
import type { SqlValue, State } from '#state/state.ts';
import { EntryReader, endOf } from './entry-reader.ts';
import { folderRowPath, leafOf, toLeaf } from './entry-row.ts';
import { behind } from './entry-windows.ts';
import type { GapView } from './gaps.ts';
import type { SearchIndex } from './search/search-index.ts';
import { warmThread } from './threads.ts';

export interface PackageTreeOptions {
  readonly state: State;
  readonly package: number;
  readonly step: number;
  /** The step belongs to a version: explicit folders are not part of it. */
  readonly frozen: boolean;
  /** Bytes of an inline object, with the rights of the curator. Without it pointers have no bytes. */
  readonly readInline?: ((pointer: Pointer, options: ReadOptions) => AsyncIterable<Uint8Array>) | undefined;
  /** Of exactly this package at this step, with explicit folders in a draft and without in a version. */
  readonly gaps?: GapView | undefined;
  /** Rows looked at in one statement; 1000 where left out. */
  readonly windowRows?: number | undefined;
  /** Takes part in walks that look for something. */
  readonly search?: SearchIndex | undefined;
}

const limits = { page: 200, most: 1000, chunk: 64 * 1024 } as const;
/** Rows that a page looks at first, in which there may be a folder to skip. */
const firstRows = 200;
/** Folders that are skipped to at first. */
const firstFolders = 16;

export class PackageTree implements Tree {
  readonly frozen: boolean;
  readonly #options: PackageTreeOptions;
  readonly #entries: EntryReader;

  constructor(options: PackageTreeOptions) {
    const { state, package: id, step, frozen, gaps, windowRows } = options;
    this.frozen = frozen;
    this.#options = options;
    this.#entries = new EntryReader({ state, package: id, step, withFolders: !frozen, gaps, windowRows });
  }

  async list(folder: Path, { cursor, limit = limits.page, signal }: PageRequest = {}): Promise<TreePage> {
    if (!Number.isInteger(limit) || limit < 1 || limit > limits.most)
      throw new PackageRError('request_invalid', `The limit of a page is an integer from 1 to ${limits.most}.`);
    const prefix = prefixOf(folder);
    if (cursor === undefined && folder !== root) await this.#checkFolder(folder, signal);
    const start = cursor === undefined ? behind(prefix) : this.#parseCursor(folder, cursor);
    const { entries, next } = await this.#page(prefix, start, limit, signal);
    // Where there is much, there may be a gap on the next page.
    const { threads } = this.#options.state;
    if (next !== undefined && threads !== undefined) warmThread(threads);
    return next === undefined ? { entries } : { entries, cursor: this.#writeCursor(folder, next) };
  }

  async find(path: Path): Promise<Entry | undefined> {
    if (path === root) return { kind: 'folder', path };
    return this.#find(path);
  }

  async *walk(folder: Path, options?: WalkOptions): AsyncGenerator<Leaf, void> {
    for await (const leaves of this.batches(folder, options)) yield* leaves;
  }

  async *batches(folder: Path, { after, signal, fields, sieve }: WalkOptions = {}): AsyncGenerator<readonly Leaf[], void> {
    const { package: id, step, search } = this.#options;
    if (search !== undefined && sieve !== undefined && after === undefined) {
      const walk = (one: Path) => this.batches(one, { signal });
      const sifted = yield* search.sift({ package: id, step, folder, sieve, signal, walk });
      if (sifted !== 'complete') yield* this.batches(folder, { after: sifted.after, signal });
      return;
    }
    const prefix = prefixOf(folder);
    if (folder !== root && (after === undefined || compareBytes(after, folder) < 0)) {
      const own = await this.#entries.get(folder);
      if (own !== undefined) yield [toLeaf(own)];
    }
    yield* this.#entries.leaves(prefix, { after: laterOf(after, prefix), signal, fields });
  }

  async mark(): Promise<string | undefined> {
    return this.frozen ? `${this.#options.package}@${this.#options.step}` : undefined;
  }

  async *read(path: Path, options: ReadOptions = {}): AsyncGenerator<Uint8Array, void> {
    const row = await this.#entries.get(path);
    const leaf = row === undefined ? undefined : toLeaf(row);
    if (leaf === undefined)
      throw new PackageRError('not_found', `There is no file ${JSON.stringify(path)}.`, { operation: 'packages.read' });
    if (leaf.kind === 'text') {
      yield* chunksOf(await this.#readText(leaf.sha256), options);
    } else if (leaf.inline && this.#options.readInline !== undefined) {
      yield* this.#options.readInline(leaf, options);
    } else {
      const message = `The bytes of ${JSON.stringify(path)} come from its store, by a temporary URL.`;
      throw new PackageRError('unsupported', message, { operation: 'packages.read' });
    }
  }

  async #find(path: Path, signal?: AbortSignal): Promise<Entry | undefined> {
    const row = await this.#entries.get(path);
    if (row !== undefined) return toLeaf(row);
    const below = prefixOf(path);
    const first = await this.#entries.first(below, endOf(below), signal);
    return first === undefined ? undefined : folderOf(path, first);
  }

  /** `next`: the row path at which the next page begins. */
  async #page(prefix: string, start: string, limit: number, signal: AbortSignal | undefined) {
    const before = prefix === '' ? undefined : endOf(prefix);
    const entries: Entry[] = [];
    let at: string | undefined = start;
    let size = Math.min(limit + 1, firstRows);
    while (at !== undefined) {
      const window = await this.#entries.window(at, before, size, signal);
      const { next, inside } = takeRows(window.rows, prefix, entries, limit);
      if (next !== undefined) return { entries, next };
      at = window.next;
      size = Math.min(Math.max(size * 2, limit + 1 - entries.length), limits.most);
      if (inside === undefined || at === undefined) continue;
      const skipped = await this.#skipFolders(prefix, inside, before, entries, limit);
      if (skipped.next !== undefined) return { entries, next: skipped.next };
      at = skipped.at;
      size = Math.min(limit + 1 - entries.length, firstRows);
    }
    return { entries };
  }

  /** Goes on behind the folder that holds `path`, from folder to folder, as long as one follows the other. */
  async #skipFolders(prefix: string, path: string, before: string | undefined, entries: Entry[], limit: number) {
    let last = path;
    for (let most = firstFolders; ; most = Math.min(most * 8, limits.most + 1)) {
      const wanted = Math.min(limit + 1 - entries.length, most);
      const found = await this.#entries.folders(prefix, last, before, wanted);
      for (const one of found) {
        const slash = one.indexOf('/', prefix.length);
        if (slash < 0) return { at: one };
        if (entries.length === limit) return { next: one };
        entries.push(folderOf(one.slice(0, slash) as Path, one));
        last = one;
      }
      if (found.length < wanted) return { at: endOf(last.slice(0, last.indexOf('/', prefix.length) + 1)) };
    }
  }

  async #checkFolder(folder: Path, signal: AbortSignal | undefined): Promise<void> {
    const entry = await this.#find(folder, signal);
    if (entry?.kind === 'folder') return;
    if (entry === undefined) throw new PackageRError('not_found', `There is no folder ${JSON.stringify(folder)}.`);
    throw new PackageRError('not_found', `${JSON.stringify(folder)} is no folder.`);
  }

  async #readText(sha256: string): Promise<Uint8Array> {
    const { state, package: id } = this.#options;
    const row = await state.db.selectFrom('text').select('bytes').where('package', '=', id).where('sha256', '=', sha256).executeTakeFirst();
    if (row === undefined) throw new PackageRError('verify_failed', 'The bytes of a text are missing in the state.');
    return row.bytes;
  }

  #writeCursor(folder: Path, path: string): string {
    const { package: id, step } = this.#options;
    return Buffer.from(JSON.stringify([id, step, folder, path])).toString('base64url');
  }

  #parseCursor(folder: Path, cursor: string): string {
    const [id, step, of, path] = parseArray(cursor);
    const isOurs = id === this.#options.package && step === this.#options.step && of === folder;
    if (!isOurs || typeof path !== 'string' || !isBelow(path, prefixOf(folder)))
      throw new PackageRError('cursor_invalid', undefined, { operation: 'packages.list' });
    return path;
  }
}

/** Adds what the rows show of a folder. `next`: the row that the page has no place for; `inside`: the last row, where it is in a sub-folder. */
function takeRows(rows: readonly (readonly SqlValue[])[], prefix: string, entries: Entry[], limit: number) {
  let skip: string | undefined;
  let inside: string | undefined;
  for (const row of rows) {
    const path = row[0] as string;
    if (skip !== undefined && isBelow(path, skip)) continue;
    skip = undefined;
    inside = undefined;
    if (entries.length === limit) return { next: path };
    const slash = path.indexOf('/', prefix.length);
    if (slash < 0) {
      entries.push(leafOf(row));
      continue;
    }
    skip = path.slice(0, slash + 1);
    inside = path;
    entries.push(folderOf(path.slice(0, slash) as Path, path));
  }
  return { inside };
}

function parseArray(cursor: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function prefixOf(folder: Path): string {
  return folder === root ? '' : `${folder}/`;
}

function laterOf(after: Path | undefined, prefix: string): Path | undefined {
  return after !== undefined && compareBytes(after, prefix) > 0 ? after : undefined;
}

function isBelow(path: string, prefix: string): boolean {
  return path.startsWith(prefix);
}

function folderOf(path: Path, first: string): Entry {
  return first === folderRowPath(path) ? { kind: 'folder', path, explicit: true } : { kind: 'folder', path };
}

/** In pieces of 64 KiB. Errors: range_invalid. */
function* chunksOf(bytes: Uint8Array, { range, signal }: ReadOptions): Generator<Uint8Array, void> {
  const { start, end } = range ?? { start: 0, end: bytes.length };
  if (!Number.isSafeInteger(start) || start < 0 || end < start || end > bytes.length) throw new PackageRError('range_invalid');
  for (let at = start; at < end; at += limits.chunk) {
    signal?.throwIfAborted();
    yield bytes.subarray(at, Math.min(end, at + limits.chunk));
  }
}
