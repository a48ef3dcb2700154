/** Reading from the memory store. */
import { throwIfAborted } from '#drivers/abort.ts';
import { clipRange } from '#drivers/bytes.ts';
import type { ObjectBody, ReadObjectOptions } from '#drivers/driver.ts';
import type { MemoryStore } from '#drivers/memory/store.ts';
import type { Key } from '#model/key.ts';

const chunkBytes = 65_536;

export function readMemory(store: MemoryStore, key: Key, options: ReadObjectOptions): ObjectBody {
  const { info, bytes } = store.get(key, options.version, 'memory.read');
  const { start, end } = clipRange(options.range, bytes.length);
  return { info, body: chunksOf(bytes.subarray(start, end), options.signal) };
}

async function* chunksOf(bytes: Buffer, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    throwIfAborted(signal);
    yield Uint8Array.prototype.slice.call(bytes, at, at + chunkBytes);
  }
}
