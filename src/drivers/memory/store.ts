/** What a memory source holds: the object versions of each key, newest last, and the keys in byte order. */
import { createHash } from 'node:crypto';
import type { ObjectInfo } from '#drivers/driver.ts';
import { objectNotFound } from '#drivers/memory/errors.ts';
import type { Clock } from '#model/clock.ts';
import { compareKeys, type Key } from '#model/key.ts';

export interface StoredObject {
  readonly info: ObjectInfo;
  readonly bytes: Buffer;
}

/** `undefined` as the newest stands for a deletion that keeps what was before. */
type History = (StoredObject | undefined)[];

export class MemoryStore {
  readonly #histories = new Map<Key, History>();
  readonly #keys: Key[] = [];
  readonly #clock: Clock;
  readonly #versions: boolean;
  #writes = 0;

  constructor(clock: Clock, versions: boolean) {
    this.#clock = clock;
    this.#versions = versions;
  }

  /** Errors: object_not_found. */
  get(key: Key, version: string | undefined, operation: string): StoredObject {
    const history = this.#histories.get(key);
    const found = version === undefined ? history?.at(-1) : history?.find((one) => one?.info.version === version);
    if (found === undefined) throw objectNotFound(key, operation);
    return found;
  }

  has(key: Key): boolean {
    return this.#histories.get(key)?.at(-1) !== undefined;
  }

  put(key: Key, bytes: Buffer, etag?: string): ObjectInfo {
    this.#writes++;
    const md5 = createHash('md5').update(bytes).digest('hex');
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const info: ObjectInfo = {
      key,
      size: bytes.length,
      etag: etag ?? md5,
      modifiedAt: this.#clock(),
      checksums: [
        { algorithm: 'md5', value: md5, evidence: 'stored' },
        { algorithm: 'sha256', value: sha256, evidence: 'stored' },
      ],
      ...(this.#versions ? { version: `v${this.#writes}` } : {}),
    };
    const history = this.#histories.get(key);
    if (history === undefined) this.#keys.splice(this.#indexBehind(key), 0, key);
    if (history !== undefined && this.#versions) history.push({ info, bytes });
    else this.#histories.set(key, [{ info, bytes }]);
    return info;
  }

  delete(key: Key, version: string | undefined): void {
    const history = this.#histories.get(key);
    if (history === undefined) return;
    if (version === undefined && this.#versions) {
      if (history.at(-1) !== undefined) history.push(undefined);
      return;
    }
    const left = version === undefined ? [] : history.filter((one) => one?.info.version !== version);
    if (left.some((one) => one !== undefined)) this.#histories.set(key, left);
    else this.#forget(key);
  }

  /** The newest of each key that follows `after`, in byte order; `skip` jumps behind all keys of a prefix. */
  *walk(prefix: string, after: string): Generator<ObjectInfo, void, string | undefined> {
    let index = compareKeys(after, prefix) < 0 ? this.#indexOf(prefix) : this.#indexBehind(after);
    while (index < this.#keys.length) {
      const key = this.#keys[index] as Key;
      if (!key.startsWith(prefix)) return;
      index++;
      const newest = this.#histories.get(key)?.at(-1);
      if (newest === undefined) continue;
      const skip = yield newest.info;
      while (skip !== undefined && this.#keys[index]?.startsWith(skip)) index++;
    }
  }

  #forget(key: Key): void {
    this.#histories.delete(key);
    this.#keys.splice(this.#indexOf(key), 1);
  }

  #indexOf(text: string): number {
    return this.#search((key) => compareKeys(key, text) < 0);
  }

  #indexBehind(text: string): number {
    return this.#search((key) => compareKeys(key, text) <= 0);
  }

  #search(isBefore: (key: Key) => boolean): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(this.#keys[middle] as Key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
