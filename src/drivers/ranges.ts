/**
 * All objects under a prefix in byte order, listed in key ranges that are in flight at once. It begins with one range; while there is
 * room, the front-most range that has much left is split at a text invented from the keys seen so far (key-space.ts), and what is
 * found behind that text waits for its turn. How it works and what bounds it: docs/decisions/0006-parallel-listing.md.
 */
import { abortable, abortError } from '#drivers/abort.ts';
import type { Driver, ListPage, ObjectInfo } from '#drivers/driver.ts';
import { bytesOf, KeySpace, type Span } from '#drivers/key-space.ts';
import { PackageRError } from '#errors/error.ts';
import { compareKeys } from '#model/key.ts';

export interface RangesOptions {
  /** '' for all; need not end at a `/`. */
  readonly prefix: string;
  /** Begin behind this key (exclusive). */
  readonly after?: string | undefined;
  /** As in ListRequest. */
  readonly versions?: boolean | undefined;
  /** Listings in flight at most; 1 where left out, which is the plain walk. */
  readonly concurrency?: number | undefined;
  /** Objects held at most for a consumer that is behind, those on their way included; 4,700 for each listing where left out. 0: nothing is fetched ahead. */
  readonly window?: number | undefined;
  /** Bytes of such objects at most, as estimated by their names; 64 MiB where left out. */
  readonly windowBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Each object once, in byte order, whatever the store's pages are: a page that is given twice does no harm. Leaving early aborts what
 * is in flight. `driver` is asked before each page, so that it may refuse.
 * Errors: store_response for a store that goes back in its order or never ends; those of `list`, of any range and at once; cancelled.
 */
export async function* walkRanges(driver: () => Driver, options: RangesOptions): AsyncGenerator<ObjectInfo, void> {
  for await (const page of walkRangePages(driver, options)) yield* page;
}

/** The same in pages of any size but none, which is faster. */
export function walkRangePages(driver: () => Driver, options: RangesOptions): AsyncGenerator<readonly ObjectInfo[], void> {
  return new RangeWalk(driver, options).run();
}

/** Objects held for each listing in flight: so many that a range is worth its last page, which is filled by half. */
const heldForEach = 4700;
const heldBytes = 64 * 1024 * 1024;
/** What an object takes beside its key: the entry of the store’s page that its texts are cut from, and the object itself. */
const entryBytes = 420;
/** A range with less than so many pages left is not split. */
const leastPages = 2;
/** By how much a range ends before its last page is full, and by how much its end may miss that, in pages. */
const shortPages = 0.06;
const slackPages = 0.04;
/** What trust is left of after a split that was not worth it. */
const loss = 0.75;
/** How often a page may lead back to itself. */
const patience = 2;

/** Keys behind `start`, up to and with `end`. */
interface Range {
  readonly start: string | undefined;
  end: string | undefined;
  /** Nothing lies between this and `end`. */
  emptyFrom: string | undefined;
  state: 'idle' | 'listing' | 'done';
  cursor: string | undefined;
  stays: number;
  last: string | undefined;
  previous: readonly ObjectInfo[];
  pages: (readonly ObjectInfo[])[];
  /** Objects found. */
  found: number;
  first: Buffer | undefined;
  /** First key of the last page, and how many it gave; the same of the page before. */
  recent: Buffer | undefined;
  recently: number;
  before: Buffer | undefined;
  beforehand: number;
  /** `left` as it was thought before anything was found. */
  expected: number;
  at: Buffer | undefined;
  /** Objects still to be found, by estimate; undefined where it must be made anew. */
  left: number | undefined;
  /** Bytes that an invented text shares with the last key, where no end is known. */
  level: number;
  /** No text was found to split at; a further page may show one. */
  isWhole: boolean;
}

class RangeWalk {
  readonly #driver: () => Driver;
  readonly #options: RangesOptions;
  readonly #concurrency: number;
  #window: number;
  readonly #windowBytes: number;
  #splitFrom: number;
  readonly #base: number;
  readonly #space: KeySpace;
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  readonly #ranges: Range[];
  #inFlight = 0;
  #held = 0;
  /** Objects of the largest page. */
  #pageSize = 0;
  /** First pages of new ranges that are asked for and not here, and how many may be: it grows with each that was worth it. */
  #probes = 0;
  #trust = 1;
  /** Pages that gave objects, and splits that did not pay: few of these are borne before there are many of those. */
  #pages = 0;
  #losses = 0;
  #failure: { readonly error: unknown } | undefined;
  #arrival = Promise.withResolvers<void>();

