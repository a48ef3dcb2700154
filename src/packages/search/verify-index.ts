/**
 * Looks whether the index of a package is whole: each blob by its checksum, and that none is lost by their numbers. It changes nothing. What
 * is not whole is no loss: it is dropped, and built anew from the entries.
 */
import { pauser } from '#packages/ranges.ts';
import type { State } from '#state/state.ts';
import { BlockSet, Damage, readBlock, readPostings } from './blocks.ts';
import type { Segment } from './segments.ts';

/** Blobs of one statement. */
const batch = 256;

/** What is wrong, in a few words; undefined where nothing is. Errors: that of the signal. */
export async function verifyIndex(state: State, packageId: number, signal: AbortSignal): Promise<string | undefined> {
  const segments = state.db.selectFrom('search_segment').selectAll().where('package', '=', packageId).where('ready', '=', 1);
  for (const segment of await segments.orderBy('id').execute()) {
    const wrong = await verifySegment(state, segment, signal).catch((error: unknown) => {
      if (error instanceof Damage) return error.message;
      throw error;
    });
    // One that was replaced meanwhile is being cleared.
    if (wrong !== undefined && (await isThere(state, segment))) return wrong;
  }
  return undefined;
}

/** Drops the index of a package: the next search, or `refresh`, builds it anew. */
export async function dropIndex(state: State, packageId: number): Promise<void> {
  await state.write({ query: state.db.deleteFrom('search_segment').where('package', '=', packageId).where('ready', '=', 1) });
}

async function isThere(state: State, { id }: Segment): Promise<boolean> {
  return (await state.db.selectFrom('search_segment').select('id').where('id', '=', id).executeTakeFirst()) !== undefined;
}

/** Errors: Damage. */
async function verifySegment(state: State, segment: Segment, signal: AbortSignal): Promise<string | undefined> {
  let [blocks, paths, grams] = [0, 0, 0];
  for await (const { block, bytes } of blocksOf(state, segment.id, signal)) {
    blocks += 1;
    paths += readBlock(bytes, [segment.id, -1, block]).length;
  }
  if (blocks !== segment.blocks) return `it has ${blocks} of ${segment.blocks} blocks`;
  if (paths !== segment.paths) return `it has ${paths} of ${segment.paths} paths`;
  for await (const { gram, part, bytes } of gramsOf(state, segment.id, signal)) {
    grams += 1;
    readPostings(bytes, [segment.id, gram, part], new BlockSet(segment.blocks));
  }
  return grams === segment.grams ? undefined : `it has ${grams} of ${segment.grams} lists`;
}

async function* blocksOf(state: State, segment: number, signal: AbortSignal) {
  const pause = pauser(signal);
  for (let last = -1; ; ) {
    const query = state.db.selectFrom('search_block').select(['block', 'paths as bytes']).where('segment', '=', segment);
    const rows = await query.where('block', '>', last).orderBy('block').limit(batch).execute();
    yield* rows;
    last = rows.at(-1)?.block ?? last;
    if (rows.length < batch) return;
    await pause();
  }
}

async function* gramsOf(state: State, segment: number, signal: AbortSignal) {
  const pause = pauser(signal);
  for (let last = { gram: -1, part: -1 }; ; ) {
    const query = state.db.selectFrom('search_gram').select(['gram', 'part', 'blocks as bytes']).where('segment', '=', segment);
    const behind = query.where((on) => on(on.refTuple('gram', 'part'), '>', on.tuple(last.gram, last.part)));
    const rows = await behind.orderBy('gram').orderBy('part').limit(batch).execute();
    yield* rows;
    last = rows.at(-1) ?? last;
    if (rows.length < batch) return;
    await pause();
  }
}
