/**
 * Listing a store that goes folder by folder, each in the order of its names without the slash (`a/b` before `a.txt`), in the order of bytes
 * (`a.txt` before `a/b`): each folder is listed by itself, and a folder waits until the names that come before its slash have passed.
 * Where such a store keeps versions, it also lists an object after names that go on from its own (`a` after `a-1`, since its versions lie in
 * `a.versions`); pages are sorted, and what a page may have left for the next one is looked up.
 */
import { writeCursor } from '#drivers/cursor.ts';
import type { ListPage, ListRequest, ObjectInfo } from '#drivers/driver.ts';
import type { S3Client } from '#drivers/s3/client.ts';
import { oddAnswer } from '#drivers/s3/errors.ts';
import type { Versioning } from '#drivers/s3/headers.ts';
import { PageScan, type ScannedPage } from '#drivers/s3/list-scan.ts';
import { statObject } from '#drivers/s3/read.ts';
import type { Query } from '#drivers/s3/sign.ts';
import { isError } from '#errors/error.ts';
import { compareKeys, parseKey } from '#model/key.ts';

export interface FolderStart {
  readonly after: string;
  /** `after` is a folded prefix: all that lies below it is done. */
  readonly folded: boolean;
  readonly limit: number;
}

interface Item {
  /** A key, or a folded prefix. */
  readonly name: string;
  readonly info?: ObjectInfo;
}

interface Waiting {
  /** Relative to its folder, with the slash. */
  readonly name: string;
  /** Begin behind this, relative to the folder itself. */
  readonly after: string;
}

const operation = 'driver.list';
/** Requests for one page of ours: a page of many small folders is cut short, and the next one goes on. */
const mostRequests = 200;

export async function listByFolder(client: S3Client, request: ListRequest, start: FolderStart, versioning: Versioning): Promise<ListPage> {
  const walk = new FolderWalk(client, request, start, versioning);
  const objects: ObjectInfo[] = [];
  const prefixes: string[] = [];
  let last = '';
  for await (const { name, info } of walk.run()) {
    const isFull = objects.length + prefixes.length === start.limit;
    if (isFull || (last !== '' && walk.requests > mostRequests)) return { objects, prefixes, cursor: writeCursor(request, last) };
    if (info === undefined) prefixes.push(name);
    else objects.push(info);
    last = name;
  }
  return { objects, prefixes };
}

class FolderWalk {
  requests = 0;
  readonly #client: S3Client;
  readonly #request: ListRequest;
  readonly #start: FolderStart;
  readonly #versioning: Versioning;

  constructor(client: S3Client, request: ListRequest, start: FolderStart, versioning: Versioning) {
    this.#client = client;
    this.#request = request;
    this.#start = start;
    this.#versioning = versioning;
  }

  async *run(): AsyncGenerator<Item> {
    const { prefix } = this.#request;
    const { after, folded } = this.#start;
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    if (!after.startsWith(prefix) && compareKeys(after, prefix) > 0) return;
    const relative = after.startsWith(prefix) ? after.slice(folder.length) : '';
    for await (const item of this.#level(folder, prefix, { name: relative, isDone: folded })) {
      if (compareKeys(item.name, after) > 0) yield item;
    }
  }

  /** What lies in a folder below a prefix, behind a name in it, in the order of bytes. */
  async *#level(folder: string, prefix: string, after: { readonly name: string; readonly isDone: boolean }): AsyncGenerator<Item> {
    const slash = after.name.indexOf('/');
    const segment = slash < 0 ? after.name : after.name.slice(0, slash);
    let waiting = await this.#waitingAt(folder, prefix, segment, slash < 0);
    if (slash >= 0 && !after.isDone) waiting = insert(waiting, { name: `${segment}/`, after: after.name.slice(slash + 1) });
    // Of names that begin alike, those that go on below the slash are passed too.
    let from = slash < 0 ? folder + segment : `${folder}${segment}.\u{10ffff}`;
    let object: string | undefined;
    for (let isMore = true; isMore; ) {
      const page = await this.#fetch(prefix, from === folder ? '' : from, { delimiter: '/', limit: Math.min(1000, this.#start.limit + 2) });
      for (const entry of await this.#complete(entriesOf(page, folder), page.isTruncated, { folder, prefix, from })) {
        // It was looked up when the names that go on from it came.
        if (entry.info !== undefined && this.#isLate(entry.info.key, from)) continue;
        while (waiting[0] !== undefined && compareKeys(waiting[0].name, entry.bare) < 0) {
          yield* this.#enter(folder, waiting[0]);
          waiting = waiting.slice(1);
        }
        if (entry.info === undefined) waiting = insert(waiting, { name: `${entry.bare}/`, after: '' });
        else yield { name: entry.info.key, info: entry.info };
        if (entry.info !== undefined) object = entry.bare;
        if (compareKeys(folder + entry.bare, from) > 0) from = folder + entry.bare;
        else if (entry.bare !== '' && !(entry.info === undefined && entry.bare === object))
          throw oddAnswer('The store listed names out of order, or twice.', operation);
      }
      isMore = page.isTruncated;
      if (isMore && page.objects.length + page.prefixes.length === 0)
        throw oddAnswer('The listing of the store does not go on.', operation);
    }
    for (const one of waiting) yield* this.#enter(folder, one);
  }

