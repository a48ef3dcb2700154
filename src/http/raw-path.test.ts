import { describe, expect, it } from 'vitest';
import { isError } from '#errors/error.ts';
import { encodePath } from '#model/path.ts';
import { awkwardPaths } from '#testing/memory-tree.ts';
import { parseRawPath, pathnameOf, queryOf } from './raw-path.ts';

describe('parseRawPath', () => {
  it('gives the path behind the prefix, decoded once', () => {
    expect(parseRawPath('/s/ID/o/a%20b/c%2525.txt?x=1', 3)).toEqual({ path: 'a b/c%25.txt', isFolder: false });
  });

  it('takes a slash at the end, and the root, as a folder', () => {
    expect(parseRawPath('/s/ID/o/a/', 3)).toEqual({ path: 'a', isFolder: true });
    for (const url of ['/s/ID/o/', '/s/ID/o', '/s/ID/o/?x']) expect(parseRawPath(url, 3)).toEqual({ path: '', isFolder: true });
  });

  it.each(awkwardPaths)('reads what encodePath wrote: %j', (path) => {
    expect(parseRawPath(`/s/ID/o/${encodePath(path)}`, 3)).toEqual({ path, isFolder: false });
  });

  it.each([
    '..',
    '../x',
    'a/../b',
    'a/./b',
    '%2e%2e/x',
    '%2E%2E',
    'a//b',
    '/a',
    'a//',
    'a%2Fb',
    'a%2fb',
    'a%00',
    'a%0Ab',
    'a%1b',
    'a%',
    'a%2',
    'a%zz',
    'a%ff',
    'a%c0%af',
    'a%ed%a0%80',
    'a\\..\\b',
    'é',
    'a%e2%80%a8b',
    'a'.repeat(4097),
  ])('refuses %j', (tail) => {
    expect(() => parseRawPath(`/s/ID/o/${tail}`, 3)).toThrow(expect.toSatisfy((error) => isError(error, 'path_invalid')));
  });
});

describe('pathnameOf and queryOf', () => {
  it('split at the first question mark', () => {
    expect([pathnameOf('/a?b?c'), queryOf('/a?b?c'), queryOf('/a')]).toEqual(['/a', 'b?c', '']);
  });
});
