/**
 * The tray: what was picked across folders and sources, on its way into a package. It is kept on this device under the id of the one who is
 * signed in, so that it outlives a reload and nobody else sees it. Only names are kept, never bytes. Each change can be taken back.
 */
import { computed, ref, watch } from 'vue';
import { me, personalKey } from './session.ts';
import { isItem, keyOf, merge, mostItems, type TrayItem } from './tray-items.ts';

export const items = ref<readonly TrayItem[]>([]);

/** Of the files; folders say what they hold when they are annexed. */
export const bytes = computed(() => items.value.reduce((sum, { size = 0 }) => sum + size, 0));
export const sources = computed(() => new Set(items.value.map(({ source }) => source)).size);

export interface Undoable {
  undo(): void;
}

const kept = computed(() => (me.value === undefined ? undefined : personalKey(me.value, 'tray')));

watch(
  kept,
  (key) => {
    items.value = key === undefined ? [] : read(localStorage.getItem(key));
  },
  { immediate: true, flush: 'sync' },
);

/** Another window of the same person changed it. */
addEventListener('storage', ({ key, newValue }) => {
  if (key !== null && key === kept.value) items.value = read(newValue);
});

/** Adds what is not there yet, by itself or within a folder; `added` and `left`: how many went in, and how many had no room. */
export function add(more: readonly TrayItem[]): Undoable & { readonly added: number; readonly left: number } {
  const before = items.value;
  const merged = merge(before, more);
  const now = merged.slice(0, mostItems);
  const known = new Set(before.map(keyOf));
  const added = now.filter((item) => !known.has(keyOf(item)));
  // What a new folder swallowed comes back with it.
  const swallowed = without(before, now);
  change(now);
  return {
    added: added.length,
    left: merged.length - now.length,
    undo: () => change(merge(without(items.value, added), swallowed)),
  };
}

export function remove(gone: readonly TrayItem[]): Undoable {
  const keys = new Set(gone.map(keyOf));
  const here = items.value.filter((one) => keys.has(keyOf(one)));
  change(without(items.value, gone));
  return { undo: () => change(merge(here, items.value)) };
}

export function clear(): Undoable {
  return remove(items.value);
}

function without(list: readonly TrayItem[], gone: readonly TrayItem[]): readonly TrayItem[] {
  const keys = new Set(gone.map(keyOf));
  return list.filter((item) => !keys.has(keyOf(item)));
}

function change(now: readonly TrayItem[]): void {
  items.value = now;
  if (kept.value === undefined) return;
  try {
    if (now.length === 0) localStorage.removeItem(kept.value);
    else localStorage.setItem(kept.value, JSON.stringify(now));
  } catch {
    // No room on this device: it lasts as long as the page does.
  }
}

function read(text: string | null): readonly TrayItem[] {
  try {
    const found: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(found) ? found.filter(isItem).slice(0, mostItems) : [];
  } catch {
    return [];
  }
}
