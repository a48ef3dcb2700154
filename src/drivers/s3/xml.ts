/**
 * Reading the XML of a store by searching, without a document: elements by name, in any order, bounded, and without entities of its own.
 * Texts are handled as bytes (each character of a `latin1` string is one), since names in a bucket need not be UTF-8.
 */
import { oddAnswer } from '#drivers/s3/errors.ts';
import { decodeKey } from '#model/key.ts';

/**
 * Verifies that an answer is one whole document: the expected root with its end, no document type.
 * Errors: store_response.
 */
export function verifyRoot(xml: string, root: string, operation: string): void {
  if (rootOf(xml) !== root) throw oddAnswer(`The store did not answer with ${root}.`, operation);
  if (!xml.trimEnd().endsWith(`</${root}>`) && !isEmptyRoot(xml, root)) throw oddAnswer('The answer of the store is cut off.', operation);
}

/** Name of the root element; undefined where there is none, or a document type. */
export function rootOf(xml: string): string | undefined {
  let at = xml.startsWith('\u00ef\u00bb\u00bf') ? 3 : 0;
  for (;;) {
    at = xml.indexOf('<', at);
    if (at < 0) return undefined;
    if (xml.startsWith('<?', at)) at = xml.indexOf('?>', at);
    else if (xml.startsWith('<!--', at)) at = xml.indexOf('-->', at);
    else return /^<([A-Za-z][A-Za-z0-9]*)[\s/>]/.exec(xml.slice(at, at + 100))?.[1];
    if (at < 0) return undefined;
  }
}

function isEmptyRoot(xml: string, root: string): boolean {
  return xml.trimEnd().endsWith('/>') && xml.indexOf(`<${root}`) === xml.lastIndexOf('<');
}

/** The text of the first element of that name; undefined where there is none, '' where it is empty. Errors: store_response. */
export function textOf(xml: string, name: string): string | undefined {
  const inner = innerOf(xml, name);
  return inner === undefined ? undefined : decodeText(inner);
}

/** What stands in the first element of that name, as it is written. */
export function innerOf(xml: string, name: string): string | undefined {
  for (const inner of eachInner(xml, name)) return inner;
  return undefined;
}

/** What stands in each element of that name, as it is written. Errors: store_response where one does not end. */
export function* eachInner(xml: string, name: string): Generator<string> {
  const open = `<${name}`;
  const close = `</${name}>`;
  for (let at = xml.indexOf(open); at >= 0; at = xml.indexOf(open, at)) {
    at += open.length;
    const next = xml[at] ?? '';
    if (next !== '>' && next !== '/' && !isSpace(next)) continue;
    const start = xml.indexOf('>', at) + 1;
    if (start === 0) throw oddAnswer('The answer of the store is cut off.', 'driver.parse');
    if (xml[start - 2] === '/') {
      yield '';
      at = start;
      continue;
    }
    const end = xml.indexOf(close, start);
    if (end < 0) throw oddAnswer('The answer of the store is cut off.', 'driver.parse');
    yield xml.slice(start, end);
    at = end + close.length;
  }
}

function isSpace(character: string): boolean {
  return character === ' ' || character === '\n' || character === '\t' || character === '\r';
}

/** Text as written in XML (one character a byte) → text. Errors: store_response for an entity that XML does not have. */
export function decodeText(written: string): string {
  return decodeBytes(written.includes('&') ? decodeEntities(written) : written);
}

/** Text as written, percent-encoded in addition: `encoding-type=url`, where `+` is a space. Bytes that are no UTF-8 become lone surrogates. */
export function decodeUrlText(written: string, isPlain: boolean = isAscii(written)): string {
  const plain = written.includes('&') ? decodeEntities(written) : written;
  const spaced = plain.includes('+') ? plain.replaceAll('+', ' ') : plain;
  if (!spaced.includes('%')) return isPlain ? spaced : decodeBytes(spaced);
  try {
    if (isPlain && plain === written) return decodeURIComponent(spaced);
  } catch {}
  return decodeBytes(spaced.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))));
}

function decodeBytes(bytes: string): string {
  return isAscii(bytes) ? bytes : decodeKey(Buffer.from(bytes, 'latin1'));
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decodeEntities(written: string): string {
  return written.replace(/&([^;&]{0,12});?/g, (whole, name: string) => {
    const known = whole.endsWith(';') && Object.hasOwn(entities, name) ? entities[name] : undefined;
    if (known !== undefined) return known;
    const code = whole.endsWith(';') ? codeOf(name) : Number.NaN;
    if (!(code <= 0x10ffff) || (code >= 0xd800 && code <= 0xdfff))
      throw oddAnswer('The answer of the store holds an odd entity.', 'driver.parse');
    return code < 0x80 ? String.fromCharCode(code) : Buffer.from(String.fromCodePoint(code)).toString('latin1');
  });
}

function codeOf(name: string): number {
  const match = /^#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}))$/.exec(name);
  if (match === null) return Number.NaN;
  return match[1] === undefined ? Number(match[2]) : Number.parseInt(match[1], 16);
}

/** Text → as written in XML. */
export function encodeText(text: string): string {
  return text.replace(/[&<>"'\r\n\t]/g, (one) => `&#${one.charCodeAt(0)};`);
}
