/**
 * The records of a ZIP archive of stored members: sizes and CRCs stand in the local headers, names are UTF-8, numbers that do not fit go
 * into ZIP64 fields. Source: APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.14–16, 4.4 and 4.5.3.
 */

export interface ZipMember {
  /** UTF-8, relative, `/` between segments. */
  readonly name: Buffer;
  /** Bytes. */
  readonly size: number;
  readonly crc: number;
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

/** Bytes of a member’s local header and content. */
export function localLength({ name, size }: Pick<ZipMember, 'name' | 'size'>): number {
  return localSize + name.length + (size >= most32 ? extraHead + 16 : 0) + size;
}

export function writeLocalHeader({ name, size, crc }: ZipMember, { date, time }: ZipStamp): Buffer {
  const large = size >= most32;
  const header = Buffer.alloc(localSize);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(large ? zip64 : plain, 4);
  header.writeUInt16LE(utf8Names, 6);
  header.writeUInt16LE(time, 10);
  header.writeUInt16LE(date, 12);
  header.writeUInt32LE(crc, 14);
  header.writeUInt32LE(large ? most32 : size, 18);
  header.writeUInt32LE(large ? most32 : size, 22);
  header.writeUInt16LE(name.length, 26);
  const extra = large ? writeExtra([size, size]) : Buffer.alloc(0);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, name, extra]);
}

/** Bytes of a member’s record in the central directory. */
export function centralLength({ name, size }: Pick<ZipMember, 'name' | 'size'>, offset: number): number {
  const numbers = largeNumbers(size, offset).length;
  return centralSize + name.length + (numbers > 0 ? extraHead + 8 * numbers : 0);
}

export function writeCentralHeader({ name, size, crc }: ZipMember, offset: number, { date, time }: ZipStamp): Buffer {
  const numbers = largeNumbers(size, offset);
  const extra = numbers.length > 0 ? writeExtra(numbers) : Buffer.alloc(0);
  const header = Buffer.alloc(centralSize);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(madeByUnix, 4);
  header.writeUInt16LE(numbers.length > 0 ? zip64 : plain, 6);
  header.writeUInt16LE(utf8Names, 8);
  header.writeUInt16LE(time, 12);
  header.writeUInt16LE(date, 14);
  header.writeUInt32LE(crc, 16);
  header.writeUInt32LE(Math.min(size, most32), 20);
  header.writeUInt32LE(Math.min(size, most32), 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE(regularFile, 38);
  header.writeUInt32LE(Math.min(offset, most32), 42);
  return Buffer.concat([header, name, extra]);
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

function largeNumbers(size: number, offset: number): number[] {
  return [...(size >= most32 ? [size, size] : []), ...(offset >= most32 ? [offset] : [])];
}

function writeExtra(numbers: readonly number[]): Buffer {
  const extra = Buffer.alloc(extraHead + 8 * numbers.length);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(8 * numbers.length, 2);
  numbers.forEach((number, i) => {
    writeUInt64(extra, number, extraHead + 8 * i);
  });
  return extra;
}

function writeUInt64(buffer: Buffer, number: number, at: number): void {
  buffer.writeBigUInt64LE(BigInt(number), at);
}
