import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isError } from '#errors/error.ts';
import type { Path } from '#model/path.ts';
import { compileGlob } from '#model/pattern.ts';
import { moved, type Sieve, showing, type Terms, termsOfGlob, termsOfText } from '#model/sieve.ts';

const terms = (name: readonly string[], path: readonly string[] = []): Terms => ({ name, path });

/** As the index reads terms. */
function holds(path: string, { name, path: anywhere }: Terms): boolean {
  const names = path.split('/').map((one) => `/${one}/`);
  const last = names.at(-1) ?? '';
  return name.every((term) => last.includes(term)) && anywhere.every((term) => names.some((one) => one.includes(term)));
}

/** What a wildcard may stand for. */
const stands = new Map([
  ['*', 'a'],
  ['**', 'a/b'],
  ['?', 'b'],
  ['[ab]', 'a'],
  ['[!a]', 'c'],
]);

describe('terms', () => {
  it.each([
    ['*.tif', [terms(['.tif/'])]],
    ['scene*.tif', [terms(['/scene', '.tif/'])]],
    ['a?c', [terms(['/a', 'c/'])]],
    ['[ab]cd', [terms(['cd/'])]],
    ['data/**/*.csv', [terms(['.csv/'], ['/data/'])]],
    ['2024*/rain-*', [terms(['/rain-'], ['/2024'])]],
    ['a/x**y.tif', [terms(['y.tif/'], ['/a/', '/x'])]],
    ['*.{tif,csv}', [terms(['.tif/']), terms(['.csv/'])]],
    ['{a/b,c}*', [terms(['/b'], ['/a/']), terms(['/c'])]],
    ['a\\*b', [terms(['/a*b/'])]],
    ['*', undefined],
    ['**/*', undefined],
    ['??/[ab]', undefined],
    ['{a,*}', undefined],
    ['{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}', undefined],
  ])('of %s', (glob, expected) => {
    expect(termsOfGlob(glob)).toEqual(expected);
  });

  it('of a text: no name holds a slash', () => {
    expect(termsOfText('abc')).toEqual([terms(['abc'])]);
    expect(termsOfText('a/b')).toEqual([]);
  });

  it('stand in whatever the glob matches', () => {
    const sign = fc.constantFrom('a', 'b', 'é', '*', '**', '?', '/', '/', '[ab]', '[!a]', '{', '}', ',', '\\', '\\*', '\\{', '.');
    const letter = fc.constantFrom('a', 'b', 'c', 'é', '.', '*', '{', '/', ',', '}');
    let matched = 0;
    fc.assert(
      fc.property(
        fc.array(sign, { minLength: 1, maxLength: 9 }),
        fc.array(fc.array(letter, { maxLength: 7 }), { maxLength: 60 }),
        (signs, texts) => {
          const glob = signs.join('');
          let matches: (path: string) => boolean;
          try {
            matches = compileGlob(glob);
          } catch (error) {
            expect(isError(error, 'pattern_invalid')).toBe(true);
            return;
          }
          const alternatives = termsOfGlob(glob);
          if (alternatives === undefined) return;
          const own = signs.map((one) => stands.get(one) ?? one.replace(/^\\(?=.)/, ''));
          for (const path of [own.join(''), ...texts.map((one) => one.join(''))].filter((one) =>
            one.split('/').every((name) => name !== ''),
          )) {
            if (!glob.includes('/') && path.includes('/')) continue;
            if (!matches(path)) continue;
            matched += 1;
            expect(
              alternatives.some((one) => holds(path, one)),
              `${glob} matches ${path}`,
            ).toBe(true);
          }
        },
      ),
      { numRuns: 3000 },
    );
    expect(matched).toBeGreaterThan(200);
  });
});

describe('a sieve', () => {
  const sieve: Sieve = { alternatives: [], matches: (path) => path === 'x' };

  it('shows what all who guard it show', async () => {
    const twice = showing(
      showing(sieve, (path) => path !== 'a'),
      async (path) => path !== 'b',
    );
    expect(await Promise.all(['a', 'b', 'c'].map((path) => twice.shows?.(path as Path)))).toEqual([false, false, true]);
  });

  it('is moved with its tree', async () => {
    const shown = moved(
      showing(sieve, (path) => path === 'x'),
      (path) => path.slice(2) as Path,
    );
    expect([shown.matches('a/x' as Path), shown.matches('x' as Path), await shown.shows?.('a/x' as Path)]).toEqual([true, false, true]);
    expect(moved(sieve, (path) => path).shows).toBeUndefined();
  });
});
