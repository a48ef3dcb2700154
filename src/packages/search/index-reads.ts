/** The reads of a search, made ready once: a search asks for many small things. */
import type { Leaf } from '#model/entry.ts';
import type { Path } from '#model/path.ts';
import { leafColumns, leafOf } from '#packages/entry-row.ts';
import { entryKinds } from '#state/schema.ts';
import type { PreparedRead, State } from '#state/state.ts';
import { BlockSet, Damage, readBlock, readPostings } from './blocks.ts';
import type { CodeRange } from './grams.ts';
import type { Segment } from './segments.ts';

/** Posting lists of one statement. */
const window = 256;

export class IndexReads {
  readonly #grams: PreparedRead;
  readonly #range: PreparedRead;
  readonly #block: PreparedRead;
  readonly #leaf: PreparedRead;

  constructor(state: State) {
    const grams = state.db.selectFrom('search_gram').select(['gram', 'part', 'blocks']).where('segment', '=', 0);
    this.#grams = state.prepare(grams.where('gram', '=', 0).orderBy('part'));
    this.#range = state.prepare(
      grams
        .where((on) => on(on.refTuple('gram', 'part'), '>', on.tuple(0, 0)))
        .where('gram', '<', 0)
        .orderBy('gram')
        .orderBy('part')
        .limit(window),
    );
    this.#block = state.prepare(state.db.selectFrom('search_block').select('paths').where('segment', '=', 0).where('block', '=', 0));
    const leaf = state.db.selectFrom('entry').select(leafColumns).where('package', '=', 0).where('path', '=', '');
    this.#leaf = state.prepare(leaf.where('from_step', '<=', 0).where('to_step', '>', 0).where('kind', '<>', 0));
  }

  /** The blocks that have a gram. Errors: Damage. */
  async blocksOf({ id, blocks }: Segment, code: number): Promise<BlockSet> {
    const set = new BlockSet(blocks);
    for (const [, part, bytes] of await this.#grams.all(id, code)) readPostings(bytes as Uint8Array, [id, code, Number(part)], set);
    return set;
  }

  /** The blocks that have any gram of a range, a window at a time. Errors: Damage. */
  async *anyOf({ id, blocks }: Segment, { from, to }: CodeRange): AsyncGenerator<BlockSet, void> {
    for (let [gram, part] = [from, -1]; ; ) {
      const set = new BlockSet(blocks);
      // `limit` is a value too, and goes last.
      const rows = await this.#range.all(id, gram, part, to, window);
      for (const [code, of, bytes] of rows) {
        [gram, part] = [Number(code), Number(of)];
        readPostings(bytes as Uint8Array, [id, gram, part], set);
      }
      yield set;
      if (rows.length < window) return;
    }
  }

  /** The paths of a block, of which there is one at least. Errors: Damage, also where it is missing. */
  async block({ id }: Segment, block: number): Promise<readonly Path[]> {
    const row = await this.#block.first(id, block);
    const paths = row === undefined ? [] : readBlock(row[0] as Uint8Array, [id, -1, block]);
    if (paths.length === 0) throw new Damage('a block is missing');
    return paths as Path[];
  }

  /** The leaf at a path, visible at a step. */
  async leaf(packageId: number, step: number, path: Path): Promise<Leaf | undefined> {
    const row = await this.#leaf.first(packageId, path, step, step, entryKinds.folder);
    return row === undefined ? undefined : leafOf(row);
  }
}
