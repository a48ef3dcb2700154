/**
 * Where a tree shows nothing: long runs of rows that are invisible at a step, remembered so that they are jumped over. A gap says of all
 * paths in it that none is visible; what is not known to be a gap is looked at.
 */
import { compareBytes } from '#model/path.ts';
import { behind } from './entry-windows.ts';

/** From `start` on and before `end`; `end` is null where nothing comes behind. */
interface Gap {
  readonly start: string;
  readonly end: string | null;
}

const limits = { views: 200, gaps: 1000 } as const;

/** The gaps of trees, by what never changes: a frozen step, or a draft of one generation. Bounded: what was used longest ago is forgotten. */
export class Gaps {
  readonly #views = new Map<string, GapView>();

  has(view: string): boolean {
    return this.#views.has(view);
  }

  /** `make`: the view where none is known. */
  of(view: string, make: () => GapView = () => new GapView()): GapView {
    const known = this.#views.get(view) ?? make();
    this.#views.delete(view);
    this.#views.set(view, known);
    const [oldest] = this.#views.keys();
    if (this.#views.size > limits.views && oldest !== undefined) this.#views.delete(oldest);
    return known;
  }
}

/** The gaps of one tree: apart, in order. */
export class GapView {
  #gaps: Gap[];

  constructor(gaps: readonly Gap[] = []) {
    this.#gaps = [...gaps];
  }

  get isEmpty(): boolean {
    return this.#gaps.length === 0;
  }

  copy(): GapView {
    return new GapView(this.#gaps);
  }

  /** What lies from one path up to another may be visible from now on. */
  forget(first: string, last: string): void {
    const after = behind(last);
    const start = Math.max(0, this.#countUpTo(first) - 1);
    const end = this.#countUpTo(last);
    const left = this.#gaps.slice(start, end).flatMap((gap): Gap[] => {
      if (!isBefore(first, gap.end)) return [gap];
      const before = compareBytes(gap.start, first) < 0 ? [{ start: gap.start, end: first }] : [];
      return isBefore(after, gap.end) ? [...before, { start: after, end: gap.end }] : before;
    });
    this.#gaps.splice(start, end - start, ...left);
  }

  /** The end of the gap that holds this path; undefined where none is known. */
  endOf(path: string): string | null | undefined {
    const gap = this.#gaps[this.#countUpTo(path) - 1];
    return gap !== undefined && isBefore(path, gap.end) ? gap.end : undefined;
  }

  /** Joins what touches. */
  remember(start: string, end: string | null): void {
    if (!isBefore(start, end)) return;
    let first = this.#countUpTo(start);
    const before = this.#gaps[first - 1];
    if (before !== undefined && (before.end === null || compareBytes(start, before.end) <= 0)) first -= 1;
    let last = first;
    let joined: Gap = { start, end };
    for (let next = this.#gaps[last]; next !== undefined && touches(joined, next); next = this.#gaps[last]) {
      joined = { start: smaller(joined.start, next.start), end: later(joined.end, next.end) };
      last += 1;
    }
    this.#gaps.splice(first, last - first, joined);
    if (this.#gaps.length > limits.gaps) this.#gaps.splice(0, this.#gaps.length >> 1);
  }

  /** How many gaps start at or before a path. */
  #countUpTo(path: string): number {
    let low = 0;
    let high = this.#gaps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareBytes((this.#gaps[middle] as Gap).start, path) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function isBefore(path: string, end: string | null): boolean {
  return end === null || compareBytes(path, end) < 0;
}

/** Whether a gap goes on, or ends just, where the next one starts. */
function touches(gap: Gap, next: Gap): boolean {
  return gap.end === null || compareBytes(next.start, gap.end) <= 0;
}

function smaller(a: string, b: string): string {
  return compareBytes(a, b) <= 0 ? a : b;
}

function later(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return null;
  return compareBytes(a, b) >= 0 ? a : b;
}
