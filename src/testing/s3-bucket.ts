/** A bucket of the canned S3 server: object versions and uploads in memory. Keys are bytes, a byte a character. */
import { createHash } from 'node:crypto';

export interface StoredVersion {
  readonly key: string;
  /** `null` where it was written without versioning. */
  readonly id: string;
  /** Undefined for a delete marker. */
  readonly content: Content | undefined;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface Content {
  readonly size: number;
  /** Left out for one that is only said to be there: it may be larger than memory. */
  readonly bytes?: Buffer;
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Upload {
  readonly key: string;
  readonly parts: Map<number, Content>;
}

export class S3Bucket {
  /** As XML, where it was set. */
  cors: Buffer | undefined;
  versioning: 'Enabled' | 'Suspended' | undefined;
  /** Anyone may read and list. */
  isPublic = false;
  readonly uploads = new Map<string, Upload>();
  readonly #histories = new Map<string, StoredVersion[]>();
  readonly #keys: string[] = [];
  #count = 0;

  /** All names that were ever written, in byte order. */
  get keys(): readonly string[] {
    return this.#keys;
  }

  /** Newest first. */
  versionsOf(key: string): readonly StoredVersion[] {
    return this.#histories.get(key) ?? [];
  }

  /** Without an id the newest; undefined where there is none, or a delete marker is newest. */
  find(key: string, id?: string): StoredVersion | undefined {
    const history = this.versionsOf(key);
    return id === undefined ? history[0] : history.find((one) => one.id === id);
  }

  put(key: string, content: Content | undefined, at: number): StoredVersion {
    const version: StoredVersion = { key, id: this.versioning === 'Enabled' ? this.nextId('v') : 'null', content, at };
    const history = this.#histories.get(key);
    if (history === undefined) this.#keys.splice(this.indexBehind(key), 0, key);
    this.#histories.set(key, [version, ...(history ?? []).filter((one) => one.id !== version.id)]);
    return version;
  }

  delete(key: string, id: string | undefined, at: number): StoredVersion | undefined {
    if (id === undefined && this.versioning !== undefined) return this.put(key, undefined, at);
    const left = this.versionsOf(key).filter((one) => one.id !== (id ?? 'null'));
    this.#histories.set(key, left);
    if (left.length === 0) {
      const index = this.indexBehind(key) - 1;
      if (this.#keys[index] === key) this.#keys.splice(index, 1);
      this.#histories.delete(key);
    }
    return undefined;
  }

  nextId(prefix: string): string {
    this.#count++;
    return `${prefix}${String(this.#count).padStart(6, '0')}`;
  }

  /** Where the names behind `key` begin. */
  indexBehind(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#keys[middle] as string) <= key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export function contentOf(bytes: Buffer, headers: Readonly<Record<string, string>> = {}): Content {
  return { size: bytes.length, bytes, etag: createHash('md5').update(bytes).digest('hex'), headers };
}

/** Parts joined, with the ETag of Amazon S3. */
export function joinParts(parts: readonly Content[]): Content {
  const etags = createHash('md5');
  for (const part of parts) etags.update(part.etag, 'hex');
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  const isHeld = parts.every((part) => part.bytes !== undefined);
  const bytes = isHeld ? { bytes: Buffer.concat(parts.map((part) => part.bytes as Buffer)) } : {};
  return { size, ...bytes, etag: `${etags.digest('hex')}-${parts.length}`, headers: {} };
}
