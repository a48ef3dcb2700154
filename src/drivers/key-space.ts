/**
 * What the keys of a listing look like, learned while they are listed: which bytes stand at which place of which path segment, and which
 * places only repeat what an earlier segment says (`3f/3fa9`). So the space of names becomes a line on which keys lie about evenly, and a
 * text can be invented that parts it where wanted. A wrong guess costs evenness, never a key.
 */
import type { ObjectInfo } from '#drivers/driver.ts';
import { encodeKey, type Key, keyLimits } from '#model/key.ts';

/** A part of the space of names: behind `from`, up to `to`. */
export interface Span {
  readonly from: Buffer;
  /** Nothing that is wanted lies behind it. */
  readonly to: Buffer;
  /** A key at or behind `to` and none lies between: it tells more of the form of keys than an invented end does. */
  readonly next?: Buffer | undefined;
}

const slash = 0x2f;
const deepest = 15;
const widest = 63;
const samples = 48;
/** Places of one key that are looked at, and that an invented text may go beyond what its neighbours share. */
const places = 128;
const longestTail = 40;
const finest = 2 ** -48;
/** Segments that later ones are compared with. */
const echoPlaces = 4;
const single: readonly (readonly number[])[] = Array.from({ length: 256 }, (_, byte) => [byte]);

export class KeySpace {
  readonly #base: number;
  readonly #slots: (Slot | undefined)[] = [];
  readonly #anywhere = new Slot();
  readonly #known = new KnownBytes();

  /** `prefix`: what all keys begin with. */
  constructor(prefix: Buffer) {
    this.#base = prefix.length;
  }

  /** Looks at some keys of a page. */
  learn(objects: readonly ObjectInfo[]): void {
    const step = Math.max(1, Math.floor(objects.length / samples));
    let before: Buffer | undefined;
    for (let index = 0; index < objects.length; index += step) {
      const bytes = bytesOf((objects[index] as ObjectInfo).key).subarray(0, this.#base + places);
      this.#learnKey(bytes);
      for (const byte of bytes.subarray(this.#base)) this.#anywhere.add(byte);
      if (before !== undefined) this.#walk(before, sharedBytes(before, bytes) + 1, (slot) => slot.close());
      before = bytes;
    }
  }

  /** Nothing lies behind `text` before `next`: digits that would are not used at that place. */
  learnGap(text: Buffer, next: Buffer): void {
    const shared = sharedBytes(text, next);
    let isOver = false;
    this.#walk(text, shared + 1, (slot, byte, at) => {
      if (isOver || !isDigit(byte)) return;
      slot.close(at === text.length - 1 ? byte : byte + 1);
      isOver = true;
    });
  }

  #learnKey(bytes: Buffer): void {
    const known = this.#known.begin();
    let place = startOf;
    for (let at = this.#base; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      const slot = this.#slot(place);
      slot.add(byte);
      slot.compare(place, byte, known);
      known.set(place, byte);
      place = behind(place, byte);
    }
  }

