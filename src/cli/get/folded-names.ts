/**
 * Finds names that differ only in case or Unicode form, among millions, in memory of a fixed size: read once to mark them, and once more to
 * look closely at those few whose mark was there already.
 */
import { hash } from 'node:crypto';

/** 16 MiB: of a million names some four thousand meet a mark by chance, of ten million one in twenty-seven. */
const bits = 2 ** 27;

export class FoldedNames {
  readonly #marks: Uint32Array;
  readonly #mask: number;
  readonly #met = new Set<number>();
  readonly #seen = new Set<string>();

  /** `size`: marks, a power of two. */
  constructor(size: number = bits) {
    this.#marks = new Uint32Array(Math.max(1, size / 32));
    this.#mask = size - 1;
  }

  /** In the first reading. */
  mark(name: string): void {
    const at = this.#markOf(fold(name));
    const word = this.#marks[at >>> 5] ?? 0;
    if ((word & (1 << (at & 31))) === 0) this.#marks[at >>> 5] = word | (1 << (at & 31));
    else this.#met.add(at);
  }

  /** In a second reading of the same names: true where one that folds to the same came before. */
  isTwin(name: string): boolean {
    if (this.#met.size === 0) return false;
    const folded = fold(name);
    if (!this.#met.has(this.#markOf(folded))) return false;
    if (this.#seen.has(folded)) return true;
    this.#seen.add(folded);
    return false;
  }

  #markOf(folded: string): number {
    return Number.parseInt(hash('sha256', folded, 'hex').slice(0, 8), 16) & this.#mask;
  }
}

function fold(name: string): string {
  return name.normalize('NFC').toLowerCase();
}
