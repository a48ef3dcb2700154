/**
 * How the index is written: a block is some paths in byte order, each as what it shares with the one before and the rest; a posting list
 * is runs of block numbers. Both end in a checksum that also covers which they are, so that a damaged, lost or swapped one is noticed.
 * Imports nothing of ours: the thread that builds an index loads it too.
 */
import { crc32 } from 'node:zlib';

const sealBytes = 4;

/** What was read is not what was written. */
export class Damage extends Error {}

/** Which of the blobs of an index one is: the segment, and the numbers of its key. */
export type BlobKey = readonly [segment: number, kind: number, part: number];

function seedOf(key: BlobKey): number {
  return crc32(Buffer.from(key.join(' ')));
}

/** Bytes that grow while they are written. */
export class ByteWriter {
  #bytes = Buffer.allocUnsafe(1024);
  length = 0;

  varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) this.#bytes[this.length++] = (rest & 127) | 128;
    this.#bytes[this.length++] = rest;
  }

  copy(from: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    this.#bytes.set(from.subarray(start, end), this.length);
    this.length += end - start;
  }

  /** Closes the blob that began at `start`. */
  seal(start: number, key: BlobKey): void {
    this.#reserve(sealBytes);
    this.#bytes.writeUInt32LE(crc32(this.#bytes.subarray(start, this.length), seedOf(key)), this.length);
    this.length += sealBytes;
  }

  /** A copy of all that was written; the writer begins anew. */
  take(): Uint8Array {
    const bytes = Uint8Array.prototype.slice.call(this.#bytes, 0, this.length);
    this.length = 0;
    return bytes;
  }

  #reserve(more: number): void {
    if (this.length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.length + more));
    larger.set(this.#bytes.subarray(0, this.length));
    this.#bytes = larger;
  }
}

/** Takes varints off a blob whose seal was looked at. */
class ByteReader {
  readonly bytes: Buffer;
  at = 0;

  /** Errors: Damage. */
  constructor(sealed: Uint8Array, key: BlobKey) {
    const all = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    if (all.length < sealBytes) throw new Damage('a blob is too short');
    this.bytes = all.subarray(0, all.length - sealBytes);
    if (crc32(this.bytes, seedOf(key)) !== all.readUInt32LE(this.bytes.length)) throw new Damage('a checksum differs');
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 42; scale *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) break;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new Damage('a number is cut off');
  }
}

/** The paths of a block, in order. Errors: Damage. */
export function readBlock(sealed: Uint8Array, key: BlobKey): string[] {
  const reader = new ByteReader(sealed, key);
  const paths: string[] = [];
  let path = Buffer.allocUnsafe(512);
  let length = 0;
  while (!reader.isAtEnd) {
    const shared = reader.varint();
    const rest = reader.varint();
    if (shared > length || reader.at + rest > reader.bytes.length) throw new Damage('a path is cut off');
    length = shared + rest;
    if (length > path.length) path = Buffer.concat([path], length * 2);
    reader.bytes.copy(path, shared, reader.at, reader.at + rest);
    reader.at += rest;
    paths.push(path.toString('utf8', 0, length));
  }
  return paths;
}

/** Writes a posting list: the block numbers `numbers[start]` to `numbers[end - 1]`, ascending. */
export function writePostings(writer: ByteWriter, numbers: Uint32Array, start: number, end: number): void {
  let behind = 0;
  for (let at = start; at < end; ) {
    const first = numbers[at] as number;
    let next = at + 1;
    while (next < end && numbers[next] === first + next - at) next++;
    const length = next - at;
    writer.varint((first - behind) * 2 + (length > 1 ? 1 : 0));
    if (length > 1) writer.varint(length - 2);
    behind = first + length;
    at = next;
  }
}

/** Adds the blocks of a posting list to a set. Errors: Damage. */
export function readPostings(sealed: Uint8Array, key: BlobKey, into: BlockSet): void {
  const reader = new ByteReader(sealed, key);
  let behind = 0;
  while (!reader.isAtEnd) {
    const value = reader.varint();
    const first = behind + Math.floor(value / 2);
    behind = first + (value % 2 === 0 ? 1 : reader.varint() + 2);
    if (behind > into.size) throw new Damage('a block is out of range');
    into.add(first, behind);
  }
}

/** Some of the blocks 0 to `size` − 1. */
export class BlockSet {
  readonly size: number;
  readonly #words: Uint32Array;

  constructor(size: number) {
    this.size = size;
    this.#words = new Uint32Array(Math.ceil(size / 32));
  }

  add(from: number, to: number): void {
    for (let block = from; block < to; ) {
      if (block % 32 === 0 && block + 32 <= to) {
        this.#words[block >>> 5] = 0xffffffff;
        block += 32;
      } else {
        this.#words[block >>> 5] = (this.#words[block >>> 5] as number) | (1 << (block & 31));
        block += 1;
      }
    }
  }

  intersect(other: BlockSet): this {
    for (let at = 0; at < this.#words.length; at++) this.#words[at] = (this.#words[at] as number) & (other.#words[at] as number);
    return this;
  }

  unite(other: BlockSet): this {
    for (let at = 0; at < this.#words.length; at++) this.#words[at] = (this.#words[at] as number) | (other.#words[at] as number);
    return this;
  }

  /** In ascending order. */
  toArray(): Uint32Array {
    let count = 0;
    for (const word of this.#words) count += bitsOf(word);
    const blocks = new Uint32Array(count);
    let next = 0;
    for (let at = 0; at < this.#words.length; at++) {
      for (let word = this.#words[at] as number; word !== 0; word &= word - 1) blocks[next++] = at * 32 + 31 - Math.clz32(word & -word);
    }
    return blocks;
  }
}

function bitsOf(word: number): number {
  let count = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) count++;
  return count;
}