  constructor(driver: () => Driver, options: RangesOptions) {
    const { prefix, after, concurrency = 1, window = heldForEach * concurrency, windowBytes = heldBytes, signal } = options;
    const base = bytesOf(prefix);
    this.#driver = driver;
    this.#options = options;
    this.#concurrency = concurrency;
    this.#window = window;
    this.#windowBytes = windowBytes;
    this.#splitFrom = window / concurrency;
    this.#base = base.length;
    this.#space = new KeySpace(base);
    this.#signal = signal === undefined ? this.#ending.signal : AbortSignal.any([signal, this.#ending.signal]);
    this.#ranges = [rangeOf(after, undefined)];
  }

  async *run(): AsyncGenerator<readonly ObjectInfo[], void> {
    try {
      for (;;) {
        const [front] = this.#ranges;
        if (front === undefined) return;
        const page = front.pages.shift();
        if (page !== undefined) {
          this.#held -= page.length;
          if (this.#window > 0) this.#fill();
          yield page;
        } else if (front.state === 'done') {
          this.#ranges.shift();
        } else {
          this.#fill();
          await this.#arrived();
        }
      }
    } finally {
      this.#ending.abort();
    }
  }

  /** Until a page came or a listing failed. */
  async #arrived(): Promise<void> {
    if (this.#failure === undefined) await abortable(this.#arrival.promise, this.#options.signal);
    this.#arrival = Promise.withResolvers();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Puts in flight what there is room for, from the front on. */
  #fill(): void {
    while (this.#failure === undefined && this.#inFlight < this.#concurrency) {
      const range = this.#choose();
      if (range === undefined) return;
      range.state = 'listing';
      this.#inFlight++;
      if (range.cursor === undefined) this.#probes++;
      void this.#list(range);
    }
  }

  /** The next range to be listed further: one that is idle, or the half of one that is busy and has much left. */
  #choose(): Range | undefined {
    const [front] = this.#ranges;
    if (front?.state === 'idle' && front.pages.length === 0) return front;
    const busy = this.#held + (this.#inFlight + 1) * this.#pageSize;
    return this.#chooseWithin(this.#window - busy, true) ?? this.#chooseWithin(this.#window / 4 - busy, false);
  }

  /** `room`: objects that may be held yet; those that ranges before have left are reserved where `isReserving`. */
  #chooseWithin(room: number, isReserving: boolean): Range | undefined {
    let free = room;
    for (const [index, range] of this.#ranges.entries()) {
      if (free < 0) return undefined;
      if (range.state === 'idle') return range;
      if (range.state === 'done' || this.#probes >= this.#trust || this.#losses > 1 + this.#pages / 2) continue;
      const upper = this.#split(range, index, free);
      if (upper !== undefined) return upper;
      if (isReserving) free -= this.#leftOf(range, index);
    }
    return undefined;
  }

  async #list(range: Range): Promise<void> {
    const { prefix, versions } = this.#options;
    const { start, cursor } = range;
    try {
      const startAfter = cursor === undefined ? start : undefined;
      const page = await this.#driver().list({ prefix, cursor, startAfter, ...(versions && { versions }), signal: this.#signal });
      this.#inFlight--;
      if (range.cursor === undefined) this.#probes--;
      if (this.#ranges.includes(range)) this.#take(range, page);
      this.#fill();
    } catch (error) {
      this.#failure ??= { error: this.#options.signal?.aborted ? abortError(this.#options.signal) : error };
    }
    this.#arrival.resolve();
  }

  #take(range: Range, page: ListPage): void {
    range.stays = page.cursor !== undefined && page.cursor === range.cursor ? range.stays + 1 : 0;
    if (range.stays > patience) throw new PackageRError('store_response', 'The listing of the store leads back to itself.', { operation });
    const objects = newOf(range, page.objects);
    range.previous = page.objects;
    this.#pageSize = Math.max(this.#pageSize, page.objects.length);
    this.#narrow(page.objects);
    const isFirst = range.cursor === undefined;
    const { found } = range;
    const isThrough = this.#keep(range, objects);
    const kept = range.found - found;
    if (kept > 0) this.#pages++;
    if (isFirst || isThrough) this.#judge(kept >= (isFirst ? this.#pageSize / 2 : 1) && page.cursor !== undefined);
    range.cursor = page.cursor;
    range.state = isThrough || page.cursor === undefined ? 'done' : 'idle';
    if (page.cursor === undefined && !isThrough) this.#endWith(range);
    if (range.state === 'done' && range.found === 0) this.#remove(range);
  }

