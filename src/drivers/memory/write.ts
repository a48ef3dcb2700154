/** Writing to the memory store: collected first, then put in place at once. */
import { sizedBody } from '#drivers/bytes.ts';
import type { ObjectInfo, WriteOptions } from '#drivers/driver.ts';
import { objectExists } from '#drivers/memory/errors.ts';
import type { MemoryStore } from '#drivers/memory/store.ts';
import type { Key } from '#model/key.ts';

export async function writeMemory(
  store: MemoryStore,
  key: Key,
  body: AsyncIterable<Uint8Array>,
  options: WriteOptions,
): Promise<ObjectInfo> {
  const bytes = await collect(body, options);
  if (options.ifAbsent === true && store.has(key)) throw objectExists(key, 'memory.write');
  return store.put(key, bytes);
}

export async function collect(body: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of sizedBody(body, options)) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}
