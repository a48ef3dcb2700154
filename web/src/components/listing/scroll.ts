/**
 * The arithmetic of a list of any length. Browsers clamp the height of an element (Chromium at 33.5, Firefox at 17.9 million pixels), so a
 * spacer of at most `tallest` stands for the rows, and what is shown is kept as an offset of its own. Small moves are kept one to one;
 * large ones, by the thumb, are scaled. Nothing here knows the DOM.
 */

/** Pixels of the spacer: far below what any browser clamps. */
export const tallest = 8_000_000;

export interface ScrollState {
  readonly rows: number;
  readonly rowHeight: number;
  readonly viewport: number;
  /** Pixels from the top of the first row to the top of what is shown. */
  readonly offset: number;
  /** Where the scroll bar was last seen. */
  readonly scrollTop: number;
}

type Sizes = Omit<ScrollState, 'scrollTop' | 'offset'>;

/** Height of the spacer. */
export function spacerOf({ rows, rowHeight }: Sizes): number {
  return Math.min(rows * rowHeight, tallest);
}

/** The greatest offset. */
export function lastOffset({ rows, rowHeight, viewport }: Sizes): number {
  return Math.max(0, rows * rowHeight - viewport);
}

/** Pixels of offset for a pixel of the scroll bar. */
function scaleOf(sizes: Sizes): number {
  const room = spacerOf(sizes) - sizes.viewport;
  return room <= 0 ? 1 : lastOffset(sizes) / room;
}

/** After the scroll bar moved. */
export function scrolled(state: ScrollState, scrollTop: number): ScrollState {
  const scale = scaleOf(state);
  const moved = scrollTop - state.scrollTop;
  const atEnd = scrollTop >= spacerOf(state) - state.viewport - 0.5;
  const isSmall = Math.abs(moved) < 2 * state.viewport && scrollTop > 0 && !atEnd;
  if (scale <= 1) return { ...state, scrollTop, offset: clamp(scrollTop, state) };
  if (isSmall) return { ...state, scrollTop, offset: clamp(state.offset + moved, state) };
  return { ...state, scrollTop, offset: atEnd ? lastOffset(state) : clamp(scrollTop * scale, state) };
}

/** Where the scroll bar should stand: after it has come to rest, or near an end that the offset is far from. */
export function anchored(state: ScrollState): ScrollState {
  return { ...state, scrollTop: Math.round(state.offset / scaleOf(state)) };
}

/** Whether the scroll bar nearly meets an end before what is shown does. */
export function isStuck(state: ScrollState): boolean {
  const left = spacerOf(state) - state.viewport - state.scrollTop;
  if (state.scrollTop < state.viewport && state.offset > 2 * state.viewport) return true;
  return left < state.viewport && lastOffset(state) - state.offset > 2 * state.viewport;
}

/** Moved by the least amount that shows a row whole. */
export function shown(state: ScrollState, row: number): ScrollState {
  const top = row * state.rowHeight;
  const bottom = top + state.rowHeight;
  if (top >= state.offset && bottom <= state.offset + state.viewport) return state;
  const offset = top < state.offset ? top : bottom - state.viewport;
  return anchored({ ...state, offset: clamp(offset, state) });
}

/** With other sizes, and the same row at the top. */
export function resized(state: ScrollState, sizes: Partial<Sizes>): ScrollState {
  const row = state.offset / state.rowHeight;
  const next = { ...state, ...sizes };
  return anchored({ ...next, offset: clamp(row * next.rowHeight, next) });
}

/** Rows to draw: [first, end), with some on each side. */
export function windowOf({ offset, viewport, rowHeight, rows }: ScrollState, more = 6): { readonly first: number; readonly end: number } {
  const first = Math.max(0, Math.floor(offset / rowHeight) - more);
  return { first, end: Math.min(rows, Math.ceil((offset + viewport) / rowHeight) + more) };
}

function clamp(offset: number, sizes: Sizes): number {
  return Math.min(lastOffset(sizes), Math.max(0, offset));
}
