/**
 * Verifies all that a state keeps of packages: the file itself, every version with its ranges and totals, every text, and the spans of all
 * rows. It changes nothing, reads in bounded batches, and goes on behind a fault, so that one run tells all of them.
 */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { isError } from '#errors/error.ts';
import type { PackageRow } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { verifyVersion } from './check.ts';

export type VerifyLine =
  /** `done` of `total` parts; `note`: what is looked at, and how many rows of it. */
  | { readonly kind: 'progress'; readonly done: number; readonly total: number; readonly note: string }
  | { readonly kind: 'wrong'; readonly subject: string; readonly says: string }
  | ({ readonly kind: 'done' } & VerifyTotals);

export interface VerifyTotals {
  readonly packages: number;
  readonly versions: number;
  /** Entries of all versions. */
  readonly entries: number;
  readonly texts: number;
  /** Faults that were told. */
  readonly wrong: number;
}

type PackagePart = Pick<PackageRow, 'name' | 'head' | 'top' | 'frozen' | 'open_step'> & { readonly id: number; readonly namespace: string };

const batchRows = 1000;
const textsAtOnce = 20;
/** Milliseconds between two lines of progress. */
const tellEvery = 500;

/** Ends with a line `done`. Errors: that of the signal; state_failed where the state cannot be read at all. */
export async function* verifyState(state: State, signal: AbortSignal): AsyncGenerator<VerifyLine, void> {
  const run = new Verification(state, signal);
  yield* run.lines();
}

class Verification {
  readonly #state: State;
  readonly #signal: AbortSignal;
  readonly #found = { packages: 0, versions: 0, entries: 0, texts: 0, wrong: 0 };
  #part = { done: 0, total: 1 };
  #toldAt = 0;

  constructor(state: State, signal: AbortSignal) {
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
  }

  /** No row begins before it ends, none stands beside another of its path, none lies beyond what can be seen, redone or is being written. */
  async *#verifySpans(one: PackagePart): AsyncGenerator<VerifyLine, void> {
    const last = Math.max(one.top, one.head, one.open_step ?? 0);
    for (const table of ['entry', 'manifest_range'] as const) {
      const pathOf = table === 'entry' ? 'path' : 'last_path';
      let before: { readonly path: string; readonly from_step: number; readonly to_step: number } | undefined;
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
        const rows = (await query.execute()) as { path: string; from_step: number; to_step: number }[];
        for (const row of rows) {
          const what = `${table === 'entry' ? 'the entry' : 'the range that ends at'} ${JSON.stringify(row.path)}`;
          if (row.from_step >= row.to_step) yield this.#wrong(nameOf(one), `${what} ends before it begins`);
          if (before?.path === row.path && before.to_step > row.from_step) yield this.#wrong(nameOf(one), `${what} stands there twice`);
          if (row.from_step > last) yield this.#wrong(nameOf(one), `${what} belongs to no step`);
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
      .select(['package.id', 'package.name', 'head', 'top', 'frozen', 'open_step', 'namespace.name as namespace'])
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

function nameOf({ namespace, name }: PackagePart): string {
  return `${namespace}/${name}`;
}
