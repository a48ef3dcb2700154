/**
 * Verifies all that a state keeps of packages: the file itself, every version with its ranges and totals, every text, the spans of all rows,
 * and the search index. It changes nothing by itself, reads in bounded batches, and goes on behind a fault, so that one run tells all of them.
 */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { isError } from '#errors/error.ts';
import { openStep, type PackageRow } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { verifyVersion } from './check.ts';
import { verifyIndex } from './search/verify-index.ts';

export type VerifyLine =
  /** `done` of `total` parts; `note`: what is looked at, and how many rows of it. */
  | { readonly kind: 'progress'; readonly done: number; readonly total: number; readonly note: string }
  | { readonly kind: 'wrong'; readonly subject: string; readonly says: string }
  /** What follows from all else was damaged, and is made anew. */
  | { readonly kind: 'rebuilt'; readonly subject: string; readonly says: string }
  | ({ readonly kind: 'done' } & VerifyTotals);

export interface VerifyTotals {
  readonly packages: number;
  readonly versions: number;
  /** Entries of all versions. */
  readonly entries: number;
  readonly texts: number;
  /** Faults that were told. */
  readonly wrong: number;
  /** Those of them that `rebuild` mends: nothing is lost. */
  readonly derived: number;
}

export interface VerifyOptions {
  /** Makes the search index of a package anew where it is damaged. */
  rebuild?(packageId: number): Promise<void>;
}

type PackagePart = Pick<PackageRow, 'name' | 'head' | 'top' | 'frozen' | 'open_step' | 'gone_from'> & {
  readonly id: number;
  readonly namespace: string;
};

const batchRows = 1000;
const textsAtOnce = 20;
/** Milliseconds between two lines of progress. */
const tellEvery = 500;

/** Ends with a line `done`. Errors: that of the signal; state_failed where the state cannot be read at all. */
export async function* verifyState(state: State, signal: AbortSignal, options: VerifyOptions = {}): AsyncGenerator<VerifyLine, void> {
  const run = new Verification(state, signal, options);
  yield* run.lines();
}

class Verification {
  readonly #state: State;
  readonly #signal: AbortSignal;
  readonly #options: VerifyOptions;
  readonly #found = { packages: 0, versions: 0, entries: 0, texts: 0, wrong: 0, derived: 0 };
  #part = { done: 0, total: 1 };
  #toldAt = 0;

  constructor(state: State, signal: AbortSignal, options: VerifyOptions) {
    this.#options = options;
    this.#state = state;
    this.#signal = signal;
  }