  /** Long keys, fewer of them: the window never widens again. */
  #narrow(objects: readonly ObjectInfo[]): void {
    const [first, last] = [objects[0], objects.at(-1)];
    if (first === undefined || last === undefined || this.#window === 0) return;
    const each = entryBytes + 2 * Math.max(first.key.length, last.key.length);
    const most = Math.floor(this.#windowBytes / each);
    if (most >= this.#window) return;
    this.#splitFrom = Math.min(this.#splitFrom, most / this.#concurrency);
    this.#window = most;
  }

  #judge(isGood: boolean): void {
    if (!isGood) this.#losses++;
    this.#trust = isGood ? Math.min(this.#trust + 1, this.#concurrency) : Math.max(1, this.#trust * loss);
  }

  /** Keeps what belongs to the range; whether its end was reached. */
  #keep(range: Range, objects: readonly ObjectInfo[]): boolean {
    for (;;) {
      const inside = upTo(objects, range.end);
      const isThrough = inside < objects.length;
      const next = this.#ranges[this.#ranges.indexOf(range) + 1];
      if (isThrough && next !== undefined && next.state === 'idle' && next.found === 0) {
        this.#join(range, next);
        continue;
      }
      const kept = inside === objects.length ? objects : objects.slice(0, inside);
      const last = kept.at(-1);
      if (last !== undefined) this.#add(range, kept, last.key);
      return isThrough;
    }
  }

  #add(range: Range, objects: readonly ObjectInfo[], last: string): void {
    const index = this.#ranges.indexOf(range);
    range.pages.push(objects);
    range.found += objects.length;
    this.#held += objects.length;
    range.last = last;
    range.isWhole = false;
    range.left = undefined;
    if (this.#concurrency === 1) return;
    this.#space.learn(objects);
    range.at = bytesOf(last);
    range.before = range.recent;
    range.beforehand = range.recently;
    range.recent = bytesOf((objects[0] as ObjectInfo).key);
    range.recently = objects.length;
    if (range.first !== undefined) return;
    range.first = range.recent;
    if (range.start !== undefined) this.#space.learnGap(bytesOf(range.start), range.first);
    const before = this.#ranges[index - 1];
    if (before !== undefined) before.left = undefined;
    if (range.start === undefined) range.level = sharedWith(range.first, range.at);
  }