  #walk(bytes: Buffer, from: number, visit: (slot: Slot, byte: number, at: number) => void): void {
    let place = startOf;
    for (let at = this.#base; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (at >= from) visit(this.#slot(place), byte, at);
      place = behind(place, byte);
    }
  }

  /** How much of a span lies behind `at`, over what lies before `mark`; Infinity where nothing can be told. */
  ratio(span: Span, mark: Buffer, at: Buffer): number {
    const shared = sharedBytes(span.from, span.next ?? span.to);
    const value = (bytes: Buffer): number => this.#value(bytes, shared);
    const from = value(span.from);
    const done = value(mark) - from;
    return done > 0 ? Math.max(0, value(span.to) - value(at)) / done : Number.POSITIVE_INFINITY;
  }

  /** A text within the span that leaves `share` of it, from 0 to 1, on its left, give or take `slack`; undefined where none is found. */
  part(span: Span, share: number, slack: number): string | undefined {
    const shared = sharedBytes(span.from, span.next ?? span.to);
    const from = this.#value(span.from, shared);
    const to = this.#value(span.to, shared);
    if (!(to - from > finest)) return undefined;
    const aim = from + share * (to - from);
    return this.#invent(span.from, span.to, shared, aim, Math.max(slack * (to - from), finest));
  }

  /**
   * A text behind `from`, where no end is known: it shares the first `level` bytes, and about half of what may follow there lies on its
   * left. undefined where no text of that level lies behind.
   */
  beyond(from: Buffer, level: number): string | undefined {
    const byte = from[level];
    if (byte === undefined) return undefined;
    const place = this.#placeOf(from, level);
    const known = [...new Set([...this.#bytesAt(place), ...this.#anywhere.bytes])].filter((one) => one > byte).sort((a, b) => a - b);
    for (const next of [known[Math.floor((known.length - 1) / 2)], byte + 1]) {
      const text = next === undefined ? undefined : toText(Buffer.concat([from.subarray(0, level), Buffer.of(next)]), from, undefined);
      if (text !== undefined) return text;
    }
    return undefined;
  }

  /** Shortest text whose value is near `aim`, strictly between the two. */
  #invent(from: Buffer, to: Buffer, shared: number, aim: number, slack: number): string | undefined {
    for (let length = 1; length <= longestTail; length++) {
      const { bytes, value } = this.#nearest(from.subarray(0, shared), aim, length);
      if (Math.abs(value - aim) > slack) continue;
      const text = toText(bytes, from, to);
      if (text !== undefined) return text;
    }
    return undefined;
  }

  /** `head` and `length` more bytes, rounded to what lies nearest. */
  #nearest(head: Buffer, aim: number, length: number): { bytes: Buffer; value: number } {
    const floor = this.#digits(head, aim, length);
    return this.#digits(head, Math.min(aim + floor.unit / 2, 1 - finest), length);
  }

  #digits(head: Buffer, aim: number, length: number): { bytes: Buffer; value: number; unit: number } {
    const tail: number[] = [];
    let place = this.#placeOf(head, head.length);
    let rest = Math.max(0, aim);
    let unit = 1;
    let value = 0;
    while (tail.length < length) {
      const bytes = this.#bytesAt(place);
      if (bytes.length === 0) break;
      const rank = Math.min(bytes.length - 1, Math.floor(rest * bytes.length));
      rest = rest * bytes.length - rank;
      unit /= bytes.length;
      value += rank * unit;
      const byte = bytes[rank] as number;
      tail.push(byte);
      this.#known.set(place, byte);
      place = behind(place, byte);
    }
    return { bytes: Buffer.concat([head, Buffer.from(tail)]), value, unit };
  }

  /** Where a key lies, from 0 to 1, among all that share its first `shared` bytes. Rises with the order of keys. */
  #value(key: Buffer, shared: number): number {
    let place = this.#placeOf(key, Math.min(shared, key.length));
    let value = 0;
    let unit = 1;
    for (let index = shared; index < key.length && unit > finest; index++) {
      const byte = key[index] as number;
      const bytes = this.#bytesAt(place);
      if (bytes.length === 0) return value;
      const rank = rankOf(bytes, byte);
      unit /= bytes.length;
      value += rank * unit;
      if (bytes[rank] !== byte) return value;
      this.#known.set(place, byte);
      place = behind(place, byte);
    }
    return value;
  }

  /** What may stand at a place, beside what is known of the places before it. */
  #bytesAt(place: number): readonly number[] {
    const slot = this.#slots[place];
    const said = slot?.echo === undefined ? undefined : this.#known.get(slot.echo);
    if (said !== undefined) return single[said] as readonly number[];
    return slot?.bytes ?? this.#anywhere.bytes;
  }

  /** The place behind the first `length` bytes, which are known from then on. */
  #placeOf(key: Buffer, length: number): number {
    const known = this.#known.begin();
    let place = startOf;
    for (let at = this.#base; at < length; at++) {
      known.set(place, key[at] as number);
      place = behind(place, key[at] as number);
    }
    return place;
  }

  #slot(place: number): Slot {
    this.#slots[place] ??= new Slot();
    return this.#slots[place];
  }
}

/** A place is the number of segments before it and the number of bytes before it in its own, so that segments of any length keep in step. */
const startOf = 0;

function behind(place: number, byte: number): number {
  const depth = place >> 6;
  const offset = place & widest;
  if (byte === slash) return Math.min(depth + 1, deepest) << 6;
  return offset === widest ? place : place + 1;
}

/** Which byte stands at which place of one key. */
class KnownBytes {
  readonly #bytes = new Uint8Array((deepest + 1) << 6);
  readonly #keys = new Uint32Array((deepest + 1) << 6);
  #key = 0;

  /** Of another key. */
  begin(): this {
    this.#key++;
    return this;
  }

  set(place: number, byte: number): void {
    this.#bytes[place] = byte;
    this.#keys[place] = this.#key;
  }

  get(place: number): number | undefined {
    return this.#keys[place] === this.#key ? this.#bytes[place] : undefined;
  }

