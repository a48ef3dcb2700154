/** Bodies of requests: counted, timed, never compressed; JSON is measured before it is parsed. */
import type { IncomingMessage } from 'node:http';
import { PackageRError } from '#errors/error.ts';
import type { HttpLimits } from './limits.ts';

export interface BodyLimits {
  /** Bytes. */
  readonly bytes: number;
  /** Milliseconds until the whole body. */
  readonly timeout: number;
}

/** The length that the head states; undefined where it states none. What is no number never gets here. */
export function announcedBytes(payload: IncomingMessage): number | undefined {
  const stated = payload.headers['content-length'];
  return stated === undefined ? undefined : Number(stated);
}

/** All bytes of a body. Errors: too_large (also by the announced length), body_timeout, cancelled. */
export function readBody(payload: IncomingMessage, { bytes, timeout }: BodyLimits): Promise<Buffer> {
  if ((announcedBytes(payload) ?? 0) > bytes) return Promise.reject(tooLarge(bytes));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (error: PackageRError): void => {
      end();
      payload.resume();
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > bytes) fail(tooLarge(bytes));
      else chunks.push(chunk);
    };
    const onEnd = (): void => {
      end();
      resolve(Buffer.concat(chunks));
    };
    const onGone = (): void => fail(new PackageRError('cancelled', 'The request ended before its body did.'));
    const timer = setTimeout(() => fail(new PackageRError('body_timeout')), timeout);
    const end = (): void => {
      clearTimeout(timer);
      payload.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
    };
    payload.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}

/**
 * The body as it flows. What ends it before its end leaves the connection open, so that the reason can still be told.
 * Errors: body_timeout where nothing comes for `idle` milliseconds; too_large; cancelled.
 */
export async function* streamBody(payload: IncomingMessage, { idle, bytes }: { idle: number; bytes?: number }): AsyncGenerator<Buffer> {
  const chunks: AsyncIterator<Buffer> = payload.iterator({ destroyOnReturn: false });
  let size = 0;
  try {
    for (let next = await within(idle, chunks.next()); next.done !== true; next = await within(idle, chunks.next())) {
      size += next.value.length;
      if (bytes !== undefined && size > bytes) throw tooLarge(bytes);
      yield next.value;
    }
  } catch (error) {
    throw error instanceof PackageRError
      ? error
      : new PackageRError('cancelled', 'The request ended before its body did.', { cause: error });
  } finally {
    void chunks.return?.().catch(() => undefined);
  }
}

/** Errors: body_timeout. */
async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new PackageRError('body_timeout')), milliseconds);
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new PackageRError('request_invalid', 'The body is not UTF-8.', { cause });
  }
}

type JsonLimits = Pick<HttpLimits, 'jsonDepth' | 'jsonKeys' | 'jsonItems' | 'jsonString'>;

interface Level {
  readonly keys: Set<string> | undefined;
  items: number;
}

/**
 * Refuses JSON that is deep, wide, long or names a key twice, in one pass and before anything is built from it.
 * Errors: request_invalid. What is no JSON at all is left to the parser.
 */
export function checkJsonShape(text: string, limits: JsonLimits): void {
  const levels: Level[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    const level = levels.at(-1);
    if (character === '"') {
      const end = endOfString(text, at);
      if (isLonger(text, at + 1, end, limits.jsonString)) throw invalid(`a string is longer than ${limits.jsonString} bytes`);
      if (level?.keys !== undefined && isColonNext(text, end + 1)) countKey(level.keys, text.slice(at, end + 1), limits);
      at = end;
    } else if (character === '{' || character === '[') {
      levels.push({ keys: character === '{' ? new Set() : undefined, items: 1 });
      if (levels.length > limits.jsonDepth) throw invalid(`it is nested deeper than ${limits.jsonDepth}`);
    } else if (character === '}' || character === ']') {
      levels.pop();
    } else if (character === ',' && level !== undefined && ++level.items > limits.jsonItems) {
      throw invalid(`a list holds more than ${limits.jsonItems} items`);
    }
  }
}

/** Whether this part of a text has more bytes than that; what may be decided by its length is. */
function isLonger(text: string, start: number, end: number, bytes: number): boolean {
  const length = end - start;
  return length > bytes || (length * 3 > bytes && Buffer.byteLength(text.slice(start, end)) > bytes);
}

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end;
}

function isColonNext(text: string, from: number): boolean {
  let at = from;
  while (/\s/.test(text[at] ?? '')) at++;
  return text[at] === ':';
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0;
  while (text[at - 1 - slashes] === '\\') slashes++;
  return slashes % 2 === 1;
}

function countKey(keys: Set<string>, quoted: string, limits: JsonLimits): void {
  const key = quoted.includes('\\') ? String(parseQuoted(quoted)) : quoted.slice(1, -1);
  if (keys.has(key)) throw invalid(`it names ${JSON.stringify(key.slice(0, 80))} twice`);
  if (keys.add(key).size > limits.jsonKeys) throw invalid(`an object has more than ${limits.jsonKeys} keys`);
}

function parseQuoted(quoted: string): unknown {
  try {
    return JSON.parse(quoted);
  } catch {
    throw invalid('a key is malformed');
  }
}

function invalid(what: string): PackageRError {
  return new PackageRError('request_invalid', `The JSON is refused: ${what}.`, { operation: 'http.body' });
}

function tooLarge(bytes: number): PackageRError {
  return new PackageRError('too_large', `The body is larger than ${bytes} bytes.`, { operation: 'http.body' });
}
