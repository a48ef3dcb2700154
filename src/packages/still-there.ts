/** Whether a step is there to be read: rows of a package that was deleted, and of a step that was undone and given up, go away by and by. */
import { PackageRError } from '#errors/error.ts';
import type { HoldCheck } from '#model/held-tree.ts';
import type { State } from '#state/state.ts';

/**
 * Asked behind a reading, it says that nothing was missing in it.
 * Errors: not_found where the package is gone; precondition_failed where the step was undone and another change took its place.
 */
export async function requireStep(state: State, packageId: number, step: number): Promise<void> {
  const { db } = state;
  const row = await db.selectFrom('package').select(['removed_at', 'top']).where('id', '=', packageId).executeTakeFirst();
  if (row === undefined || row.removed_at !== null) throw new PackageRError('not_found', 'The package was deleted.');
  const isKept =
    step === 0 || (await db.selectFrom('step').select('step').where('package', '=', packageId).where('step', '=', step).executeTakeFirst());
  if (row.top < step || isKept === undefined)
    throw new PackageRError('precondition_failed', 'What was read of this draft was undone and changed in the meantime.');
}

/** The same for a tree that is read for long: asked only where the state has changed since its step was found, and since it was asked. */
export function stepCheck(
  state: State,
  found: { readonly package: number; readonly step: number; readonly generation: number },
): HoldCheck {
  let { generation } = found;
  return () => {
    if (state.generation === generation) return undefined;
    const asked = state.generation;
    return requireStep(state, found.package, found.step).then(() => {
      generation = asked;
    });
  };
}
