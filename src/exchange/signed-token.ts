/**
 * The payload of packageR's own signed URLs: 1 byte format (1) · 1 byte method · 6 bytes expiresAt (milliseconds, big-endian) · then
 * source, key, version, content type, disposition, cache control, upload, part number and etag, each 2 bytes length (FFFF: absent) and bytes.
 */
import { decodeKey, encodeKey } from '#model/key.ts';
import type { SignedObject, TransferMethod } from '#model/temporary-url.ts';

const format = 1;
const headSize = 8;
const absent = 0xffff;
const methods: readonly TransferMethod[] = ['GET', 'HEAD', 'PUT'];

export function writePayload(object: SignedObject): Buffer {
  const head = Buffer.alloc(headSize);
  head.writeUInt8(format, 0);
  head.writeUInt8(methods.indexOf(object.method), 1);
  head.writeUIntBE(object.expiresAt, 2, 6);
  const { contentType, contentDisposition, cacheControl } = object.responseHeaders ?? {};
  const { upload, number } = object.part ?? {};
  const values = [object.source, encodeKey(object.key), object.version, contentType, contentDisposition, cacheControl, upload];
  const parts = [...values, number === undefined ? undefined : String(number), object.etag].flatMap(writeField);
  return Buffer.concat([head, ...parts]);
}

/** The twin of writePayload, for bytes whose signature was verified; undefined for another format. */
export function parsePayload(bytes: Buffer): SignedObject | undefined {
  if (bytes.length < headSize || bytes.readUInt8(0) !== format) return undefined;
  const method = methods[bytes.readUInt8(1)];
  const fields = readFields(bytes);
  const [source, key] = fields;
  if (method === undefined || source === undefined || key === undefined) return undefined;
  const [version, contentType, contentDisposition, cacheControl, upload, number, etag] = fields.slice(2).map((field) => field?.toString());
  return {
    source: source.toString(),
    key: decodeKey(key),
    method,
    expiresAt: bytes.readUIntBE(2, 6),
    ...(version === undefined ? {} : { version }),
    ...(etag === undefined ? {} : { etag }),
    responseHeaders: {
      ...(contentType === undefined ? {} : { contentType }),
      ...(contentDisposition === undefined ? {} : { contentDisposition }),
      ...(cacheControl === undefined ? {} : { cacheControl }),
    },
    ...(upload === undefined || number === undefined ? {} : { part: { upload, number: Number(number) } }),
  };
}

function writeField(value: string | Buffer | undefined): Buffer[] {
  const length = Buffer.alloc(2);
  if (value === undefined) {
    length.writeUInt16BE(absent);
    return [length];
  }
  const bytes = Buffer.from(value);
  length.writeUInt16BE(bytes.length);
  return [length, bytes];
}

function readFields(bytes: Buffer): (Buffer | undefined)[] {
  const fields: (Buffer | undefined)[] = [];
  for (let at = headSize; at + 2 <= bytes.length; ) {
    const length = bytes.readUInt16BE(at);
    at += 2;
    fields.push(length === absent ? undefined : bytes.subarray(at, at + length));
    if (length !== absent) at += length;
  }
  return fields;
}
