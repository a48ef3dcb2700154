/**
 * Makes a part of a segment from paths in byte order: blocks of paths, and for each gram the blocks that have it. Postings are collected
 * as they come and turned around at the end, in memory of a fixed size; a part that is full is ended, and the next one goes on with the
 * numbers of its blocks. Imports nothing of ours but its format: it runs in a thread.
 */
import { type BlobKey, ByteWriter, writePostings } from './blocks.ts';
import { codeOf, codeSpace, type Field } from './grams.ts';

/** Rows of the index: `keys` of each, and where its bytes end in `bytes`. */
export interface IndexRows {
  readonly table: 'block' | 'gram';
  /** Number of a block, or code of a gram. */
  readonly keys: readonly number[];
  readonly ends: readonly number[];
  readonly bytes: Uint8Array;
}

export interface SegmentBuilderOptions {
  readonly segment: number;
  readonly part: number;
  /** Number of the first block of this part. */
  readonly firstBlock: number;
  /** Paths of a block. */
  readonly blockPaths: number;
  emit(rows: IndexRows): void;
}

/** Bytes of rows that are handed on at once. */
const batchBytes = 256 * 1024;
const longestPath = 16 * 1024;
const slash = 0x2f;
/** Postings that are turned around before somebody else may go on. */
const sliceSize = 1 << 17;

export class SegmentBuilder {
  readonly #options: SegmentBuilderOptions;
  readonly #index = new GramIndex();
  readonly #blocks = new ByteWriter();
  #keys: number[] = [];
  #ends: number[] = [];
  #path: Buffer = Buffer.allocUnsafe(longestPath);
  #before: Buffer = Buffer.allocUnsafe(longestPath);
  #beforeLength = 0;
  readonly #name = Buffer.allocUnsafe(4 * longestPath);
  #inBlock = 0;
  #blockStart = 0;
  #block: number;
  /** Paths taken. */
  paths = 0;

  constructor(options: SegmentBuilderOptions) {
    this.#options = options;
    this.#block = options.firstBlock;
  }

  /** Number of the block that comes next. */
  get nextBlock(): number {
    return this.#inBlock === 0 ? this.#block : this.#block + 1;
  }

  get postings(): number {
    return this.#index.postings;
  }

