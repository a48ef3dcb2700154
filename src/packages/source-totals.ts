/** What a version holds by source: how many entries, and the sum of their sizes. */

export interface SourceTotal {
  /** Id of a source; 0 for texts. */
  readonly source: number;
  readonly entries: number;
  readonly bytes: number;
}

export class SourceTotals {
  readonly #kept = new Map<number, { entries: number; bytes: number }>();

  /** Entries that went are added with a negative number. */
  add({ source, entries, bytes }: SourceTotal): void {
    const known = this.#kept.get(source);
    if (known === undefined) {
      this.#kept.set(source, { entries, bytes });
      return;
    }
    known.entries += entries;
    known.bytes += bytes;
  }

  /** Those of which there are entries, in order. */
  list(): SourceTotal[] {
    const some = [...this.#kept].filter(([, { entries }]) => entries !== 0);
    return some.sort(([a], [b]) => a - b).map(([source, total]) => ({ source, ...total }));
  }

  get entries(): number {
    return this.list().reduce((sum, one) => sum + one.entries, 0);
  }

  get bytes(): number {
    return this.list().reduce((sum, one) => sum + one.bytes, 0);
  }
}
