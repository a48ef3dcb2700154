/** Finds names that differ only in case or Unicode form, among millions, in a few bytes a name. */
import { hash } from 'node:crypto';

const emptySlot = 0;

export class FoldedNames {
  #slots = new Float64Array(1024);
  #count = 0;

  /** True where a name that folds to the same was added before. */
  add(name: string): boolean {
    if (this.#count * 2 >= this.#slots.length) this.#grow();
    return !this.#insert(keyOf(name));
  }

  #insert(key: number): boolean {
    const mask = this.#slots.length - 1;
    let at = key % this.#slots.length;
    while (this.#slots[at] !== emptySlot) {
      if (this.#slots[at] === key) return false;
      at = (at + 1) & mask;
    }
    this.#slots[at] = key;
    this.#count++;
    return true;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Float64Array(before.length * 2);
    this.#count = 0;
    for (const key of before) if (key !== emptySlot) this.#insert(key);
  }
}

/** 52 bits of a hash: two of a million names meet by chance once in nine thousand runs. */
function keyOf(name: string): number {
  return Number.parseInt(hash('sha256', name.normalize('NFC').toLowerCase(), 'hex').slice(0, 13), 16) || 1;
}
