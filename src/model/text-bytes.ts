/**
 * Text put into a block of bytes where it is to stand, for what is written by the million: pieces that are whole strings go in as they are,
 * where a string joined of them would be made, copied and dropped. The caller sees to the room.
 */
import { encodePath, type Path } from '#model/path.ts';

/** 1: stands for itself in a URL path · 2: neither that nor a control character or beyond ASCII · 0: the rest. */
const classes = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte < 0x20 || byte >= 0x7f) return 0;
  return /[A-Za-z0-9\-._~/]/.test(String.fromCharCode(byte)) ? 1 : 2;
});

/** As UTF-8; gives where it ends. */
export function putText(block: Buffer, at: number, text: string): number {
  return at + block.write(text, at);
}

/** Of few bytes. */
export function putBytes(block: Buffer, at: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) block[at + i] = bytes[i] as number;
  return at + bytes.length;
}

/** A safe integer from 0 on, in decimal. */
export function putInteger(block: Buffer, at: number, value: number): number {
  if (value > 0x7fffffff) return putText(block, at, String(value));
  let end = at + 1;
  for (let rest = value; rest >= 10; rest = (rest / 10) | 0) end += 1;
  let left = value;
  for (let i = end - 1; i >= at; i--) {
    const tenth = (left / 10) | 0;
    block[i] = 48 + left - tenth * 10;
    left = tenth;
  }
  return end;
}

/** Percent-encoded, as `encodePath` does; at most nine bytes for each unit of the path. */
export function putEncodedPath(block: Buffer, at: number, path: Path): number {
  const end = putText(block, at, path);
  for (let i = at; i < end; i++) if (classes[block[i] as number] !== 1) return putText(block, at, encodePath(path));
  return end;
}

/** Whether all is printable ASCII. */
export function isPrintable(block: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (classes[block[i] as number] === 0) return false;
  return true;
}
