/** The files of the package as members of the archive: texts and a bounded number of inline objects as bytes, all else as pointer files. */
import { PackageRError } from '#errors/error.ts';
import type { ExportRequest } from '#exports/export.ts';
import type { Selection } from '#exports/selection.ts';
import type { Leaf, Pointer } from '#model/entry.ts';
import type { Path } from '#model/path.ts';
import { withoutTicket, writePointerFile } from '#model/pointer-file.ts';
import { readAll } from '#model/tree.ts';
import type { MemberNames } from './names.ts';

export interface Item {
  readonly leaf: Leaf;
  /** Where the file lies once it is there. */
  readonly place: Path;
  /** Of the member: the place, or the pointer file that stands for it. */
  readonly name: string;
  readonly isPointer: boolean;
}

/** How many inline objects go in as bytes, in path order, until one of these is reached; those behind it are pointer files. */
export interface InlineLimit {
  readonly count: number;
  /** Bytes together. */
  readonly bytes: number;
}

const inlineDefault: InlineLimit = { count: 1000, bytes: 64 * 1024 * 1024 };

/** `?inline=none`, or a number of objects up to 100,000. Errors: request_invalid. */
export function parseInline(query: ExportRequest['query']): InlineLimit {
  const text = query['inline'];
  if (text === undefined) return inlineDefault;
  const count = text === 'none' ? 0 : /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count <= 100_000)) throw new PackageRError('request_invalid', '“inline” is “none” or an integer up to 100000.');
  return { count, bytes: inlineDefault.bytes };
}

/** In path order; the same each time for the same selection. */
export async function* walkItems(selection: Selection, names: MemberNames, inline: InlineLimit): AsyncGenerator<Item, void, undefined> {
  let { count, bytes } = inline;
  for await (const leaf of selection.walk()) {
    let isPointer = leaf.kind === 'pointer';
    if (leaf.kind === 'pointer' && leaf.inline && count > 0) {
      isPointer = leaf.size > bytes;
      count = isPointer ? 0 : count - 1;
      bytes -= leaf.size;
    }
    const place = names.placeFor(leaf.path);
    yield { leaf, place, name: isPointer ? names.pointerFor(leaf.path) : place, isPointer };
  }
}

/** Bytes of the member. */
export function sizeItem(item: Item, request: ExportRequest): number {
  return item.isPointer ? Buffer.byteLength(writeItemPointer(item.leaf as Pointer, request)) : item.leaf.size;
}

/** Errors: drifted where an inline object is no longer as long as was stated. */
export async function readItem({ leaf, isPointer }: Item, request: ExportRequest): Promise<Buffer> {
  if (isPointer) return Buffer.from(writeItemPointer(leaf as Pointer, request));
  const bytes = await readAll(request.tree.read(leaf.path, { signal: request.signal }), leaf.size).catch((error: unknown) => {
    throw error instanceof PackageRError && error.code === 'too_large' ? changed(leaf.path) : error;
  });
  if (bytes.length !== leaf.size) throw changed(leaf.path);
  return bytes;
}

function writeItemPointer(leaf: Pointer, { link, location }: ExportRequest): string {
  const { path, size, etag, checksums } = leaf;
  return writePointerFile({ url: withoutTicket(link(path), path), path, size, etag, checksums, location: location?.(leaf) });
}

function changed(path: Path): PackageRError {
  return new PackageRError('drifted', `${JSON.stringify(path)} is no longer as long as it was.`, { operation: 'zip.read' });
}
