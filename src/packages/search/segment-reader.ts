/** Reads one segment: the blocks that may hold hits, and from them the paths that are hits, in order. */
import { ancestorsOf, compareBytes, isWithin, type Path, root } from '#model/path.ts';
import type { Sieve, Terms } from '#model/sieve.ts';
import type { Turn } from '#model/turn.ts';
import { BlockSet } from './blocks.ts';
import { type CodeRange, type Field, rangesOf } from './grams.ts';
import type { IndexReads } from './index-reads.ts';
import type { Segment } from './segments.ts';

/** A leaf that may be a hit, or that lies in folders that may be. */
export interface Candidate {
  readonly path: Path;
  /** Folders that match, outermost first: the leaf is the first of each in its segment. */
  readonly folders: readonly Path[];
}

/** Blocks that are looked through before candidates are given: few first, since the first hits may be all that is wanted. */
const batch = { first: 8, most: 64 } as const;

export class SegmentReader {
  readonly #reads: IndexReads;
  readonly #segment: Segment;
  readonly #turn: Turn;

  constructor(reads: IndexReads, segment: Segment, turn: Turn) {
    this.#reads = reads;
    this.#segment = segment;
    this.#turn = turn;
  }

  /** In byte order of their paths; what is not below (or at) the folder is left out. Errors: Damage. */
  async *candidates(sieve: Sieve, folder: Path, signal: AbortSignal | undefined): AsyncGenerator<readonly Candidate[], void> {
    const found = await this.#blocks(sieve.alternatives);
    const blocks = found.subarray(folder === root ? 0 : await this.#firstIn(found, folder));
    let candidates: Candidate[] = [];
    let looked = 0;
    let due: number = batch.first;
    for (const block of blocks) {
      signal?.throwIfAborted();
      await this.#turn.pause();
      const paths = await this.#reads.block(this.#segment, block);
      if (isBehind(paths[0] as Path, folder)) break;
      candidates.push(...candidatesIn(paths, sieve, folder));
      if (++looked < due) continue;
      if (candidates.length > 0) yield candidates;
      candidates = [];
      due = looked + Math.min(looked, batch.most);
    }
    if (candidates.length > 0) yield candidates;
  }

  /** Those that hold all terms of one of the alternatives, by what the postings tell. */
  async #blocks(alternatives: readonly Terms[]): Promise<Uint32Array> {
    const all = new BlockSet(this.#segment.blocks);
    for (const terms of alternatives) {
      const [leaves, folders] = [await this.#leafBlocks(terms), await this.#folderBlocks(terms)];
      all.unite(leaves).unite(folders);
    }
    return all.toArray();
  }

  async #leafBlocks({ name, path }: Terms): Promise<BlockSet> {
    const sets = await Promise.all(name.map((term) => this.#blocksOf('name', term)));
    for (const term of path) sets.push((await this.#blocksOf('within', term)).unite(await this.#blocksOf('name', term)));
    return sets.reduce((set, other) => set.intersect(other));
  }

  /** Where folders begin that may be hits themselves. */
  async #folderBlocks({ name, path }: Terms): Promise<BlockSet> {
    const sets = await Promise.all(name.map((term) => this.#blocksOf('folder', term)));
    for (const term of path) sets.push(await this.#blocksOf('within', term));
    return sets.reduce((set, other) => set.intersect(other));
  }

  async #blocksOf(field: Field, term: string): Promise<BlockSet> {
    const ranges = rangesOf(field, term);
    const [first] = ranges;
    if (first !== undefined && first.to > first.from + 1) return this.#anyOf(first);
    const sets = await Promise.all(ranges.map(({ from }) => this.#reads.blocksOf(this.#segment, from)));
    return sets.reduce((set, other) => set.intersect(other));
  }

  /** One or two bytes: whatever gram begins with them. */
  async #anyOf(range: CodeRange): Promise<BlockSet> {
    const all = new BlockSet(this.#segment.blocks);
    for await (const some of this.#reads.anyOf(this.#segment, range)) {
      all.unite(some);
      await this.#turn.pause();
    }
    return all;
  }

  /** Index of the first of the blocks that may hold something below the folder. */
  async #firstIn(blocks: Uint32Array, folder: Path): Promise<number> {
    let [low, high] = [0, blocks.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const paths = await this.#reads.block(this.#segment, blocks[middle] as number);
      if (compareBytes(paths.at(-1) ?? '', folder) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Everything from this path on lies behind the folder. */
function isBehind(path: Path, folder: Path): boolean {
  return folder !== root && !isWithin(path, folder) && compareBytes(path, `${folder}/`) > 0;
}

/** The folders of the first path of a block are looked at whether they begin there or not. */
function candidatesIn(paths: readonly Path[], sieve: Sieve, folder: Path): Candidate[] {
  const candidates: Candidate[] = [];
  let before = root;
  for (const path of paths) {
    if (isWithin(path, folder)) {
      const fresh = parentOf(path) === parentOf(before) && before !== root ? [] : newFolders(path, before, folder);
      const folders = fresh.filter((one) => sieve.matches(one));
      if (folders.length > 0 || sieve.matches(path)) candidates.push({ path, folders });
    }
    before = path;
  }
  return candidates;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

function newFolders(path: Path, before: Path, folder: Path): Path[] {
  return ancestorsOf(path).filter((one) => one !== folder && isWithin(one, folder) && (before === one || !isWithin(before, one)));
}
