import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anchored, isStuck, lastOffset, resized, type ScrollState, scrolled, shown, spacerOf, tallest, windowOf } from './scroll.ts';

const million: ScrollState = { rows: 1_000_000, rowHeight: 36, viewport: 700, offset: 0, scrollTop: 0 };

describe('the scaled scroller', () => {
  it('moves one to one by the wheel, at the top and in the middle of a million rows', () => {
    let state = scrolled(million, 120);
    expect(state.offset).toBe(120);
    state = shown(state, 500_000);
    const before = state.offset;
    expect(scrolled(state, state.scrollTop + 120).offset - before).toBe(120);
    expect(scrolled(state, state.scrollTop - 120).offset - before).toBe(-120);
  });

  it('reaches the last row by the thumb, and the middle in the middle', () => {
    const end = scrolled(million, spacerOf(million) - million.viewport);
    expect(windowOf(end, 0).end).toBe(1_000_000);
    const half = scrolled(million, (spacerOf(million) - million.viewport) / 2);
    expect(windowOf(half, 0).first).toBeGreaterThan(499_000);
    expect(windowOf(half, 0).first).toBeLessThan(501_000);
  });

  it('is an ordinary list where the browser can hold all rows', () => {
    const state = { ...million, rows: 10_000 };
    expect(spacerOf(state)).toBe(360_000);
    expect(scrolled(state, 5000).offset).toBe(5000);
    expect(spacerOf(million)).toBe(tallest);
  });

  it('shows any row whole, wherever it was, and never leaves its ends', () => {
    const rows = fc.integer({ min: 1, max: 3_000_000 });
    const moves = fc.array(fc.oneof(fc.integer({ min: -1500, max: 1500 }), fc.double({ min: 0, max: 1, noNaN: true })), { maxLength: 30 });
    fc.assert(
      fc.property(rows, fc.constantFrom(28, 36, 48), fc.integer({ min: 50, max: 2000 }), moves, (count, rowHeight, viewport, list) => {
        let state: ScrollState = { rows: count, rowHeight, viewport, offset: 0, scrollTop: 0 };
        const room = Math.max(0, spacerOf(state) - viewport);
        for (const move of list) {
          const wanted = Number.isInteger(move) && move !== 0 && move !== 1 ? state.scrollTop + move : move * room;
          state = scrolled(state, Math.min(room, Math.max(0, wanted)));
          if (isStuck(state)) state = anchored(state);
          expect(state.offset).toBeGreaterThanOrEqual(0);
          expect(state.offset).toBeLessThanOrEqual(lastOffset(state));
          expect(state.scrollTop).toBeLessThanOrEqual(room);
        }
        const row = Math.floor(count * 0.7);
        const seen = shown(state, row);
        expect(seen.offset).toBeLessThanOrEqual(row * rowHeight + 1e-6);
        if (viewport >= rowHeight) expect(seen.offset + viewport).toBeGreaterThanOrEqual((row + 1) * rowHeight - 1e-6);
        const { first, end } = windowOf(seen);
        expect(first).toBeLessThanOrEqual(row);
        expect(end).toBeGreaterThan(row);
      }),
    );
  });

  it('keeps the first row where rows come, or become lower', () => {
    const state = shown(million, 700_000);
    const top = Math.floor(state.offset / state.rowHeight);
    for (const sizes of [{ rows: 2_000_000 }, { rowHeight: 28 }, { viewport: 300 }]) {
      const next = resized(state, sizes);
      expect(Math.floor(next.offset / next.rowHeight)).toBe(top);
    }
  });
});
