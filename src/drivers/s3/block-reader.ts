/** Cuts a body into blocks of a size that is chosen as it goes. */

export class BlockReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #rest: Uint8Array[] = [];
  #isDone = false;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#iterator = body[Symbol.asyncIterator]();
  }

  /** Nothing is left: what was read last was the end. */
  get isEnded(): boolean {
    return this.#isDone && this.#rest.length === 0;
  }

  /** Exactly `bytes`, fewer at the end. Errors: those of the body. */
  async read(bytes: number): Promise<Buffer> {
    const taken: Uint8Array[] = [];
    let missing = bytes;
    while (missing > 0) {
      const chunk = this.#rest.shift() ?? (await this.#next());
      if (chunk === undefined) break;
      taken.push(chunk.length > missing ? chunk.subarray(0, missing) : chunk);
      if (chunk.length > missing) this.#rest.unshift(chunk.subarray(missing));
      missing -= Math.min(missing, chunk.length);
    }
    if (missing === 0 && this.#rest.length === 0) await this.#lookAhead();
    return Buffer.concat(taken, bytes - missing);
  }

  /** Gives a block back, to be read again. */
  unread(block: Uint8Array): void {
    this.#rest.unshift(block);
  }

  /** Releases the body. */
  async close(): Promise<void> {
    if (!this.#isDone) await this.#iterator.return?.();
  }

  async #lookAhead(): Promise<void> {
    const chunk = await this.#next();
    if (chunk !== undefined) this.#rest.push(chunk);
  }

  async #next(): Promise<Uint8Array | undefined> {
    while (!this.#isDone) {
      const next = await this.#iterator.next();
      if (next.done === true) this.#isDone = true;
      else if (next.value.length > 0) return next.value;
    }
    return undefined;
  }
}
