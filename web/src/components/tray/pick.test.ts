import { describe, expect, it } from 'vitest';
import type { EntryAnswer } from '#api/entries.ts';
import { mostItems } from '../../queries/tray-items.ts';
import { everything, nothing, only, toggled } from '../listing/selection.ts';
import { pickRows, pickSelected, selectionKeyOf } from './pick.ts';

const place = { source: 'field', folder: 'x' };
const rows: readonly EntryAnswer[] = [
  { kind: 'folder', path: 'x/deep' },
  { kind: 'pointer', path: 'x/a.tif', size: 12 },
  { kind: 'unnamable', key: 'x//b' },
];

describe('what is picked from a listing', () => {
  it('is what is selected, with its size', () => {
    expect(pickSelected(place, rows, only(['x/deep', 'x/a.tif']))).toEqual({
      items: [
        { source: 'field', path: 'x/deep', kind: 'folder' },
        { source: 'field', path: 'x/a.tif', kind: 'pointer', size: 12 },
      ],
      unnamable: 0,
    });
    expect(pickSelected(place, rows, nothing)).toEqual({ items: [], unnamable: 0 });
  });

  it('is the folder where all of it is selected, and its rows where some are not', () => {
    const folder = { items: [{ source: 'field', path: 'x', kind: 'folder' }], unnamable: 0 };
    expect(pickSelected(place, [], everything)).toEqual(folder);
    expect(pickSelected(place, rows, toggled(toggled(everything, 'x/deep'), 'x/deep'))).toEqual(folder);
    const rest = pickSelected(place, rows, toggled(everything, 'x/deep'));
    expect(rest).toEqual({ items: [{ source: 'field', path: 'x/a.tif', kind: 'pointer', size: 12 }], unnamable: 1 });
  });

  it('says what has no path, and when it is too much', () => {
    expect(pickSelected(place, rows, only([selectionKeyOf({ kind: 'unnamable', key: 'x//b' })]))).toEqual({ items: [], unnamable: 1 });
    const many = Array.from({ length: mostItems + 1 }, (_, at) => ({ kind: 'pointer' as const, path: `x/${at}` }));
    expect(pickRows('field', many)).toBe('too-many');
  });
});
