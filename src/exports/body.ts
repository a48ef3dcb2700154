/** Parts of every export's body: lines gathered into chunks, and the validator of a frozen tree. */
import { createHash } from 'node:crypto';
import type { ExportBody, ExportRequest } from './export.ts';
import { stopIfAborted } from './selection.ts';

/** Raised when any export writes other bytes for the same version. */
const revision = 1;
const chunkSize = 64 * 1024;

const plainText = 'text/plain; charset=utf-8';

/** A body of text that is made while it is read; its size is not known before. */
export function textBody(
  name: string,
  request: ExportRequest,
  lines: () => AsyncIterable<string>,
  contentType: string = plainText,
): ExportBody {
  return { contentType, ...etagOf(name, request), read: () => gather(lines(), request.signal) };
}

/** Strings as UTF-8 in chunks of about 64 KiB. Errors: cancelled. */
export async function* gather(lines: AsyncIterable<string>, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  let parts: string[] = [];
  let length = 0;
  for await (const line of lines) {
    stopIfAborted(signal);
    parts.push(line);
    length += line.length;
    if (length < chunkSize) continue;
    yield Buffer.from(parts.join(''));
    parts = [];
    length = 0;
  }
  if (length > 0) yield Buffer.from(parts.join(''));
}

/** Without quotes; nothing for a live tree, or one without a digest. All that the bytes depend on goes in. */
export function etagOf(name: string, request: ExportRequest): { etag?: string } {
  const { tree, folder, only, base, about, query, location } = request;
  if (!tree.frozen || about.digest === undefined) return {};
  const settings = Object.entries(query).sort();
  const facts = [revision, name, folder, only ?? null, base, about, settings, location !== undefined];
  return { etag: createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32) };
}

/** Bytes [start, end) of a stream that is made from its beginning; stops as soon as `end` is reached. */
export async function* sliceBytes(bytes: AsyncIterable<Buffer>, start: number, end: number): AsyncGenerator<Buffer, void, undefined> {
  let at = 0;
  if (start >= end) return;
  for await (const chunk of bytes) {
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, chunk.length);
    at += chunk.length;
    if (from < to) yield chunk.subarray(from, to);
    if (at >= end) return;
  }
}
