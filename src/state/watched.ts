/**
 * A State that notices when its disk stops taking writes and when it takes them again. While it does not, it tries a small write of its own
 * from time to time, so that the end of the trouble is noticed although nobody writes.
 */
import { isError, type PackageRError } from '#errors/error.ts';
import type { Clock } from '#model/clock.ts';
import type { State } from '#state/state.ts';

export interface StateWatch {
  readonly state: State;
  /** Why writes fail since a while; undefined while they do not. */
  trouble(): PackageRError | undefined;
  /** Ends the tries. */
  close(): void;
}

export interface WatchOptions {
  readonly clock: Clock;
  /** Called when trouble begins, not for each write that fails, and when it ends. */
  onTrouble(error: PackageRError): void;
  onRecovery(): void;
}

/** Milliseconds between two tries. */
const tryEvery = 2000;
/** The row that is written to try. It counts nothing. */
const key = 'write-probe';

export function watchState(state: State, { clock, onTrouble, onRecovery }: WatchOptions): StateWatch {
  let trouble: PackageRError | undefined;
  let timer: NodeJS.Timeout | undefined;
  const recover = (): void => {
    if (trouble === undefined) return;
    trouble = undefined;
    clearInterval(timer);
    onRecovery();
  };
  const tryWrite = (): void => {
    const values = { key, failures: 0, since: clock(), blocked_until: 0 };
    const query = state.db.insertInto('attempt').values(values);
    state.write({ query: query.onConflict((on) => on.column('key').doUpdateSet({ since: values.since })) }).then(recover, () => undefined);
  };
  const write: State['write'] = async (...unit) => {
    try {
      const results = await state.write(...unit);
      recover();
      return results;
    } catch (error) {
      if (isError(error, 'state_failed') && error.context['disk'] === true && trouble === undefined) {
        trouble = error;
        timer = setInterval(tryWrite, tryEvery).unref();
        onTrouble(error);
      }
      throw error;
    }
  };
  return {
    state: Object.create(state, { write: { value: write } }) as State,
    trouble: () => trouble,
    close: () => clearInterval(timer),
  };
}
