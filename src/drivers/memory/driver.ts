/** The memory driver: the reference for the contract, for tests and demos. What it holds ends with the process. */
import { throwIfAborted } from '#drivers/abort.ts';
import type { Capabilities } from '#drivers/capability.ts';
import type { Driver, DriverContext } from '#drivers/driver.ts';
import { localUrlMaxSeconds, presignLocally } from '#drivers/local-url.ts';
import { listMemory } from '#drivers/memory/list.ts';
import { memoryMultipart } from '#drivers/memory/multipart.ts';
import { readMemory } from '#drivers/memory/read.ts';
import { MemoryStore } from '#drivers/memory/store.ts';
import { writeMemory } from '#drivers/memory/write.ts';
import { parseKey } from '#model/key.ts';

export interface MemorySettings {
  readonly versions: boolean;
}

export function openMemory(settings: MemorySettings, context: DriverContext): Driver {
  const store = new MemoryStore(context.clock, settings.versions);
  const capabilities: Capabilities = {
    presign: 'local',
    presignMaxSeconds: localUrlMaxSeconds,
    write: true,
    copy: true,
    delete: true,
    multipart: true,
    versions: settings.versions,
    checksums: ['md5', 'sha256'],
    keyCase: 'exact',
    publicUrls: false,
    cors: false,
    ordered: true,
  };
  return {
    kind: 'memory',
    capabilities,
    async list(request) {
      throwIfAborted(request.signal);
      return listMemory(store, request);
    },
    async stat(key, options = {}) {
      throwIfAborted(options.signal);
      return store.get(key, options.version, 'memory.stat').info;
    },
    async read(key, options = {}) {
      throwIfAborted(options.signal);
      return readMemory(store, key, options);
    },
    presign: (request) => presignLocally(request, capabilities, context),
    write: async (key, body, options = {}) => writeMemory(store, parseKey(key), body, options),
    async copy(from, to, options = {}) {
      throwIfAborted(options.signal);
      return store.put(parseKey(to), store.get(from, options.version, 'memory.copy').bytes);
    },
    async delete(key, options = {}) {
      throwIfAborted(options.signal);
      store.delete(key, options.version);
    },
    multipart: memoryMultipart(store),
  };
}
