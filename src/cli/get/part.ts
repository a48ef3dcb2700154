/** Bytes that have arrived, in a file that is not yet what it will be. */
import { type FileHandle, lstat, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileFault } from './file-fault.ts';

export class Part {
  readonly #file: FileHandle;
  size: number;
  #isClosed = false;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.size = size;
  }

  /** Errors: file_failed. */
  async append(chunk: Uint8Array): Promise<void> {
    try {
      for (let from = 0; from < chunk.length; ) {
        const { bytesWritten } = await this.#file.write(chunk, from, chunk.length - from, this.size);
        from += bytesWritten;
        this.size += bytesWritten;
      }
    } catch (error) {
      throw fileFault(error);
    }
  }

  async restart(): Promise<void> {
    await this.#file.truncate(0).catch((error) => {
      throw fileFault(error);
    });
    this.size = 0;
  }

  /** Survives a power failure from here on. */
  async sync(): Promise<void> {
    await this.#file.sync().catch((error) => {
      throw fileFault(error);
    });
  }

  read(): AsyncIterable<Buffer> {
    return this.#file.createReadStream({ start: 0, autoClose: false, highWaterMark: 64 * 1024 }) as AsyncIterable<Buffer>;
  }

  /** May be called twice. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#file.close();
  }
}

export interface Spool {
  readonly part: Part;
  /** The folder takes `A` and `a` for one name. */
  readonly foldsCase: boolean;
}

/** A part without a name, that goes away with this process whatever happens. Errors: file_failed. */
export async function openSpool(folder: string, id: string): Promise<Spool> {
  const name = `.package-r-${id}.Spool`;
  const path = join(folder, name);
  try {
    const file = await open(path, 'wx+', 0o600);
    const foldsCase = await lstat(join(folder, name.toLowerCase())).then(
      () => true,
      () => false,
    );
    await rm(path);
    return { part: new Part(file, 0), foldsCase };
  } catch (error) {
    throw fileFault(error);
  }
}
