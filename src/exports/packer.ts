/** Gathers text and bytes into chunks of about 120 KiB without a step between: what every export writes with. */

/** Less than what an allocator asks the system for each time. */
const chunkSize = 120 * 1024;
/** Room in a chunk that counts as full, so that most of what is put in needs no larger one. */
const slack = 4 * 1024;

export class Packer {
  #chunk: Buffer = Buffer.allocUnsafeSlow(chunkSize);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** It is time to take what is there. */
  get isFull(): boolean {
    return this.#length > chunkSize - slack;
  }

  /** What was put in since the last time; it is the caller’s from then on. */
  take(): Buffer {
    const taken = this.#chunk.subarray(0, this.#length);
    this.#chunk = Buffer.allocUnsafeSlow(chunkSize);
    this.#length = 0;
    return taken;
  }

  /** Shows what was put in since the last time, and forgets it: its room is used again. */
  look(use: (bytes: Buffer) => void): void {
    use(this.#chunk.subarray(0, this.#length));
    this.#length = 0;
  }

  /** As UTF-8. */
  text(text: string): void {
    this.#reserve(text.length * 3);
    this.#length += this.#chunk.write(text, this.#length);
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#chunk.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** For what is written in place: `put` gets the chunk, with room for `most` bytes from where it is to begin, and gives where it ended. */
  put(most: number, put: (chunk: Buffer, at: number) => number): void {
    this.#reserve(most);
    this.#length = put(this.#chunk, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#chunk.length) return;
    const larger = Buffer.allocUnsafeSlow(this.#length + bytes);
    larger.set(this.#chunk.subarray(0, this.#length));
    this.#chunk = larger;
  }
}
