/** Listing, as every driver must do it. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { compareKeys, encodeKey } from '#model/key.ts';
import { aborted, expectError, key, listAll } from '#testing/driver-subject.ts';
import type { TestSubject } from '#testing/test-driver.ts';

const names = ['a!', 'a/b', 'a/b0', 'a/c/d', 'a/c/e', 'a0', 'b', 'p/1', 'p/2', 'p2/1', 'z/y/x'];

export function testListing(get: () => TestSubject): void {
  describe('list', () => {
    const all = names.map((name) => `list/${name}`);
    beforeAll(async () => {
      for (const name of all) await get().put(key(name), Buffer.from(name));
    });

    it('gives the same keys in byte order for every limit', async () => {
      for (let limit = 1; limit <= names.length + 1; limit++) {
        expect((await listAll(get().driver, { prefix: 'list/', limit })).keys).toEqual(all);
      }
    });

    it('folds what lies deeper than the delimiter, once, for every limit', async () => {
      for (let limit = 1; limit <= names.length; limit++) {
        const { keys, prefixes } = await listAll(get().driver, { prefix: 'list/', delimiter: '/', limit });
        expect(keys).toEqual(['list/a!', 'list/a0', 'list/b']);
        expect(prefixes).toEqual(['list/a/', 'list/p/', 'list/p2/', 'list/z/']);
      }
    });

    it('keeps objects and prefixes of a page in one order', async () => {
      const first = await get().driver.list({ prefix: 'list/', delimiter: '/', limit: 2 });
      expect([first.objects.map((one) => one.key), first.prefixes]).toEqual([['list/a!'], ['list/a/']]);
    });

    it('takes prefixes that do not end in a slash, by bytes', async () => {
      expect((await listAll(get().driver, { prefix: 'list/p' })).keys).toEqual(['list/p/1', 'list/p/2', 'list/p2/1']);
      expect((await listAll(get().driver, { prefix: 'list/p/' })).keys).toEqual(['list/p/1', 'list/p/2']);
      expect((await listAll(get().driver, { prefix: 'list/p', delimiter: '/' })).prefixes).toEqual(['list/p/', 'list/p2/']);
      expect((await listAll(get().driver, { prefix: 'list/a/c/d' })).keys).toEqual(['list/a/c/d']);
      expect((await listAll(get().driver, { prefix: 'list/a/b', delimiter: '/' })).keys).toEqual(['list/a/b', 'list/a/b0']);
    });

    it('begins behind any key, there or not', async () => {
      for (const startAfter of [...all, 'list/a', 'list/a/', 'list/a/c0', 'list/zz', 'a', 'm']) {
        const expected = all.filter((name) => compareKeys(name, startAfter) > 0);
        for (const limit of [1, 3, 1000]) {
          expect((await listAll(get().driver, { prefix: 'list/', startAfter, limit })).keys).toEqual(expected);
        }
      }
      expect((await listAll(get().driver, { prefix: 'list/', delimiter: '/', startAfter: 'list/a0' })).prefixes).toEqual([
        'list/p/',
        'list/p2/',
        'list/z/',
      ]);
    });

    it('is empty under a prefix with nothing', async () => {
      for (const prefix of ['list/none/', 'list/b/', 'list/../', 'list//', './list', '/', 'list/a/./']) {
        expect(await get().driver.list({ prefix })).toEqual({ objects: [], prefixes: [] });
      }
    });

    it('refuses a cursor of another listing and one that is none', async () => {
      const { cursor } = await get().driver.list({ prefix: 'list/', limit: 2 });
      expect(cursor).toBeTypeOf('string');
      await expectError(get().driver.list({ prefix: 'list/p', cursor }), 'cursor_invalid');
      await expectError(get().driver.list({ prefix: 'list/', delimiter: '/', cursor }), 'cursor_invalid');
      await expectError(get().driver.list({ prefix: 'list/', cursor: 'AAAA' }), 'cursor_invalid');
      await expectError(get().driver.list({ prefix: 'list/', cursor: '../../etc' }), 'cursor_invalid');
    });

    it('tells size, time and etag, the same as stat', async () => {
      const { objects } = await get().driver.list({ prefix: 'list/a/b', limit: 1 });
      const info = await get().driver.stat(key('list/a/b'));
      expect(info.size).toBe('list/a/b'.length);
      expect(objects[0]).toMatchObject({ key: 'list/a/b', size: info.size, etag: info.etag, modifiedAt: info.modifiedAt });
    });

    it('stops for a signal', async () => {
      await expectError(get().driver.list({ prefix: '', signal: aborted() }), 'cancelled');
    });

    it('lists random keys in byte order', async () => {
      const segment = fc.oneof(fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('a', 'b', '!', '0', 'é', '\ufffd', '😀') }));
      let run = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(fc.array(segment, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 8, selector: (path) => path[0] }),
          fc.integer({ min: 1, max: 9 }),
          async (paths, limit) => {
            const prefix = `random/${run++}/`;
            const keys = paths.map((path) => prefix + path.join('/'));
            for (const one of keys) await get().put(key(one), Buffer.from('x'));
            const sorted = [...keys].sort((a, b) => Buffer.compare(encodeKey(key(a)), encodeKey(key(b))));
            expect((await listAll(get().driver, { prefix, limit })).keys).toEqual(sorted);
          },
        ),
        { numRuns: 25 },
      );
    });
  });
}