  /** The next path, or the same again, which is left alone. Ends a block when that is full; whether it did. */
  push(path: string): boolean {
    const bytes = this.#path;
    const length = bytes.write(path);
    const shared = sharedLength(bytes, length, this.#before, this.#beforeLength);
    if (shared === length && length === this.#beforeLength) return false;
    if (this.#inBlock === 0) {
      this.#blockStart = this.#blocks.length;
      this.#index.beginBlock(this.#block);
    }
    const kept = this.#inBlock === 0 ? 0 : shared;
    this.#blocks.varint(kept);
    this.#blocks.varint(length - kept);
    this.#blocks.copy(bytes, kept, length);
    this.#mark(length, shared);
    [this.#path, this.#before, this.#beforeLength] = [this.#before, bytes, length];
    this.paths++;
    this.#inBlock++;
    if (this.#inBlock < this.#options.blockPaths) return false;
    this.#endBlock();
    return true;
  }

  /** Hands on all that is left, in slices of bounded work. */
  *finish(): Generator<void, void> {
    if (this.#inBlock > 0) this.#endBlock();
    this.#emit('block', this.#blocks);
    const { segment, part } = this.#options;
    const writer = new ByteWriter();
    const sorted = this.#index.turn();
    for (let next = sorted.next(); ; next = sorted.next()) {
      if (next.done === true) break;
      if (next.value !== undefined) {
        const { code, numbers, start, end } = next.value;
        const begin = writer.length;
        writePostings(writer, numbers, start, end);
        this.#seal(writer, begin, [segment, code, part], code);
        if (writer.length < batchBytes) continue;
        this.#emit('gram', writer);
      }
      yield;
    }
    this.#emit('gram', writer);
  }

  #mark(length: number, shared: number): void {
    const path = this.#path;
    let start = 0;
    for (let at = 0; at < length; at++) {
      if (path[at] !== slash) continue;
      const isNew = at >= shared;
      if (isNew || this.#inBlock === 0) {
        const end = this.#border(path, start, at);
        if (isNew) this.#index.add('folder', this.#name, end);
        this.#index.add('within', this.#name, end);
      }
      start = at + 1;
    }
    this.#index.add('name', this.#name, this.#border(path, start, length));
  }

  /** Writes `/name//` in lower case; where it ends. */
  #border(path: Buffer, start: number, end: number): number {
    const name = this.#name;
    name[0] = slash;
    let to = 1;
    for (let at = start; at < end; at++) {
      const byte = path[at] as number;
      if (byte > 127) {
        to = 1 + name.write(path.toString('utf8', start, end).toLowerCase(), 1);
        break;
      }
      name[to++] = byte >= 65 && byte <= 90 ? byte + 32 : byte;
    }
    name[to] = slash;
    name[to + 1] = slash;
    return to + 2;
  }

  #endBlock(): void {
    this.#seal(this.#blocks, this.#blockStart, [this.#options.segment, -1, this.#block], this.#block);
    this.#block++;
    this.#inBlock = 0;
    if (this.#blocks.length >= batchBytes) this.#emit('block', this.#blocks);
  }

  #seal(writer: ByteWriter, start: number, key: BlobKey, number: number): void {
    writer.seal(start, key);
    this.#keys.push(number);
    this.#ends.push(writer.length);
  }

  #emit(table: IndexRows['table'], writer: ByteWriter): void {
    if (this.#keys.length > 0) this.#options.emit({ table, keys: this.#keys, ends: this.#ends, bytes: writer.take() });
    this.#keys = [];
    this.#ends = [];
  }
}

function sharedLength(a: Uint8Array, aLength: number, b: Uint8Array, bLength: number): number {
  const most = Math.min(aLength, bLength);
  let at = 0;
  while (at < most && a[at] === b[at]) at++;
  return at;
}

interface Postings {
  readonly code: number;
  readonly numbers: Uint32Array;
  readonly start: number;
  readonly end: number;
}

/** Which block has which grams, written block by block and read gram by gram. */
class GramIndex {
  /** Number of a gram + 1, by its code: a page for each 256 codes. */
  readonly #pages = Array<Int32Array | undefined>(codeSpace >>> 8).fill(undefined);
  #codes = new Int32Array(1024);
  /** Block in which a gram was seen last. */
  #seen = new Int32Array(1024);
  #counts = new Uint32Array(1024);
  #grams = 0;
  #log = new Uint32Array(4096);
  postings = 0;
  readonly #starts: number[] = [];
  #first = 0;
  #block = 0;

  beginBlock(block: number): void {
    if (this.#starts.length === 0) this.#first = block;
    this.#starts.push(this.postings);
    this.#block = block;
  }

  /** The grams of the first `length` bytes. */
  add(field: Field, bytes: Uint8Array, length: number): void {
    let code = codeOf(field, 0, bytes[0] as number, bytes[1] as number);
    const base = codeOf(field, 0, 0, 0);
    for (let at = 2; at < length; at++) {
      code = base | ((code << 8) & 0xffffff) | (bytes[at] as number);
      this.#post(code);
    }
  }

  #post(code: number): void {
    const page = this.#pages[code >>> 8] ?? this.#addPage(code);
    let gram = (page[code & 255] as number) - 1;
    if (gram < 0) {
      gram = this.#grams++;
      page[code & 255] = gram + 1;
      if (gram === this.#codes.length) this.#grow();
      this.#codes[gram] = code;
      this.#seen[gram] = -1;
    }
    if (this.#seen[gram] === this.#block) return;
    this.#seen[gram] = this.#block;
    this.#counts[gram] = (this.#counts[gram] as number) + 1;
    if (this.postings === this.#log.length) this.#log = enlarge(this.#log, new Uint32Array(this.#log.length * 2));
    this.#log[this.postings++] = gram;
  }

  #addPage(code: number): Int32Array {
    const page = new Int32Array(256);
    this.#pages[code >>> 8] = page;
    return page;
  }

  #grow(): void {
    const size = this.#codes.length * 2;
    this.#codes = enlarge(this.#codes, new Int32Array(size));
    this.#seen = enlarge(this.#seen, new Int32Array(size));
    this.#counts = enlarge(this.#counts, new Uint32Array(size));
  }

  /** By ascending code; undefined now and then, between slices of work. */
  *turn(): Generator<Postings | undefined, void> {
    const nexts = new Uint32Array(this.#grams + 1);
    for (let gram = 0; gram < this.#grams; gram++) nexts[gram + 1] = (nexts[gram] as number) + (this.#counts[gram] as number);
    const starts = nexts.slice();
    const numbers = new Uint32Array(this.postings);
    let sliced = 0;
    for (let index = 0; index < this.#starts.length; index++) {
      const end = this.#starts[index + 1] ?? this.postings;
      for (let at = this.#starts[index] as number; at < end; at++) {
        const gram = this.#log[at] as number;
        numbers[nexts[gram] as number] = this.#first + index;
        nexts[gram] = (nexts[gram] as number) + 1;
      }
      if (end - sliced < sliceSize) continue;
      sliced = end;
      yield undefined;
    }
    const codes = this.#codes.slice(0, this.#grams).sort();
    for (const code of codes) {
      const gram = (this.#pages[code >>> 8]?.[code & 255] as number) - 1;
      yield { code, numbers, start: starts[gram] as number, end: starts[gram + 1] as number };
    }
  }
}

function enlarge<T extends Int32Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