  /** The store has no keys behind this range: what was to come there falls away, but for what was found. */
  #endWith(range: Range): void {
    const behind = this.#ranges.splice(this.#ranges.indexOf(range) + 1);
    this.#ranges.push(...behind.filter((one) => one.found > 0));
  }

  /** Nothing was found in it. */
  #remove(range: Range): void {
    const index = this.#ranges.indexOf(range);
    const before = this.#ranges[index - 1];
    if (before !== undefined && before.state !== 'done') this.#join(before, range);
    else this.#ranges.splice(index, 1);
  }

  /** `range` takes over what belongs to the empty one behind it. */
  #join(range: Range, next: Range): void {
    if (next.state === 'done') range.emptyFrom ??= next.start;
    else range.emptyFrom = next.emptyFrom;
    range.end = next.end;
    range.left = undefined;
    range.isWhole = false;
    this.#ranges.splice(this.#ranges.indexOf(next), 1);
  }

  /** Cuts off the later part of a range, as a new one; undefined where it has little left, or no place is found. */
  #split(range: Range, index: number, room: number): Range | undefined {
    const left = this.#leftOf(range, index);
    if (range.isWhole || Math.min(left, room) < Math.max(leastPages * this.#pageSize, this.#splitFrom)) return undefined;
    const span = this.#spanOf(range, index);
    const isSure = range.before !== undefined || this.#trust >= this.#concurrency / 2;
    const found = span === undefined ? this.#gallop(range) : this.#part(isSure ? left : Number.POSITIVE_INFINITY, span, room);
    if (found === undefined) {
      range.isWhole = true;
      return undefined;
    }
    const upper = rangeOf(found.text, range.end);
    upper.emptyFrom = range.emptyFrom;
    upper.level = range.level;
    upper.left = left * (1 - found.share);
    upper.expected = upper.left;
    range.left = Number.isFinite(left) ? left * found.share : undefined;
    range.end = found.text;
    range.emptyFrom = undefined;
    this.#ranges.splice(index + 1, 0, upper);
    return upper;
  }

  #leftOf(range: Range, index: number): number {
    if (range.left === undefined) {
      const span = this.#spanOf(range, index);
      range.left = span === undefined ? Number.POSITIVE_INFINITY : this.#estimate(range, span);
    }
    return range.left;
  }

  /** What a busy range has left; undefined where its end is not known. */
  #spanOf(range: Range, index: number): Span | undefined {
    const to = range.emptyFrom ?? range.end;
    const from = range.at ?? (range.start === undefined ? undefined : bytesOf(range.start));
    if (to === undefined || from === undefined) return undefined;
    return { from, to: bytesOf(to), next: range.emptyFrom === undefined ? this.#ranges[index + 1]?.first : undefined };
  }

  /**
   * As dense as it was, or as it was lately: where a page leapt over a gap the one is far too low, where keys are bunched the other. Measured
   * from the first key of a page to that of another, so that gaps between pages count; of one page alone little can be told.
   */
  #estimate({ at, first, before, recent, found, recently, expected, beforehand }: Range, span: Span): number {
    if (at === undefined || first === undefined || recent === undefined) return 0;
    if (before === undefined) return Math.min(expected, found * this.#space.ratio({ ...span, from: first }, at, at));
    const lately = beforehand * this.#space.ratio({ ...span, from: before }, recent, at);
    return first === before ? lately : Math.max(lately, (found - recently) * this.#space.ratio({ ...span, from: first }, recent, at));
  }

  /** A little less than whole pages on the left where that can be told, so that the last of them reaches the end of its range. */
  #part(left: number, span: Span, room: number): { readonly text: string; readonly share: number } | undefined {
    const pages = Math.round(Math.min(left, room) / 2 / this.#pageSize);
    const share = Number.isFinite(left) ? ((pages - shortPages) * this.#pageSize) / left : 0.5;
    const slack = Number.isFinite(left) ? Math.max((slackPages * this.#pageSize) / left, share / 50) : 0.05;
    const text = this.#space.part(span, share, slack);
    return text === undefined ? undefined : { text, share };
  }

  /** Ever further away, until nothing lies behind. */
  #gallop(range: Range): { readonly text: string; readonly share: number } | undefined {
    if (range.at === undefined) return undefined;
    for (;;) {
      const text = this.#space.beyond(range.at, range.level);
      const isLast = range.level <= this.#base;
      range.level = this.#base + Math.floor((range.level - this.#base) / 2);
      if (text !== undefined) return { text, share: 0.5 };
      if (isLast) return undefined;
    }
  }
}

const operation = 'sources.walk';

function rangeOf(start: string | undefined, end: string | undefined): Range {
  return {
    start,
    end,
    emptyFrom: undefined,
    state: 'idle',
    cursor: undefined,
    stays: 0,
    last: start,
    previous: [],
    pages: [],
    found: 0,
    first: undefined,
    recent: undefined,
    recently: 0,
    before: undefined,
    beforehand: 0,
    expected: Number.POSITIVE_INFINITY,
    at: undefined,
    left: undefined,
    level: 0,
    isWhole: false,
  };
}

/** What of a page lies behind all that the range was given before. A store that begins before `start` is heard out. */
function newOf({ last, found, previous }: Range, objects: readonly ObjectInfo[]): readonly ObjectInfo[] {
  const fresh: ObjectInfo[] = [];
  let before = last;
  for (const info of objects) {
    if (before === undefined || isBehind(before, info.key)) {
      before = info.key;
      fresh.push(info);
    } else if (info.key !== before && found + fresh.length > 0 && !previous.some((one) => one.key === info.key)) {
      throw new PackageRError('store_response', 'The store did not list its objects in byte order.', { operation });
    }
  }
  return fresh;
}

const wide = /[\ud800-\uffff]/;

/** Whether `b` lies behind `a`. */
function isBehind(a: string, b: string): boolean {
  return wide.test(a) || wide.test(b) ? compareKeys(a, b) < 0 : a < b;
}

/** How many of the objects lie at or before `end`. */
function upTo(objects: readonly ObjectInfo[], end: string | undefined): number {
  let [low, high] = [0, objects.length];
  if (end === undefined) return high;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBehind(end, (objects[middle] as ObjectInfo).key)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function sharedWith(a: Buffer, b: Buffer): number {
  let shared = 0;
  while (shared < a.length && a[shared] === b[shared]) shared++;
  return shared;
}
