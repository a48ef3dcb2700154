/** Which writes change what decisions are made from: they end one generation of the state and begin another. */
import type { Write } from '#state/state.ts';

const decisionTables =
  /\b(?:into|update|from)\s+"?(?:user|group|group_member|grant|session|token|source|namespace|package|version|share|share_audience|ticket)"?(?=\s|$)/;

/** `sql`: the compiled query of the write. */
export function isDecisive({ isCount }: Pick<Write, 'isCount'>, sql: string): boolean {
  return isCount !== true && decisionTables.test(sql);
}
