/**
 * Whether the object behind a pointer is still the one that was put into the package, for stores without object versions. What was
 * seen is believed for five seconds, so that a client with many connections costs the store one question.
 */
import { isError, PackageRError } from '#errors/error.ts';
import type { Clock } from '#model/clock.ts';
import type { Pointer } from '#model/entry.ts';
import { statObject } from '#sources/presign.ts';
import type { SourceHandle } from '#sources/source-handle.ts';

export interface Seen {
  readonly size: number;
  readonly etag?: string | undefined;
}

const believed = 5000;
const keptObjects = 10_000;

export class Drift {
  readonly #clock: Clock;
  readonly #seen = new Map<string, { readonly until: number; readonly object: Promise<Seen> }>();

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  /** The object as it is now where it differs from the pointer; undefined where it is the same. Errors: object_gone. */
  async find(handle: SourceHandle, pointer: Pointer): Promise<Seen | undefined> {
    try {
      const seen = await this.#stat(handle, pointer);
      const isSame = seen.size === pointer.size && (pointer.etag === undefined || seen.etag === undefined || seen.etag === pointer.etag);
      return isSame ? undefined : seen;
    } catch (error) {
      if (!isError(error, 'object_not_found')) throw error;
      throw new PackageRError('object_gone', `The object behind ${JSON.stringify(pointer.path)} is gone from its store.`, {
        operation: 'exchange.drift',
      });
    }
  }

  /** The question is shared: nobody’s leaving stops it. */
  #stat(handle: SourceHandle, { source, key }: Pointer): Promise<Seen> {
    const name = `${source} ${key}`;
    const now = this.#clock();
    const kept = this.#seen.get(name);
    if (kept !== undefined && kept.until > now) return kept.object;
    if (this.#seen.size >= keptObjects) this.#seen.clear();
    const object = statObject(handle, key).then(({ size, etag }) => ({ size, etag }));
    this.#seen.set(name, { until: now + believed, object });
    object.catch(() => this.#seen.delete(name));
    return object;
  }
}
