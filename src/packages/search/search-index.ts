/**
 * The index of the names in packages, for searches. It is derived data: built beside everything else, in segments of steps that are merged
 * as they become many; without it, or where it is damaged, all is found by walking. It gives candidates, and the entries decide.
 */
import { isError } from '#errors/error.ts';
import type { Events } from '#events/events.ts';
import type { Clock } from '#model/clock.ts';
import type { Leaf } from '#model/entry.ts';
import type { Path } from '#model/path.ts';
import { Turn } from '#model/turn.ts';
import type { State } from '#state/state.ts';
import { Damage } from './blocks.ts';
import { buildSegment } from './build-segment.ts';
import { IndexReads } from './index-reads.ts';
import { type Candidate, SegmentReader } from './segment-reader.ts';
import { addedSince, coveredBy, coveringSegments, type Segment } from './segments.ts';
import { candidatesSince, mergeCandidates, Sifter, type SiftRequest } from './sift.ts';
import { type SweepOptions, sweepSegments } from './sweep.ts';
import { dropIndex } from './verify-index.ts';

export interface SearchIndexOptions {
  readonly state: State;
  readonly clock: Clock;
  readonly events: Events;
  readonly limits?: Partial<SearchIndexLimits>;
}

export interface SearchIndexLimits {
  /** Rows outside of the index from which on it is built. */
  readonly build: number;
  /** Rows outside of the index that are looked at one by one; with more, all is walked. */
  readonly scan: number;
  /** Paths of a block. */
  readonly blockPaths: number;
  /** Postings of a part, which is made in memory: 32 MB for 4 million. */
  readonly postings: number;
}

const defaultLimits: SearchIndexLimits = { build: 5000, scan: 30_000, blockPaths: 32, postings: 2 ** 22 };

/** All was given, or the walk must go on, behind a path where some was given. */
export type Sifted = 'complete' | { readonly after: Path | undefined };

export class SearchIndex {
  readonly #options: SearchIndexOptions;
  readonly #limits: SearchIndexLimits;
  readonly #closing = new AbortController();
  readonly #queue = new Set<number>();
  /** Segments that searches read just now: their rows stay. */
  readonly #reading = new Map<number, number>();
  #running: Promise<void> | undefined;
  #reads: IndexReads | undefined;

  constructor(options: SearchIndexOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
  }

  /** Leaves in the order of the walk, as a sieve asks for them. Errors: those of the signal. */
  async *sift(request: SiftRequest): AsyncGenerator<readonly Leaf[], Sifted> {
    const { state } = this.#options;
    const segments = (await coveringSegments(state, request.package)).filter((one) => one.after_step < request.step);
    const covered = coveredBy(segments);
    const { rows } = await addedSince(state, request.package, covered, request.step);
    if (rows >= this.#limits.build) this.refresh(request.package);
    const fresh = rows > this.#limits.scan ? undefined : await candidatesSince(state, request, covered, this.#limits.scan * 2);
    if (fresh === undefined) return { after: undefined };
    this.#reads ??= new IndexReads(state);
    const [reads, turn] = [this.#reads, new Turn()];
    const sifter = new Sifter(reads, request, turn);
    this.#hold(segments, 1);
    try {
      const readers = segments.map((one) => new SegmentReader(reads, one, turn).candidates(request.sieve, request.folder, request.signal));
      for await (const candidates of mergeCandidates([...readers, oneBatch(fresh)])) {
        const leaves = await sifter.leaves(candidates);
        if (leaves.length > 0) yield leaves;
      }
      return (await this.#areThere(segments)) ? 'complete' : { after: sifter.last };
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      if (await this.#areThere(segments)) await this.#drop(request.package, segments, error);
      return { after: sifter.last };
    } finally {
      this.#hold(segments, -1);
    }
  }

  /** Brings the index of a package up to its head, in the background, where enough rows are outside of it. */
  refresh(packageId: number): void {
    if (this.#closing.signal.aborted) return;
    this.#queue.add(packageId);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Drops the index of a package, and builds it anew in the background. */
  async rebuild(packageId: number): Promise<void> {
    await dropIndex(this.#options.state, packageId);
    this.refresh(packageId);
  }

  /** Resolves when nothing is being built. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Clears what a crash, or the end of a package, left. */
  async recover(): Promise<void> {
    await sweepSegments(this.#sweeping(this.#options.clock()));
  }

  /** Gives up what is being built. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.settled();
  }

  async #run(): Promise<void> {
    for (const packageId of this.#queue) {
      this.#queue.delete(packageId);
      if (this.#closing.signal.aborted) return;
      try {
        await this.#build(packageId);
      } catch (error) {
        this.#tell('search.build', packageId, error);
      }
    }
  }

  async #build(packageId: number): Promise<void> {
    const { state, clock } = this.#options;
    const { signal } = this.#closing;
    await buildSegment({ state, package: packageId, at: clock(), limits: this.#limits, signal });
    await sweepSegments(this.#sweeping(undefined));
  }

  #sweeping(leftBefore: number | undefined): SweepOptions {
    return { state: this.#options.state, leftBefore, isRead: (id) => this.#reading.has(id), signal: this.#closing.signal };
  }

  #hold(segments: readonly Segment[], change: 1 | -1): void {
    for (const { id } of segments) {
      const readers = (this.#reading.get(id) ?? 0) + change;
      if (readers === 0) this.#reading.delete(id);
      else this.#reading.set(id, readers);
    }
  }

  /** A segment that was replaced or went with its step may have been cleared while it was read. */
  async #areThere(segments: readonly Segment[]): Promise<boolean> {
    if (segments.length === 0) return true;
    const ids = segments.map(({ id }) => id);
    const rows = await this.#options.state.db.selectFrom('search_segment').select('id').where('id', 'in', ids).execute();
    return rows.length === segments.length;
  }

  /** Nothing of a damaged index is used again: it is built anew. */
  async #drop(packageId: number, segments: readonly Segment[], error: Damage): Promise<void> {
    const { state } = this.#options;
    const ids = segments.map(({ id }) => id);
    await state.write({ query: state.db.deleteFrom('search_segment').where('id', 'in', ids) });
    this.#tell('search.damage', packageId, error);
    this.refresh(packageId);
  }

  #tell(action: string, packageId: number, error: unknown): void {
    if (this.#closing.signal.aborted || isError(error, 'cancelled')) return;
    const details = { reason: error instanceof Error ? error.message : 'unknown' };
    const outcome = isError(error) ? error.code : 'internal';
    this.#options.events.record({ actor: { kind: 'system', name: 'search' }, action, subject: `package:${packageId}`, outcome, details });
  }
}

async function* oneBatch(candidates: readonly Candidate[]): AsyncGenerator<readonly Candidate[], void> {
  if (candidates.length > 0) yield candidates;
}
