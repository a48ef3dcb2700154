/**
 * The only way from a handle, or from a verified signature of our own, to the objects of a driver. `exchange` alone may import it
 * (see biome.json). A handle reaches only keys within the place it was opened for, and only what its action allows.
 */
import type { Capabilities } from '#drivers/capability.ts';
import type {
  Driver,
  ListPage,
  ListRequest,
  ObjectBody,
  ObjectInfo,
  ReadObjectOptions,
  StatOptions,
  UploadedPart,
  WriteOptions,
} from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
import type { Action } from '#model/actor.ts';
import type { Key } from '#model/key.ts';
import { isWithin, root } from '#model/path.ts';
import type { ResponseHeaders, TemporaryUrl, TransferMethod } from '#model/temporary-url.ts';
import { placeOfKey } from '#sources/place.ts';
import type { SourceHandle } from '#sources/source-handle.ts';
import type { Sources } from '#sources/sources.ts';

export interface ObjectRequest {
  readonly key: Key;
  readonly version?: string | undefined;
  /** The bytes must still be these, where the store can hold to it. */
  readonly etag?: string | undefined;
  readonly method: TransferMethod;
  /** Seconds. */
  readonly expiresIn: number;
  readonly responseHeaders?: ResponseHeaders | undefined;
}

/** What `presignObject` can do for this handle; the longest life in seconds. */
export type PresignCapabilities = Pick<Capabilities, 'presign' | 'presignMaxSeconds' | 'versions' | 'publicUrls'>;

/** A driver that is replaced when its source changes: `current` refuses once that happened. */
export interface Reach {
  readonly isReplaced: boolean;
  /** Names the place: another one with another driver or other options, the same with other names or secrets. */
  readonly leadsTo: string;
  current(): Driver;
}

/** A base class that makes no object but takes the one it is given. */
const Given = class {
  constructor(handle: SourceHandle) {
    // biome-ignore lint/correctness/noConstructorReturn: that is what it is for
    return handle;
  }
} as new (
  handle: SourceHandle,
) => object;

/** The reach of a handle, which this module alone can read: a private field of the handle itself, since a WeakMap costs a µs for each. */
class Bound extends Given {
  readonly #reach: Reach;

  constructor(handle: SourceHandle, reach: Reach) {
    super(handle);
    this.#reach = reach;
  }

  static reachOf(handle: SourceHandle): Reach | undefined {
    return #reach in handle ? handle.#reach : undefined;
  }
}

const doors = new WeakMap<Sources, (sourceId: string) => Promise<Reach>>();

/** For `Sources`, when it opens a handle. */
export function bindHandle(handle: SourceHandle, reach: Reach): void {
  new Bound(handle, reach);
}

/** For `Sources`, when it is made: how a source’s driver is found for a signature that was verified. */
export function bindSources(sources: Sources, door: (sourceId: string) => Promise<Reach>): void {
  doors.set(sources, door);
}

/**
 * A temporary URL for one object; at once where the capability says `local`.
 * Errors: forbidden for a key outside of the handle’s place or a method that its action does not cover; those of Driver.presign.
 */
export function presignObject(handle: SourceHandle, request: ObjectRequest): TemporaryUrl | Promise<TemporaryUrl> {
  const needed: readonly Action[] = request.method === 'PUT' ? ['create', 'modify'] : ['download'];
  return reachObject(handle, request.key, needed).presign(request);
}

export function presignCapabilities(handle: SourceHandle): PresignCapabilities {
  const { presign, presignMaxSeconds, versions, publicUrls } = reachOf(handle).current().capabilities;
  return { presign, presignMaxSeconds, versions, publicUrls };
}

/** The source changed since the handle was opened: what it is asked is refused, and a handle that is opened now is not. */
export function isOutdated(handle: SourceHandle): boolean {
  return reachOf(handle).isReplaced;
}

/** The object as it is now, for drift. Errors: forbidden (see presignObject); object_not_found. */
export async function statObject(handle: SourceHandle, key: Key, options: StatOptions = {}): Promise<ObjectInfo> {
  return reachObject(handle, key, ['download', 'stat']).stat(key, options);
}

/** A page of all objects in the handle’s place, as they are now, for drift. Errors: forbidden (see presignObject). */
export async function listObjects(
  handle: SourceHandle,
  request: Pick<ListRequest, 'startAfter' | 'versions' | 'signal'>,
): Promise<ListPage> {
  const reach = reachOf(handle);
  if (handle.action !== 'download') throw new PackageRError('forbidden', undefined, { operation: 'sources.list' });
  return reach.current().list({ ...request, prefix: handle.path === root ? '' : `${handle.path}/` });
}

/** For HEAD of our own signed URLs. The caller has verified the signature. Errors: not_found for a source that is gone; object_not_found. */
export async function statSigned(sources: Sources, sourceId: string, key: Key, options: StatOptions = {}): Promise<ObjectInfo> {
  return (await driverBehind(sources, sourceId)).stat(key, options);
}

/** The twin of statSigned with the bytes. */
export async function readSigned(sources: Sources, sourceId: string, key: Key, options: ReadObjectOptions = {}): Promise<ObjectBody> {
  return (await driverBehind(sources, sourceId)).read(key, options);
}

/** For PUT of our own signed URLs: an object, or one part of an upload. Errors: unsupported where the source is read-only. */
export async function writeSigned(
  sources: Sources,
  sourceId: string,
  key: Key,
  body: AsyncIterable<Uint8Array>,
  options: WriteOptions & { readonly part?: { readonly upload: string; readonly number: number } | undefined } = {},
): Promise<ObjectInfo | UploadedPart> {
  const driver = await driverBehind(sources, sourceId);
  const { part, ...rest } = options;
  if (driver.write === undefined) throw new PackageRError('unsupported', 'This source is read-only.');
  if (part === undefined) return driver.write(key, body, rest);
  if (driver.multipart === undefined) throw new PackageRError('unsupported', 'This source takes no uploads in parts.');
  return driver.multipart.write(key, part.upload, part.number, body, rest);
}

function reachOf(handle: SourceHandle): Reach {
  const reach = Bound.reachOf(handle);
  if (reach === undefined) throw new PackageRError('forbidden', 'This handle was not opened by sources.');
  return reach;
}

/** The driver behind a handle, for one key and a use that one of these actions covers. For this folder only. Errors: forbidden. */
export function reachObject(handle: SourceHandle, key: Key, needed: readonly Action[]): Driver {
  const reach = reachOf(handle);
  if (!needed.includes(handle.action)) {
    throw new PackageRError('forbidden', `This handle was opened to ${handle.action}, which does not cover this.`, {
      operation: 'sources.presign',
    });
  }
  if (!isWithin(placeOfKey(key), handle.path)) {
    throw new PackageRError('forbidden', 'The object lies outside of what was opened.', { operation: 'sources.presign' });
  }
  return reach.current();
}

async function driverBehind(sources: Sources, sourceId: string): Promise<Driver> {
  const door = doors.get(sources);
  if (door === undefined) throw new PackageRError('forbidden', 'These sources are not open.');
  return (await door(sourceId)).current();
}
