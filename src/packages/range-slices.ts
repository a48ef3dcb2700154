/** Which ranges of a manifest have to be hashed: all, or those that changes touched, and the ranges that these cut in two. */
import { sql } from 'kysely';
import { compareBytes } from '#model/path.ts';
import type { State } from '#state/state.ts';
import { Prepared } from './entry-statements.ts';
import type { Slice } from './range-hash.ts';

/** Ranges of one slice where all are hashed. */
const sliceRanges = 32;

const reads = new Prepared((state) => {
  const border = () =>
    state.db
      .selectFrom('entry')
      .select('path')
      .where('package', '=', 0)
      .where(sql<boolean>`ends_range = 1`)
      .where('from_step', '<=', 0)
      .where('to_step', '>', 0);
  return {
    /** package, step, step, path, limit */
    before: border().where('path', '<', '').orderBy('path', 'desc').limit(1),
    from: border().where('path', '>=', '').orderBy('path').limit(1),
    /** package, step, step, path, limit, offset */
    behind: border().where('path', '>', '').orderBy('path').limit(1).offset(0),
    /** package, step, step, path */
    range: state.db
      .selectFrom('manifest_range')
      .select('last_path')
      .where('package', '=', 0)
      .where('from_step', '<=', 0)
      .where('to_step', '>', 0)
      .where('last_path', '=', ''),
  };
});

/** All of them, in order. */
export async function* allSlices(state: State, packageId: number, step: number): AsyncGenerator<Slice, void> {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const row = await reads.of(state, 'behind').first(packageId, step, step, after, 1, sliceRanges - 1);
    const upTo = row?.[0] as string | undefined;
    yield { after, upTo };
    after = upTo;
  }
}

/**
 * Those that hold one of the paths, which come in byte order, as the manifest is at `to`. A slice goes on as long as the border that it
 * meets was none at `from`, since that cuts the range that stood there in two.
 */
export async function* touchedSlices(
  state: State,
  { package: id, from, to }: { readonly package: number; readonly from: number; readonly to: number },
  paths: AsyncIterable<string>,
): AsyncGenerator<Slice, void> {
  const find = async (name: 'before' | 'from', path: string): Promise<string | undefined> =>
    (await reads.of(state, name).first(id, to, to, path, 1))?.[0] as string | undefined;
  let done = '';
  for await (const path of paths) {
    if (path.endsWith('/') || (done !== '' && compareBytes(path, done) <= 0)) continue;
    const after = (await find('before', path)) ?? '';
    let upTo = await find('from', path);
    while (upTo !== undefined && (await reads.of(state, 'range').first(id, from, from, upTo)) === undefined)
      upTo = (await reads.of(state, 'behind').first(id, to, to, upTo, 1, 0))?.[0] as string | undefined;
    yield { after, upTo };
    if (upTo === undefined) return;
    done = upTo;
  }
}
