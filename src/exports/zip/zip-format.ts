/**
 * The records of a ZIP archive of stored members: sizes and CRCs stand in the local headers, names are UTF-8, numbers that do not fit go
 * into ZIP64 fields. Source: APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.14–16, 4.4 and 4.5.3.
 */

import { putBytes } from '#model/text-bytes.ts';

export interface ZipMember {
  /** UTF-8, relative, `/` between segments. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly crc: number;
  /** The name goes on with it. */
  readonly tail?: Tail;
}

/** The end of a name that many have, in bytes. */
export type Tail = Uint8Array;

export interface PlacedMember extends ZipMember {
  /** Where its local header begins. */
  readonly offset: number;
}

/** Date and time of all members, in UTC, as MS-DOS writes them (two seconds fine, 1980 to 2107). */
export interface ZipStamp {
  readonly date: number;
  readonly time: number;
}

const most16 = 0xffff;
const most32 = 0xffffffff;
const localSize = 30;
const centralSize = 46;
const extraHead = 4;
const plain = 20;
const zip64 = 45;
const madeByUnix = (3 << 8) | zip64;
const utf8Names = 1 << 11;
const regularFile = (0o100644 << 16) >>> 0;

export function toStamp(at: number): ZipStamp {
  const instant = new Date(Math.min(Math.max(at, Date.UTC(1980, 0, 1)), Date.UTC(2107, 11, 31, 23, 59, 58)));
  return {
    date: ((instant.getUTCFullYear() - 1980) << 9) | ((instant.getUTCMonth() + 1) << 5) | instant.getUTCDate(),
    time: (instant.getUTCHours() << 11) | (instant.getUTCMinutes() << 5) | (instant.getUTCSeconds() >> 1),
  };
}

/** Bytes of a member’s local header and content; `name` in bytes. */
export function localLength(name: number, size: number): number {
  return localSize + name + (size >= most32 ? extraHead + 16 : 0) + size;
}

/** Room that a header of this name may need. */
export function headerRoom(name: string, tail?: Tail): number {
  return centralSize + 3 * name.length + (tail?.length ?? 0) + extraHead + 24;
}

/** Puts the local header at `at`; gives where it ends, which is where the content begins. */
export function putLocalHeader(target: Buffer, at: number, { name, size, crc, tail }: ZipMember, { date, time }: ZipStamp): number {
  const large = size >= most32;
  const length = putName(target, at + localSize, name, tail);
  target.writeUInt32LE(0x04034b50, at);
  target.writeUInt16LE(large ? zip64 : plain, at + 4);
  target.writeUInt16LE(utf8Names, at + 6);
  target.writeUInt16LE(0, at + 8);
  target.writeUInt16LE(time, at + 10);
  target.writeUInt16LE(date, at + 12);
  target.writeUInt32LE(crc, at + 14);
  target.writeUInt32LE(large ? most32 : size, at + 18);
  target.writeUInt32LE(large ? most32 : size, at + 22);
  target.writeUInt16LE(length, at + 26);
  target.writeUInt16LE(large ? extraHead + 16 : 0, at + 28);
  const end = at + localSize + length;
  return large ? putExtra(target, end, [size, size]) : end;
}

/** Bytes of a member’s record in the central directory; `name` in bytes. */
export function centralLength(name: number, size: number, offset: number): number {
  const numbers = (size >= most32 ? 2 : 0) + (offset >= most32 ? 1 : 0);
  return centralSize + name + (numbers > 0 ? extraHead + 8 * numbers : 0);
}

/** Puts the record of the central directory at `at`; `offset`: of the local header. Gives where it ends. */
export function putCentralHeader(
  target: Buffer,
  at: number,
  { name, size, crc, tail, offset }: PlacedMember,
  { date, time }: ZipStamp,
): number {
  const isLarge = size >= most32 || offset >= most32;
  const length = putName(target, at + centralSize, name, tail);
  const end = at + centralSize + length;
  const ends = isLarge ? putExtra(target, end, [...(size >= most32 ? [size, size] : []), ...(offset >= most32 ? [offset] : [])]) : end;
  target.writeUInt32LE(0x02014b50, at);
  target.writeUInt16LE(madeByUnix, at + 4);
  target.writeUInt16LE(isLarge ? zip64 : plain, at + 6);
  target.writeUInt16LE(utf8Names, at + 8);
  target.writeUInt16LE(0, at + 10);
  target.writeUInt16LE(time, at + 12);
  target.writeUInt16LE(date, at + 14);
  target.writeUInt32LE(crc, at + 16);
  target.writeUInt32LE(Math.min(size, most32), at + 20);
  target.writeUInt32LE(Math.min(size, most32), at + 24);
  target.writeUInt16LE(length, at + 28);
  target.writeUInt16LE(ends - end, at + 30);
  target.writeUInt32LE(0, at + 32);
  target.writeUInt16LE(0, at + 36);
  target.writeUInt32LE(regularFile, at + 38);
  target.writeUInt32LE(Math.min(offset, most32), at + 42);
  return ends;
}

export interface ZipDirectory {
  readonly count: number;
  /** Where the central directory begins, and its bytes. */
  readonly offset: number;
  readonly length: number;
}

/** What ends the archive: 22 bytes, or 98 with the ZIP64 records before them. */
export function writeEnd({ count, offset, length }: ZipDirectory): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(count, most16), 8);
  end.writeUInt16LE(Math.min(count, most16), 10);
  end.writeUInt32LE(Math.min(length, most32), 12);
  end.writeUInt32LE(Math.min(offset, most32), 16);
  if (count < most16 && offset < most32 && length < most32) return end;
  const large = Buffer.alloc(76);
  large.writeUInt32LE(0x06064b50, 0);
  writeUInt64(large, 44, 4);
  large.writeUInt16LE(madeByUnix, 12);
  large.writeUInt16LE(zip64, 14);
  writeUInt64(large, count, 24);
  writeUInt64(large, count, 32);
  writeUInt64(large, length, 40);
  writeUInt64(large, offset, 48);
  large.writeUInt32LE(0x07064b50, 56);
  writeUInt64(large, offset + length, 64);
  large.writeUInt32LE(1, 72);
  return Buffer.concat([large, end]);
}

/** Gives its bytes. */
function putName(target: Buffer, at: number, name: string, tail: Tail | undefined): number {
  const length = target.write(name, at);
  return tail === undefined ? length : putBytes(target, at + length, tail) - at;
}

function putExtra(target: Buffer, at: number, numbers: readonly number[]): number {
  target.writeUInt16LE(1, at);
  target.writeUInt16LE(8 * numbers.length, at + 2);
  numbers.forEach((number, i) => {
    writeUInt64(target, number, at + extraHead + 8 * i);
  });
  return at + extraHead + 8 * numbers.length;
}

function writeUInt64(buffer: Buffer, number: number, at: number): void {
  buffer.writeBigUInt64LE(BigInt(number), at);
}
