/**
 * `package.zip`: texts as bytes, inline objects as bytes while they are few, pointer files for the rest, checksum lists, and what it takes
 * to exchange the pointers in place. The bytes of a frozen tree are always the same, and their length is known before the first.
 */
import { crc32 } from 'node:zlib';
import { PackageRError } from '#errors/error.ts';
import { etagOf, gather, sliceBytes } from '#exports/body.ts';
import type { Export, ExportRequest } from '#exports/export.ts';
import { openSelection, stopIfAborted } from '#exports/selection.ts';
import { readItem } from './items.ts';
import { planZip, type ZipPlan } from './plan.ts';
import { repeatable } from './snapshot.ts';
import { localLength, toStamp, writeCentralHeader, writeEnd, writeLocalHeader, type ZipMember } from './zip-format.ts';

const chunkSize = 64 * 1024;

export const zipExport: Export = {
  name: 'package.zip',
  title: 'ZIP archive: texts, pointers, checksums',
  action: 'download',
  async open(request) {
    const selection = await repeatable(await openSelection(request), request.tree.frozen);
    const plan = await planZip(selection, request);
    const { size } = plan;
    return {
      contentType: 'application/zip',
      fileName: nameArchive(request),
      size,
      ...etagOf('package.zip', request),
      read(range = { start: 0, end: size }) {
        if (!(0 <= range.start && range.start <= range.end && range.end <= size)) throw new PackageRError('range_invalid');
        return sliceBytes(gatherBytes(writeZip(plan, request)), range.start, range.end);
      },
    };
  },
};

function nameArchive({ about }: ExportRequest): string {
  const title = about.title.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[-.]+|[-.]+$/g, '') || 'package';
  return `${title.slice(0, 100)}${about.version === undefined ? '' : `-${about.version}`}.zip`;
}

async function* writeZip(plan: ZipPlan, request: ExportRequest): AsyncGenerator<Buffer, void, undefined> {
  const stamp = toStamp(request.about.at);
  const crcs = new NumberList();
  const sizes = new NumberList();
  for await (const item of plan.items()) {
    stopIfAborted(request.signal);
    const bytes = await readItem(item, request);
    const member: ZipMember = { name: Buffer.from(item.name), size: bytes.length, crc: crc32(bytes) };
    crcs.push(member.crc);
    sizes.push(member.size);
    yield writeLocalHeader(member, stamp);
    yield bytes;
  }
  for (const extra of plan.extras) {
    yield writeLocalHeader(extra, stamp);
    yield* gather(extra.lines(), request.signal);
  }
  let index = 0;
  let offset = 0;
  for await (const { name } of plan.items()) {
    const member: ZipMember = { name: Buffer.from(name), size: sizes.at(index), crc: crcs.at(index) };
    yield writeCentralHeader(member, offset, stamp);
    offset += localLength(member);
    index += 1;
  }
  for (const extra of plan.extras) {
    yield writeCentralHeader(extra, offset, stamp);
    offset += localLength(extra);
  }
  yield writeEnd(plan.directory);
}

/** Small pieces joined to chunks of about 64 KiB. */
async function* gatherBytes(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const piece of pieces) {
    parts.push(piece);
    length += piece.length;
    if (length < chunkSize) continue;
    yield Buffer.concat(parts);
    parts = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(parts);
}

/** 32-bit numbers, four bytes each: size and CRC are all that is kept of a member between its bytes and its record in the directory. */
class NumberList {
  #numbers = new Uint32Array(1024);
  #length = 0;

  push(number: number): void {
    if (this.#length === this.#numbers.length) {
      const larger = new Uint32Array(this.#length * 2);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.#length++] = number;
  }

  at(index: number): number {
    return this.#numbers[index] ?? 0;
  }
}
