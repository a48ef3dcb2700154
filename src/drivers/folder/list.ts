/**
 * Listing a folder as an object store lists keys. An empty directory shows as a prefix. A link is listed as what it leads to,
 * links out are left out, and a directory that is reached again through itself is not entered: loops end.
 */
import { lstat } from 'node:fs/promises';
import { throwIfAborted } from '#drivers/abort.ts';
import { type ListStart, parseStart, writeCursor } from '#drivers/cursor.ts';
import type { ListPage, ListRequest, ObjectInfo } from '#drivers/driver.ts';
import { folderError, systemCode } from '#drivers/folder/errors.ts';
import { type FolderName, isGone, type NameCache } from '#drivers/folder/names.ts';
import { type FolderRoot, type Place, segmentsOf } from '#drivers/folder/place.ts';
import { infoOf } from '#drivers/folder/read.ts';
import { compareKeys, encodeKey, type Key, keyLimits } from '#model/key.ts';

interface Found {
  readonly key: string;
  /** Left out for a prefix; undefined where the file has vanished since. */
  readonly info?: Promise<ObjectInfo | undefined>;
}

interface Listing {
  readonly root: FolderRoot;
  readonly names: NameCache;
  readonly request: ListRequest;
  readonly start: ListStart;
}

/** Real paths of the directories that lead here: none is entered twice. */
type Chain = readonly string[];

export async function listFolder(root: FolderRoot, names: NameCache, request: ListRequest): Promise<ListPage> {
  throwIfAborted(request.signal);
  const start = parseStart(request);
  const found: Found[] = [];
  let more = false;
  try {
    for await (const one of begin({ root, names, request, start })) {
      throwIfAborted(request.signal);
      more = found.length === start.limit;
      if (more) break;
      found.push(one);
    }
    const infos = await Promise.all(found.map((one) => one.info));
    const page = {
      objects: infos.filter((info) => info !== undefined),
      prefixes: found.filter((one) => one.info === undefined).map((one) => one.key),
    };
    return more ? { ...page, cursor: writeCursor(request, found.at(-1)?.key ?? '') } : page;
  } catch (error) {
    throw folderError(error, 'folder.list', request.prefix);
  }
}

async function* begin(listing: Listing): AsyncGenerator<Found> {
  const { root, request } = listing;
  const folder = request.prefix.slice(0, request.prefix.lastIndexOf('/') + 1);
  const segments = folder === '' ? [] : segmentsOf(folder.slice(0, -1));
  if (segments === undefined) return;
  const chain: string[] = [];
  let here = await root.openAt(root.root, Buffer.from('.'), 'folder.list');
  for (const segment of segments) {
    await using above = here;
    chain.push(above.real.toString('latin1'));
    const next = await root.openAt(above, segment, 'folder.list').catch(unlessGone);
    if (next === undefined) return;
    here = next;
  }
  await using directory = here;
  if (directory.stat.isDirectory()) yield* walk(listing, directory, folder, chain);
}

async function* walk(listing: Listing, directory: Place, folder: string, above: Chain): AsyncGenerator<Found> {
  const { root, request, start } = listing;
  const real = directory.real.toString('latin1');
  if (above.includes(real)) return;
  const names = await listing.names.list(root, directory);
  const pending: Promise<unknown>[] = [];
  try {
    for (let index = firstIndex(names, folder, request.prefix, start.after); index < names.length; index++) {
      const one = names[index] as FolderName;
      const key = folder + one.name;
      if (!key.startsWith(request.prefix) && !request.prefix.startsWith(key)) break;
      if (encodeKey(key as Key).length > keyLimits.bytes) continue;
      if (!one.name.endsWith('/')) {
        const info = statName(root, directory, one, key as Key);
        pending.push(info.catch(() => undefined));
        yield { key, info };
      } else if (request.delimiter === undefined) yield* enter(listing, directory, one, folder, [...above, real]);
      else if (await isListed(listing, directory, one, folder, [...above, real])) yield { key };
    }
  } finally {
    await Promise.all(pending);
  }
}

async function* enter(listing: Listing, directory: Place, one: FolderName, folder: string, chain: Chain): AsyncGenerator<Found> {
  const opened = await listing.root.openAt(directory, bytesOf(one), 'folder.list').catch(unlessGone);
  if (opened === undefined) return;
  await using inner = opened;
  if (inner.stat.isDirectory()) yield* walk(listing, inner, folder + one.name, chain);
}

/** A prefix is listed unless it is done, leads back into itself, or begins before `after` and holds nothing behind it. */
async function isListed(listing: Listing, directory: Place, one: FolderName, folder: string, chain: Chain): Promise<boolean> {
  const { start } = listing;
  const key = folder + one.name;
  if (start.folded && start.after === key) return false;
  if (start.after.startsWith(key)) {
    const deep = { ...listing, request: { ...listing.request, delimiter: undefined, prefix: key } };
    for await (const found of enter(deep, directory, one, folder, chain)) if ((await found.info) !== undefined) return true;
    return false;
  }
  if (!one.isLink) return true;
  const opened = await listing.root.openAt(directory, bytesOf(one), 'folder.list').catch(unlessGone);
  await using inner = opened;
  return inner !== undefined && !chain.includes(inner.real.toString('latin1'));
}

/** The first name at or behind the prefix that lies behind `after`, or holds what does. */
function firstIndex(names: readonly FolderName[], folder: string, prefix: string, after: string): number {
  const byPrefix = prefix.startsWith(folder) ? lowerBound(names, prefix.slice(folder.length), false) : 0;
  if (!after.startsWith(folder)) return compareKeys(after, folder) > 0 ? names.length : byPrefix;
  const rest = after.slice(folder.length);
  const index = lowerBound(names, rest, true);
  const before = names[index - 1]?.name;
  const holdsAfter = before?.endsWith('/') === true && rest.startsWith(before);
  return Math.max(byPrefix, holdsAfter ? index - 1 : index);
}

function lowerBound(names: readonly FolderName[], text: string, behind: boolean): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = compareKeys((names[middle] as FolderName).name, text);
    if (order < 0 || (behind && order === 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}

async function statName(root: FolderRoot, directory: Place, one: FolderName, key: Key): Promise<ObjectInfo | undefined> {
  try {
    const stats = await lstat(root.at(directory, bytesOf(one)), { bigint: true });
    if (stats.isFile()) return infoOf(key, stats);
    if (!stats.isSymbolicLink()) return undefined;
    await using place = await root.openAt(directory, bytesOf(one), 'folder.list');
    return place.stat.isFile() ? infoOf(key, place.stat) : undefined;
  } catch (error) {
    return unlessGone(error);
  }
}

function bytesOf(one: FolderName): Buffer {
  return encodeKey((one.name.endsWith('/') ? one.name.slice(0, -1) : one.name) as Key);
}

function unlessGone(error: unknown): undefined {
  if (isGone(error) || systemCode(error) === 'ENOENT') return undefined;
  throw error;
}
