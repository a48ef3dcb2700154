/** The first walk of an archive: names, sizes and offsets of all that goes in, so that its length is known before a byte is read. */
import { crc32 } from 'node:zlib';
import type { ExportRequest } from '#exports/export.ts';
import { sumLine } from '#exports/lists/sums.ts';
import type { Selection } from '#exports/selection.ts';
import { findVouched, parseEvidence } from '#exports/vouched.ts';
import type { ChecksumAlgorithm, Evidence } from '#model/checksum.ts';
import { withoutTicket } from '#model/pointer-file.ts';
import { writeFetchLine, writeFetchScript } from './fetch-script.ts';
import { type Item, parseInline, sizeItem, walkItems } from './items.ts';
import { chooseNames, type ExtraNames } from './names.ts';
import { writeReadme } from './readme.ts';
import { centralLength, localLength, writeEnd, type ZipDirectory, type ZipMember } from './zip-format.ts';

/** A member that packageR adds; its text is made again when it is written. */
interface Extra extends ZipMember {
  lines(): AsyncIterable<string>;
}

export interface ZipPlan {
  /** Files of the package, in path order. */
  items(): AsyncGenerator<Item, void, undefined>;
  /** They follow the items. */
  readonly extras: readonly Extra[];
  readonly directory: ZipDirectory;
  /** Bytes of the whole archive. */
  readonly size: number;
}

/** `selection` must be repeatable. Errors: request_invalid, cancelled. */
export async function planZip(selection: Selection, request: ExportRequest): Promise<ZipPlan> {
  const least = parseEvidence(request.query);
  const inline = parseInline(request.query);
  const names = await chooseNames(selection);
  const items = () => walkItems(selection, names, inline);
  const layout = new Layout();
  const extras = await planExtras({ request, names: names.extras, least, items }, layout);
  for (const extra of extras) layout.add(extra);
  const directory = layout.directory;
  return { items, extras, directory, size: directory.offset + directory.length + writeEnd(directory).length };
}

/** Offsets and the length of the central directory, as members are added. */
class Layout {
  #count = 0;
  #offset = 0;
  #length = 0;

  add(member: Pick<ZipMember, 'name' | 'size'>): void {
    this.#count += 1;
    this.#length += centralLength(member, this.#offset);
    this.#offset += localLength(member);
  }

  get directory(): ZipDirectory {
    return { count: this.#count, offset: this.#offset, length: this.#length };
  }
}

interface Draft {
  readonly request: ExportRequest;
  readonly names: ExtraNames;
  readonly least: Evidence;
  items(): AsyncIterable<Item>;
}

/** Adds all items to the layout, and gives what is to follow them. */
async function planExtras({ request, names, least, items }: Draft, layout: Layout): Promise<Extra[]> {
  const [list, sha256, md5] = [new Tally(), new Tally(), new Tally()];
  let [files, pointers, bytes] = [0, 0, 0];
  for await (const item of items()) {
    layout.add({ name: Buffer.from(item.name), size: sizeItem(item, request) });
    sha256.add(itemSum(item, 'sha256', least));
    md5.add(itemSum(item, 'md5', least));
    list.add(fetchLine(item, least));
    if (!item.isPointer) files += 1;
    else {
      pointers += 1;
      bytes += item.leaf.size;
    }
  }
  const base = withoutTicket(request.base);
  const sums = [...(sha256.size > 0 ? [names.sha256] : []), ...(md5.size > 0 ? [names.md5] : [])];
  const readme = writeReadme({ about: request.about, base, names, files, pointers, bytes, sums });
  const script = pointers > 0 ? writeFetchScript(names, base) : '';
  const extras = [
    constant(names.readme, readme),
    constant(names.script, script),
    list.close(names.list, () => fetchLines(items(), least)),
    sha256.close(names.sha256, () => itemSums(items(), 'sha256', least)),
    md5.close(names.md5, () => itemSums(items(), 'md5', least)),
  ];
  return extras.filter(({ size }) => size > 0);
}

/** Size and CRC of a text that is never held. */
class Tally {
  #size = 0;
  #crc = 0;

  get size(): number {
    return this.#size;
  }

  add(text: string): void {
    if (text === '') return;
    this.#size += Buffer.byteLength(text);
    this.#crc = crc32(text, this.#crc);
  }

  close(name: string, lines: () => AsyncIterable<string>): Extra {
    return { name: Buffer.from(name), size: this.#size, crc: this.#crc, lines };
  }
}

function constant(name: string, text: string): Extra {
  const tally = new Tally();
  tally.add(text);
  return tally.close(name, async function* () {
    yield text;
  });
}

async function* fetchLines(items: AsyncIterable<Item>, least: Evidence): AsyncGenerator<string, void, undefined> {
  for await (const item of items) yield fetchLine(item, least);
}

function fetchLine({ leaf, place, name, isPointer }: Item, least: Evidence): string {
  if (!isPointer) return '';
  return writeFetchLine(leaf.size, findVouched(leaf, ['sha256', 'md5'], least), leaf.path, { place, pointer: name });
}

async function* itemSums(
  items: AsyncIterable<Item>,
  algorithm: ChecksumAlgorithm,
  least: Evidence,
): AsyncGenerator<string, void, undefined> {
  for await (const item of items) yield itemSum(item, algorithm, least);
}

function itemSum({ leaf, place }: Item, algorithm: ChecksumAlgorithm, least: Evidence): string {
  return sumLine({ ...leaf, path: place }, algorithm, least);
}
