/** Writing, copying, deleting, parts and versions, where a driver declares them. */
import { describe, expect, it } from 'vitest';
import type { Driver } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
import { aborted, bodyOf, bytesOf, expectError, key, listAll, when } from '#testing/driver-subject.ts';
import type { TestSubject } from '#testing/test-driver.ts';

type Writing = Driver & Required<Pick<Driver, 'write' | 'copy' | 'delete' | 'multipart'>>;

async function* failing(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('half');
  throw new PackageRError('source_unavailable', 'The sender went away.');
}

export function testWriting(get: () => TestSubject): void {
  describe('write, copy, delete', () => {
    const driver = (): Writing => get().driver as Writing;
    const can = (what: 'write' | 'copy' | 'delete'): boolean => get().driver.capabilities[what];

    it('has the members that it declares, and no other', () => {
      const { capabilities, write, copy, delete: remove, multipart, cors } = get().driver;
      expect([write, copy, remove, multipart, cors].map((member) => member !== undefined)).toEqual([
        capabilities.write,
        capabilities.copy,
        capabilities.delete,
        capabilities.multipart,
        capabilities.cors,
      ]);
    });

    when(can('write'))('creates and replaces', async () => {
      const info = await driver().write(key('write/a/b'), bodyOf('he', '', 'llo'), { size: 5 });
      expect(info).toMatchObject({ key: 'write/a/b', size: 5, etag: (await driver().stat(key('write/a/b'))).etag });
      await driver().write(key('write/a/b'), bodyOf('again'));
      expect((await bytesOf(driver().read(key('write/a/b')))).toString()).toBe('again');
      await driver().write(key('write/none'), bodyOf());
      expect((await driver().stat(key('write/none'))).size).toBe(0);
    });

    when(can('write'))('leaves nothing of a body that breaks, is longer, shorter or cancelled', async () => {
      await expectError(driver().write(key('fail/a'), failing()), 'source_unavailable');
      await expectError(driver().write(key('fail/b'), bodyOf('12345'), { size: 4 }), 'request_invalid');
      await expectError(driver().write(key('fail/c'), bodyOf('123'), { size: 4 }), 'request_invalid');
      await expectError(driver().write(key('fail/d'), bodyOf('123'), { signal: aborted() }), 'cancelled');
      const caller = new AbortController();
      const never = async function* (): AsyncGenerator<Uint8Array> {
        yield Buffer.from('x');
        caller.abort();
        await new Promise(() => undefined);
      };
      await expectError(driver().write(key('fail/e'), never(), { signal: caller.signal }), 'cancelled');
      expect(await listAll(driver(), { prefix: 'fail/' })).toMatchObject({ keys: [] });
    });

    when(can('write'))('keeps the old object while and after a failed replacement', async () => {
      await driver().write(key('write/kept'), bodyOf('old'));
      await expectError(driver().write(key('write/kept'), failing()), 'source_unavailable');
      expect((await bytesOf(driver().read(key('write/kept')))).toString()).toBe('old');
    });

    when(can('write'))('creates only once with ifAbsent, also in a race', async () => {
      const tries = await Promise.allSettled(
        ['a', 'b', 'c', 'd'].map((text) => driver().write(key('write/once'), bodyOf(text), { ifAbsent: true })),
      );
      expect(tries.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
      await expectError(driver().write(key('write/once'), bodyOf('x'), { ifAbsent: true }), 'exists');
    });

    when(can('copy') && can('write'))('copies', async () => {
      await driver().write(key('copy/from'), bodyOf('bytes'));
      expect(await driver().copy(key('copy/from'), key('copy/to/x'))).toMatchObject({ key: 'copy/to/x', size: 5 });
      expect((await bytesOf(driver().read(key('copy/to/x')))).toString()).toBe('bytes');
      await expectError(driver().copy(key('copy/none'), key('copy/y')), 'object_not_found');
    });

    when(can('delete'))('deletes, twice if asked', async () => {
      await get().put(key('delete/a'), Buffer.from('x'));
      await get().put(key('delete/ab'), Buffer.from('x'));
      await driver().delete(key('delete/a'));
      await driver().delete(key('delete/a'));
      await driver().delete(key('delete/never/there'));
      await driver().delete(key('delete'));
      await expectError(driver().stat(key('delete/a')), 'object_not_found');
      expect((await listAll(driver(), { prefix: 'delete/' })).keys).toEqual(['delete/ab']);
      await expectError(driver().delete(key('delete/ab'), { signal: aborted() }), 'cancelled');
    });
  });
}

export function testMultipart(get: () => TestSubject): void {
  if (!get().driver.capabilities.multipart) return;
  describe('multipart', () => {
    const parts = (): NonNullable<Driver['multipart']> => get().driver.multipart as NonNullable<Driver['multipart']>;
    const name = key('multi/part');

    it('joins parts in any order of arrival, all or nothing, once', async () => {
      const least = parts().limits.minPartBytes;
      const upload = await parts().create(name);
      const last = await parts().write(name, upload, 3, bodyOf('end'));
      const first = await parts().write(name, upload, 1, bodyOf(Buffer.alloc(least, 1)), { size: least });
      expect(await parts().list(name, upload)).toEqual([first, last]);
      await expectError(get().driver.stat(name), 'object_not_found');
      await expectError(parts().complete(name, upload, []), 'request_invalid');
      await expectError(parts().complete(name, upload, [last, first]), 'request_invalid');
      await expectError(parts().complete(name, upload, [{ ...first, etag: 'other' }, last]), 'request_invalid');
      await expectError(parts().complete(name, upload, [first, { ...last, number: 2 }]), 'request_invalid');
      expect(await parts().complete(name, upload, [first, last])).toMatchObject({ key: name, size: least + 3 });
      expect((await bytesOf(get().driver.read(name))).equals(Buffer.concat([Buffer.alloc(least, 1), Buffer.from('end')]))).toBe(true);
      const { etag } = await get().driver.stat(name);
      const again = await parts()
        .complete(name, upload, [first, last])
        .catch((error: unknown) => error);
      expect(again).toMatchObject(again instanceof Error ? { code: 'not_found' } : { etag });
      await expectError(parts().write(name, upload, 4, bodyOf('x')), 'not_found');
    });

    it('refuses parts that are too small, out of number, or of another upload', async () => {
      const upload = await parts().create(name);
      const small = await parts().write(name, upload, 1, bodyOf('small'));
      const other = await parts().write(name, upload, 2, bodyOf('end'));
      if (parts().limits.minPartBytes > 5) await expectError(parts().complete(name, upload, [small, other]), 'request_invalid');
      await expectError(parts().write(name, upload, 0, bodyOf('x')), 'request_invalid');
      await expectError(parts().write(name, upload, parts().limits.maxParts + 1, bodyOf('x')), 'request_invalid');
      await expectError(parts().write(key('multi/other'), upload, 1, bodyOf('x')), 'not_found');
      await expectError(parts().list(name, '../../../etc'), 'not_found');
      await parts().abort(name, upload);
    });

    it('aborts, twice if asked, and leaves nothing', async () => {
      const aborting = key('multi/aborted');
      const upload = await parts().create(aborting);
      await parts().write(aborting, upload, 1, bodyOf('x'));
      await parts().abort(aborting, upload);
      await parts().abort(aborting, upload);
      await parts().abort(aborting, 'never-was');
      await expectError(parts().list(aborting, upload), 'not_found');
      await expectError(get().driver.stat(aborting), 'object_not_found');
    });
  });
}

export function testVersions(get: () => TestSubject): void {
  describe('versions', () => {
    when(get().driver.capabilities.versions)('reads, stats and lists each object version', async () => {
      const { driver } = get();
      const name = key('versions/a');
      await get().put(name, Buffer.from('old'));
      const old = await driver.stat(name);
      await get().put(name, Buffer.from('newer'));
      expect((await driver.stat(name)).version).not.toBe(old.version);
      expect(await driver.stat(name, { version: old.version })).toMatchObject({ size: 3, version: old.version });
      expect((await bytesOf(driver.read(name, { version: old.version }))).toString()).toBe('old');
      expect((await driver.list({ prefix: 'versions/' })).objects).toMatchObject([{ key: name, size: 5 }]);
      await expectError(driver.stat(name, { version: 'never-was' }), 'object_not_found');
      await expectError(driver.stat(key('versions/other'), { version: old.version }), 'object_not_found');
    });

    when(get().driver.capabilities.versions && get().driver.delete !== undefined)(
      'keeps old versions of a deleted object, and deletes one alone',
      async () => {
        const { driver } = get();
        const name = key('versions/deleted');
        await get().put(name, Buffer.from('old'));
        const { version } = await driver.stat(name);
        await driver.delete?.(name);
        await expectError(driver.stat(name), 'object_not_found');
        expect((await bytesOf(driver.read(name, { version }))).toString()).toBe('old');
        await driver.delete?.(name, { version });
        await expectError(driver.stat(name, { version }), 'object_not_found');
      },
    );

    when(!get().driver.capabilities.versions)('knows no version where it keeps none', async () => {
      await get().put(key('versions/none'), Buffer.from('x'));
      expect((await get().driver.stat(key('versions/none'))).version).toBeUndefined();
      await expectError(get().driver.read(key('versions/none'), { version: '1' }), 'object_not_found');
    });
  });
}
