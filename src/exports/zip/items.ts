/** The files of the package as members of the archive: texts and a bounded number of inline objects as bytes, all else as pointer files. */
import { PackageRError } from '#errors/error.ts';
import type { ExportRequest } from '#exports/export.ts';
import type { Packer } from '#exports/packer.ts';
import type { Leaf, Pointer } from '#model/entry.ts';
import type { Path } from '#model/path.ts';
import { pointerPutter, withoutTicket } from '#model/pointer-file.ts';
import { readAll } from '#model/tree.ts';
import { type MemberNames, pointerSuffix } from './names.ts';
import type { Tail } from './zip-format.ts';

export interface Item {
  readonly leaf: Leaf;
  /** Where the file lies once it is there. */
  readonly place: Path;
  /** Of the member, without the tail: the place, as a rule. */
  readonly name: string;
  /** Follows the name of a pointer file, which stands for the file. */
  readonly tail: Tail;
  readonly isPointer: boolean;
}

const pointerTail: Tail = Buffer.from(pointerSuffix);
const noTail: Tail = Buffer.alloc(0);

/** How many inline objects go in as bytes, in path order, until one of these is reached; those behind it are pointer files. */
export interface InlineLimit {
  readonly count: number;
  /** Bytes together. */
  readonly bytes: number;
}

const inlineDefault: InlineLimit = { count: 1000, bytes: 64 * 1024 * 1024 };

/** `?inline=none`, or a number of objects up to 100,000. Errors: request_invalid. */
export function parseInline(query: ExportRequest['query']): InlineLimit {
  const text = query['inline'];
  if (text === undefined) return inlineDefault;
  const count = text === 'none' ? 0 : /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count <= 100_000)) throw new PackageRError('request_invalid', '“inline” is “none” or an integer up to 100000.');
  return { count, bytes: inlineDefault.bytes };
}

/** Makes items of the leaves of a selection, which it must be given in path order; the same each time. */
export class Itemizer {
  readonly #names: MemberNames;
  #inline: InlineLimit;

  /** `inline`: what is left of the limit where the leaves begin. */
  constructor(names: MemberNames, inline: InlineLimit) {
    this.#names = names;
    this.#inline = inline;
  }

  get inline(): InlineLimit {
    return this.#inline;
  }

  take(leaf: Leaf): Item {
    const isPointer = leaf.kind === 'pointer' && !(leaf.inline && this.#fits(leaf.size));
    const place = this.#names.placeFor(leaf.path);
    return { leaf, place, name: isPointer ? this.#names.stemFor(leaf.path) : place, tail: isPointer ? pointerTail : noTail, isPointer };
  }

  #fits(size: number): boolean {
    const { count, bytes } = this.#inline;
    const fits = count > 0 && size <= bytes;
    if (count > 0) this.#inline = { count: fits ? count - 1 : 0, bytes: bytes - size };
    return fits;
  }
}

/** Puts the pointer files of a request into a packer. */
export function putPointers({ base, location }: ExportRequest): (packer: Packer, leaf: Pointer) => void {
  const { room, put } = pointerPutter(`${withoutTicket(base)}o/`);
  return (packer, leaf) => {
    const pointer = location === undefined ? leaf : { ...leaf, location: location(leaf) };
    packer.put(room(pointer), (chunk, at) => put(chunk, at, pointer));
  };
}

/** The bytes of an item that is no pointer file. Errors: drifted where an inline object is no longer as long as was stated. */
export async function readItem({ leaf }: Item, { tree, signal }: ExportRequest): Promise<Buffer> {
  const bytes = await readAll(tree.read(leaf.path, { signal }), leaf.size).catch((error: unknown) => {
    throw error instanceof PackageRError && error.code === 'too_large' ? changed(leaf.path) : error;
  });
  if (bytes.length !== leaf.size) throw changed(leaf.path);
  return bytes;
}

function changed(path: Path): PackageRError {
  return new PackageRError('drifted', `${JSON.stringify(path)} is no longer as long as it was.`, { operation: 'zip.read' });
}
