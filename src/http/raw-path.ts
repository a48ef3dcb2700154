/**
 * Paths of objects as they were really sent. The router decodes and matches; what names an object is cut from the raw URL here, decoded
 * once, and parsed by the model: refused rather than repaired.
 */
import { PackageRError } from '#errors/error.ts';
import { type Path, parsePath, root } from '#model/path.ts';

export interface RawPath {
  readonly path: Path;
  /** True where the URL ended in a slash, or named the root: a folder is meant. */
  readonly isFolder: boolean;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** Neither an escape, nor an empty segment, nor a slash at the end. */
const isPlain = /^(?:\/[\x21-\x24\x26-\x2e\x30-\x5b\x5d-\x7e]+)+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const unescapedFault = /[\u0000-\u0020\u007f-\uffff\\]/;

/**
 * The path behind the first `segments` segments of the raw URL: for `/s/ID/o/a/b?x`, 3 gives `a/b`.
 * Errors: path_invalid for an empty, `.` or `..` segment, `%2F`, control characters, malformed escapes, or bytes that are no UTF-8.
 */
export function parseRawPath(rawUrl: string, segments: number): RawPath {
  const pathname = pathnameOf(rawUrl);
  if (isPlain.test(pathname)) {
    const path = pathname.slice(startOf(pathname, segments));
    if (path !== '') return { path: parsePath(path), isFolder: false };
  }
  const parts = pathname.split('/').slice(segments + 1);
  const isFolder = parts.length === 0 || parts.at(-1) === '';
  if (isFolder) parts.pop();
  if (parts.length === 0) return { path: root, isFolder: true };
  return { path: parsePath(parts.map(decodeSegment).join('/')), isFolder };
}

/** Behind the slash that ends the first `segments` segments; the end of the text where it has no more of them. */
function startOf(pathname: string, segments: number): number {
  let at = 0;
  for (let passed = 0; passed <= segments && at >= 0; passed++) at = pathname.indexOf('/', at) + 1 || -1;
  return at < 0 ? pathname.length : at;
}

/** The URL up to the query, as sent. */
export function pathnameOf(rawUrl: string): string {
  const end = rawUrl.search(/[?#]/);
  return end < 0 ? rawUrl : rawUrl.slice(0, end);
}

/** Without `?`; '' where there is none. */
export function queryOf(rawUrl: string): string {
  const start = rawUrl.indexOf('?');
  return start < 0 ? '' : rawUrl.slice(start + 1);
}

function decodeSegment(raw: string): string {
  if (raw === '') throw refused('has an empty segment (two slashes in a row)');
  if (unescapedFault.test(raw)) throw refused('holds a character that must be percent-encoded');
  const text = raw.includes('%') ? decodeEscapes(raw) : raw;
  if (text.includes('/')) throw refused('holds an encoded slash');
  return text;
}

function decodeEscapes(raw: string): string {
  if (/%(?![0-9A-Fa-f]{2})/.test(raw)) throw refused('has a malformed percent escape');
  const binary = raw.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  try {
    return decoder.decode(Buffer.from(binary, 'latin1'));
  } catch (cause) {
    throw refused('is not UTF-8', cause);
  }
}

function refused(fault: string, cause?: unknown): PackageRError {
  return new PackageRError('path_invalid', `The path of the URL ${fault}.`, { operation: 'http.path', cause });
}
