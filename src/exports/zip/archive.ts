/** The bytes of an archive as it was planned, from any offset on: each section of it is made by itself, from the nearest waypoint before. */
import { crc32 } from 'node:zlib';
import { PackageRError } from '#errors/error.ts';
import type { ExportRequest } from '#exports/export.ts';
import { Packer } from '#exports/packer.ts';
import { type Selection, type SelectionOptions, stopIfAborted } from '#exports/selection.ts';
import { type Item, Itemizer, putPointers, readItem } from './items.ts';
import { type ListName, linePutters } from './lists.ts';
import { fieldsOf, type Part, type Waypoint, type ZipPlan } from './plan.ts';
import {
  headerRoom,
  localLength,
  putCentralHeader,
  putLocalHeader,
  toStamp,
  writeEnd,
  type ZipMember,
  type ZipStamp,
} from './zip-format.ts';

interface Section {
  readonly length: number;
  /** Bytes that begin `at`, which is at or before `from`. */
  read(from: number): { readonly at: number; readonly bytes: AsyncIterable<Buffer> };
}

export class Archive {
  readonly #plan: ZipPlan;
  readonly #selection: Selection;
  readonly #request: ExportRequest;
  readonly #stamp: ZipStamp;

  constructor(plan: ZipPlan, selection: Selection, request: ExportRequest) {
    this.#plan = plan;
    this.#selection = selection;
    this.#request = request;
    this.#stamp = toStamp(request.about.at);
  }

  /** Bytes [start, end). Errors: drifted, internal where the tree is not what was planned, cancelled. */
  async *read(start: number, end: number): AsyncGenerator<Buffer, void, undefined> {
    let at = 0;
    for (const section of this.#sections()) {
      const [from, to] = [Math.max(start - at, 0), Math.min(end - at, section.length)];
      if (from < to) yield* slice(section.read(from), from, to);
      at += section.length;
    }
  }

  /** Reads all that goes in as it is: texts and inline objects. Errors: those of the tree, which may count what is read. */
  async readFiles(): Promise<void> {
    let index = 0;
    for await (const items of this.#walk(this.#plan.waypoints[0] as Waypoint, 'names')) {
      for (const item of items) {
        if (!item.isPointer) await this.#learnCrc(item, index);
        index += 1;
      }
    }
  }

