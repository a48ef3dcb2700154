/** Units that wait for their writer, whatever the engine: what is small goes before bulk. Imports nothing, since the writer’s thread loads it. */

export class UnitQueue<T extends { readonly isBulk: boolean }> {
  readonly #small: T[] = [];
  readonly #bulk: T[] = [];

  get length(): number {
    return this.#small.length + this.#bulk.length;
  }

  get hasSmall(): boolean {
    return this.#small.length > 0;
  }

  push(unit: T): void {
    (unit.isBulk ? this.#bulk : this.#small).push(unit);
  }

  /** Each kind in its order. */
  take(): T | undefined {
    return this.#small.shift() ?? this.#bulk.shift();
  }

  takeAll(): T[] {
    return [...this.#small.splice(0), ...this.#bulk.splice(0)];
  }
}
