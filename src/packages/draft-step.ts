/**
 * A step while it is written. All that enters a draft goes through `put`, which checks it against the tree and within the batch; nothing
 * is visible before `commit`. Batches may be repeated: what is there already, the same, is left alone. While one is written the next is
 * made ready: docs/decisions/0007-bulk-writes.md.
 */
import { sql } from 'kysely';
import { PackageRError } from '#errors/error.ts';
import type { Entry, Leaf } from '#model/entry.ts';
import type { EntryRow } from '#state/schema.ts';
import type { State, Write } from '#state/state.ts';
import { Batch, BatchView, type PutOutcome } from './draft-batch.ts';
import { EntryReader } from './entry-reader.ts';
import { abandonStep, type Claim, getPackageRow, holdClaim, trimUndone } from './open-step.ts';
import type { EditResult, OnConflict, Operation } from './package.ts';

/** Bytes that a text needs: given, or kept already for another package. */
export type TextBytes = { readonly sha256: string; readonly bytes: Uint8Array } | { readonly sha256: string; readonly from: number };

export type Tally = Omit<EditResult, 'step'>;

export interface StepNote {
  readonly operation: Operation;
  readonly summary: string;
  /** Id of a user, or `system:name`. */
  readonly actor: string;
  readonly at: number;
}

/** Entries that one `put` takes at most: they are one unit, which a small write waits for. */
export const batchSize = 1000;

/** Units on their way: where they are written one behind the other, the next ones wait there already. */
const unitsAhead = { sqlite: 3, postgres: 1 } as const;

export interface PutOptions {
  readonly texts?: readonly TextBytes[];
  /** Rows of the base that end in the same unit, when all is put; not those whose entry is skipped. One for each entry. */
  readonly moved?: readonly EntryRow[];
  /** Happens in the same unit. Made when the tally counts what is put. */
  readonly alongside?: () => readonly Write[];
}

export class DraftStep {
  readonly package: number;
  readonly step: number;
  /** The head that it builds on; still what everyone sees. */
  readonly base: number;
  /** Rows of given up steps wait to be cleared. */
  readonly leavesGone: boolean;
  readonly tally = { added: 0, removed: 0, skipped: 0, unchanged: 0 };
  /** Entries as they are in this step so far. */
  readonly now: EntryReader;
  /** Entries as they were before it. */
  readonly before: EntryReader;
  readonly #state: State;
  readonly #claim: Claim;
  readonly #view: BatchView;
  /** Goes first in each unit. */
  readonly #hold: Write;
  readonly #flights: Promise<void>[] = [];

  private constructor(state: State, claim: Claim, { step, base, leavesGone }: Pick<DraftStep, 'step' | 'base' | 'leavesGone'>) {
    const common = { state, package: claim.package, withFolders: true };
    this.package = claim.package;
    this.step = step;
    this.base = base;
    this.leavesGone = leavesGone;
    this.now = new EntryReader({ ...common, step });
    this.before = new EntryReader({ ...common, step: base });
    this.#state = state;
    this.#claim = claim;
    const hold = holdClaim(state, claim);
    this.#hold = { ...hold, query: 'compile' in hold.query ? hold.query.compile() : hold.query, isBulk: true };
    this.#view = new BatchView({ state, package: claim.package, step, now: this.now });
  }

  /** The step that was claimed, new or resumed. Errors: cancelled where the claim is gone. */
  static async open(state: State, claim: Claim): Promise<DraftStep> {
    const row = await getPackageRow(state, claim.package);
    if (row.open_job !== claim.job || row.open_step === null) throw new PackageRError('cancelled', 'This change was given up meanwhile.');
    await trimUndone(state, claim, row.head, row.open_step);
    return new DraftStep(state, claim, { step: row.open_step, base: row.head, leavesGone: row.gone_from !== null });
  }