  async *lines(): AsyncGenerator<VerifyLine, void> {
    yield this.#progress('the file of the state');
    for (const fault of (await this.#state.check?.(this.#signal)) ?? []) yield this.#wrong('state', fault);
    const packages = await this.#packages();
    this.#part = { done: 1, total: packages.length + 1 };
    for (const one of packages) {
      this.#found.packages += 1;
      yield* this.#guarded(nameOf(one), () => this.#verifyPackage(one));
      this.#part = { ...this.#part, done: this.#part.done + 1 };
    }
    yield { kind: 'done', ...this.#found };
  }

  /** What cannot even be read is a fault like any other. */
  async *#guarded(subject: string, run: () => AsyncGenerator<VerifyLine, void>): AsyncGenerator<VerifyLine, void> {
    try {
      yield* run();
    } catch (error) {
      this.#signal.throwIfAborted();
      yield this.#wrong(subject, isError(error) || error instanceof Error ? error.message : String(error));
    }
  }

  async *#verifyPackage(one: PackagePart): AsyncGenerator<VerifyLine, void> {
    const versions = await this.#state.db.selectFrom('version').selectAll().where('package', '=', one.id).orderBy('number').execute();
    for (const version of versions) {
      const subject = `${nameOf(one)}@${version.number}`;
      this.#found.versions += 1;
      if (version.step > one.frozen || one.frozen > one.head) yield this.#wrong(subject, `its step ${version.step} is not frozen`);
      yield* this.#guarded(
        subject,
        async function* verify(this: Verification): AsyncGenerator<VerifyLine, void> {
          const work = { state: this.#state, version, signal: this.#signal, progress: () => undefined };
          if (this.#isDue()) yield this.#progress(subject);
          this.#found.entries += (await verifyVersion(work)).entries;
        }.bind(this),
      );
    }
    yield* this.#guarded(nameOf(one), () => this.#verifySpans(one));
    yield* this.#guarded(nameOf(one), () => this.#verifyTexts(one));
    yield* this.#guarded(nameOf(one), () => this.#verifyIndex(one));
  }

  async *#verifyIndex(one: PackagePart): AsyncGenerator<VerifyLine, void> {
    if (this.#isDue()) yield this.#progress(`${nameOf(one)}: search index`);
    const damage = await verifyIndex(this.#state, one.id, this.#signal);
    if (damage === undefined) return;
    const says = `its search index is damaged: ${damage}`;
    if (this.#options.rebuild === undefined) {
      this.#found.derived += 1;
      yield this.#wrong(nameOf(one), `${says}. Searches may miss names; nothing else is lost. Build it anew: package-r verify --rebuild`);
      return;
    }
    await this.#options.rebuild(one.id);
    yield { kind: 'rebuilt', subject: nameOf(one), says: `${says}. It is built anew` };
  }

  /**
   * No row begins before it ends, none stands beside another of its path, none lies beyond what can be seen, redone or is being written; but
   * for those that are gone, which wait to be cleared.
   */
  async *#verifySpans(one: PackagePart): AsyncGenerator<VerifyLine, void> {
    const last = Math.max(one.top, one.head, one.open_step ?? 0);
    const gone = one.gone_from ?? openStep;
    if (last >= gone) yield this.#wrong(nameOf(one), `its step ${last} is among those that are gone`);
    for (const table of ['entry', 'manifest_range'] as const) {
      const pathOf = table === 'entry' ? 'path' : 'last_path';
      let before: Span | undefined;
      for (;;) {
        let query = this.#state.db
          .selectFrom(table)
          .select((on) => [on.ref(pathOf).as('path'), 'from_step', 'to_step'])
          .where('package', '=', one.id)
          .orderBy(pathOf)
          .orderBy('from_step')
          .limit(batchRows);
        if (before !== undefined) {
          const { path, from_step } = before;
          query = query.where((on) => on(on.refTuple(pathOf, 'from_step'), '>', on.tuple(path, from_step)));
        }
        const rows = (await query.execute()) as Span[];
        for (const row of rows) {
          const isGone = table === 'entry' && row.from_step >= gone;
          for (const says of isGone ? [] : wrongSpan(row, before, last)) {
            const what = table === 'entry' ? 'the entry' : 'the range that ends at';
            yield this.#wrong(nameOf(one), `${what} ${JSON.stringify(row.path)} ${says}`);
          }
          before = row;
        }
        if (rows.length < batchRows) break;
        if (this.#isDue()) yield this.#progress(nameOf(one));
        await this.#pause();
      }
    }
  }

  async *#verifyTexts(one: PackagePart): AsyncGenerator<VerifyLine, void> {
    for (let after: string | undefined = ''; after !== undefined; ) {
      const rows: { sha256: string; bytes: Uint8Array }[] = await this.#state.db
        .selectFrom('text')
        .select(['sha256', 'bytes'])
        .where('package', '=', one.id)
        .where('sha256', '>', after)
        .orderBy('sha256')
        .limit(textsAtOnce)
        .execute();
      for (const { sha256, bytes } of rows) {
        this.#found.texts += 1;
        if (createHash('sha256').update(bytes).digest('hex') !== sha256)
          yield this.#wrong(nameOf(one), `the bytes of the text ${sha256.slice(0, 12)}… are not those that were put`);
      }
      after = rows.length < textsAtOnce ? undefined : rows.at(-1)?.sha256;
      if (this.#isDue()) yield this.#progress(`${nameOf(one)}: texts`);
      await this.#pause();
    }
  }

  #packages(): Promise<PackagePart[]> {
    return this.#state.db
      .selectFrom('package')
      .innerJoin('namespace', 'namespace.id', 'package.namespace_id')
      .selectAll('package')
      .select('namespace.name as namespace')
      .where('removed_at', 'is', null)
      .orderBy('package.id')
      .execute();
  }

  async #pause(): Promise<void> {
    await setImmediate();
    this.#signal.throwIfAborted();
  }

  #isDue(): boolean {
    return performance.now() - this.#toldAt >= tellEvery;
  }

  #progress(note: string): VerifyLine {
    this.#toldAt = performance.now();
    return { kind: 'progress', ...this.#part, note };
  }

  #wrong(subject: string, says: string): VerifyLine {
    this.#found.wrong += 1;
    return { kind: 'wrong', subject, says };
  }
}

interface Span {
  readonly path: string;
  readonly from_step: number;
  readonly to_step: number;
}

/** `before`: the row in front of it; `last`: the highest step that rows may belong to. */
function wrongSpan({ path, from_step: from, to_step: to }: Span, before: Span | undefined, last: number): string[] {
  return [
    ...(from >= to ? ['ends before it begins'] : []),
    ...(before?.path === path && before.to_step > from ? ['stands there twice'] : []),
    ...(from > last ? ['belongs to no step'] : []),
  ];
}

function nameOf({ namespace, name }: PackagePart): string {
  return `${namespace}/${name}`;
}
