/**
 * A pointer file stands in an archive where the bytes are not: `key value` lines that say what the object is and where it can be
 * exchanged. It never carries a credential. Specification: docs/reference/pointer.md.
 */
import { PackageRError } from '#errors/error.ts';
import { type Checksum, findChecksum, parseChecksum } from '#model/checksum.ts';
import type { Location } from '#model/entry.ts';
import { decodeKey, encodeKey, type Key, parseKey } from '#model/key.ts';
import { parseName } from '#model/name.ts';
import { encodePath, type Path, parsePath, root } from '#model/path.ts';
import { isPrintable, putBytes, putEncodedPath, putInteger, putText } from '#model/text-bytes.ts';

export interface PointerFile {
  /** The stable URL: absolute, ends in the percent-encoded path, no userinfo, query, fragment or ticket. */
  readonly url: string;
  readonly path: Path;
  /** Bytes. */
  readonly size: number;
  /** Without quotes. Left out on write where it does not fit into a line (control characters, over 1024 bytes). */
  readonly etag?: string | undefined;
  /** One for each algorithm is written, of the strongest evidence. Evidence is not in the file: what is read counts as stated. */
  readonly checksums: readonly Checksum[];
  /** For people who may see the source. */
  readonly location?: Location | undefined;
}

/** `bytes` holds the longest path and its URL. */
export const pointerLimits = { bytes: 24 * 1024, url: 16 * 1024, etag: 1024 } as const;

const head = 'version package-r/pointer/1';
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of a pointer file. Errors: pointer_invalid, above all for a URL that holds a credential. */
export function writePointerFile(pointer: PointerFile): string {
  checkUrl(pointer.url, pointer.path);
  return writeLines(pointer.url, pointer);
}

/** As writePointerFile, for many of one link: `front`, what their URLs begin with (`https://host/s/ID/o/`), is checked once. Errors: pointer_invalid. */
export function pointerWriter(front: string): (pointer: Omit<PointerFile, 'url'>) => string {
  const name = 'x' as Path;
  checkUrl(`${front}${name}`, name);
  return (pointer) => {
    if (pointer.path === root) throw invalid('the path is empty');
    const url = `${front}${encodePath(pointer.path)}`;
    if (url.length > pointerLimits.url) throw invalid('the URL is too long');
    return writeLines(url, pointer);
  };
}

export interface PointerPutter {
  /** Bytes that the file of this pointer may need while it is put. */
  room(pointer: Omit<PointerFile, 'url'>): number;
  /** Puts the file at `at`; gives where it ends. */
  put(block: Buffer, at: number, pointer: Omit<PointerFile, 'url'>): number;
}

/** What `pointerWriter` writes, put into a block of bytes where it is to stand. Errors: pointer_invalid. */
export function pointerPutter(front: string): PointerPutter {
  const write = pointerWriter(front);
  const [before, path, size, etag, checksum] = [`${head}\nurl ${front}`, '\npath ', '\nsize ', '\netag ', '\nchecksum '].map((text) =>
    Buffer.from(text),
  ) as [Buffer, Buffer, Buffer, Buffer, Buffer];
  const fixed = before.length + 64;
  const isLong = (pointer: Omit<PointerFile, 'url'>): boolean => front.length > pointerLimits.url / 2 || mayReachLimits(pointer);
  return {
    room: (pointer) =>
      isLong(pointer)
        ? pointerLimits.bytes
        : pointer.checksums.reduce(
            (sum, { value }) => sum + 32 + 3 * value.length,
            fixed + 12 * pointer.path.length + 3 * (pointer.etag?.length ?? 0),
          ),
    put(block, at, pointer) {
      if (isLong(pointer) || pointer.checksums.length > 1 || !(pointer.size >= 0 && Number.isSafeInteger(pointer.size)))
        return putText(block, at, write(pointer));
      block.set(before, at);
      let end = putEncodedPath(block, at + before.length, pointer.path);
      end = putText(block, putBytes(block, end, path), pointer.path);
      end = putInteger(block, putBytes(block, end, size), pointer.size);
      if (pointer.etag !== undefined && pointer.etag !== '') {
        const from = putBytes(block, end, etag);
        end = putText(block, from, pointer.etag);
        if (!isPrintable(block, from, end)) return putText(block, at, write(pointer));
      }
      const [only] = pointer.checksums;
      if (only !== undefined) end = putText(block, putBytes(block, end, checksum), `${only.algorithm}:${only.value}`);
      block[end] = 0x0a;
      return end + 1;
    },
  };
}

/** Seldom: what may touch a limit, or shows where the object lies. */
function mayReachLimits({ path, etag, checksums, location }: Omit<PointerFile, 'url'>): boolean {
  return path === root || path.length > 256 || (etag !== undefined && etag.length > 256) || checksums.length > 7 || location !== undefined;
}

function writeLines(url: string, { path, size, etag, checksums, location }: Omit<PointerFile, 'url'>): string {
  if (!Number.isSafeInteger(size) || size < 0) throw invalid('the size is not an integer from 0 to 2^53−1');
  let text = `${head}\nurl ${url}\npath ${path}\nsize ${size}\n`;
  if (etag !== undefined && fitsEtag(etag)) text += `etag ${etag}\n`;
  if (checksums.length > 0) {
    const algorithms = [...new Set(checksums.map((one) => one.algorithm))].sort();
    for (const algorithm of algorithms) text += `checksum ${algorithm}:${findChecksum(checksums, algorithm)?.value}\n`;
  }
  if (location !== undefined) text += `source ${location.source}\nkey ${percentEncode(location.key)}\n`;
  if (text.length * 3 > pointerLimits.bytes && Buffer.byteLength(text) > pointerLimits.bytes)
    throw invalid(`it is longer than ${pointerLimits.bytes} bytes`);
  return text;
}

