/**
 * One file on the collaborator's disk. Bytes are collected in a part beside it, named after what they belong to, so that a later run
 * goes on with the right part only; the file itself appears whole and verified or not at all. Links in the way are refused: nothing is
 * written outside of the chosen folder.
 */
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { PackageRError } from '#errors/error.ts';
import type { ChecksumAlgorithm } from '#model/checksum.ts';
import type { ManifestLine } from '#model/manifest.ts';
import { ancestorsOf, nameOf, parentOf } from '#model/path.ts';

const preferred: readonly ChecksumAlgorithm[] = ['sha256', 'sha512', 'sha1', 'md5', 'crc32'];

/** The checksum that can be computed here and says most; undefined where only the size is known. */
export function checkableOf(line: ManifestLine): { algorithm: ChecksumAlgorithm; value: string } | undefined {
  const algorithm = preferred.find((one) => line.checksums[one] !== undefined);
  return algorithm === undefined ? undefined : { algorithm, value: line.checksums[algorithm] as string };
}

export class LocalFile {
  readonly path: string;
  readonly #part: string;
  readonly #line: ManifestLine;
  readonly #folder: string;

  constructor(folder: string, line: ManifestLine) {
    const identity = createHash('sha256')
      .update(JSON.stringify([line.size, line.etag, line.version, line.checksums]))
      .digest('hex')
      .slice(0, 12);
    this.#folder = folder;
    this.#line = line;
    this.path = join(folder, line.path);
    this.#part = join(folder, parentOf(line.path), `.${nameOf(line.path).slice(0, 60)}.${identity}.part`);
  }

  /** same: there and right · differs · absent. Reads the file where a checksum is known. */
  async compare(signal: AbortSignal): Promise<'same' | 'differs' | 'absent'> {
    const found = await lstat(this.path).catch(() => undefined);
    if (found === undefined) return 'absent';
    if (!found.isFile() || found.size !== this.#line.size) return 'differs';
    const checkable = checkableOf(this.#line);
    if (checkable === undefined) return 'same';
    return (await digestFile(this.path, checkable.algorithm, signal)) === checkable.value ? 'same' : 'differs';
  }

  /** Makes the folders above. Errors: link_refused where one of them is a link, not_a_folder. */
  async makeFolders(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    for (const ancestor of ancestorsOf(this.#line.path)) {
      const path = join(this.#folder, ancestor);
      await mkdir(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
      const found = await lstat(path);
      if (found.isSymbolicLink())
        throw new PackageRError('link_refused', `${JSON.stringify(ancestor)} is a link; nothing is written through it.`);
      if (!found.isDirectory()) throw new PackageRError('not_a_folder', `${JSON.stringify(ancestor)} is a file, but a folder is needed.`);
    }
  }

  /** Opens the part for going on; `size` bytes are there already. A part that is too long is begun anew. */
  async openPart(): Promise<Part> {
    const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
    const file = await open(this.#part, O_RDWR | O_CREAT | (O_NOFOLLOW ?? 0), 0o644);
    let { size } = await file.stat();
    if (size > this.#line.size) {
      await file.truncate(0);
      size = 0;
    }
    return new Part(file, size);
  }

  /** Checks size and checksum of the finished part and puts it in place. A wrong part is removed. Errors: verify_failed. */
  async finish(part: Part, signal: AbortSignal): Promise<'verified' | 'size'> {
    const checkable = checkableOf(this.#line);
    await part.close();
    const isRight =
      part.size === this.#line.size &&
      (checkable === undefined || (await digestFile(this.#part, checkable.algorithm, signal)) === checkable.value);
    if (!isRight) {
      await rm(this.#part, { force: true });
      const what = part.size === this.#line.size ? `${checkable?.algorithm} differs` : `${part.size} bytes instead of ${this.#line.size}`;
      throw new PackageRError('verify_failed', `What was received is not what the manifest says (${what}).`, { retry: 'temporary' });
    }
    await rename(this.#part, this.path);
    return checkable === undefined ? 'size' : 'verified';
  }
}

/** The bytes that have arrived. */
export class Part {
  readonly #file: FileHandle;
  size: number;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.size = size;
  }

  async append(chunk: Uint8Array): Promise<void> {
    for (let from = 0; from < chunk.length; ) {
      const { bytesWritten } = await this.#file.write(chunk, from, chunk.length - from, this.size);
      from += bytesWritten;
      this.size += bytesWritten;
    }
  }

  async restart(): Promise<void> {
    await this.#file.truncate(0);
    this.size = 0;
  }

  /** Makes the bytes durable. May be called twice. */
  async close(): Promise<void> {
    if (this.#file.fd === -1) return;
    await this.#file.sync().catch(() => undefined);
    await this.#file.close();
  }
}

async function digestFile(path: string, algorithm: ChecksumAlgorithm, signal: AbortSignal): Promise<string> {
  const hasher: Hasher = algorithm === 'crc32' ? new Crc32() : createHash(algorithm);
  for await (const chunk of createReadStream(path, { signal, highWaterMark: 1 << 20 })) hasher.update(chunk as Buffer);
  return hasher.digest('hex');
}

interface Hasher {
  update(chunk: Uint8Array): unknown;
  digest(encoding: 'hex'): string;
}

class Crc32 implements Hasher {
  #value = 0;

  update(chunk: Uint8Array): void {
    this.#value = crc32(chunk, this.#value);
  }

  digest(_encoding: 'hex'): string {
    return this.#value.toString(16).padStart(8, '0');
  }
}
