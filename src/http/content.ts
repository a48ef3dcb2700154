/**
 * The content responder: bytes that are not ours to interpret. GET and HEAD with one range, validators and exact lengths. Whatever a user
 * put in is sent as a download of no type, so that it never runs with the rights of our origin.
 */

import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PackageRError } from '#errors/error.ts';
import { attachment } from '#exchange/disposition.ts';

export interface Content {
  /** Bytes, where known; without it no range is served. */
  readonly size?: number | undefined;
  /** Without quotes; a strong validator. */
  readonly etag?: string | undefined;
  /** Of an export, which packageR writes itself. Left out: bytes of a user, application/octet-stream. */
  readonly contentType?: string | undefined;
  /** Sent as attachment under this name; without it an export is shown in place. */
  readonly fileName?: string | undefined;
  read(range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
}

/** Errors: range_invalid (416, with the size). */
export function sendContent(request: FastifyRequest, reply: FastifyReply, content: Content): FastifyReply {
  const { size, etag, fileName } = content;
  const quoted = etag === undefined ? undefined : `"${etag}"`;
  if (quoted !== undefined) reply.header('etag', quoted);
  if (quoted !== undefined && isNamed(request.headers['if-none-match'], quoted)) return reply.code(304).send();
  if (fileName !== undefined || content.contentType === undefined) {
    reply.header('content-disposition', attachment(fileName ?? 'download'));
  }
  reply.header('content-type', content.contentType ?? 'application/octet-stream');
  if (size === undefined) return send(request, reply, () => content.read());
  reply.header('accept-ranges', 'bytes');
  const range = findRange(request, quoted, size);
  if (range === undefined) {
    reply.header('content-length', size);
    return send(request, reply, () => content.read());
  }
  if (range === 'outside') {
    reply.header('content-range', `bytes */${size}`);
    throw new PackageRError('range_invalid');
  }
  reply.code(206).headers({ 'content-range': `bytes ${range.start}-${range.end - 1}/${size}`, 'content-length': range.end - range.start });
  return send(request, reply, () => content.read(range));
}

/** A body that is made while it is sent; made by nobody for HEAD, and ended with the client. */
export function send(request: FastifyRequest, reply: FastifyReply, read: () => AsyncIterable<Uint8Array | string>): FastifyReply {
  if (request.method === 'HEAD') return reply.send(Readable.from([]));
  return reply.send(Readable.from(read(), { objectMode: false }));
}

/** One range, where the validator still holds; anything else is answered with all bytes (RFC 9110, 14.2). */
function findRange(
  request: FastifyRequest,
  quoted: string | undefined,
  size: number,
): { start: number; end: number } | 'outside' | undefined {
  const { range, 'if-range': ifRange } = request.headers;
  if (range === undefined || (ifRange !== undefined && ifRange !== quoted)) return undefined;
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range);
  const [, first = '', last = ''] = match ?? [];
  if (match === null || (first === '' && last === '')) return undefined;
  if (first === '') return Number(last) === 0 || size === 0 ? 'outside' : { start: Math.max(0, size - Number(last)), end: size };
  if (last !== '' && Number(last) < Number(first)) return undefined;
  if (Number(first) >= size) return 'outside';
  return { start: Number(first), end: last === '' ? size : Math.min(Number(last) + 1, size) };
}

function isNamed(header: string | undefined, quoted: string): boolean {
  return header === '*' || (header ?? '').split(',').some((one) => one.trim().replace(/^W\//, '') === quoted);
}
