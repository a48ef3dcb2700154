/**
 * The tray: what was picked across folders and sources, on its way into a package. It is kept on this device, so that it outlives a reload,
 * and each change can be taken back. Only names are kept, never bytes.
 */
import { computed, ref, watch } from 'vue';
import { isItem, keyOf, merge, mostItems, type TrayItem } from './tray-items.ts';

const kept = 'package-r.tray';

export const items = ref<readonly TrayItem[]>(read());

/** Of the files; folders say what they hold when they are annexed. */
export const bytes = computed(() => items.value.reduce((sum, { size = 0 }) => sum + size, 0));
export const sources = computed(() => new Set(items.value.map(({ source }) => source)).size);

watch(items, (now) => localStorage.setItem(kept, JSON.stringify(now)));

/** Adds what is not there yet, by itself or within a folder; gives how many were added, and what takes it back. */
export function add(more: readonly TrayItem[]): { readonly added: number; undo(): void } {
  const before = items.value;
  const now = merge(before, more).slice(0, mostItems);
  items.value = now;
  const known = new Set(before.map(keyOf));
  return {
    added: now.filter((item) => !known.has(keyOf(item))).length,
    undo: () => {
      items.value = before;
    },
  };
}

export function remove(item: TrayItem): { undo(): void } {
  const before = items.value;
  items.value = before.filter((one) => keyOf(one) !== keyOf(item));
  return {
    undo: () => {
      items.value = before;
    },
  };
}

export function clear(): { undo(): void } {
  const before = items.value;
  items.value = [];
  return {
    undo: () => {
      items.value = before;
    },
  };
}

function read(): readonly TrayItem[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(kept) ?? '[]');
    return Array.isArray(found) ? found.filter(isItem).slice(0, mostItems) : [];
  } catch {
    return [];
  }
}
