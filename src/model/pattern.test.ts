import { describe, expect, it } from 'vitest';
import { isError } from '#errors/error.ts';
import { compileExpression, compileGlob } from '#model/pattern.ts';

const refused = (make: () => unknown) => expect(make).toThrow(expect.objectContaining({ code: 'pattern_invalid' }));

describe('globs', () => {
  it.each([
    ['*.csv', ['a.csv', '.csv'], ['d/a.csv', 'a.csv2', 'aXcsv']],
    ['**/*.csv', ['a.csv', 'd/a.csv', 'd/e/a.csv'], ['a.txt', 'd/a.csv/x']],
    ['a/**', ['a/b', 'a/b/c'], ['a', 'ab/c']],
    ['a/**/z', ['a/z', 'a/b/z', 'a/b/c/z'], ['az', 'a/bz']],
    ['a**z', ['az', 'a/b/z'], ['a/b']],
    ['?.txt', ['a.txt', '😀.txt'], ['/.txt', 'ab.txt']],
    ['[a-c]x', ['ax', 'cx'], ['dx', '-x']],
    ['[!a-c]x', ['dx'], ['ax', '/x']],
    ['[]]', [']'], ['[', '\\']],
    ['[\\d^]', ['d', '\\', '^'], ['5']],
    ['{a,b{c,d},}.x', ['a.x', 'bc.x', 'bd.x', '.x'], ['b.x', 'a,b.x']],
    ['a,b', ['a,b'], ['a']],
    ['\\*\\{', ['*{'], ['a{']],
    ['.+(x)$|^\\\\Q', ['.+(x)$|^\\Q'], ['aa(x)']],
    ['*', ['a\nb', 'é'], ['a/b']],
    ['%_\'"; DROP', ['%_\'"; DROP'], ['ab\'"; DROP']],
  ])('%s', (glob, yes, no) => {
    const matches = compileGlob(glob);
    expect(yes.filter((path) => !matches(path))).toEqual([]);
    expect(no.filter((path) => matches(path))).toEqual([]);
  });

  it('refuses what is unfinished, empty or too long', () => {
    for (const glob of ['', '[', '[a', '[]', '{a', '{a,{b}', '{'.repeat(9), 'a\\', '[a/b]', '[z-a]', 'a'.repeat(257), '\ud800'])
      refused(() => compileGlob(glob));
  });

  it('is linear: many stars on a long text that does not match end at once', () => {
    const matches = compileGlob(`${'*a'.repeat(120)}b`);
    expect(matches('a'.repeat(4000))).toBe(false);
  });
});

describe('expressions', () => {
  it('give what the named groups hold', () => {
    const expression = compileExpression('(?P<tile>T[0-9]{2}[A-Z]{3})_(?<date>\\d{8})(?P<rest>x)?');
    expect(expression.groups).toEqual(['tile', 'date', 'rest']);
    expect(expression.match('s2/T31UDQ_20260102.tif')).toEqual({ tile: 'T31UDQ', date: '20260102' });
    expect(expression.match('s2/readme')).toBeUndefined();
  });

  it('match anywhere unless anchored', () => {
    expect(compileExpression('b').match('abc')).toEqual({});
    expect(compileExpression('^b$').match('abc')).toBeUndefined();
  });

  it('refuses back-references, look-around, bad syntax and length, and says why in print', () => {
    for (const text of ['(a)\\1', '(?=a)', '(?<=a)b', '(', 'a{2000}', '', 'x'.repeat(257)]) refused(() => compileExpression(text));
    try {
      compileExpression('(\u001b[2J');
    } catch (error) {
      expect(isError(error, 'pattern_invalid') && !error.message.includes('\u001b')).toBe(true);
    }
  });

  it('is linear where backtracking would not end', () => {
    expect(compileExpression('^(a+)+$').match(`${'a'.repeat(4000)}!`)).toBeUndefined();
  });

  it('does not take a group name for a property of objects', () => {
    const found = compileExpression('(?P<__proto__>a)').match('a');
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
    expect(found).toBeDefined();
  });
});
