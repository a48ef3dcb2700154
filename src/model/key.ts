/**
 * A Key is the full name of an object below the root of its source, as the store has it. Unlike a Path it may hold empty
 * segments, control characters, a slash at the end, and bytes that are no UTF-8: such a byte b is kept as the lone surrogate
 * U+DC00 + b, so that every key goes there and back byte for byte.
 */
import { PackageRError } from '#errors/error.ts';
import { compareBytes } from '#model/path.ts';

declare const brand: unique symbol;
export type Key = string & { readonly [brand]: 'Key' };

export const keyLimits = { bytes: 1024 } as const;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Errors: key_invalid for an empty key, a NUL, over 1024 bytes, or surrogates that stand for no byte. */
export function parseKey(text: string): Key {
  if (text === '') throw new PackageRError('key_invalid', 'The key is empty.');
  if (text.includes('\0')) throw new PackageRError('key_invalid', 'The key holds a NUL.');
  if (!text.isWellFormed() && decodeKey(encodeKey(text as Key)) !== text)
    throw new PackageRError('key_invalid', 'The key is not valid Unicode.');
  if (encodeKey(text as Key).length > keyLimits.bytes)
    throw new PackageRError('key_invalid', `The key is longer than ${keyLimits.bytes} bytes.`);
  return text as Key;
}

/** The bytes of the key as the store has them. */
export function encodeKey(key: Key): Buffer {
  if (key.isWellFormed()) return Buffer.from(key);
  const parts: Buffer[] = [];
  let from = 0;
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    const isHigh = unit >= 0xd800 && unit <= 0xdbff;
    if (isHigh && i + 1 < key.length && key.charCodeAt(i + 1) >= 0xdc00 && key.charCodeAt(i + 1) <= 0xdfff) {
      i++;
    } else if (unit >= 0xdc80 && unit <= 0xdcff) {
      parts.push(Buffer.from(key.slice(from, i)), Buffer.of(unit - 0xdc00));
      from = i + 1;
    }
  }
  parts.push(Buffer.from(key.slice(from)));
  return Buffer.concat(parts);
}

/** Order of the keys’ bytes, as an object store lists them; also where they are no UTF-8. */
export function compareKeys(a: string, b: string): number {
  if (a.isWellFormed() && b.isWellFormed()) return compareBytes(a, b);
  return Buffer.compare(encodeKey(a as Key), encodeKey(b as Key));
}

/** The twin of encodeKey: bytes that are no UTF-8 become lone surrogates. */
export function decodeKey(bytes: Uint8Array): Key {
  try {
    return decoder.decode(bytes) as Key;
  } catch {
    return decodeMixed(bytes) as Key;
  }
}

function decodeMixed(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const first = bytes[i] as number;
    const length =
      first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
    const character = length > 0 && i + length <= bytes.length ? decodeOne(bytes.subarray(i, i + length)) : undefined;
    text += character ?? String.fromCharCode(0xdc00 + first);
    i += character === undefined ? 1 : length;
  }
  return text;
}

function decodeOne(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
