/**
 * What is selected in a listing, as a rule rather than a list: “all but these” of a million rows is as small as “these”. Values are new ones
 * at each change, so that whoever shows them sees it.
 */

export interface Selection {
  readonly isAll: boolean;
  /** The exceptions where all are selected; else what is selected. */
  readonly keys: ReadonlySet<string>;
}

export const nothing: Selection = { isAll: false, keys: new Set() };
export const everything: Selection = { isAll: true, keys: new Set() };

export function isSelected({ isAll, keys }: Selection, key: string): boolean {
  return keys.has(key) !== isAll;
}

export function toggled(selection: Selection, key: string): Selection {
  const keys = new Set(selection.keys);
  if (!keys.delete(key)) keys.add(key);
  return { ...selection, keys };
}

/** These and no others. */
export function only(keys: Iterable<string>): Selection {
  return { isAll: false, keys: new Set(keys) };
}

/** These too. */
export function widened(selection: Selection, added: Iterable<string>): Selection {
  const keys = new Set(selection.keys);
  for (const key of added) {
    if (selection.isAll) keys.delete(key);
    else keys.add(key);
  }
  return { ...selection, keys };
}

/** Undefined where all are selected of which nobody knows how many there are. */
export function countOf({ isAll, keys }: Selection, rows: number, isWhole: boolean): number | undefined {
  if (!isAll) return keys.size;
  return isWhole ? rows - keys.size : undefined;
}
