/** Lists of objects to annex, as CSV with a head line or as NDJSON. */
import { PackageRError } from '#errors/error.ts';
import { parseChecksum } from '#model/checksum.ts';
import { parseInstant } from '#model/duration.ts';
import { parseKey } from '#model/key.ts';
import { parsePath } from '#model/path.ts';
import type { AnnexItem } from './annex-request.ts';

export type AnnexListFormat = 'csv' | 'ndjson';

/** Bytes. */
const lineLimit = 64 * 1024;

const fields = ['key', 'to', 'size', 'etag', 'version', 'modifiedAt', 'checksums'] as const;
type Field = (typeof fields)[number];
/** Other spellings of the fields. */
const spellings: Readonly<Record<string, Field>> = { path: 'key', checksum: 'checksums', modified: 'modifiedAt' };

/**
 * Reads a list as it arrives. CSV: RFC 4180, the first line names the columns; checksums are separated by spaces.
 * `lineBytes`: of one line, or of one record that has lines in quotes.
 * Errors: request_invalid with the number of the line, too_many above `limit`, too_large above `lineBytes`, key_invalid, path_invalid,
 * checksum_invalid.
 */
export async function parseAnnexList(
  text: AsyncIterable<Uint8Array>,
  format: AnnexListFormat,
  limit: number,
  lineBytes: number = lineLimit,
): Promise<AnnexItem[]> {
  const items: AnnexItem[] = [];
  let columns: Field[] | undefined;
  let number = 0;
  for await (const line of format === 'csv' ? recordsOf(text, lineBytes) : linesOf(text, lineBytes)) {
    number += 1;
    if (line.trim() === '') continue;
    if (format === 'csv' && columns === undefined) {
      columns = splitRecord(line, number).map((name) => fieldOf(name.trim(), number));
      continue;
    }
    if (items.length >= limit) throw new PackageRError('too_many', `A list holds at most ${limit} objects.`);
    items.push(parseAnnexItem(columns === undefined ? parseObject(line, number) : zip(columns, splitRecord(line, number), number), number));
  }
  return items;
}

/** One item, checked. `number`: of its line, for messages. */
function parseAnnexItem(value: Readonly<Record<string, unknown>>, number: number): AnnexItem {
  const fault = (why: string) => new PackageRError('request_invalid', `Line ${number} of the list is not valid: ${why}.`);
  const given: Partial<Record<Field, unknown>> = {};
  for (const [name, one] of Object.entries(value)) if (one !== null && one !== '') given[fieldOf(name, number)] = one;
  const { key, to, size, etag, version, modifiedAt, checksums } = given;
  if (typeof key !== 'string') throw fault('“key” is missing');
  if (to !== undefined && typeof to !== 'string') throw fault('“to” is no text');
  if (etag !== undefined && (typeof etag !== 'string' || etag.length > 1024)) throw fault('“etag” is no text of at most 1024 characters');
  if (version !== undefined && (typeof version !== 'string' || version.length > 1024))
    throw fault('“version” is no text of at most 1024 characters');
  const bytes = size === undefined ? undefined : Number(size);
  if (bytes !== undefined && !(Number.isSafeInteger(bytes) && bytes >= 0)) throw fault('“size” is no number of bytes');
  const stated = typeof checksums === 'string' ? checksums.split(/\s+/) : (checksums ?? []);
  if (!Array.isArray(stated) || stated.some((one) => typeof one !== 'string')) throw fault('“checksums” is no list of texts');
  for (const one of stated) parseChecksum(one as string, 'stated');
  const instant = typeof modifiedAt === 'string' && !/^\d+$/.test(modifiedAt) ? parseInstant(modifiedAt) : modifiedAt;
  if (instant !== undefined && !Number.isSafeInteger(Number(instant))) throw fault('“modifiedAt” is no instant');
  return {
    key: parseKey(key),
    ...(to === undefined ? {} : { to: parsePath(to) }),
    ...(bytes === undefined ? {} : { size: bytes }),
    ...(etag === undefined ? {} : { etag: etag.replace(/^"(.*)"$/, '$1') }),
    ...(version === undefined ? {} : { version }),
    ...(instant === undefined ? {} : { modifiedAt: Number(instant) }),
    ...(stated.length === 0 ? {} : { checksums: stated as string[] }),
  };
}

function fieldOf(name: string, number: number): Field {
  const field = spellings[name] ?? fields.find((one) => one === name);
  if (field === undefined)
    throw new PackageRError('request_invalid', `Line ${number} of the list has the unknown field ${JSON.stringify(name.slice(0, 80))}.`);
  return field;
}

function parseObject(line: string, number: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // told below
  }
  throw new PackageRError('request_invalid', `Line ${number} of the list is no JSON object.`);
}

function zip(columns: readonly Field[], values: readonly string[], number: number): Record<string, unknown> {
  if (values.length > columns.length)
    throw new PackageRError('request_invalid', `Line ${number} of the list has more fields than its head.`);
  return Object.fromEntries(columns.map((column, index) => [column, values[index] ?? '']));
}

async function* linesOf(text: AsyncIterable<Uint8Array>, lineBytes: number): AsyncGenerator<string, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch {
      throw new PackageRError('request_invalid', 'The list is not valid UTF-8.');
    }
  };
  for await (const chunk of text) {
    const lines = (rest + decode(chunk)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > lineBytes) throw tooLong(lineBytes);
    for (const line of lines) yield checkLine(line, lineBytes);
  }
  yield checkLine(rest + decode(), lineBytes);
}

function checkLine(line: string, lineBytes: number): string {
  if (Buffer.byteLength(line) > lineBytes) throw tooLong(lineBytes);
  return line.replace(/\r$/, '');
}

function tooLong(lineBytes: number): PackageRError {
  return new PackageRError('too_large', `A line of a list has at most ${lineBytes} bytes.`);
}

/** Lines, joined while a quote is open. */
async function* recordsOf(text: AsyncIterable<Uint8Array>, lineBytes: number): AsyncGenerator<string, void> {
  let record: string | undefined;
  for await (const line of linesOf(text, lineBytes)) {
    record = record === undefined ? line : `${record}\n${line}`;
    checkLine(record, lineBytes);
    if ((record.split('"').length - 1) % 2 === 1) continue;
    yield record;
    record = undefined;
  }
  if (record !== undefined) throw new PackageRError('request_invalid', 'The list ends within a quoted field.');
}

function splitRecord(record: string, number: number): string[] {
  const values: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/gy;
  for (let match = field.exec(record); match !== null; match = field.exec(record)) {
    values.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '') return values;
  }
  throw new PackageRError('request_invalid', `Line ${number} of the list is no CSV.`);
}
