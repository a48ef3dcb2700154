/**
 * Uploads that no step points to yet, as rows: written before the first byte, gone in the unit of the step. What fails, or a process that
 * ends, leaves is taken back from the store, unless somebody annexed it meanwhile: then it is kept.
 */
import { setImmediate } from 'node:timers/promises';
import { type RawBuilder, sql } from 'kysely';
import { isError, PackageRError } from '#errors/error.ts';
import type { Clock, MakeId } from '#model/clock.ts';
import type { Leaf } from '#model/entry.ts';
import type { Key } from '#model/key.ts';
import { parsePath } from '#model/path.ts';
import { takeBack } from '#sources/objects.ts';
import type { Sources } from '#sources/sources.ts';
import type { UploadRow } from '#state/schema.ts';
import type { State, Write } from '#state/state.ts';
import { Prepared } from './entry-statements.ts';

export interface PendingUploadsOptions {
  readonly state: State;
  readonly sources: Sources;
  readonly clock: Clock;
  readonly makeId: MakeId;
  /** Milliseconds after which a process that gave no sign is gone; left out: at once where the state is this process’s alone, else 10 minutes. */
  readonly patience?: number | undefined;
}

export interface PendingUpload {
  /** Told the store’s name of an upload in parts. */
  onUpload(parts: string): Promise<void>;
  /** In the unit of the step that points to the object. Errors: cancelled where it was taken back. */
  readonly kept: Write;
  /** Takes the object back, now or later. Never fails. */
  discard(): Promise<void>;
  /** Nothing is left, or the step is done. */
  release(): void;
}

/** Milliseconds between two looks. */
const lookEvery = 60_000;
const defaultPatience = 600_000;
/** Entries of one statement. */
const windowRows = 5000;
const system = { kind: 'system', name: 'packages' } as const;

const reads = new Prepared((state) => {
  const behind = sql`(package, path, from_step) > (${0}, ${''}, ${0})`;
  const holds = sql`${sql.raw(state.dialect === 'postgres' ? 'strpos' : 'instr')}(key, ${''}) > 0`;
  const compile = (text: RawBuilder<unknown>) => ({ compile: () => text.compile(state.db) });
  return {
    clearing: state.db.selectFrom('upload').select('id').where('is_clearing', '=', 1),
    bound: compile(
      sql`select package, path, from_step from entry where ${behind} order by package, path, from_step limit ${0} offset ${0}`,
    ),
    upTo: compile(sql`select 1 from entry where ${behind} and (package, path, from_step) <= (${0}, ${''}, ${0}) and ${holds} limit ${1}`),
    rest: compile(sql`select 1 from entry where ${behind} and ${holds} limit ${1}`),
  };
});

