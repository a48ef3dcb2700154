/** Undo and redo: the head moves between what is frozen and what was done last. Nothing is written but the head. */
import { PackageRError } from '#errors/error.ts';
import type { State } from '#state/state.ts';
import { getPackageRow, type KeptPackage } from './open-step.ts';

/** Errors: nothing_to_undo, step_open. */
export async function undo(state: State, packageId: number): Promise<void> {
  const row = await getPackageRow(state, packageId);
  if (row.head <= row.frozen) throw new PackageRError('nothing_to_undo');
  const steps = state.db.selectFrom('step').select('step').where('package', '=', packageId).where('step', '<', row.head);
  const before = await steps.orderBy('step', 'desc').limit(1).executeTakeFirst();
  await moveHead(state, row, Math.max(before?.step ?? 0, row.frozen));
}

/** Errors: nothing_to_undo, step_open. */
export async function redo(state: State, packageId: number): Promise<void> {
  const row = await getPackageRow(state, packageId);
  const steps = state.db.selectFrom('step').select('step').where('package', '=', packageId);
  const after = await steps.where('step', '>', row.head).where('step', '<=', row.top).orderBy('step').limit(1).executeTakeFirst();
  if (after === undefined) throw new PackageRError('nothing_to_undo', 'There is no step to redo.');
  await moveHead(state, row, after.step);
}

async function moveHead(state: State, row: KeptPackage, head: number): Promise<void> {
  const move = state.db
    .updateTable('package')
    .set({ head, generation: row.generation + 1 })
    .where('id', '=', row.id);
  await state.write({
    query: move.where('head', '=', row.head).where('top', '=', row.top).where('frozen', '=', row.frozen).where('open_step', 'is', null),
    expect: { changes: 1, code: 'step_open', message: 'Another change of this draft is under way.' },
  });
}
