/**
 * One file on the collaborator's disk. Bytes are collected in a part beside it, named after what they belong to, so that a later run
 * goes on with the right part only; the file itself appears whole and verified or not at all. Links in the way are refused: nothing is
 * written outside of the chosen folder.
 */
import { createHash } from 'node:crypto';
import { constants, createReadStream, type Stats } from 'node:fs';
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { PackageRError } from '#errors/error.ts';
import type { ChecksumAlgorithm } from '#model/checksum.ts';
import type { ManifestLine } from '#model/manifest.ts';
import { ancestorsOf, nameOf, parentOf } from '#model/path.ts';
import { fileFault } from './file-fault.ts';
import { Part } from './part.ts';

const preferred: readonly ChecksumAlgorithm[] = ['sha256', 'sha512', 'sha1', 'md5', 'crc32'];

/** Bytes from which a file is made durable before it gets its name. A small one with a checksum is checked by the next run anyway. */
const syncedSize = 1024 * 1024;

export class LocalFile {
  readonly path: string;
  readonly #part: string;
  readonly #line: ManifestLine;
  readonly #folder: string;
  readonly #checkable: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined;

  constructor(folder: string, line: ManifestLine) {
    this.#folder = folder;
    this.#line = line;
    this.path = join(folder, line.path);
    this.#part = join(folder, parentOf(line.path), partNameOf(line));
    const algorithm = preferred.find((one) => line.checksums[one] !== undefined);
    this.#checkable = algorithm === undefined ? undefined : { algorithm, value: line.checksums[algorithm] as string };
  }

  get hasChecksum(): boolean {
    return this.#checkable !== undefined;
  }

  /** same: there and right · differs · absent. Reads the file where a checksum is known. */
  async compare(signal: AbortSignal): Promise<'same' | 'differs' | 'absent'> {
    const found = await findEntry(this.path).catch((error) => {
      throw fileFault(error);
    });
    if (found === undefined) return 'absent';
    if (!found.isFile() || found.size !== this.#line.size) return 'differs';
    return (await this.#isRight(this.path, signal)) ? 'same' : 'differs';
  }

  /** Makes the folders above. Errors: link_refused where one of them is a link, not_a_folder, file_failed. */
  async makeFolders(): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true });
      for (const ancestor of ancestorsOf(this.#line.path)) await makeFolder(join(this.#folder, ancestor), ancestor);
    } catch (error) {
      throw fileFault(error);
    }
  }

  /** Opens the part for going on; `size` bytes are there already. A part that is too long is begun anew. Errors: link_refused, file_failed. */
  async openPart(): Promise<Part> {
    const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
    try {
      const file = await open(this.#part, O_RDWR | O_CREAT | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0), 0o666);
      const found = await file.stat();
      const part = new Part(file, found.size);
      if (found.isFile() && found.size <= this.#line.size) return part;
      if (found.isFile()) {
        await part.restart();
        return part;
      }
      await part.close();
      throw new PackageRError('exists', 'Something that is no file is in the way of the part.');
    } catch (error) {
      throw fileFault(error);
    }
  }

  /** Checks size and checksum of the finished part and puts it in place. A wrong part is removed. Errors: verify_failed. */
  async finish(part: Part, signal: AbortSignal): Promise<'verified' | 'size'> {
    const { size } = this.#line;
    if (part.size === size && (this.#checkable === undefined || size >= syncedSize)) await part.sync();
    await part.close();
    const isRight = part.size === size && (await this.#isRight(this.#part, signal));
    if (!isRight) {
      await this.discard(part);
      const what = part.size === size ? `its ${this.#checkable?.algorithm} differs` : `${part.size} bytes instead of ${size}`;
      throw new PackageRError('verify_failed', `What was received is not what the manifest says (${what}).`);
    }
    await rename(this.#part, this.path).catch((error) => {
      throw fileFault(error);
    });
    return this.#checkable === undefined ? 'size' : 'verified';
  }

  /** Removes what was received: it is known to be wrong. */
  async discard(part: Part): Promise<void> {
    await part.close();
    await rm(this.#part, { force: true });
  }

  async #isRight(path: string, signal: AbortSignal): Promise<boolean> {
    if (this.#checkable === undefined) return true;
    return (await digestFile(path, this.#checkable.algorithm, signal)) === this.#checkable.value;
  }
}

async function makeFolder(path: string, shown: string): Promise<void> {
  const found = (await findEntry(path)) ?? (await makeAndFind(path));
  if (found.isSymbolicLink()) throw new PackageRError('link_refused', `${JSON.stringify(shown)} is a link; nothing is written through it.`);
  if (!found.isDirectory()) throw new PackageRError('not_a_folder', `${JSON.stringify(shown)} is a file, but a folder is needed.`);
}

async function findEntry(path: string): Promise<Stats | undefined> {
  return await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

async function makeAndFind(path: string): Promise<Stats> {
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return await lstat(path);
}

/** Of one entry in one state, and of no other; short enough for every disk. */
function partNameOf({ path, size, etag, version, checksums }: ManifestLine): string {
  const name = nameOf(path);
  const identity = createHash('sha256')
    .update(JSON.stringify([name, size, etag, version, checksums]))
    .digest('hex')
    .slice(0, 16);
  return `.${cutBytes(name, 100)}.${identity}.part`;
}

function cutBytes(text: string, limit: number): string {
  let cut = '';
  let size = 0;
  for (const character of text) {
    size += Buffer.byteLength(character);
    if (size > limit) break;
    cut += character;
  }
  return cut;
}

async function digestFile(path: string, algorithm: ChecksumAlgorithm, signal: AbortSignal): Promise<string> {
  const hasher: Hasher = algorithm === 'crc32' ? new Crc32() : createHash(algorithm);
  try {
    for await (const chunk of createReadStream(path, { signal, highWaterMark: 256 * 1024 })) {
      hasher.update(chunk as Buffer);
    }
  } catch (error) {
    throw signal.aborted ? new PackageRError('cancelled') : fileFault(error);
  }
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
