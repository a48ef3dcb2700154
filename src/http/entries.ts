/** Entries of any tree as answers: one place decides which fields leave. */
import type { FastifyRequest } from 'fastify';
import type { Handle } from '#access/handle.ts';
import type { EntriesAnswer, EntryAnswer } from '#api/entries.ts';
import { toInstant } from '#model/clock.ts';
import type { Entry, Unnamable } from '#model/entry.ts';
import type { Path } from '#model/path.ts';
import { getEntry } from '#model/tree.ts';
import type { Sources } from '#sources/sources.ts';
import { parseLimit } from './link-objects.ts';
import { present } from './route.ts';

export interface EntriesRequest {
  readonly handle: Handle;
  readonly path: Path;
  readonly query: { readonly cursor?: string; readonly limit?: string };
  readonly sources: Sources;
}

/** The entry, and of a folder one page of its children. Errors: not_found, cursor_invalid. */
export async function listEntries(request: FastifyRequest, { handle, path, query, sources }: EntriesRequest): Promise<EntriesAnswer> {
  const signal = request.gone;
  const entry = await getEntry(handle.tree, path, signal);
  if (entry.kind !== 'folder') return { entry: await viewEntry(entry, handle, sources) };
  const { entries, cursor } = await handle.tree.list(path, { cursor: query.cursor, limit: parseLimit(query.limit), signal });
  const view = await entryViewer(entries, handle, sources);
  return { entry: view(entry), entries: entries.map(view), ...present({ cursor }) };
}

async function viewEntry(entry: Entry, handle: Handle, sources: Sources): Promise<EntryAnswer> {
  return (await entryViewer([entry], handle, sources))(entry);
}

/** Source and key only where the handle says that they may be seen; names of the sources are looked up once. */
export async function entryViewer(
  entries: readonly (Entry | Unnamable)[],
  handle: Handle,
  sources: Sources,
): Promise<(entry: Entry | Unnamable) => EntryAnswer> {
  const ids = new Set(entries.flatMap((entry) => (handle.mayLocate && entry.kind === 'pointer' ? [entry.source] : [])));
  const names = ids.size === 0 ? new Map<string, string>() : await sources.names([...ids]);
  return (entry) => {
    if (entry.kind === 'unnamable') {
      const { kind, size, modifiedAt } = entry;
      return { kind, ...present({ key: handle.mayLocate ? entry.key.toWellFormed() : undefined, size, ...instant(modifiedAt) }) };
    }
    const { kind, path } = entry;
    if (entry.kind === 'folder') return { kind, path, ...instant(entry.modifiedAt) };
    const shared = {
      kind,
      path,
      size: entry.size,
      ...instant(entry.modifiedAt),
      ...(entry.meta === undefined ? {} : { meta: { ...entry.meta } }),
    };
    if (entry.kind === 'text') return { ...shared, sha256: entry.sha256 };
    const { etag, version, checksums, inline } = entry;
    const location = handle.mayLocate
      ? present({ source: names.get(entry.source) as string | undefined, key: entry.key.toWellFormed() })
      : {};
    return { ...shared, ...present({ etag, version }), checksums: checksums.map((one) => ({ ...one })), inline, ...location };
  };
}

function instant(modifiedAt: number | undefined): { modifiedAt?: string } {
  return modifiedAt === undefined ? {} : { modifiedAt: toInstant(modifiedAt) };
}
