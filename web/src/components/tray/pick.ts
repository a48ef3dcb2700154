/** From what is selected in a listing of a source to what goes into the tray. */
import type { EntryAnswer } from '#api/entries.ts';
import { mostItems, type TrayItem } from '../../queries/tray-items.ts';
import { isSelected, type Selection } from '../listing/selection.ts';

export interface Picked {
  readonly items: readonly TrayItem[];
  /** Objects whose key is no path: those are annexed by a list. */
  readonly unnamable: number;
}

/** The place in a selection, as listings name it. */
export function selectionKeyOf({ path, key = '' }: EntryAnswer): string {
  return path ?? `\0${key}`;
}

function toItem(source: string, { kind, path, size }: EntryAnswer): TrayItem | undefined {
  if (path === undefined || kind === 'unnamable') return undefined;
  return kind === 'folder' ? { source, path, kind: 'folder' } : { source, path, kind: 'pointer', ...(size === undefined ? {} : { size }) };
}

/** Everything without exception is the folder itself, however much it holds. `rows`: all of the folder where all but some are selected. */
export function pickSelected(
  { source, folder }: { readonly source: string; readonly folder: string },
  rows: readonly EntryAnswer[],
  selection: Selection,
): Picked | 'too-many' {
  if (selection.isAll && selection.keys.size === 0) return { items: [{ source, path: folder, kind: 'folder' }], unnamable: 0 };
  return pickRows(
    source,
    rows.filter((entry) => isSelected(selection, selectionKeyOf(entry))),
  );
}

export function pickRows(source: string, rows: readonly EntryAnswer[]): Picked | 'too-many' {
  if (rows.length > mostItems) return 'too-many';
  const items = rows.flatMap((entry) => toItem(source, entry) ?? []);
  return { items, unnamable: rows.length - items.length };
}