  /**
   * With the objects that belong before the last name of a page and may come in the next one: their names are the beginning of it.
   * Nothing else can be late: a name that parts from the last one at a lower character is listed before it in any case.
   */
  async #complete(
    entries: readonly FolderEntry[],
    isTruncated: boolean,
    { folder, prefix, from }: { readonly folder: string; readonly prefix: string; readonly from: string },
  ): Promise<readonly FolderEntry[]> {
    const last = entries.at(-1)?.bare;
    if (!isTruncated || last === undefined) return entries;
    const known = new Set(entries.filter((entry) => entry.info !== undefined).map((entry) => entry.bare));
    const names = Array.from({ length: last.length }, (_, end) => last.slice(0, end + 1)).filter(
      (name) =>
        !known.has(name) &&
        compareKeys(folder + name, from) > 0 &&
        (folder + name).startsWith(prefix) &&
        this.#isListedBehind(folder + name, folder + last),
    );
    const found = await Promise.all(names.map((name) => this.#lookUp(folder + name)));
    const late = found.flatMap((info) => (info === undefined ? [] : [{ bare: info.key.slice(folder.length), info }]));
    return late.length === 0 ? entries : sorted([...late, ...entries]);
  }

  /** Whether an object that comes behind a name in the store’s listing comes before it, or with it, in the order of bytes. */
  #isLate(name: string, from: string): boolean {
    return compareKeys(name, from) <= 0 && this.#isListedBehind(name, from);
  }

  #isListedBehind(name: string, last: string): boolean {
    const { versionsFolder } = this.#client.habits;
    if (versionsFolder === undefined || this.#versioning === 'off' || !last.startsWith(name)) return false;
    return compareKeys(name + versionsFolder, last) > 0;
  }

  async #lookUp(name: string): Promise<ObjectInfo | undefined> {
    this.requests++;
    try {
      const { key, size, etag, modifiedAt } = await statObject(
        this.#client,
        parseKey(name),
        { signal: this.#request.signal },
        this.#versioning,
      );
      return { key, size, ...(etag !== undefined && { etag }), ...(modifiedAt !== undefined && { modifiedAt }) };
    } catch (error) {
      if (isError(error, 'object_not_found') || isError(error, 'key_invalid')) return undefined;
      throw error;
    }
  }

  async *#enter(folder: string, { name, after }: Waiting): AsyncGenerator<Item> {
    const inner = folder + name;
    if (this.#request.delimiter !== undefined) yield { name: inner };
    else yield* this.#level(inner, inner, { name: after, isDone: false });
  }

  /** Folders that come before a name in the store’s order, and behind it in the order of bytes: `a/` for `a.txt`, and for `a`. */
  async #waitingAt(folder: string, prefix: string, segment: string, isSelfOpen: boolean): Promise<readonly Waiting[]> {
    const names: string[] = [];
    for (let end = 1; end <= segment.length; end++) {
      const isOpen = end === segment.length ? isSelfOpen : segment.charAt(end) < '/';
      if (isOpen && (folder + segment.slice(0, end)).startsWith(prefix)) names.push(`${segment.slice(0, end)}/`);
    }
    const found = await Promise.all(names.map(async (name) => (await this.#fetch(folder + name, '', { limit: 1 })).objects.length > 0));
    return names.filter((_, index) => found[index]).reduce<readonly Waiting[]>((all, name) => insert(all, { name, after: '' }), []);
  }

  async #fetch(prefix: string, after: string, more: { readonly delimiter?: '/'; readonly limit: number }): Promise<ScannedPage> {
    this.requests++;
    const query: Query = [
      ['list-type', '2'],
      ['encoding-type', 'url'],
      ['prefix', prefix],
      ['max-keys', String(more.limit)],
      ...(more.delimiter === undefined ? [] : [['delimiter', more.delimiter] as const]),
      ...(after === '' ? [] : [['start-after', after] as const]),
    ];
    const scan = new PageScan(false);
    await this.#client.each({ method: 'GET', query, signal: this.#request.signal, expect: [200], operation }, (chunk) => scan.push(chunk));
    const page = scan.end();
    const isOutside = (name: string): boolean => !name.startsWith(prefix);
    if (page.objects.some((info) => isOutside(info.key)) || page.prefixes.some(isOutside)) {
      throw oddAnswer('The store listed what does not lie below the prefix.', operation);
    }
    return page;
  }
}

interface FolderEntry {
  /** Relative to the folder, without a slash at the end. */
  readonly bare: string;
  readonly info: ObjectInfo | undefined;
}

/** In the store’s order; an object before the folder of the same name. */
function entriesOf({ objects, prefixes }: ScannedPage, folder: string): FolderEntry[] {
  const files = objects.map((info) => ({ bare: info.key.slice(folder.length), info }));
  const folders = prefixes.map((prefix) => ({ bare: prefix.slice(folder.length, -1), info: undefined }));
  return sorted([...files, ...folders]);
}

function sorted(entries: readonly FolderEntry[]): FolderEntry[] {
  return [...entries].sort((a, b) => compareKeys(a.bare, b.bare));
}

function insert(all: readonly Waiting[], one: Waiting): readonly Waiting[] {
  return [...all, one].sort((a, b) => compareKeys(a.name, b.name));
}
