/** Listing the memory store. */
import { parseStart, writeCursor } from '#drivers/cursor.ts';
import type { ListPage, ListRequest, ObjectInfo } from '#drivers/driver.ts';
import type { MemoryStore } from '#drivers/memory/store.ts';

export function listMemory(store: MemoryStore, request: ListRequest): ListPage {
  const { after, folded, limit } = parseStart(request);
  const objects: ObjectInfo[] = [];
  const prefixes: string[] = [];
  let last = '';
  const walk = store.walk(request.prefix, after);
  let next = walk.next();
  while (next.done !== true) {
    const info = next.value;
    const prefix = foldedPrefix(info.key, request);
    if (prefix !== undefined && folded && prefix === after) {
      next = walk.next(prefix);
      continue;
    }
    if (objects.length + prefixes.length === limit) return { objects, prefixes, cursor: writeCursor(request, last) };
    last = prefix ?? info.key;
    if (prefix === undefined) objects.push(info);
    else prefixes.push(prefix);
    next = walk.next(prefix);
  }
  return { objects, prefixes };
}

function foldedPrefix(key: string, request: ListRequest): string | undefined {
  if (request.delimiter === undefined) return undefined;
  const slash = key.indexOf(request.delimiter, request.prefix.length);
  return slash < 0 ? undefined : key.slice(0, slash + 1);
}
