/** What a version keeps of its sources. */
import type { VersionRow } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { SourceTotals } from './source-totals.ts';

/** Empty for versions that were frozen before this was kept. */
export async function keptTotals(state: State, version: VersionRow): Promise<SourceTotals> {
  const query = state.db.selectFrom('version_source').selectAll().where('package', '=', version.package);
  const totals = new SourceTotals();
  for (const row of await query.where('number', '=', version.number).execute()) totals.add(row);
  return totals;
}
