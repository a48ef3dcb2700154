/**
 * The one encoder of a file name in a Content-Disposition: an ASCII fall-back for old clients, and the name itself in the form of
 * RFC 8187. Whatever the name holds, the value is printable ASCII and a single parameter list.
 * Source: RFC 6266, sections 4.3 and 5; RFC 8187, section 3.2.
 */
import { PackageRError } from '#errors/error.ts';

/** Bytes of UTF-8 that file systems take. */
const nameBytes = 255;
/** Names that stay as they are. */
const usual = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,253}[A-Za-z0-9_-]$/;

/** `attachment; filename="…"; filename*=UTF-8''…`. The extension survives where a long name is cut. Errors: path_invalid for no name. */
export function attachment(name: string): string {
  if (usual.test(name)) return `attachment; filename="${name}"`;
  const whole = cutName(name.toWellFormed());
  if (whole === '') throw new PackageRError('path_invalid', 'A file to save needs a name.');
  const ascii = whole
    .normalize('NFC')
    .replace(/[^\x20-\x7e]/gu, '_')
    .replace(/["\\%/]/g, '_');
  const isPlain = ascii === whole && !/^[ .]|[ .]$/.test(whole);
  return isPlain ? `attachment; filename="${ascii}"` : `attachment; filename="${ascii}"; filename*=UTF-8''${encodeExtended(whole)}`;
}

/** Percent-encoded as RFC 8187 has it: attr-char stay, `'()*` and all else are encoded. */
export function encodeExtended(text: string): string {
  return encodeURIComponent(text).replace(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

function cutName(name: string): string {
  if (Buffer.byteLength(name) <= nameBytes) return name;
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 && Buffer.byteLength(name.slice(dot)) <= 32 ? name.slice(dot) : '';
  const room = nameBytes - Buffer.byteLength(extension);
  let stem = '';
  let size = 0;
  for (const character of name.slice(0, name.length - extension.length)) {
    size += Buffer.byteLength(character);
    if (size > room) break;
    stem += character;
  }
  return `${stem}${extension}`;
}
