/**
 * The Tree of a package at one step: of the draft, or of a version (a frozen step). Folders are found by skipping over their content, so
 * a page costs what it shows and not what lies below.
 */
import { PackageRError } from '#errors/error.ts';
import type { Entry, Leaf, Pointer } from '#model/entry.ts';
import { compareBytes, type Path, root } from '#model/path.ts';
import type { PageRequest, ReadOptions, Tree, TreePage, WalkOptions } from '#model/tree.ts';
import { type EntryRow, entryKinds } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { EntryReader, endOf, type Gaps, type Position } from './entry-reader.ts';
import { folderRowPath, toLeaf } from './entry-row.ts';

export interface PackageTreeOptions {
  readonly state: State;
  readonly package: number;
  readonly step: number;
  /** The step belongs to a version: explicit folders are not part of it. */
  readonly frozen: boolean;
  /** Bytes of an inline object, with the rights of the curator. Without it pointers have no bytes. */
  readonly readInline?: ((pointer: Pointer, options: ReadOptions) => AsyncIterable<Uint8Array>) | undefined;
  readonly gaps?: Gaps | undefined;
}

const limits = { page: 200, most: 1000, chunk: 64 * 1024 } as const;

export class PackageTree implements Tree {
  readonly frozen: boolean;
  readonly #options: PackageTreeOptions;
  readonly #entries: EntryReader;

  constructor(options: PackageTreeOptions) {
    const { state, package: id, step, frozen, gaps } = options;
    this.frozen = frozen;
    this.#options = options;
    this.#entries = new EntryReader({ state, package: id, step, withFolders: !frozen, gaps: frozen ? gaps : undefined });
  }

  async list(folder: Path, { cursor, limit = limits.page, signal }: PageRequest = {}): Promise<TreePage> {
    if (!Number.isInteger(limit) || limit < 1 || limit > limits.most)
      throw new PackageRError('request_invalid', `The limit of a page is an integer from 1 to ${limits.most}.`);
    const prefix = prefixOf(folder);
    const start: Position = { path: prefix, isAfter: false };
    if (cursor === undefined && folder !== root) await this.#checkFolder(folder);
    const page = await this.#page(prefix, cursor === undefined ? start : this.#parseCursor(folder, cursor), limit, signal);
    return page.next === undefined ? { entries: page.entries } : { entries: page.entries, cursor: this.#writeCursor(folder, page.next) };
  }

  async find(path: Path): Promise<Entry | undefined> {
    if (path === root) return { kind: 'folder', path };
    const row = await this.#entries.get(path);
    if (row !== undefined) return toLeaf(row);
    const below = prefixOf(path);
    const first = await this.#entries.first({ path: below, isAfter: false }, endOf(below));
    return first === undefined ? undefined : folderOf(path, first);
  }

  async *walk(folder: Path, { after, signal }: WalkOptions = {}): AsyncGenerator<Leaf, void> {
    const prefix = prefixOf(folder);
    if (folder !== root && (after === undefined || compareBytes(after, folder) < 0)) {
      const own = await this.#entries.get(folder);
      if (own !== undefined) yield toLeaf(own);
    }
    const behind = after !== undefined && compareBytes(after, prefix) > 0 ? after : undefined;
    for await (const rows of this.#entries.batches(prefix, behind, signal)) {
      for (const row of rows) if (row.kind !== entryKinds.folder) yield toLeaf(row);
    }
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

  async #page(prefix: string, start: Position, limit: number, signal: AbortSignal | undefined) {
    const before = prefix === '' ? undefined : endOf(prefix);
    const entries: Entry[] = [];
    let at: Position | undefined = start;
    let size = Math.min(limit + 1, limits.page);
    while (at !== undefined) {
      const { rows, next } = await this.#entries.read(at, before, size, signal);
      size = Math.min(size * 2, limits.most);
      at = next;
      let skipTo: string | undefined;
      for (const row of rows) {
        if (skipTo !== undefined && isBelow(row.path, skipTo)) continue;
        skipTo = undefined;
        if (entries.length === limit) return { entries, next: { path: row.path, isAfter: false } };
        const slash = row.path.indexOf('/', prefix.length);
        if (slash < 0) {
          entries.push(toLeaf(row));
          continue;
        }
        skipTo = row.path.slice(0, slash + 1);
        entries.push(folderOf(row.path.slice(0, slash) as Path, row));
      }
      if (skipTo !== undefined && at !== undefined) {
        at = { path: endOf(skipTo), isAfter: false };
        size = 16;
      }
    }
    return { entries };
  }

  async #checkFolder(folder: Path): Promise<void> {
    const entry = await this.find(folder);
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

  #writeCursor(folder: Path, { path, isAfter }: Position): string {
    const { package: id, step } = this.#options;
    return Buffer.from(JSON.stringify([id, step, folder, path, isAfter])).toString('base64url');
  }

  #parseCursor(folder: Path, cursor: string): Position {
    const [id, step, of, path, isAfter] = parseArray(cursor);
    const isOurs = id === this.#options.package && step === this.#options.step && of === folder;
    const end = endOf(prefixOf(folder));
    if (
      !isOurs ||
      typeof path !== 'string' ||
      typeof isAfter !== 'boolean' ||
      !(folder === root || isBelow(path, prefixOf(folder)) || path === end)
    )
      throw new PackageRError('cursor_invalid', undefined, { operation: 'packages.list' });
    return { path, isAfter };
  }
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

function isBelow(path: string, prefix: string): boolean {
  return path.startsWith(prefix);
}

function folderOf(path: Path, first: EntryRow): Entry {
  return first.path === folderRowPath(path) ? { kind: 'folder', path, explicit: true } : { kind: 'folder', path };
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