  /**
   * Puts at most `batchSize` entries, in order, all or none; one outcome for each. It resolves when they are on their way to the state:
   * `flush` waits until they are durable. Fastest for entries in byte order. Errors: exists (policy refuse), path_conflict for `a` beside
   * `a/b`, too_many; those of what was on its way.
   */
  async put(
    entries: readonly Entry[],
    onConflict: OnConflict,
    { texts = [], moved = [], alongside }: PutOptions = {},
  ): Promise<PutOutcome[]> {
    if (entries.length > batchSize) throw new PackageRError('too_many', `A batch holds at most ${batchSize} entries.`);
    const batch = new Batch(this.#view);
    const settle = () => this.flush();
    await batch.load(entries, settle);
    const outcomes: PutOutcome[] = [];
    for (const entry of entries) outcomes.push(batch.put(entry, onConflict) ?? (await batch.putAsking(entry as Leaf, onConflict, settle)));
    for (const outcome of outcomes) this.tally[outcome] += 1;
    this.#end(
      batch,
      moved.filter((_, index) => outcomes[index] !== 'skipped'),
    );
    await this.#send(batch, texts, alongside);
    return outcomes;
  }

  /** Ends rows of the step or of the base; rows that have ended already are left alone. Resolves as `put` does. */
  async remove(rows: readonly EntryRow[], { alongside }: Pick<PutOptions, 'alongside'> = {}): Promise<void> {
    const batch = new Batch(this.#view);
    this.#end(batch, rows);
    await this.#send(batch, [], alongside);
  }

  /** Until all is durable. Errors: those of what was on its way. */
  async flush(): Promise<void> {
    while (this.#flights.length > 0) await this.#land();
  }

  /** Until nothing is on its way any more, whatever becomes of it: before the step is abandoned. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#flights.splice(0));
  }

  /** Makes the step visible. A step that changed nothing is given up; the head stays. `alongside`: happens in the same unit. */
  async commit(note: StepNote, alongside: readonly Write[] = []): Promise<EditResult> {
    await this.flush();
    if (this.tally.added + this.tally.removed === 0) {
      await this.abandon();
      return { step: this.base, ...this.tally };
    }
    const { operation, summary, actor, at } = note;
    const { added, removed } = this.tally;
    const { package: id, step } = this;
    await this.#state.write(
      holdClaim(this.#state, this.#claim),
      {
        query: this.#state.db
          .updateTable('package')
          .set({ head: step, top: step, open_step: null, open_job: null, generation: sql<number>`generation + 1` })
          .where('id', '=', id),
      },
      { query: this.#state.db.insertInto('step').values({ package: id, step, operation, summary, actor, at, added, removed }) },
      ...alongside,
    );
    return { step, ...this.tally };
  }

  async abandon(): Promise<void> {
    await this.settle();
    await abandonStep(this.#state, this.#claim);
  }

  #end(batch: Batch, rows: readonly EntryRow[]): void {
    for (const row of rows) {
      if (row.to_step <= this.step) continue;
      batch.end(row);
      this.tally.removed += 1;
    }
  }

  async #send(batch: Batch, texts: readonly TextBytes[], alongside: PutOptions['alongside']): Promise<void> {
    const writes = [...batch.writes(), ...(alongside?.() ?? [])];
    if (writes.length === 0) return;
    while (this.#flights.length >= unitsAhead[this.#state.dialect]) await this.#land();
    const keepTexts = texts.map((text) => keepText(this.#state, this.package, text));
    this.#view.depart(batch);
    const flight = this.#state.write(this.#hold, ...keepTexts, ...writes).then(() => this.#view.land(batch));
    flight.catch(() => undefined);
    this.#flights.push(flight);
  }

  /** Waits for the first of those that are on their way. */
  async #land(): Promise<void> {
    const [first] = this.#flights;
    await first;
    this.#flights.splice(0, 1);
  }
}

function keepText(state: State, packageId: number, text: TextBytes): Write {
  const { sha256 } = text;
  if ('bytes' in text) {
    const values = { package: packageId, sha256, bytes: text.bytes };
    return {
      query: state.db
        .insertInto('text')
        .values(values)
        .onConflict((on) => on.doNothing()),
    };
  }
  const copied = state.db
    .insertInto('text')
    .columns(['package', 'sha256', 'bytes'])
    .expression((on) =>
      on
        .selectFrom('text')
        .select((one) => [one.val(packageId).as('package'), 'sha256', 'bytes'])
        .where('package', '=', text.from)
        .where('sha256', '=', sha256),
    )
    .onConflict((on) => on.doNothing());
  return { query: copied };
}
