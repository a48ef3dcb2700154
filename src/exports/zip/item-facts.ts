/** Size and CRC-32 of each item of an archive, nine bytes an item: all that is kept of it between its bytes and its record at the end. */
/** Large enough that an allocator gives each array back to the system by itself, and lays nothing of few items down before they come. */
const blockLength = 65_536;

interface Block {
  readonly sizes: Uint32Array;
  readonly crcs: Uint32Array;
  readonly known: Uint8Array;
}

export class ItemFacts {
  readonly #blocks: Block[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** `crc` may be told later. Bytes below 4 GiB. */
  push(size: number, crc: number | undefined): void {
    if (this.#length % blockLength === 0) {
      const [sizes, crcs, known] = [new Uint32Array(blockLength), new Uint32Array(blockLength), new Uint8Array(blockLength)];
      this.#blocks.push({ sizes, crcs, known });
    }
    const index = this.#length++;
    this.#block(index).sizes[index % blockLength] = size;
    if (crc !== undefined) this.tellCrc(index, crc);
  }

  tellCrc(index: number, crc: number): void {
    const { crcs, known } = this.#block(index);
    crcs[index % blockLength] = crc;
    known[index % blockLength] = 1;
  }

  sizeOf(index: number): number {
    return this.#block(index).sizes[index % blockLength] as number;
  }

  crcOf(index: number): number | undefined {
    const { crcs, known } = this.#block(index);
    return known[index % blockLength] === 1 ? crcs[index % blockLength] : undefined;
  }

  #block(index: number): Block {
    return this.#blocks[Math.floor(index / blockLength)] as Block;
  }
}
