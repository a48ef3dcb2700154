/** Names and bytes of pointer files, as the peers are given them: ready made in a file, or from the rows of a frozen package. */
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import type { Pointer } from '#model/entry.ts';
import { root } from '#model/path.ts';
import { pointerPutter } from '#model/pointer-file.ts';
import { PackageTree } from '#packages/package-tree.ts';
import type { State } from '#state/state.ts';
import { makePointers } from '../size/entries.ts';

export interface Record {
  readonly name: string;
  readonly bytes: Buffer;
}

const head = 8;

/** `base`: of the share whose archive is compared, so that the texts are the same. */
export async function writeRecords(path: string, count: number, base: string): Promise<void> {
  const file = createWriteStream(path);
  const record = recordMaker(base);
  for await (const pointer of makePointers(count, 'tree')) {
    const { name: text, bytes } = record(pointer);
    const name = Buffer.from(text);
    const lengths = Buffer.alloc(head);
    lengths.writeUInt32LE(name.length, 0);
    lengths.writeUInt32LE(bytes.length, 4);
    if (!file.write(Buffer.concat([lengths, name, bytes]))) await once(file, 'drain');
  }
  file.end();
  await once(file, 'finish');
}

/** The first `count` of the first version of a package, in batches. */
export async function* readRows(state: State, id: number, base: string, count: number): AsyncGenerator<readonly Record[], void> {
  const { step } = await state.db
    .selectFrom('version')
    .select('step')
    .where('package', '=', id)
    .where('number', '=', 1)
    .executeTakeFirstOrThrow();
  const tree = new PackageTree({ state, package: id, step, frozen: true });
  const record = recordMaker(base);
  let left = count;
  for await (const leaves of tree.batches(root, { fields: 'pointers' })) {
    const records = leaves.slice(0, left).flatMap((leaf) => (leaf.kind === 'pointer' ? [record(leaf)] : []));
    yield records;
    left -= records.length;
    if (left === 0) return;
  }
}

function recordMaker(base: string): (pointer: Pointer) => Record {
  const { room, put } = pointerPutter(`${base}o/`);
  return (pointer) => {
    const block = Buffer.allocUnsafe(room(pointer));
    return { name: `${pointer.path}.pointer`, bytes: block.subarray(0, put(block, 0, pointer)) };
  };
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