  /** Places of segments before that of `place` where this byte stands. */
  placesOf(byte: number, place: number): number[] {
    const end = Math.min(place & ~widest, echoPlaces << 6);
    const found: number[] = [];
    for (let one = 0; one < end; one++) if (this.#keys[one] === this.#key && this.#bytes[one] === byte) found.push(one);
    return found;
  }
}

/** The bytes that stand, or may well stand, at one place. */
class Slot {
  readonly #seen = new Uint8Array(256);
  /** No digit from this one on was there, when the place before it went on. */
  #limit = 0x3a;
  #bytes: readonly number[] | undefined = [];
  /** Places before it that had the same byte in each key so far. */
  #echoes: readonly number[] | undefined;
  #kinds = 0;

  /** A place of an earlier segment that this one repeats; undefined where it says something of its own. */
  get echo(): number | undefined {
    return this.#kinds > 1 ? this.#echoes?.[0] : undefined;
  }

  compare(place: number, byte: number, known: KnownBytes): void {
    if (this.#echoes === undefined) this.#echoes = known.placesOf(byte, place);
    else if (this.#echoes.length > 0) {
      const kept = this.#echoes.filter((one) => known.get(one) === byte);
      if (kept.length < this.#echoes.length) this.#echoes = kept;
    }
  }

  add(byte: number): void {
    if (this.#seen[byte] === 1) return;
    this.#kinds++;
    this.#seen[byte] = 1;
    this.#bytes = undefined;
  }

  /** The place before went on: what stands here begins anew, and goes no further than was seen, or than `from`. */
  close(from = 0): void {
    if (this.echo !== undefined) return;
    const limit = Math.max(this.#seen.lastIndexOf(1, 0x39) + 1, from);
    if (limit >= this.#limit || limit <= 0x30) return;
    this.#limit = limit;
    this.#bytes = undefined;
  }

  get bytes(): readonly number[] {
    this.#bytes ??= this.#fill();
    return this.#bytes;
  }

  /** Between the least and the greatest digit or letter all of the kinds that occur may stand; of digits any, unless it was seen where they end. */
  #fill(): number[] {
    const filled = this.#seen.slice();
    const known = kinds.filter(([first, last]) => this.#seen.subarray(first, last + 1).includes(1));
    const least = this.#seen.indexOf(1, known[0]?.[0] ?? 256);
    const greatest = this.#seen.lastIndexOf(1, known.at(-1)?.[1] ?? -1);
    for (const [first, last] of known) {
      if (first === 0x30)
        filled.fill(1, first, Math.max(greatest + 1, this.#limit) > last ? last + 1 : Math.max(greatest + 1, this.#limit));
      else filled.fill(1, Math.max(first, least), Math.min(last, greatest) + 1);
    }
    return Array.from(filled.keys()).filter((byte) => filled[byte] === 1);
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

const kinds = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x61, 0x7a],
] as const;

/** How many lie before `byte`. */
function rankOf(bytes: readonly number[], byte: number): number {
  let rank = 0;
  while (rank < bytes.length && (bytes[rank] as number) < byte) rank++;
  return rank;
}

function sharedBytes(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length);
  let shared = 0;
  while (shared < length && a[shared] === b[shared]) shared++;
  return shared;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** As a text of valid UTF-8 between the two; a character that is cut off is completed with the least that follows. */
function toText(bytes: Buffer, from: Buffer, to: Buffer | undefined): string | undefined {
  if (bytes.length > keyLimits.bytes || bytes.includes(0)) return undefined;
  for (const whole of [bytes, completed(bytes)]) {
    if (whole === undefined || Buffer.compare(whole, from) <= 0 || (to !== undefined && Buffer.compare(whole, to) >= 0)) continue;
    try {
      return decoder.decode(whole);
    } catch {}
  }
  return undefined;
}

/** The last character begins with a lead byte that wants more than is there. */
function completed(bytes: Buffer): Buffer | undefined {
  let lead = bytes.length - 1;
  while (lead >= 0 && bytes.length - lead < 4 && ((bytes[lead] as number) & 0xc0) === 0x80) lead--;
  const first = bytes[lead] ?? 0;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1;
  const missing = lead + length - bytes.length;
  if (missing <= 0) return undefined;
  const tail = Buffer.alloc(missing, 0x80);
  if (lead === bytes.length - 1 && first === 0xe0) tail[0] = 0xa0;
  if (lead === bytes.length - 1 && first === 0xf0) tail[0] = 0x90;
  return Buffer.concat([bytes, tail]);
}

/** The bytes of a name, which may be a key or a part of one. */
export function bytesOf(name: string): Buffer {
  return encodeKey(name as Key);
}
