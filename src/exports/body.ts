/** Parts of every export's body: a line for each leaf, gathered into chunks, and the validator of a frozen tree. */
import { createHash } from 'node:crypto';
import type { Leaf } from '#model/entry.ts';
import type { WalkFields } from '#model/tree.ts';
import type { ExportBody, ExportRequest } from './export.ts';
import { Packer } from './packer.ts';
import { type Selection, stopIfAborted } from './selection.ts';

/** Raised when any export writes other bytes for the same version. */
const revision = 1;

const plainText = 'text/plain; charset=utf-8';

export interface LinesBody {
  readonly selection: Selection;
  /** The lines of a leaf, each with its end; '' where it has none. */
  lineOf(leaf: Leaf): string;
  /** What `lineOf` looks at. */
  readonly fields: WalkFields;
  /** What stands before them. */
  readonly head?: string;
  /** text/plain where left out. */
  readonly contentType?: string;
}

/** A body of lines that are made while it is read; its size is not known before. */
export function linesBody(name: string, request: ExportRequest, lines: LinesBody): ExportBody {
  const { contentType = plainText } = lines;
  return { contentType, ...etagOf(name, request), read: () => writeLines(lines, request.signal) };
}

/** In chunks of about 64 KiB. Errors: cancelled. */
export async function* writeLines(
  { selection, lineOf, fields, head = '' }: LinesBody,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const packer = new Packer();
  packer.text(head);
  for await (const leaves of selection.batches({ fields })) {
    for (const leaf of leaves) {
      packer.text(lineOf(leaf));
      if (!packer.isFull) continue;
      yield packer.take();
      stopIfAborted(signal);
    }
  }
  if (packer.length > 0) yield packer.take();
}

/** Pieces of text as UTF-8 in chunks of about 64 KiB. Errors: cancelled. */
export async function* gather(pieces: AsyncIterable<string>, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  const packer = new Packer();
  for await (const piece of pieces) {
    stopIfAborted(signal);
    packer.text(piece);
    if (packer.isFull) yield packer.take();
  }
  if (packer.length > 0) yield packer.take();
}

/** Without quotes; nothing for a live tree, or one without a digest. All that the bytes depend on goes in. */
export function etagOf(name: string, request: ExportRequest): { etag?: string } {
  const { tree, about } = request;
  return tree.frozen && about.digest !== undefined ? { etag: hashFacts(name, request, request.base) } : {};
}

/** Of all that the bytes of an export depend on, the tree left out. `base`: as far as it stands in the bytes. */
export function hashFacts(name: string, { folder, only, about, query, location }: ExportRequest, base: string): string {
  const facts = [revision, name, folder, only ?? null, base, about, Object.entries(query).sort(), location !== undefined];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32);
}
