/** Stat and read, as every driver must do them. */
import { beforeAll, describe, expect, it } from 'vitest';
import { aborted, bytesOf, expectError, key, listAll } from '#testing/driver-subject.ts';
import type { TestSubject } from '#testing/test-driver.ts';

export function testReading(get: () => TestSubject): void {
  describe('stat and read', () => {
    const name = key('read/digits');
    beforeAll(async () => {
      await get().put(name, Buffer.from('0123456789'));
      await get().put(key('read/empty'), Buffer.alloc(0));
    });

    it('gives the bytes and what they are', async () => {
      const object = await get().driver.read(name);
      expect(object.info).toMatchObject({ key: name, size: 10 });
      expect((await bytesOf(object)).toString()).toBe('0123456789');
      expect(await bytesOf(get().driver.read(key('read/empty')))).toHaveLength(0);
    });

    it('gives ranges, cut at the end, and always the size of the whole object', async () => {
      const read = async (start: number, end: number): Promise<string> => {
        const object = await get().driver.read(name, { range: { start, end } });
        expect(object.info.size).toBe(10);
        return (await bytesOf(object)).toString();
      };
      expect(await read(0, 1)).toBe('0');
      expect(await read(3, 7)).toBe('3456');
      expect(await read(9, 10)).toBe('9');
      expect(await read(5, 999)).toBe('56789');
    });

    it('refuses ranges that are none', async () => {
      for (const range of [
        { start: 10, end: 11 },
        { start: 5, end: 5 },
        { start: 5, end: 4 },
        { start: -1, end: 4 },
        { start: 0.5, end: 4 },
      ]) {
        await expectError(get().driver.read(name, { range }), 'range_invalid');
      }
      await expectError(get().driver.read(key('read/empty'), { range: { start: 0, end: 1 } }), 'range_invalid');
    });

    it('says object_not_found for what is not there, whatever its name', async () => {
      for (const missing of [
        'read/none',
        'read',
        'read/',
        'read/digits/',
        'read/digits/below',
        '../read/digits',
        'read/../read/digits',
        '/read',
      ]) {
        await expectError(get().driver.stat(key(missing)), 'object_not_found');
        await expectError(get().driver.read(key(missing)), 'object_not_found');
      }
    });

    it('closes a body that is returned, begun or not', async () => {
      await (await get().driver.read(name)).body[Symbol.asyncIterator]().return?.();
      for await (const chunk of (await get().driver.read(name)).body) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
    });

    it('stops for a signal, also in the middle of a body', async () => {
      await expectError(get().driver.stat(name, { signal: aborted() }), 'cancelled');
      await expectError(get().driver.read(name, { signal: aborted() }), 'cancelled');
      await get().put(key('read/long'), Buffer.alloc(2_000_000, 1));
      const caller = new AbortController();
      const { body } = await get().driver.read(key('read/long'), { signal: caller.signal });
      const drain = async (): Promise<void> => {
        for await (const _ of body) caller.abort();
      };
      await expectError(drain(), 'cancelled');
    });

    it('holds awkward keys byte for byte', async () => {
      const { driver, awkwardKeys, longestKey } = get();
      const long = `read/longest/${'x'.repeat(200)}/`.padEnd(longestKey, `${'y'.repeat(200)}/`).slice(0, longestKey - 1);
      for (const awkward of [...awkwardKeys.map((one) => `read/awkward/${one}`), `${long}z`]) {
        await get().put(key(awkward), Buffer.from(awkward.slice(0, 40)));
        expect((await driver.stat(key(awkward))).key).toBe(awkward);
        expect((await bytesOf(driver.read(key(awkward)))).toString()).toBe(Buffer.from(awkward.slice(0, 40)).toString());
        expect((await listAll(driver, { prefix: awkward })).keys).toContain(awkward);
      }
      const { keys } = await listAll(driver, { prefix: 'read/awkward/', limit: 1 });
      expect([...keys].sort()).toEqual(awkwardKeys.map((one) => `read/awkward/${one}`).sort());
    });

    it('states only checksums that are true and declared', async () => {
      const { createHash } = await import('node:crypto');
      const { checksums = [] } = await get().driver.stat(name);
      const declared = get().driver.capabilities.checksums;
      expect(checksums.map((one) => one.algorithm).sort()).toEqual([...(get().stated ?? declared)].sort());
      expect(declared).toEqual(expect.arrayContaining(checksums.map((one) => one.algorithm)));
      for (const { algorithm, value, evidence } of checksums) {
        expect(evidence).toBe('stored');
        if (algorithm.startsWith('crc')) continue;
        expect(value).toBe(createHash(algorithm).update('0123456789').digest('hex'));
      }
    });

    it('changes the etag with the bytes', async () => {
      await get().put(key('read/changing'), Buffer.from('one'));
      const before = await get().driver.stat(key('read/changing'));
      await get().put(key('read/changing'), Buffer.from('two'));
      expect((await get().driver.stat(key('read/changing'))).etag).not.toBe(before.etag);
    });
  });
}
