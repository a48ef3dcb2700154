import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { annexParts, isItem, keyOf, merge, type TrayItem } from './tray-items.ts';

const file = (path: string, source = 'a'): TrayItem => ({ source, path, kind: 'pointer', size: 1 });
const folder = (path: string, source = 'a'): TrayItem => ({ source, path, kind: 'folder' });

describe('what lies in the tray', () => {
  it('is there once, and goes with its folder', () => {
    const picked = merge([file('x/1'), file('y/1')], [file('x/1'), folder('x'), file('x/deep/2')]);
    expect(picked.map(keyOf)).toEqual([file('y/1'), folder('x')].map(keyOf));
  });

  it('is told apart by its source, and by whole names', () => {
    expect(merge([file('x/1', 'b')], [folder('x', 'a')])).toHaveLength(2);
    expect(merge([file('xy/1')], [folder('x')])).toHaveLength(2);
    expect(merge([file('x/1')], [folder('')])).toEqual([folder('')]);
  });

  it('holds what was picked, in whatever order, and nothing twice', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    const item = fc.record({ source: fc.constantFrom('s', 't'), path, kind: fc.constantFrom('folder' as const, 'pointer' as const) });
    const covers = (tray: readonly TrayItem[], { source, path: wanted }: TrayItem): boolean =>
      tray.some((one) => one.source === source && (one.path === wanted || (one.kind === 'folder' && wanted.startsWith(`${one.path}/`))));
    fc.assert(
      fc.property(fc.array(item), fc.array(item), (first, second) => {
        const tray = merge(first, second);
        expect(new Set(tray.map(keyOf)).size).toBe(tray.length);
        for (const one of [...first, ...second]) expect(covers(tray, one)).toBe(true);
      }),
    );
  });

  it('is annexed source by source', () => {
    const parts = annexParts([file('1', 'b'), file('2', 'a'), file('3', 'b')]);
    expect(parts.map(({ source, items }) => [source, items.map(({ path }) => path)])).toEqual([
      ['b', ['1', '3']],
      ['a', ['2']],
    ]);
    expect(annexParts([])).toEqual([]);
  });

  it('is annexed in parts that the server takes, and nothing is lost between them', () => {
    const many = Array.from({ length: 12_001 }, (_, at) => file(`x/${at}`));
    expect(annexParts(many).map(({ items }) => items.length)).toEqual([5000, 5000, 2001]);
    const long = Array.from({ length: 300 }, (_, at) => file(`${at}/${'n'.repeat(4000)}`));
    const parts = annexParts(long);
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.flatMap(({ items }) => items)).toEqual(long);
  });

  it('is read back only where it is one', () => {
    for (const bad of [null, 1, {}, { source: 'a' }, { source: 'a', path: 'x', kind: 'other' }, { ...file('x'), size: 'big' }]) {
      expect(isItem(bad)).toBe(false);
    }
    expect(isItem(file('x'))).toBe(true);
  });
});
