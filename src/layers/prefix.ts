/** A driver below a prefix: keys are relative to it, and nothing outside can be named or listed. */
import type { Driver, ListRequest, Multipart, ObjectInfo } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
import { encodeKey, type Key, keyLimits } from '#model/key.ts';

/** `below`: '' for all, else it ends in exactly one `/`. Errors: key_invalid for any other. */
export function prefix(driver: Driver, below: string): Driver {
  if (below === '') return driver;
  if (!below.endsWith('/') || below.endsWith('//') || below.startsWith('/') || below.includes('\0')) {
    throw new PackageRError('key_invalid', 'A prefix ends in exactly one slash and begins with none.', { operation: 'layers.prefix' });
  }
  const inward = (key: Key): Key => {
    const whole = (below + key) as Key;
    if (key === '' || encodeKey(whole).length > keyLimits.bytes) {
      throw new PackageRError('key_invalid', `With its prefix the key must have at most ${keyLimits.bytes} bytes.`);
    }
    return whole;
  };
  const strip = (key: string): string => {
    if (!key.startsWith(below)) throw new PackageRError('store_response', 'The store listed what lies outside of the prefix.');
    return key.slice(below.length);
  };
  const outward = (info: ObjectInfo): ObjectInfo => ({ ...info, key: strip(info.key) as Key });
  const { write, copy, delete: remove, multipart, cors } = driver;
  return {
    kind: driver.kind,
    capabilities: driver.capabilities,
    async list(request) {
      const { objects, prefixes, ...rest } = await driver.list(moved(request, below));
      const inside = objects.filter((info) => info.key !== below);
      return { ...rest, objects: inside.map(outward), prefixes: prefixes.map(strip) };
    },
    stat: async (key, options) => outward(await driver.stat(inward(key), options)),
    async read(key, options) {
      const { info, body } = await driver.read(inward(key), options);
      return { info: outward(info), body };
    },
    presign: (request) => driver.presign({ ...request, key: inward(request.key) }),
    ...(write && { write: async (key, body, options) => outward(await write.call(driver, inward(key), body, options)) }),
    ...(copy && { copy: async (from, to, options) => outward(await copy.call(driver, inward(from), inward(to), options)) }),
    ...(remove && { delete: async (key, options) => remove.call(driver, inward(key), options) }),
    ...(multipart && { multipart: prefixMultipart(multipart, inward, outward) }),
    ...(cors && { cors }),
    ...(driver.inspect && { inspect: (options) => driver.inspect?.({ ...options, prefix: below }) ?? Promise.resolve({}) }),
    ...(driver.close && { close: () => driver.close?.() ?? Promise.resolve() }),
  };
}

/** A cursor belongs to its whole prefix, so one of another place is refused below. */
function moved(request: ListRequest, below: string): ListRequest {
  const startAfter = request.startAfter === undefined ? {} : { startAfter: below + request.startAfter };
  return { ...request, prefix: below + request.prefix, ...startAfter };
}

function prefixMultipart(inner: Multipart, inward: (key: Key) => Key, outward: (info: ObjectInfo) => ObjectInfo): Multipart {
  return {
    limits: inner.limits,
    create: async (key, options) => inner.create(inward(key), options),
    list: async (key, upload, options) => inner.list(inward(key), upload, options),
    write: async (key, upload, part, body, options) => inner.write(inward(key), upload, part, body, options),
    complete: async (key, upload, parts, options) => outward(await inner.complete(inward(key), upload, parts, options)),
    abort: async (key, upload, options) => inner.abort(inward(key), upload, options),
  };
}
