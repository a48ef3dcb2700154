/** From a listing of a source to the tray: by button, by key, by drag. */
import type { Ref } from 'vue';
import type { EntryAnswer } from '#api/entries.ts';
import type { EntryList } from '../../queries/entry-list.ts';
import { mostItems } from '../../queries/tray-items.ts';
import { isSelected, type Selection } from '../listing/selection.ts';
import { startDrag } from './drag.ts';
import { type Picked, pickRows, pickSelected, selectionKeyOf } from './pick.ts';
import { useTray } from './use-tray.ts';

export interface PickPlace {
  readonly source: string;
  /** Path of the folder. */
  readonly folder: string;
  readonly list: EntryList;
}

export interface Pick {
  /** What is selected; the entry where nothing is. */
  add(entry?: EntryAnswer): Promise<void>;
  /** Of a row: with all that is selected where it is one of those. */
  drag(entry: EntryAnswer, event: DragEvent): void;
}

export function usePick(place: () => PickPlace | undefined, selection: Readonly<Ref<Selection>>): Pick {
  const tray = useTray();
  const hasSome = (): boolean => selection.value.isAll || selection.value.keys.size > 0;
  const pick = (found: PickPlace): Picked | 'too-many' => pickSelected(found, found.list.rows, selection.value);
  return {
    async add(entry) {
      const found = place();
      if (found === undefined) return;
      if (!hasSome()) {
        if (entry !== undefined) tray.add(pickRows(found.source, [entry]));
        return;
      }
      const { isAll, keys } = selection.value;
      // All but some: who they are is known when all are.
      if (isAll && keys.size > 0) {
        await found.list.load(mostItems + keys.size);
        if (found.list.state.error !== undefined) return;
        if (!found.list.state.isWhole) {
          tray.add('too-many');
          return;
        }
      }
      tray.add(pick(found));
    },
    drag(entry, event) {
      const found = place();
      if (found === undefined) return;
      const isOneOfThem = hasSome() && isSelected(selection.value, selectionKeyOf(entry));
      const { isAll, keys } = selection.value;
      // Rows that were not seen yet are not among those that are dragged: the button waits for them.
      const isKnown = !isAll || keys.size === 0 || found.list.state.isWhole;
      const picked = isOneOfThem && isKnown ? pick(found) : pickRows(found.source, [entry]);
      startDrag(event, picked === 'too-many' ? [] : picked.items);
    },
  };
}
