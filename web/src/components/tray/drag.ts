/** What is dragged from a listing to the tray. The browser carries a mark only: names stay within the page. */
import { shallowRef } from 'vue';
import type { TrayItem } from '../../queries/tray-items.ts';

const mark = 'application/x-package-r-tray';

/** While something is dragged. */
export const dragged = shallowRef<readonly TrayItem[]>([]);

export function startDrag(event: DragEvent, items: readonly TrayItem[]): void {
  if (event.dataTransfer === null || items.length === 0) {
    event.preventDefault();
    return;
  }
  event.dataTransfer.setData(mark, '');
  event.dataTransfer.effectAllowed = 'copy';
  dragged.value = items;
  addEventListener('dragend', endDrag, { once: true });
}

export function endDrag(): void {
  dragged.value = [];
}

export function isOurs(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes(mark) === true;
}
