/**
 * From candidates of the index to leaves: those that are there at the step and shown, and of each folder that matches one such leaf. What
 * the index says is never believed, only looked up.
 */
import { setImmediate } from 'node:timers/promises';
import type { Leaf } from '#model/entry.ts';
import { ancestorsOf, compareBytes, isWithin, type Path } from '#model/path.ts';
import type { Sieve } from '#model/sieve.ts';
import type { Turn } from '#model/turn.ts';
import type { State } from '#state/state.ts';
import type { IndexReads } from './index-reads.ts';
import type { Candidate } from './segment-reader.ts';

export interface SiftRequest {
  readonly package: number;
  readonly step: number;
  readonly folder: Path;
  readonly sieve: Sieve;
  readonly signal?: AbortSignal | undefined;
  /** All leaves below a folder, at the step. */
  walk(folder: Path): AsyncIterable<readonly Leaf[]>;
}

/** Candidates that are handed on at once. */
const lookups = 64;
/** Rows of one statement. */
const window = 2000;

/** Several streams in byte order as one. */
export async function* mergeCandidates(
  streams: readonly AsyncIterator<readonly Candidate[]>[],
): AsyncGenerator<readonly Candidate[], void> {
  const heads = await Promise.all(streams.map(async (stream) => ({ stream, batch: await nextOf(stream), at: 0 })));
  let merged: Candidate[] = [];
  for (;;) {
    let least: (typeof heads)[number] | undefined;
    for (const head of heads) if (head.batch !== undefined && (least === undefined || isLess(head, least))) least = head;
    if (least?.batch === undefined) break;
    merged.push(least.batch[least.at++] as Candidate);
    if (merged.length === lookups) {
      yield merged;
      merged = [];
    }
    if (least.at < least.batch.length) continue;
    if (merged.length > 0) yield merged;
    merged = [];
    least.batch = await nextOf(least.stream);
    least.at = 0;
  }
  if (merged.length > 0) yield merged;
}

async function nextOf(stream: AsyncIterator<readonly Candidate[]>): Promise<readonly Candidate[] | undefined> {
  const next = await stream.next();
  return next.done === true ? undefined : next.value;
}

interface Head {
  readonly batch: readonly Candidate[] | undefined;
  readonly at: number;
}

function isLess(a: Head, b: Head): boolean {
  return compareBytes(a.batch?.[a.at]?.path ?? '', b.batch?.[b.at]?.path ?? '') < 0;
}

/** Rows that began in steps (after, request.step], in byte order of what they give; undefined where there are more than `most`. */
export async function candidatesSince(
  state: State,
  { package: id, step, folder, sieve, signal }: SiftRequest,
  after: number,
  most: number,
): Promise<Candidate[] | undefined> {
  const candidates: Candidate[] = [];
  const folders = new Set<Path>();
  let seen = 0;
  for (let at = { from_step: after + 1, path: '' }; ; ) {
    signal?.throwIfAborted();
    const rows = await state.db
      .selectFrom('entry')
      .select(['from_step', 'path'])
      .where('package', '=', id)
      .where('from_step', '<=', step)
      .where((on) => on(on.refTuple('from_step', 'path'), '>', on.tuple(at.from_step, at.path)))
      .orderBy('from_step')
      .orderBy('path')
      .limit(window)
      .execute();
    for (const row of rows) {
      const path = row.path as Path;
      if (path.endsWith('/') || !isWithin(path, folder)) continue;
      const fresh = ancestorsOf(path).filter((one) => one !== folder && isWithin(one, folder) && !folders.has(one));
      for (const one of fresh) folders.add(one);
      const matching = fresh.filter((one) => sieve.matches(one));
      if (matching.length > 0 || sieve.matches(path)) candidates.push({ path, folders: matching });
    }
    const last = rows.at(-1);
    seen += rows.length;
    if (seen > most) return undefined;
    if (last === undefined || rows.length < window) break;
    at = last;
    await setImmediate();
  }
  return candidates.sort((a, b) => compareBytes(a.path, b.path));
}

export class Sifter {
  readonly #reads: IndexReads;
  readonly #request: SiftRequest;
  readonly #turn: Turn;
  /** The leaf that was given last. */
  last: Path | undefined;

  constructor(reads: IndexReads, request: SiftRequest, turn: Turn) {
    this.#reads = reads;
    this.#request = request;
    this.#turn = turn;
  }

  /** What these candidates, in byte order and behind those of before, give. */
  async leaves(candidates: readonly Candidate[]): Promise<Leaf[]> {
    const leaves: Leaf[] = [];
    const give = (leaf: Leaf): void => {
      if (this.last !== undefined && compareBytes(leaf.path, this.last) <= 0) return;
      leaves.push(leaf);
      this.last = leaf.path;
    };
    const { package: id, step, signal } = this.#request;
    for (const { path, folders } of candidates) {
      signal?.throwIfAborted();
      await this.#turn.pause();
      const leaf = await this.#reads.leaf(id, step, path);
      if (leaf !== undefined && (await this.#isShown(path))) give(leaf);
      else for (const folder of folders) if (!this.#wasIn(folder)) for (const one of await this.#firstIn(folder)) give(one);
    }
    return leaves;
  }

  #wasIn(folder: Path): boolean {
    return this.last !== undefined && isWithin(this.last, folder);
  }

  /** The first leaf in a folder that is shown, if there is one: the one that the index knows is not. */
  async #firstIn(folder: Path): Promise<Leaf[]> {
    for await (const leaves of this.#request.walk(folder)) {
      this.#request.signal?.throwIfAborted();
      for (const leaf of leaves) if (await this.#isShown(leaf.path)) return [leaf];
    }
    return [];
  }

  async #isShown(path: Path): Promise<boolean> {
    return (await this.#request.sieve.shows?.(path)) ?? true;
  }
}
