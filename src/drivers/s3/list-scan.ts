/**
 * One pass over a page of ListObjectsV2 or ListObjectVersions, by searching, while it arrives: elements in any order, none built that is not
 * asked for. This is where listing costs its time, so each entry is read by character codes, its texts are cut out once, and no string is
 * longer than a chunk and the entry that it broke (a page as one string costs as much to make as to read).
 * Source: Amazon S3 API reference, ListObjectsV2 and ListObjectVersions.
 */
import { isAscii } from 'node:buffer';
import type { ObjectInfo } from '#drivers/driver.ts';
import { oddAnswer } from '#drivers/s3/errors.ts';
import { decodeText, decodeUrlText, eachInner, rootOf, textOf } from '#drivers/s3/xml.ts';
import { compareKeys, type Key } from '#model/key.ts';

export interface ScannedPage {
  /** The newest object version of each key, as they stand in the page. */
  readonly objects: ObjectInfo[];
  readonly prefixes: string[];
  readonly isTruncated: boolean;
  /** Where the store itself would go on; '' where it does not say. */
  readonly token: string;
  readonly versionMarker: string;
  /** The last of all keys, also of delete markers and old object versions; '' where there is none. */
  readonly lastKey: string;
  /** All names are plain ASCII. */
  readonly isAscii: boolean;
}

const operation = 'driver.list';
const less = 0x3c;
const slash = 0x2f;
/** Characters: what stands before the first element is short. */
const mostHead = 4096;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** `push` each chunk of the answer, then `end`. Errors of both: store_response for what is no whole page. */
export class PageScan {
  readonly #root: string;
  readonly #objects: Mutable<ObjectInfo>[] = [];
  readonly #prefixes: string[] = [];
  readonly #instants = new Instants();
  /** What is not read yet, a byte a character: an entry or element that goes on in the next chunk. */
  #rest = '';
  #isInside = false;
  #isAscii = true;
  #hasEscapes = false;
  #hasHighEscapes = false;
  #hasEntities = false;
  #isUrl = false;
  #isTruncated = false;
  #token = '';
  #versionMarker = '';
  #lastKey = '';
  #lastMarker = '';

  constructor(versions: boolean) {
    this.#root = versions ? 'ListVersionsResult' : 'ListBucketResult';
  }

  push(chunk: Buffer): void {
    const text = chunk.toString('latin1');
    const xml = this.#rest === '' ? text : this.#rest + text;
    this.#isAscii &&= isAscii(chunk);
    const hasPercent = text.includes('%');
    this.#hasEscapes ||= hasPercent || text.includes('+');
    this.#hasHighEscapes ||= hasPercent && /%[89A-Fa-f]/.test(xml);
    const start = this.#isInside ? 0 : this.#enter(xml);
    this.#rest = start < 0 ? xml : xml.slice(this.#readAll(xml, start));
  }

