/** Adds to the tray and takes away, says what was done, and offers the way back. */
import { useI18n } from 'vue-i18n';
import { add, clear, remove, type Undoable } from '../../queries/tray.ts';
import { mostItems, type TrayItem } from '../../queries/tray-items.ts';
import { tell } from '../../ui/toasts.ts';
import type { Picked } from './pick.ts';

export interface Tray {
  add(picked: Picked | 'too-many'): void;
  remove(item: TrayItem): void;
  clear(): void;
  /** A toast with a way back. */
  told(text: string, done: Undoable): void;
}

export function useTray(): Tray {
  const { t, locale } = useI18n();
  const number = (count: number): string => count.toLocaleString(locale.value);
  const told = (text: string, { undo }: Undoable): void => tell(text, { undo: { label: t('tray.undo'), run: undo } });
  return {
    told,
    add(picked) {
      if (picked === 'too-many') {
        tell(t('tray.tooMany', { count: number(mostItems) }), { look: 'fault' });
        return;
      }
      const { added, left, undo } = add(picked.items);
      if (left > 0) tell(t('tray.full', { count: number(left), most: number(mostItems) }), { look: 'fault' });
      if (picked.unnamable > 0) tell(t('tray.unnamable', { count: number(picked.unnamable) }, picked.unnamable), { look: 'fault' });
      if (added > 0) told(t('tray.added', { count: number(added) }, added), { undo });
      else if (left === 0 && picked.items.length > 0) tell(t('tray.there', picked.items.length));
    },
    remove(item) {
      told(t('tray.removed', { name: nameOf(item) }), remove([item]));
    },
    clear() {
      told(t('tray.cleared'), clear());
    },
  };
}

/** The last part; the source for the whole of one. */
export function nameOf({ path, source }: TrayItem): string {
  return path === '' ? source : path.slice(path.lastIndexOf('/') + 1);
}
