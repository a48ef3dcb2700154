import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countOf, everything, isSelected, nothing, only, type Selection, toggled, widened } from './selection.ts';

const names = ['a', 'b', 'c', 'd', 'e'];

describe('a selection', () => {
  it('agrees with a plain set, whatever is done', () => {
    const name = fc.constantFrom(...names);
    const step = fc.oneof(
      fc.record({ do: fc.constant('toggle' as const), name }),
      fc.record({ do: fc.constant('only' as const), name }),
      fc.record({ do: fc.constant('widen' as const), name }),
      fc.record({ do: fc.constantFrom('all' as const, 'none' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        let selection: Selection = nothing;
        let plain = new Set<string>();
        for (const one of steps) {
          if (one.do === 'toggle') {
            selection = toggled(selection, one.name);
            if (!plain.delete(one.name)) plain.add(one.name);
          } else if (one.do === 'only') [selection, plain] = [only([one.name]), new Set([one.name])];
          else if (one.do === 'widen') [selection, plain] = [widened(selection, [one.name]), new Set([...plain, one.name])];
          else if (one.do === 'all') [selection, plain] = [everything, new Set(names)];
          else [selection, plain] = [nothing, new Set()];
          expect(names.filter((one) => isSelected(selection, one))).toEqual(names.filter((one) => plain.has(one)));
          expect(countOf(selection, names.length, true)).toBe(plain.size);
        }
      }),
    );
  });

  it('does not say how many all are before it is known', () => {
    expect(countOf(everything, 1000, false)).toBeUndefined();
    expect(countOf(everything, 1000, true)).toBe(1000);
    expect(countOf(only(['a']), 1000, false)).toBe(1);
  });
});