  end(): ScannedPage {
    if (!this.#isInside || this.#rest.trimEnd() !== `</${this.#root}>`) throw cutOff();
    const isEncoded = this.#isUrl && this.#hasEscapes;
    let lastKey = compareKeys(this.#lastKey, this.#lastMarker) < 0 ? this.#lastMarker : this.#lastKey;
    let prefixes = this.#prefixes;
    if (isEncoded || this.#hasEntities || !this.#isAscii) {
      const isAsciiPage = this.#isAscii;
      const decode = this.#isUrl ? (written: string): string => decodeUrlText(written, isAsciiPage) : decodeText;
      for (const info of this.#objects) info.key = decode(info.key) as Key;
      prefixes = prefixes.map(decode);
      // Some stores list the delete markers of a page before its objects.
      const [key, marker] = [decode(this.#lastKey), decode(this.#lastMarker)];
      lastKey = compareKeys(key, marker) < 0 ? marker : key;
    }
    return {
      objects: this.#objects,
      prefixes,
      isTruncated: this.#isTruncated,
      token: this.#token,
      versionMarker: this.#versionMarker,
      lastKey,
      isAscii: this.#isAscii && !this.#hasEntities && !(this.#isUrl && this.#hasHighEscapes),
    };
  }

  /** Behind the start tag of the root; -1 where it is not there yet. */
  #enter(xml: string): number {
    const root = rootOf(xml);
    if (root !== undefined && root !== this.#root) throw oddAnswer(`The store did not answer with ${this.#root}.`, operation);
    const end = root === undefined ? -1 : xml.indexOf('>', xml.indexOf(`<${root}`));
    if (end < 0 && xml.length > mostHead) throw oddAnswer(`The store did not answer with ${this.#root}.`, operation);
    this.#isInside = end >= 0;
    return end < 0 ? -1 : end + 1;
  }

  /** How far it came. */
  #readAll(xml: string, start: number): number {
    let at = start;
    for (;;) {
      const from = xml.charCodeAt(at) === less ? at : xml.indexOf('<', at);
      if (from < 0) return xml.length;
      if (xml.charCodeAt(from + 1) === slash) return from;
      if (xml.startsWith('<Contents>', from)) at = this.#readEntry(xml, from + 10, false);
      else if (xml.startsWith('<Version>', from)) at = this.#readEntry(xml, from + 9, false);
      else if (xml.startsWith('<DeleteMarker>', from)) at = this.#readEntry(xml, from + 14, true);
      else at = this.#readOther(xml, from);
      if (at < 0) return from;
    }
  }

  /**
   * From behind the start tag of an entry to behind its end tag; -1 where it goes on in the next chunk. All that is read stays in variables of
   * this one function: it is the hot one.
   */
  #readEntry(xml: string, start: number, isMarker: boolean): number {
    let at = start;
    let key = '';
    let etag = '';
    let version = '';
    let size = -1;
    let modifiedAt = 0;
    let isArchived = false;
    let isLatest = true;
    for (;;) {
      if (xml.charCodeAt(at) !== less) at = xml.indexOf('<', at);
      if (at < 0) return -1;
      const letter = xml.charCodeAt(at + 1);
      if (letter === slash) break;
      if (letter === 0x4b && xml.startsWith('<Key>', at)) {
        const end = xml.indexOf('<', at + 5);
        if (end < 0) return -1;
        key = xml.slice(at + 5, end);
        at = end + 6;
      } else if (letter === 0x4c && xml.startsWith('<LastModified>', at)) {
        const end = xml.indexOf('<', at + 14);
        if (end < 0) return -1;
        modifiedAt = this.#instants.read(xml, at + 14, end);
        at = end + 15;
      } else if (letter === 0x45 && xml.startsWith('<ETag>', at)) {
        const end = xml.indexOf('<', at + 6);
        if (end < 0) return -1;
        etag = etagAt(xml, at + 6, end);
        at = end + 7;
      } else if (letter === 0x53 && xml.startsWith('<Size>', at)) {
        const end = xml.indexOf('<', at + 6);
        if (end < 0) return -1;
        size = digits(xml, at + 6, end);
        at = end + 7;
      } else if (letter === 0x53 && xml.startsWith('<StorageClass>STANDARD</StorageClass>', at)) {
        at += 37;
      } else if (letter === 0x53 && xml.startsWith('<StorageClass>', at)) {
        const end = xml.indexOf('<', at + 14);
        if (end < 0) return -1;
        isArchived = isArchiveClass(xml.slice(at + 14, end));
        at = end + 15;
      } else if (letter === 0x56 && xml.startsWith('<VersionId>', at)) {
        const end = xml.indexOf('<', at + 11);
        if (end < 0) return -1;
        version = decodeText(xml.slice(at + 11, end));
        at = end + 12;
      } else if (letter === 0x49 && xml.startsWith('<IsLatest>', at)) {
        const end = xml.indexOf('<', at + 10);
        if (end < 0) return -1;
        isLatest = xml.slice(at + 10, end) === 'true';
        at = end + 11;
      } else {
        at = behindElement(xml, at);
        if (at < 0) return -1;
      }
    }
    const end = xml.indexOf('>', at);
    if (end < 0) return -1;
    if (key === '') throw oddAnswer('The store listed an object without a key.', operation);
    if (!this.#hasEntities && key.includes('&')) this.#hasEntities = true;
    if (isMarker) this.#lastMarker = key;
    else this.#lastKey = key;
    if (isLatest && !isMarker) this.#objects.push(infoOf(key as Key, verifySize(size), etag, modifiedAt, version, isArchived));
    return end + 1;
  }

  /** Elements beside the entries. */
  #readOther(xml: string, at: number): number {
    const end = behindElement(xml, at);
    if (end < 0) return -1;
    const element = xml.slice(at, end);
    if (element.startsWith('<CommonPrefixes>')) {
      for (const written of eachInner(element, 'Prefix')) {
        this.#prefixes.push(written);
        this.#hasEntities ||= written.includes('&');
      }
    } else if (element.startsWith('<EncodingType>')) this.#isUrl = textOf(element, 'EncodingType') === 'url';
    else if (element.startsWith('<IsTruncated>')) this.#isTruncated = textOf(element, 'IsTruncated') === 'true';
    else if (element.startsWith('<NextContinuationToken>')) this.#token = textOf(element, 'NextContinuationToken') ?? '';
    else if (element.startsWith('<NextVersionIdMarker>')) this.#versionMarker = textOf(element, 'NextVersionIdMarker') ?? '';
    return end;
  }
}

/** Behind the element that begins there; -1 where it goes on in the next chunk. */
function behindElement(xml: string, at: number): number {
  if (xml.charCodeAt(at + 1) === 0x21) throw oddAnswer('The answer of the store holds more than elements.', operation);
  const end = xml.indexOf('>', at);
  if (end < 0) return -1;
  if (xml.charCodeAt(end - 1) === slash) return end + 1;
  const [name = ''] = xml.slice(at + 1, end).split(/\s/, 1);
  const close = xml.indexOf(`</${name}>`, end);
  return close < 0 ? -1 : close + name.length + 3;
}

/** Most objects have the same shape, which keeps what handles them quick. */
function infoOf(key: Key, size: number, etag: string, modifiedAt: number, version: string, isArchived: boolean): ObjectInfo {
  if (version === '' && !isArchived && etag !== '') return { key, size, etag, modifiedAt };
  return {
    key,
    size,
    ...(etag !== '' && { etag }),
    modifiedAt,
    ...(version !== '' && { version }),
    ...(isArchived && { availability: 'archived' }),
  };
}

function verifySize(size: number): number {
  if (size >= 0 && size <= Number.MAX_SAFE_INTEGER) return size;
  throw oddAnswer('The store listed an object whose size is no number.', operation);
}

/** Without its quotes, in the spellings that stores have for them. */
function etagAt(xml: string, start: number, end: number): string {
  if (xml.startsWith('&quot;', start) && xml.startsWith('&quot;', end - 6)) return xml.slice(start + 6, end - 6);
  if (xml.startsWith('&#34;', start) && xml.startsWith('&#34;', end - 5)) return xml.slice(start + 5, end - 5);
  return bareEtag(decodeText(xml.slice(start, end)));
}

/** `2026-11-23T10:00:00.000Z` → milliseconds of its second; the day is kept, since neighbours often share it. */
class Instants {
  #day = -1;
  #dayAt = 0;

  read(xml: string, start: number, end: number): number {
    const isUsual = end >= start + 20 && end <= start + 30 && xml.charCodeAt(end - 1) === 0x5a;
    const year = digits(xml, start, start + 4);
    const month = digits(xml, start + 5, start + 7);
    const dayOfMonth = digits(xml, start + 8, start + 10);
    const seconds =
      digits(xml, start + 11, start + 13) * 3600 + digits(xml, start + 14, start + 16) * 60 + digits(xml, start + 17, start + 19);
    if (!isUsual || !(year + month + dayOfMonth + seconds >= 0)) return readUnusual(xml.slice(start, end));
    const day = year * 10_000 + month * 100 + dayOfMonth;
    if (day !== this.#day) {
      this.#day = day;
      this.#dayAt = Date.UTC(year, month - 1, dayOfMonth);
    }
    return this.#dayAt + seconds * 1000;
  }
}

function readUnusual(text: string): number {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw oddAnswer('The store listed an object whose time is none.', operation);
  return Math.floor(at / 1000) * 1000;
}

/** NaN for what is no number. */
function digits(xml: string, start: number, end: number): number {
  let value = start < end ? 0 : Number.NaN;
  for (let i = start; i < end; i++) {
    const digit = xml.charCodeAt(i) - 48;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** Objects of these classes must be restored before they can be read. */
export function isArchiveClass(storageClass: string): boolean {
  return storageClass === 'GLACIER' || storageClass === 'DEEP_ARCHIVE';
}

/** Without quotes and the mark of a weak one. */
export function bareEtag(etag: string): string {
  return etag.replace(/^W\//, '').replace(/^"(.*)"$/s, '$1');
}

function cutOff(): Error {
  return oddAnswer('The answer of the store is cut off.', operation);
}
