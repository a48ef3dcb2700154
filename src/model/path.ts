/**
 * A Path is the place of an entry in a tree: segments joined by `/`, '' for the root, kept exactly as given and never
 * normalised. Paths are made by parsing only, refused rather than repaired, and compared by segment and by bytes.
 */
import { PackageRError } from '#errors/error.ts';

declare const brand: unique symbol;

/** A canonical path: no leading or trailing slash, no empty, `.` or `..` segment, no control character, valid Unicode. */
export type Path = string & { readonly [brand]: 'Path' };

const pathLimits = { bytes: 4096, segments: 64 } as const;

export const root: Path = '' as Path;

/**
 * Parses a path as given by a person or a request (already percent-decoded once).
 * Errors: path_invalid, with what is wrong.
 */
export function parsePath(text: string): Path {
  const fault = faultOf(text);
  if (fault !== undefined) throw new PackageRError('path_invalid', `The path ${quote(text)} ${fault}.`, { operation: 'path.parse' });
  return text as Path;
}

/** The path, or undefined where `text` is none: for keys of a store, that may be anything. */
export function toPath(text: string): Path | undefined {
  return faultOf(text) === undefined ? (text as Path) : undefined;
}

/** One segment as a path of its own. */
export function parseSegment(text: string): Path {
  const path = parsePath(text);
  if (path === root || path.includes('/'))
    throw new PackageRError('path_invalid', `${quote(text)} is not a single name.`, { operation: 'path.parse' });
  return path;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Characters of the shortest path that has a segment too many: anything shorter, as most are, is within all limits. */
const deepest = 2 * pathLimits.segments + 1;

/** Empty, `.` or `..`. */
const oddSegment = /(?:^|\/)\.{0,2}(?:\/|$)/;

function faultOf(text: string): string | undefined {
  if (text === '') return undefined;
  if (!text.isWellFormed()) return 'holds a lone surrogate (it is not valid Unicode)';
  if (control.test(text)) return 'holds a control character';
  if (text.startsWith('/')) return 'begins with a slash';
  if (text.endsWith('/')) return 'ends with a slash';
  if (text.length < deepest && !oddSegment.test(text)) return undefined;
  const segments = text.split('/');
  const excess = excessOf(text, segments.length);
  if (excess !== undefined) return excess;
  for (const segment of segments) {
    if (segment === '') return 'has an empty segment (two slashes in a row)';
    if (segment === '.' || segment === '..') return `has the segment “${segment}”`;
  }
  return undefined;
}

function excessOf(text: string, segments: number): string | undefined {
  if (text.length > pathLimits.bytes || (text.length * 3 > pathLimits.bytes && Buffer.byteLength(text) > pathLimits.bytes))
    return `is longer than ${pathLimits.bytes} bytes`;
  return segments > pathLimits.segments ? `has more than ${pathLimits.segments} segments` : undefined;
}

/** For messages: escaped, at most 120 characters. */
function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 119)}…` : text);
}

/** Errors: path_invalid for what is too long or too deep together. */
export function joinPath(folder: Path, name: Path): Path {
  if (folder === root) return name;
  if (name === root) return folder;
  const joined = `${folder}/${name}`;
  if (joined.length < deepest) return joined as Path;
  return excessOf(joined, joined.split('/').length) === undefined ? (joined as Path) : parsePath(joined);
}

export function parentOf(path: Path): Path {
  const slash = path.lastIndexOf('/');
  return (slash < 0 ? '' : path.slice(0, slash)) as Path;
}

/** The last segment; '' for the root. */
export function nameOf(path: Path): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Every folder above `path`, nearest last, the root left out: `a/b/c` → `a`, `a/b`. */
export function ancestorsOf(path: Path): Path[] {
  const folders: Path[] = [];
  for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) folders.push(path.slice(0, slash) as Path);
  return folders;
}

/** By segment: `a` holds `a` and `a/b`, but not `ab`. */
export function isWithin(path: Path, folder: Path): boolean {
  return folder === root || path === folder || (path.length > folder.length && path.startsWith(folder) && path[folder.length] === '/');
}

/** `path` seen from `folder`, in which it must lie. */
export function relativeTo(path: Path, folder: Path): Path {
  if (!isWithin(path, folder)) throw new PackageRError('path_invalid', `${quote(path)} does not lie in ${quote(folder)}.`);
  if (folder === root) return path;
  return path.slice(folder.length + 1) as Path;
}

/**
 * Order of UTF-8 bytes, which is the order of code points (JavaScript’s `<` compares UTF-16 units and differs above U+FFFF).
 * Returns a negative number, 0, or a positive number.
 */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Lifts surrogates above the rest of the basic plane, so that code units compare as code points do. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

const plain = /^[A-Za-z0-9\-._~/]*$/;

/** Percent-encodes each segment as a stable URL carries it: all but A–Z a–z 0–9 - . _ ~ and the slashes. */
export function encodePath(path: Path): string {
  if (plain.test(path)) return path;
  return encodeURIComponent(path)
    .replace(/%2F/g, '/')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
