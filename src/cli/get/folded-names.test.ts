import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FoldedNames } from './folded-names.ts';

describe('names that differ only in case or Unicode form', () => {
  it('are found, each behind the first of them, whatever else meets their marks', () => {
    const letter = fc.constantFrom('a', 'A', 'b', 'é', 'é', 'É', 'ß', '/', '😀');
    const name = fc.array(letter, { minLength: 1, maxLength: 3 }).map((letters) => letters.join(''));
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 40 }), fc.constantFrom(32, 64, 2 ** 16), (names, size) => {
        const folded = new FoldedNames(size);
        for (const one of names) folded.mark(one);
        const before = new Set<string>();
        for (const one of names) {
          const form = one.normalize('NFC').toLowerCase();
          expect(folded.isTwin(one)).toBe(before.has(form));
          before.add(form);
        }
      }),
    );
  });
});
