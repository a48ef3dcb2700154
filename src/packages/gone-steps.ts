/**
 * Clears what large undone steps left when they were given up, in the background: rows that no step can see. It may stop and begin again
 * anywhere; edits go on meanwhile.
 */
import { isError } from '#errors/error.ts';
import type { JobContext } from '#jobs/job.ts';
import type { Jobs } from '#jobs/jobs.ts';
import { openStep } from '#state/schema.ts';
import type { State, Write } from '#state/state.ts';
import { batchRows, getPackageRow, takeBack } from './open-step.ts';

const kind = 'package.sweep';

export class GoneSteps {
  readonly #state: State;
  readonly #jobs: Jobs;

  constructor({ state, jobs }: { readonly state: State; readonly jobs: Jobs }) {
    this.#state = state;
    this.#jobs = jobs;
    jobs.register<{ readonly package: number }>(kind, { run: (context) => this.#run(context) });
  }

  /** Starts the job that clears what is gone, unless one is there. */
  async start(packageId: number): Promise<void> {
    const subject = `package:${packageId}`;
    const live = this.#state.db.selectFrom('job').select('id').where('kind', '=', kind).where('subject', '=', subject);
    if ((await live.where('state', 'in', ['queued', 'running']).limit(1).executeTakeFirst()) !== undefined) return;
    await this.#jobs.start({ kind, subject, ownerId: 'system:packages', input: { package: packageId } });
  }

  /** At start, after the jobs: for what was given up just before a crash. */
  async recover(): Promise<void> {
    const packages = this.#state.db.selectFrom('package').select('id').where('gone_from', 'is not', null);
    for (const { id } of await packages.where('removed_at', 'is', null).execute()) await this.start(id);
  }

  async #run({ input, signal, progress, saving }: JobContext<{ readonly package: number }>): Promise<Record<string, unknown>> {
    const rows = await sweepGone(this.#state, input.package, (done) => {
      signal.throwIfAborted();
      progress({ done });
      return [saving({ done })];
    });
    return { rows };
  }
}

/**
 * Takes back all rows that are gone, in bounded units; gives their number. `alongside`: what goes into each unit, told how many went before.
 * Others may do the same meanwhile. Errors: those of `alongside`.
 */
export async function sweepGone(
  state: State,
  packageId: number,
  alongside: (done: number) => readonly Write[] = () => [],
): Promise<number> {
  let done = 0;
  for (;;) {
    const { gone_from: gone, removed_at: removedAt } = await getPackageRow(state, packageId);
    if (gone === null || removedAt !== null) return done;
    try {
      for (const query of takeBack(state, packageId, gone, openStep)) {
        for (let rows = batchRows; rows === batchRows; done += rows) {
          const [, swept] = await state.write(expectGone(state, packageId, gone), { query, isBulk: true }, ...alongside(done));
          rows = swept?.changes ?? 0;
        }
      }
    } catch (error) {
      // Somebody else cleared them, or more is gone: it is looked at anew.
      if (isError(error, 'precondition_failed')) continue;
      throw error;
    }
    const clear = state.db.updateTable('package').set({ gone_from: null }).where('id', '=', packageId).where('gone_from', '=', gone);
    await state.write({ query: clear, isCount: true });
  }
}

/** What is gone stays gone until this ends: while it does, no step is given such a number. Errors: precondition_failed. */
function expectGone(state: State, packageId: number, gone: number): Write {
  const held = state.db.updateTable('package').set(({ ref }) => ({ gone_from: ref('gone_from') }));
  return {
    query: held.where('id', '=', packageId).where('gone_from', '<=', gone).where('removed_at', 'is', null),
    expect: { changes: 1, code: 'precondition_failed', message: 'Somebody else cleared these rows.' },
    isCount: true,
  };
}