export class PendingUploads {
  readonly #options: PendingUploadsOptions;
  readonly #owner: string;
  /** Those that this process sends. */
  readonly #live = new Set<string>();
  /** Signs of other processes, and since when they are unchanged. */
  #watched = new Map<string, { readonly sign: string; readonly since: number }>();
  /** Annexes that may have listed an object before it was being taken back. */
  readonly #annexes = new Map<string, Set<string>>();
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: PendingUploadsOptions) {
    this.#options = options;
    this.#owner = options.makeId();
  }

  /** Resolves when the row is durable. */
  async begin(id: string, place: Pick<UploadRow, 'package' | 'source' | 'key'>): Promise<PendingUpload> {
    const { state, clock } = this.#options;
    const row = { id, ...place, parts: null, owner: this.#owner, beat: 0, is_clearing: 0, started_at: clock() };
    this.#live.add(id);
    await state.write({ query: state.db.insertInto('upload').values(row) }).catch((error: unknown) => {
      this.#live.delete(id);
      throw error;
    });
    const kept = state.db.deleteFrom('upload').where('id', '=', id).where('owner', '=', this.#owner).where('is_clearing', '=', 0);
    return {
      onUpload: async (parts) => {
        await state.write({ query: state.db.updateTable('upload').set({ parts }).where('id', '=', id) });
      },
      kept: { query: kept, expect: { changes: 1, code: 'cancelled', message: 'The upload was given up meanwhile.' } },
      discard: async () => {
        this.#live.delete(id);
        await this.#take(id).catch(() => undefined);
      },
      release: () => void this.#live.delete(id),
    };
  }

  /** Without pointers to what is being taken back, by whatever source they reach it. */
  async without(leaves: readonly Leaf[]): Promise<readonly Leaf[]> {
    const gone = (await reads.of(this.#options.state, 'clearing').all(1)).map(([id]) => String(id));
    return gone.length === 0 ? leaves : leaves.filter((leaf) => leaf.kind !== 'pointer' || !gone.some((id) => leaf.key.includes(id)));
  }

  /** At start: takes back what a crash left, in the background, and looks again at intervals. */
  recover(): void {
    this.#timer ??= setInterval(() => void this.look(), lookEvery).unref();
    void this.look();
  }

  /** Says that this process lives, and takes back what nobody sends any more. Never fails: what cannot be done now is done later. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch(() => undefined)
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { state } = this.#options;
    if (this.#live.size > 0) {
      const own = state.db.updateTable('upload').where('owner', '=', this.#owner).where('is_clearing', '=', 0);
      await state.write({ query: own.set(({ eb }) => ({ beat: eb('beat', '+', 1) })), isCount: true });
    }
    const rows = await state.db.selectFrom('upload').selectAll().orderBy('started_at').limit(1000).execute();
    for (const { id } of this.#abandoned(rows)) {
      if (this.#closing.signal.aborted) return;
      await this.#take(id).catch(() => undefined);
    }
  }

  #abandoned(rows: readonly UploadRow[]): UploadRow[] {
    const { state, patience = state.dialect === 'sqlite' ? 0 : defaultPatience } = this.#options;
    const now = performance.now();
    const watched = new Map<string, { readonly sign: string; readonly since: number }>();
    const abandoned = rows.filter(({ id, owner, beat, is_clearing }) => {
      if (owner === this.#owner) return !this.#live.has(id);
      const sign = `${owner} ${beat} ${is_clearing}`;
      const before = this.#watched.get(id);
      const since = before?.sign === sign ? before.since : now;
      watched.set(id, { sign, since });
      return now - since >= patience;
    });
    this.#watched = watched;
    return abandoned;
  }

  /** From the first write on no step takes the object for its own, and no annex that begins lists it. */
  async #take(id: string): Promise<void> {
    const { state, sources } = this.#options;
    const { signal } = this.#closing;
    const claim = state.db.updateTable('upload').set({ owner: this.#owner, is_clearing: 1 }).where('id', '=', id).returningAll();
    const [claimed] = await state.write({ query: claim });
    const row = claimed?.rows[0] as UploadRow | undefined;
    if (row === undefined) return;
    const { key, parts } = row;
    try {
      const handle = await sources.openById(system, 'delete', String(row.source), parsePath(key));
      const isFree = () => this.#isFree(id);
      await takeBack(handle, key as Key, { parts: parts ?? undefined, signal, isFree });
    } catch (error) {
      if (!isError(error, 'not_found') && !isError(error, 'unsupported')) throw error;
    }
    this.#annexes.delete(id);
    await state.write({ query: state.db.deleteFrom('upload').where('id', '=', id).where('owner', '=', this.#owner) });
  }

  /** Whether no entry points to it, of any step. Errors: step_open where an annex is under way that may have seen it. */
  async #isFree(id: string): Promise<boolean> {
    const open = await this.#openAnnexes();
    const before = this.#annexes.get(id) ?? open;
    this.#annexes.set(id, before);
    for (const job of before) if (!open.has(job)) before.delete(job);
    if (before.size > 0) throw new PackageRError('step_open', 'An annex may have listed it.');
    return !(await this.#isPointedTo(id));
  }

  async #openAnnexes(): Promise<Set<string>> {
    const open = this.#options.state.db.selectFrom('package').innerJoin('job', 'job.id', 'package.open_job').select('job.id');
    return new Set((await open.where('job.kind', '=', 'package.annex').execute()).map((row) => row.id));
  }

  /** Its key, which holds its id, may be reached by another source too. In windows, since no index knows of keys. */
  async #isPointedTo(id: string): Promise<boolean> {
    const { state } = this.#options;
    const [bound, upTo, rest] = [reads.of(state, 'bound'), reads.of(state, 'upTo'), reads.of(state, 'rest')];
    for (let last: readonly (string | number)[] = [0, '', 0]; ; ) {
      this.#closing.signal.throwIfAborted();
      const next = (await bound.first(...last, 1, windowRows - 1)) as readonly (string | number)[] | undefined;
      const found = next === undefined ? rest.first(...last, id, 1) : upTo.first(...last, ...next, id, 1);
      if ((await found) !== undefined) return true;
      if (next === undefined) return false;
      last = next;
      await setImmediate();
    }
  }
}
