/** The scaled scroller on an element: keeps state and scroll bar in step, and says which rows to draw. */
import { onBeforeUnmount, onMounted, type Ref, ref, shallowRef, watch } from 'vue';
import { anchored, isStuck, resized, type ScrollState, scrolled, shown, spacerOf, windowOf } from './scroll.ts';

/** Milliseconds without a move after which the scroll bar is put where it belongs. */
const rest = 120;

export interface Scroller {
  readonly state: Readonly<Ref<ScrollState>>;
  /** Pixels. */
  spacer(): number;
  window(): { readonly first: number; readonly end: number };
  show(row: number): void;
}

/** `element`: what scrolls. `rowHeight` in pixels. */
export function useScroller(element: Readonly<Ref<HTMLElement | null>>, rows: () => number, rowHeight: () => number): Scroller {
  const state = shallowRef<ScrollState>({ rows: rows(), rowHeight: rowHeight(), viewport: 1, offset: 0, scrollTop: 0 });
  const height = ref(0);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const anchor = (): void => {
    const scroller = element.value;
    if (scroller === null) return;
    scroller.scrollTop = anchored(state.value).scrollTop;
    // As the browser took it: it rounds, and clamps.
    state.value = { ...state.value, scrollTop: scroller.scrollTop };
  };
  const move = (): void => {
    const scroller = element.value;
    if (scroller === null || scroller.scrollTop === state.value.scrollTop) return;
    state.value = scrolled(state.value, scroller.scrollTop);
    clearTimeout(timer);
    if (isStuck(state.value)) anchor();
    else timer = setTimeout(anchor, rest);
  };
  const observer = new ResizeObserver(([entry]) => {
    height.value = entry?.contentRect.height ?? 0;
  });
  onMounted(() => {
    element.value?.addEventListener('scroll', move, { passive: true });
    if (element.value !== null) observer.observe(element.value);
  });
  onBeforeUnmount(() => {
    observer.disconnect();
    clearTimeout(timer);
  });
  watch([rows, rowHeight, height], ([count, pixels, viewport]) => {
    state.value = resized(state.value, { rows: count, rowHeight: pixels, viewport: Math.max(1, viewport) });
  });
  // After the spacer has its new height.
  watch([rows, rowHeight, height], anchor, { flush: 'post' });
  return {
    state,
    spacer: () => spacerOf(state.value),
    window: () => windowOf(state.value),
    show(row) {
      state.value = shown(state.value, row);
      anchor();
    },
  };
}