  #sections(): Section[] {
    const { extras, directory } = this.#plan;
    const contents = extras.flatMap((extra) => [
      constant(this.#localHeader(extra)),
      'list' in extra.content ? this.#list(extra.content.list) : constant(Buffer.from(extra.content.text)),
    ]);
    const end = Buffer.concat([...this.#extraRecords(), writeEnd(directory)]);
    return [
      this.#part('items', (from) => this.#items(from)),
      ...contents,
      this.#part('central', (from) => this.#central(from)),
      constant(end),
    ];
  }

  #part(part: Part, write: (from: Waypoint) => AsyncIterable<Buffer>): Section {
    const { waypoints, lengths } = this.#plan;
    return {
      length: lengths[part],
      read(from) {
        const waypoint = waypoints.findLast(({ at }) => at[part] <= from) as Waypoint;
        return { at: waypoint.at[part], bytes: write(waypoint) };
      },
    };
  }

  async *#items(from: Waypoint): AsyncGenerator<Buffer, void, undefined> {
    const { facts } = this.#plan;
    const putPointer = putPointers(this.#request);
    const packer = new Packer();
    let index = from.index;
    for await (const items of this.#walk(from, fieldsOf(this.#request))) {
      for (const item of items) {
        const { name, tail, leaf } = item;
        const size = facts.sizeOf(index);
        if (item.isPointer && leaf.kind === 'pointer') {
          const member = { name, tail, size, crc: facts.crcOf(index) as number };
          packer.put(headerRoom(name, tail), (chunk, at) => putLocalHeader(chunk, at, member, this.#stamp));
          const before = packer.length;
          putPointer(packer, leaf);
          if (packer.length - before !== size) throw changed();
        } else {
          const bytes = await readItem(item, this.#request);
          if (bytes.length !== size) throw changed();
          const member = { name, size, crc: crc32(bytes) };
          facts.tellCrc(index, member.crc);
          packer.put(headerRoom(name), (chunk, at) => putLocalHeader(chunk, at, member, this.#stamp));
          yield packer.take();
          yield bytes;
        }
        index += 1;
        if (packer.isFull) yield packer.take();
      }
    }
    yield packer.take();
  }

  #list(list: ListName): Section {
    const putLine = linePutters(this.#plan.least)[list];
    const write = async function* (batches: AsyncIterable<readonly Item[]>) {
      const packer = new Packer();
      for await (const items of batches) {
        for (const item of items) {
          putLine(packer, item);
          if (packer.isFull) yield packer.take();
        }
      }
      yield packer.take();
    };
    return this.#part(list, (from) => write(this.#walk(from, 'sums')));
  }

  async *#central(from: Waypoint): AsyncGenerator<Buffer, void, undefined> {
    const { facts } = this.#plan;
    const packer = new Packer();
    let index = from.index;
    let offset = from.at.items;
    for await (const items of this.#walk(from, 'names')) {
      for (const item of items) {
        const { name, tail } = item;
        const size = facts.sizeOf(index);
        const crc = facts.crcOf(index) ?? (await this.#learnCrc(item, index));
        const member = { name, tail, size, crc, offset };
        let length = 0;
        packer.put(headerRoom(name, tail), (chunk, at) => {
          const end = putCentralHeader(chunk, at, member, this.#stamp);
          length = chunk.readUInt16LE(at + 28);
          return end;
        });
        offset += localLength(length, size);
        index += 1;
        if (packer.isFull) yield packer.take();
      }
    }
    yield packer.take();
  }

  /** Of an item whose bytes were not read before, as this part alone was asked for. */
  async #learnCrc(item: Item, index: number): Promise<number> {
    const crc = crc32(await readItem(item, this.#request));
    this.#plan.facts.tellCrc(index, crc);
    return crc;
  }

  async *#walk({ after, inline }: Waypoint, fields: SelectionOptions['fields']): AsyncGenerator<readonly Item[], void, undefined> {
    const itemizer = new Itemizer(this.#plan.names, inline);
    for await (const leaves of this.#selection.batches({ after, fields })) {
      stopIfAborted(this.#request.signal);
      yield leaves.map((leaf) => itemizer.take(leaf));
    }
  }

  #localHeader(member: ZipMember): Buffer {
    const header = Buffer.alloc(headerRoom(member.name));
    return header.subarray(0, putLocalHeader(header, 0, member, this.#stamp));
  }

  #extraRecords(): Buffer[] {
    const { extras, lengths } = this.#plan;
    let offset = lengths.items;
    return extras.map((extra) => {
      const record = Buffer.alloc(headerRoom(extra.name));
      const end = putCentralHeader(record, 0, { ...extra, offset }, this.#stamp);
      offset += localLength(Buffer.byteLength(extra.name), extra.size);
      return record.subarray(0, end);
    });
  }
}

function constant(bytes: Buffer): Section {
  return {
    length: bytes.length,
    read: () => ({
      at: 0,
      bytes: (async function* () {
        yield bytes;
      })(),
    }),
  };
}

/** Bytes [from, to) of a section; stops as soon as `to` is reached. Errors: internal where it ends before. */
async function* slice({ at, bytes }: ReturnType<Section['read']>, from: number, to: number): AsyncGenerator<Buffer, void, undefined> {
  let begin = at;
  for await (const chunk of bytes) {
    const [first, last] = [Math.max(from - begin, 0), Math.min(to - begin, chunk.length)];
    begin += chunk.length;
    if (first < last) yield chunk.subarray(first, last);
    if (begin >= to) return;
  }
  throw changed();
}

function changed(): PackageRError {
  return new PackageRError('internal', 'The tree of an archive is no longer what was planned.', { operation: 'zip.read' });
}
