/** The lines of a bulk exchange: cut from bytes as they arrive, and read one by one. */
import { PackageRError } from '#errors/error.ts';
import type { Leaf } from '#model/entry.ts';
import { type Path, parsePath } from '#model/path.ts';
import { type PointerFile, parsePointerFile, withoutTicket } from '#model/pointer-file.ts';

export interface BulkItem {
  readonly path: Path;
  /** For what a pointer file says of the entry. Errors: drifted. */
  readonly check?: (leaf: Leaf) => void;
}

/** Bytes: holds a pointer file of the largest size in a JSON string. */
export const bulkLineLimit: number = 64 * 1024;

/** Lines without their end, of at most `limit` bytes; empty ones are left out. One that is too long or no UTF-8 is its error, and the next line goes on. */
export async function* readLines(body: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<string | PackageRError> {
  let parts: Uint8Array[] = [];
  let size = 0;
  const take = (): string | PackageRError | undefined => {
    const line = size > limit ? tooLong(limit) : decode(Buffer.concat(parts));
    parts = [];
    size = 0;
    return line === '' ? undefined : line;
  };
  const add = (part: Uint8Array): void => {
    size += part.length;
    if (size <= limit) parts.push(part);
    else parts = [];
  };
  for await (const chunk of body) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      add(chunk.subarray(from, end));
      from = end + 1;
      const line = take();
      if (line !== undefined) yield line;
    }
    add(Uint8Array.prototype.slice.call(chunk, from));
  }
  const last = take();
  if (last !== undefined) yield last;
}

/** `link` gives the stable URL of a path here. Errors: request_invalid, path_invalid, pointer_invalid. */
export function parseBulkItem(line: string, link: (path: Path) => string): BulkItem {
  const value = parseJson(line);
  if (typeof value === 'string') return { path: parsePath(value) };
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 1) {
    if ('path' in value && typeof value.path === 'string') return { path: parsePath(value.path) };
    if ('pointer' in value && typeof value.pointer === 'string') return fromPointer(parsePointerFile(Buffer.from(value.pointer)), link);
  }
  throw new PackageRError('request_invalid', 'A line is a path as JSON string, {"path": …} or {"pointer": …}.', {
    operation: 'exchange.bulk',
  });
}

function fromPointer(pointer: PointerFile, link: (path: Path) => string): BulkItem {
  if (pointer.url !== withoutTicket(link(pointer.path), pointer.path)) {
    throw new PackageRError('pointer_invalid', 'The pointer file belongs to another link.', { operation: 'exchange.bulk' });
  }
  return {
    path: pointer.path,
    check(leaf) {
      const etag = leaf.kind === 'pointer' ? leaf.etag : undefined;
      const isSame = leaf.size === pointer.size && (pointer.etag === undefined || etag === undefined || etag === pointer.etag);
      if (!isSame) throw new PackageRError('drifted', 'The entry is no longer what the pointer file says.', { operation: 'exchange.bulk' });
    },
  };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new PackageRError('request_invalid', 'The line is not valid JSON.', { operation: 'exchange.bulk' });
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(bytes: Buffer): string | PackageRError {
  try {
    return decoder.decode(bytes).trim();
  } catch {
    return new PackageRError('request_invalid', 'The line is not UTF-8.', { operation: 'exchange.bulk' });
  }
}

function tooLong(limit: number): PackageRError {
  return new PackageRError('too_large', `A line has at most ${limit} bytes.`, { operation: 'exchange.bulk' });
}
