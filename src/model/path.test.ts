import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ancestorsOf,
  compareBytes,
  encodePath,
  isWithin,
  joinPath,
  nameOf,
  parentOf,
  parsePath,
  parseSegment,
  relativeTo,
  root,
  toPath,
} from '#model/path.ts';

const refused = [
  '/a',
  'a/',
  'a//b',
  '.',
  '..',
  'a/../b',
  'a/./b',
  '../a',
  'a\0b',
  'a\nb',
  'a\rb',
  'a\tb',
  'a\u001b[2Jb',
  'a\u007f',
  'a\u0085b',
  'a\u2028b',
  'a\u2029b',
  '\ud800',
  'a\udc80',
];
const accepted = [
  '',
  'a',
  'a/b',
  ' a',
  'a ',
  '...',
  '.a',
  'a..b',
  'é',
  'e\u0301',
  '日本/東京',
  '😀',
  '-rf',
  '%2e%2e',
  'a\\b',
  'CON',
  '\u202egpj.exe',
  '$HOME',
];

describe('parsePath', () => {
  it.each(refused)('refuses %j', (text) => {
    expect(() => parsePath(text)).toThrow(expect.objectContaining({ code: 'path_invalid' }));
    expect(toPath(text)).toBeUndefined();
  });

  it.each(accepted)('keeps %j exactly', (text) => {
    expect(parsePath(text)).toBe(text);
  });

  it('counts bytes and segments', () => {
    expect(parsePath('a'.repeat(4096))).toHaveLength(4096);
    expect(toPath('a'.repeat(4097))).toBeUndefined();
    expect(toPath('é'.repeat(2048))).toBeDefined();
    expect(toPath(`${'é'.repeat(2048)}a`)).toBeUndefined();
    expect(toPath(Array(64).fill('a').join('/'))).toBeDefined();
    expect(toPath(Array(65).fill('a').join('/'))).toBeUndefined();
  });

  it('parses a single name only as one', () => {
    expect(parseSegment('a')).toBe('a');
    expect(() => parseSegment('a/b')).toThrow();
    expect(() => parseSegment('')).toThrow();
  });
});

describe('places', () => {
  const path = parsePath;

  it('holds by segment, not by prefix', () => {
    expect(isWithin(path('pub/a'), path('pub'))).toBe(true);
    expect(isWithin(path('pub'), path('pub'))).toBe(true);
    expect(isWithin(path('pub2/a'), path('pub'))).toBe(false);
    expect(isWithin(path('pub.bak'), path('pub'))).toBe(false);
    expect(isWithin(path('x'), root)).toBe(true);
    expect(isWithin(root, path('x'))).toBe(false);
  });

  it('goes up, down and across', () => {
    expect(parentOf(path('a/b/c'))).toBe('a/b');
    expect(parentOf(path('a'))).toBe('');
    expect(nameOf(path('a/b'))).toBe('b');
    expect(ancestorsOf(path('a/b/c'))).toEqual(['a', 'a/b']);
    expect(relativeTo(path('a/b/c'), path('a'))).toBe('b/c');
    expect(() => relativeTo(path('ab/c'), path('a'))).toThrow();
    expect(joinPath(root, path('a'))).toBe('a');
    expect(joinPath(path('a'), root)).toBe('a');
  });

  it('encodes what clients would read as something else', () => {
    expect(encodePath(path("a b/c#d?e=f&g%20!'()*[]{}+é"))).toBe('a%20b/c%23d%3Fe%3Df%26g%2520%21%27%28%29%2A%5B%5D%7B%7D%2B%C3%A9');
  });
});

describe('compareBytes', () => {
  it('orders as UTF-8 bytes do', () => {
    const text = fc.string({ unit: 'binary', maxLength: 6 });
    fc.assert(
      fc.property(text, text, (a, b) => Math.sign(compareBytes(a, b)) === Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)))),
    );
    expect(compareBytes('\uffff', '😀')).toBeLessThan(0);
  });
});
