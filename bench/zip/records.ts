/** Names and bytes of pointer files, ready made in a file: what the peers are given, so that they read nothing else and make no text. */
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { pointerWriter } from '#model/pointer-file.ts';
import { makePointers } from '../size/entries.ts';

export interface Record {
  readonly name: string;
  readonly bytes: Buffer;
}

const head = 8;

/** `base`: of the share whose archive is compared, so that the texts are the same. */
export async function writeRecords(path: string, count: number, base: string): Promise<void> {
  const write = pointerWriter(`${base}o/`);
  const file = createWriteStream(path);
  for await (const pointer of makePointers(count, 'tree')) {
    const [name, bytes] = [Buffer.from(`${pointer.path}.pointer`), Buffer.from(write(pointer))];
    const lengths = Buffer.alloc(head);
    lengths.writeUInt32LE(name.length, 0);
    lengths.writeUInt32LE(bytes.length, 4);
    if (!file.write(Buffer.concat([lengths, name, bytes]))) await once(file, 'drain');
  }
  file.end();
  await once(file, 'finish');
}

/** The first `count`, in batches. */
export async function* readRecords(path: string, count: number): AsyncGenerator<readonly Record[], void> {
  let rest: Buffer = Buffer.alloc(0);
  let left = count;
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
    const bytes = Buffer.concat([rest, chunk]);
    const records: Record[] = [];
    let at = 0;
    while (left > 0 && at + head <= bytes.length) {
      const nameEnd = at + head + bytes.readUInt32LE(at);
      const end = nameEnd + bytes.readUInt32LE(at + 4);
      if (end > bytes.length) break;
      records.push({ name: bytes.toString('utf8', at + head, nameEnd), bytes: bytes.subarray(nameEnd, end) });
      at = end;
      left -= 1;
    }
    yield records;
    if (left === 0) return;
    rest = bytes.subarray(at);
  }
}