/**
 * The twin of writePointerFile: strict, refuses whatever it would not have written. The checksums come back as stated.
 * Errors: pointer_invalid, with what is wrong.
 */
export function parsePointerFile(bytes: Uint8Array): PointerFile {
  if (bytes.length > pointerLimits.bytes) throw invalid(`it is longer than ${pointerLimits.bytes} bytes`);
  const text = decode(bytes);
  if (!text.endsWith('\n')) throw invalid('the last line has no line break');
  const [first, ...lines] = text.slice(0, -1).split('\n');
  if (first !== head) throw invalid(`the first line is not “${head}”`);
  const values = readValues(lines);
  const pointer = parseValues(values);
  if (writePointerFile(pointer) !== text) throw invalid('its lines are not in canonical form or order');
  return pointer;
}

type Values = Map<string, string[]>;
const keys = ['url', 'path', 'size', 'etag', 'checksum', 'source', 'key'];

function readValues(lines: readonly string[]): Values {
  const values: Values = new Map();
  for (const line of lines) {
    if (control.test(line)) throw invalid('it holds a control character');
    const space = line.indexOf(' ');
    const key = line.slice(0, Math.max(space, 0));
    if (!keys.includes(key)) throw invalid(`it has a line that is not known: ${JSON.stringify(line.slice(0, 40))}`);
    const known = values.get(key) ?? [];
    if (known.length > 0 && key !== 'checksum') throw invalid(`it has two “${key}” lines`);
    values.set(key, [...known, line.slice(space + 1)]);
  }
  return values;
}

function parseValues(values: Values): PointerFile {
  const one = (key: string): string | undefined => values.get(key)?.[0];
  const [url, path, size, etag, source, key] = ['url', 'path', 'size', 'etag', 'source', 'key'].map(one);
  if (url === undefined || path === undefined || size === undefined) throw invalid('a line “url”, “path” or “size” is missing');
  if ((source === undefined) !== (key === undefined)) throw invalid('“source” and “key” go together');
  if (!/^(0|[1-9]\d{0,15})$/.test(size)) throw invalid('the size is not a plain integer');
  const checksums = (values.get('checksum') ?? []).map((text) => parsed(() => parseChecksum(text, 'stated')));
  if (new Set(checksums.map((each) => each.algorithm)).size < checksums.length) throw invalid('it has two checksums of one algorithm');
  return {
    url,
    path: parsed(() => parsePath(path)),
    size: Number(size),
    ...(etag === undefined ? {} : { etag }),
    checksums,
    ...(source === undefined || key === undefined
      ? {}
      : { location: parsed(() => ({ source: parseName(source, 'source'), key: percentDecode(key) })) }),
  };
}

/** A base or the stable URL of `path`, without the ticket of a locked share: `…/s/ID~TICKET/…` → `…/s/ID/…`. */
export function withoutTicket(url: string, path: Path = root): string {
  if (!url.includes('~')) return url;
  const tail = path === root ? '' : `/o/${encodePath(path)}`;
  const front = url.endsWith(tail) ? url.slice(0, url.length - tail.length) : url;
  return `${front.replace(/(\/s\/[A-Za-z0-9_-]+)~[^/]*/, '$1')}${url.slice(front.length)}`;
}

function checkUrl(url: string, path: Path): void {
  if (path === root) throw invalid('the path is empty');
  if (!/^https?:\/\/[^\s/?#@\\]+\/[^\s?#\\]*$/.test(url) || control.test(url) || url.length > pointerLimits.url || !URL.canParse(url))
    throw invalid('the URL is not a plain absolute http(s) URL (no userinfo, query or fragment)');
  const tail = `/o/${encodePath(path)}`;
  if (!url.endsWith(tail)) throw invalid('the URL does not end in /o/ and the percent-encoded path');
  if (/\/s\/[^/]*~/.test(url.slice(0, -tail.length))) throw invalid('the URL holds a ticket');
}

function fitsEtag(etag: string): boolean {
  const isShort = etag.length * 3 <= pointerLimits.etag || Buffer.byteLength(etag) <= pointerLimits.etag;
  return etag !== '' && isShort && etag.isWellFormed() && !control.test(etag);
}

function percentEncode(key: Key): string {
  let text = '';
  for (const byte of encodeKey(key)) {
    const character = String.fromCharCode(byte);
    text += /[A-Za-z0-9\-._~/]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

function percentDecode(text: string): Key {
  const binary = text.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return parseKey(decodeKey(Buffer.from(binary, 'latin1')));
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw invalid('it is not UTF-8');
  }
}

/** Faults of a part are faults of the pointer. */
function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new PackageRError(
      'pointer_invalid',
      `The pointer is not valid: ${cause instanceof PackageRError ? cause.message : 'unreadable'}`,
      {
        cause,
      },
    );
  }
}

function invalid(what: string): PackageRError {
  return new PackageRError('pointer_invalid', `The pointer is not valid: ${what}.`, { operation: 'pointer.parse' });
}
