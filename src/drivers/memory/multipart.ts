/** Uploads in parts to the memory store. A finished or aborted upload is forgotten, so that completion happens once. */
import { createHash } from 'node:crypto';
import { throwIfAborted } from '#drivers/abort.ts';
import type { Multipart, UploadedPart } from '#drivers/driver.ts';
import { objectExists, partRefused, uploadNotFound } from '#drivers/memory/errors.ts';
import type { MemoryStore } from '#drivers/memory/store.ts';
import { collect } from '#drivers/memory/write.ts';
import { randomId } from '#model/clock.ts';
import type { Key } from '#model/key.ts';

interface Upload {
  readonly key: Key;
  readonly parts: Map<number, { readonly bytes: Buffer; readonly etag: string }>;
}

const limits = { minPartBytes: 1024, maxParts: 10_000 } as const;

export function memoryMultipart(store: MemoryStore): Multipart {
  const uploads = new Map<string, Upload>();
  const get = (key: Key, id: string, operation: string): Upload => {
    const upload = uploads.get(id);
    if (upload === undefined || upload.key !== key) throw uploadNotFound(key, operation);
    return upload;
  };
  return {
    limits,
    async create(key, options) {
      throwIfAborted(options?.signal);
      const id = randomId();
      uploads.set(id, { key, parts: new Map() });
      return id;
    },
    async list(key, id, options) {
      throwIfAborted(options?.signal);
      const { parts } = get(key, id, 'memory.multipart.list');
      return [...parts].map(([number, { bytes, etag }]) => ({ number, etag, size: bytes.length })).sort((a, b) => a.number - b.number);
    },
    async write(key, id, number, body, options = {}) {
      get(key, id, 'memory.multipart.write');
      if (!Number.isInteger(number) || number < 1 || number > limits.maxParts) {
        throw partRefused(`Parts are numbered 1 to ${limits.maxParts}.`, 'memory.multipart.write');
      }
      const bytes = await collect(body, options);
      const etag = createHash('md5').update(bytes).digest('hex');
      get(key, id, 'memory.multipart.write').parts.set(number, { bytes, etag });
      return { number, etag, size: bytes.length };
    },
    async complete(key, id, parts, options = {}) {
      throwIfAborted(options.signal);
      const bytes = join(get(key, id, 'memory.multipart.complete'), parts);
      if (options.size !== undefined && options.size !== bytes.length) {
        throw partRefused(`The parts hold ${bytes.length} bytes, not ${options.size}.`, 'memory.multipart.complete');
      }
      if (options.ifAbsent === true && store.has(key)) throw objectExists(key, 'memory.multipart.complete');
      uploads.delete(id);
      const etags = createHash('md5');
      for (const part of parts) etags.update(part.etag, 'hex');
      return store.put(key, bytes, `${etags.digest('hex')}-${parts.length}`);
    },
    async abort(key, id, options) {
      throwIfAborted(options?.signal);
      if (uploads.get(id)?.key === key) uploads.delete(id);
    },
  };
}

function join(upload: Upload, parts: readonly UploadedPart[]): Buffer {
  const operation = 'memory.multipart.complete';
  if (parts.length === 0) throw partRefused('An upload has at least one part.', operation);
  const all = parts.map((part, index) => {
    const arrived = upload.parts.get(part.number);
    if (arrived === undefined || arrived.etag !== part.etag) throw partRefused(`Part ${part.number} has not arrived as stated.`, operation);
    if (part.number <= (parts[index - 1]?.number ?? 0)) throw partRefused('Parts are stated in rising order.', operation);
    if (index < parts.length - 1 && arrived.bytes.length < limits.minPartBytes) {
      throw partRefused(`Part ${part.number} is smaller than ${limits.minPartBytes} bytes.`, operation);
    }
    return arrived.bytes;
  });
  return Buffer.concat(all);
}
