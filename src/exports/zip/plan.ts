/**
 * The first walk of an archive: sizes and offsets of all that goes in, so that its length is known before a byte is read and any part of
 * it can be made without what stands before. A plan holds no leaves: nine bytes an item, and a waypoint for every few thousand.
 */
import { crc32 } from 'node:zlib';
import { PackageRError } from '#errors/error.ts';
import type { ExportRequest } from '#exports/export.ts';
import { Packer } from '#exports/packer.ts';
import type { Selection } from '#exports/selection.ts';
import { parseEvidence } from '#exports/vouched.ts';
import type { Evidence } from '#model/checksum.ts';
import type { Path } from '#model/path.ts';
import { withoutTicket } from '#model/pointer-file.ts';
import { writeFetchScript } from './fetch-script.ts';
import { ItemFacts } from './item-facts.ts';
import { type InlineLimit, type Item, Itemizer, parseInline, putPointers } from './items.ts';
import { type ListName, linePutters, listNames, type PutLine } from './lists.ts';
import { chooseNames, type MemberNames, SeenNames, TakenNames } from './names.ts';
import { writeReadme } from './readme.ts';
import { centralLength, localLength, writeEnd, type ZipDirectory, type ZipMember } from './zip-format.ts';

/** What of an archive grows with its items: the items themselves, the lists that follow, their records in the central directory. */
export type Part = 'items' | ListName | 'central';

/** Bytes of each part. */
export type Lengths = Readonly<Record<Part, number>>;

/** Where a walk may begin that is to write a part from there on. */
export interface Waypoint {
  /** The last path before it; undefined at the beginning. */
  readonly after: Path | undefined;
  /** Of the first item. */
  readonly index: number;
  readonly inline: InlineLimit;
  /** Of each part, before it. */
  readonly at: Lengths;
}

/** A member that packageR adds. */
export interface Extra extends ZipMember {
  /** A text, or a list that is written from the items. */
  readonly content: { readonly text: string } | { readonly list: ListName };
}

export interface ZipPlan {
  readonly least: Evidence;
  readonly names: MemberNames;
  readonly facts: ItemFacts;
  /** In order; the first is the beginning. */
  readonly waypoints: readonly Waypoint[];
  readonly lengths: Lengths;
  /** They follow the items. */
  readonly extras: readonly Extra[];
  readonly directory: ZipDirectory;
  /** Bytes of the whole archive. */
  readonly size: number;
}

const itemsPerWaypoint = 4000;

/** `selection` must be repeatable. Errors: request_invalid, cancelled. */
export async function planZip(selection: Selection, request: ExportRequest): Promise<ZipPlan> {
  const settings = { least: parseEvidence(request.query), inline: parseInline(request.query) };
  const draft = await measure(selection, request, { ...settings, names: chooseNames(new SeenNames()) });
  if (draft.taken.isEmpty) return finish(draft, request);
  return finish(await measure(selection, request, { ...settings, names: chooseNames(draft.taken) }), request);
}

interface Settings {
  readonly least: Evidence;
  readonly inline: InlineLimit;
  readonly names: MemberNames;
}

type Draft = Awaited<ReturnType<typeof measure>>;

async function measure(selection: Selection, request: ExportRequest, { least, inline, names }: Settings) {
  const [taken, facts, itemizer] = [new TakenNames(), new ItemFacts(), new Itemizer(names, inline)];
  const [putPointer, lines, pointer] = [putPointers(request), linePutters(least), new Tally()];
  const tallies = { list: new Tally(), sha256: new Tally(), md5: new Tally() };
  let [items, central, pointers, bytes] = [0, 0, 0, 0];
  const lengths = (): Lengths => ({ items, central, list: tallies.list.size, sha256: tallies.sha256.size, md5: tallies.md5.size });
  const waypoints: Waypoint[] = [{ after: undefined, index: 0, inline, at: lengths() }];
  let next = itemsPerWaypoint;
  for await (const leaves of selection.batches({ fields: fieldsOf(request) })) {
    for (const leaf of leaves) {
      taken.see(leaf.path);
      const item = itemizer.take(leaf);
      let size = leaf.size;
      if (item.isPointer && leaf.kind === 'pointer') {
        pointer.clear();
        putPointer(pointer.packer, leaf);
        size = pointer.size;
        facts.push(size, pointer.crc);
        pointers += 1;
        bytes += leaf.size;
      } else facts.push(checkSize(size), undefined);
      const name = Buffer.byteLength(item.name) + item.tail.length;
      central += centralLength(name, size, items);
      items += localLength(name, size);
      for (const list of listNames) tallies[list].add(lines[list], item);
    }
    if (facts.length < next) continue;
    waypoints.push({ after: leaves.at(-1)?.path, index: facts.length, inline: itemizer.inline, at: lengths() });
    next = facts.length + itemsPerWaypoint;
  }
  return { least, names, taken: taken.names, facts, waypoints, lengths: lengths(), tallies, pointers, bytes };
}

/** What of a leaf its pointer file, and its lines, are made of. */
export function fieldsOf({ location }: ExportRequest): 'pointers' | undefined {
  return location === undefined ? 'pointers' : undefined;
}

function checkSize(size: number): number {
  if (size > 0xffffffff) throw new PackageRError('too_large', 'A text of 4 GiB or more does not go into an archive.');
  return size;
}

/** Adds what follows the items. */
function finish({ pointers, bytes, tallies, ...plan }: Draft, request: ExportRequest): ZipPlan {
  const { names, facts, lengths } = plan;
  const base = withoutTicket(request.base);
  const sums = (['sha256', 'md5'] as const).filter((list) => tallies[list].size > 0).map((list) => names.extras[list]);
  const readme = writeReadme({
    about: request.about,
    base,
    names: names.extras,
    files: facts.length - pointers,
    pointers,
    bytes,
    sums,
  });
  const script = pointers > 0 ? writeFetchScript(names.extras, base) : '';
  const all: Extra[] = [
    constant(names.extras.readme, readme),
    constant(names.extras.script, script),
    ...listNames.map((list) => ({ name: names.extras[list], size: tallies[list].size, crc: tallies[list].crc, content: { list } })),
  ];
  const extras = all.filter(({ size }) => size > 0);
  let [offset, length] = [lengths.items, lengths.central];
  for (const { name, size } of extras) {
    length += centralLength(Buffer.byteLength(name), size, offset);
    offset += localLength(Buffer.byteLength(name), size);
  }
  const directory = { count: facts.length + extras.length, offset, length };
  return { ...plan, extras, directory, size: offset + length + writeEnd(directory).length };
}

function constant(name: string, text: string): Extra {
  return { name, size: Buffer.byteLength(text), crc: crc32(text), content: { text } };
}

/** Size and CRC of bytes that are never held. */
class Tally {
  readonly packer: Packer = new Packer();
  #size = 0;
  #crc = 0;

  get size(): number {
    this.#settle();
    return this.#size;
  }

  get crc(): number {
    this.#settle();
    return this.#crc;
  }

  add(put: PutLine, item: Item): void {
    put(this.packer, item);
    if (this.packer.isFull) this.#settle();
  }

  clear(): void {
    this.#size = 0;
    this.#crc = 0;
  }

  #settle(): void {
    if (this.packer.length === 0) return;
    this.packer.look((bytes) => {
      this.#size += bytes.length;
      this.#crc = crc32(bytes, this.#crc);
    });
  }
}
