import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, stat, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Connector } from '#drivers/connector.ts';
import type { Driver } from '#drivers/driver.ts';
import { folderDriver } from '#drivers/folder/definition.ts';
import { systemClock } from '#model/clock.ts';
import { bodyOf, bytesOf, expectError, key, listAll } from '#testing/driver-subject.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { fetchPlainly, type TestSubject, testDriver } from '#testing/test-driver.ts';
import { openUrlServer, TestUrlSigner } from '#testing/url-server.ts';

const canary = 'CANARY-OUT';

async function open(root: string, writable = true, clock = systemClock): Promise<Driver> {
  const context = { source: 'folder', clock, connector: {} as Connector, signer: new TestUrlSigner(clock) };
  return folderDriver.open({ options: { root, writable }, secrets: {} }, context);
}

async function folderSubject(writable: boolean): Promise<TestSubject> {
  const root = await mkdtemp(join(tmpdir(), 'package-r-'));
  const clock = fakeClock();
  const signer = new TestUrlSigner(clock.now);
  const context = { source: 'folder', clock: clock.now, connector: {} as Connector, signer };
  const driver = await folderDriver.open({ options: { root, writable }, secrets: {} }, context);
  const writer = await folderDriver.open({ options: { root, writable: true }, secrets: {} }, context);
  const server = await openUrlServer(signer, () => driver);
  return {
    driver,
    put: async (name, bytes) => void (await writer.write?.(name, bodyOf(bytes))),
    awkwardKeys: ['a b+c#d%e=f[1]@é日😀.txt', '...', '\n\t\u001b[2J', '\udcff\udc80raw', '-rf', '\u2028', 'e\u0301'],
    longestKey: 1024,
    fetchUrl: fetchPlainly,
    passSeconds: async (seconds) => clock.advance(seconds * 1000),
    close: async () => {
      await writer.close?.().catch(() => undefined);
      await server.close();
      await rm(root, { recursive: true });
    },
  };
}

testDriver('folder', () => folderSubject(true));
testDriver('folder, read-only', () => folderSubject(false));

describe('folder containment', () => {
  let base = '';
  let root = '';
  let out = '';
  let driver: Driver;
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  const outside = async (): Promise<string[]> => (await readdir(out, { recursive: true })).sort();

  beforeEach(async () => {
    base = await realpath(await mkdtemp(join(tmpdir(), 'package-r-')));
    root = join(base, 'root');
    out = join(base, 'root-sibling');
    await mkdir(join(root, 'pub'), { recursive: true });
    await mkdir(out);
    await writeFile(join(out, 'outside.txt'), canary);
    driver = await open(root);
  });
  afterEach(async () => {
    await driver.close?.();
    await rm(base, { recursive: true });
  });

  it('refuses links that lead out, by file, folder, chain, and dangling, and does not list them', async () => {
    await symlink(join(out, 'outside.txt'), join(root, 'pub/file'));
    await symlink('../../root-sibling', join(root, 'pub/dir'));
    await symlink('file', join(root, 'pub/chain'));
    await symlink(join(out, 'new'), join(root, 'pub/dangling'));
    await symlink('/proc/self/environ', join(root, 'pub/proc'));
    await write('pub/ok', 'ok');
    expect((await listAll(driver, { prefix: '' })).keys).toEqual(['pub/ok']);
    expect(await listAll(driver, { prefix: 'pub/', delimiter: '/' })).toMatchObject({ keys: ['pub/ok'], prefixes: [] });
    expect((await driver.list({ prefix: 'pub/dir/' })).objects).toEqual([]);
    for (const name of ['pub/file', 'pub/dir/outside.txt', 'pub/chain']) {
      await expectError(driver.stat(key(name)), 'link_refused');
      await expectError(driver.read(key(name)), 'link_refused');
      await expectError(driver.copy?.(key(name), key('pub/copy')) as Promise<unknown>, 'link_refused');
    }
    for (const name of ['pub/file', 'pub/dir/new', 'pub/dir/a/b', 'pub/chain', 'pub/dangling', 'pub/dangling/x']) {
      await expectError(driver.write?.(key(name), bodyOf('x')) as Promise<unknown>, 'link_refused');
    }
    for (const name of ['pub/file', 'pub/dir/outside.txt']) {
      await expectError(driver.delete?.(key(name)) as Promise<unknown>, 'link_refused');
    }
    expect(await outside()).toEqual(['outside.txt']);
    expect(await readdir(join(root, '.package-r'))).toEqual([]);
  });

  it('follows links that stay inside; loops end', async () => {
    await write('data/deep/a.txt', 'inside');
    await symlink('../data/deep/a.txt', join(root, 'pub/file'));
    await symlink('../data', join(root, 'pub/dir'));
    await symlink('..', join(root, 'data/up'));
    await symlink('self', join(root, 'pub/self'));
    expect((await bytesOf(driver.read(key('pub/file')))).toString()).toBe('inside');
    expect((await driver.stat(key('pub/dir/deep/a.txt'))).size).toBe(6);
    for (const limit of [1, 2, 1000]) {
      expect((await listAll(driver, { prefix: '', limit })).keys).toEqual(['data/deep/a.txt', 'pub/dir/deep/a.txt', 'pub/file']);
    }
    expect((await listAll(driver, { prefix: 'pub/', delimiter: '/' })).prefixes).toEqual(['pub/dir/']);
    expect((await listAll(driver, { prefix: 'data/', delimiter: '/' })).prefixes).toEqual(['data/deep/']);
    await expectError(driver.read(key('pub/self')), 'link_refused');
  });

  it('replaces and removes a link inside as itself', async () => {
    await write('target', 'target');
    await symlink('../target', join(root, 'pub/link'));
    await driver.write?.(key('pub/link'), bodyOf('new'));
    expect(await readFile(join(root, 'target'), 'utf8')).toBe('target');
    await unlink(join(root, 'pub/link'));
    await symlink('../target', join(root, 'pub/link'));
    await driver.delete?.(key('pub/link'));
    expect(await readdir(join(root, 'pub'))).toEqual([]);
    expect(await readFile(join(root, 'target'), 'utf8')).toBe('target');
  });

  it('never opens what is neither file nor directory', async () => {
    execFileSync('mkfifo', [join(root, 'pub/fifo')]);
    await expectError(driver.read(key('pub/fifo')), 'object_not_found');
    await expectError(driver.stat(key('pub/fifo')), 'object_not_found');
    await expectError(driver.write?.(key('pub/fifo'), bodyOf('x')) as Promise<unknown>, 'path_conflict');
    expect((await listAll(driver, { prefix: '' })).keys).toEqual([]);
  });

  it('hides its scratch folder, at any depth, by any name', async () => {
    await driver.write?.(key('a'), bodyOf('x'));
    await write('.package-r/secret', canary);
    await write('pub/.package-r/secret', canary);
    await symlink('../.package-r', join(root, 'pub/alias'));
    expect((await listAll(driver, { prefix: '' })).keys).toEqual(['a']);
    expect((await listAll(driver, { prefix: '.package-r/' })).keys).toEqual([]);
    expect((await listAll(driver, { prefix: 'pub/', delimiter: '/' })).prefixes).toEqual([]);
    for (const name of ['.package-r/secret', 'pub/.package-r/secret', '.PACKAGE-R/secret']) {
      await expectError(driver.read(key(name)), 'object_not_found');
      await expectError(driver.write?.(key(name), bodyOf('x')) as Promise<unknown>, 'key_invalid');
    }
    await expectError(driver.read(key('pub/alias/secret')), 'link_refused');
    expect((await stat(join(root, '.package-r'))).mode & 0o777).toBe(0o700);
  });

  it('does not use a scratch folder that is a link', async () => {
    await symlink(out, join(root, '.package-r'));
    await expectError(driver.write?.(key('a'), bodyOf('x')) as Promise<unknown>, 'link_refused');
    await expectError(open(root), 'link_refused');
    expect(await outside()).toEqual(['outside.txt']);
  });

  it('leaks and writes nothing while a folder is swapped with a link outwards', async () => {
    await write('swap/outside.txt', 'inside');
    await symlink(out, join(root, 'evil'));
    let running = true;
    const move = async (from: string, to: string): Promise<void> => {
      for (;;) {
        if (
          await rename(join(root, from), join(root, to)).then(
            () => true,
            () => false,
          )
        )
          return;
        await rm(join(root, to), { recursive: true, force: true });
      }
    };
    const swapping = (async () => {
      while (running) {
        await move('swap', 'kept');
        await move('evil', 'swap');
        await move('swap', 'evil');
        await move('kept', 'swap');
      }
    })();
    const seen = new Set<string>();
    for (let turn = 0; turn < 400; turn++) {
      const read = bytesOf(driver.read(key('swap/outside.txt'))).then(String, (error: { code: string }) => error.code);
      const wrote = driver.write?.(key(`swap/n${turn}`), bodyOf('x')).catch(() => undefined);
      const removed = driver.delete?.(key('evil/outside.txt')).catch(() => undefined);
      const { objects } = await driver.list({ prefix: 'swap/' }).catch(() => ({ objects: [] }));
      for (const object of objects) if (object.size === canary.length) seen.add('listed outside');
      seen.add(await read);
      await Promise.all([wrote, removed]);
    }
    running = false;
    await swapping;
    expect([...seen].filter((one) => !['inside', 'object_not_found', 'link_refused'].includes(one))).toEqual([]);
    expect((await bytesOf(driver.read(key('swap/outside.txt')))).toString()).toBe('inside');
    expect(await outside()).toEqual(['outside.txt']);
    expect(await readFile(join(out, 'outside.txt'), 'utf8')).toBe(canary);
  });

  it('refuses a file beside a folder of the same name', async () => {
    await write('a/b', 'x');
    await expectError(driver.write?.(key('a'), bodyOf('x')) as Promise<unknown>, 'path_conflict');
    await expectError(driver.write?.(key('a/b/c'), bodyOf('x')) as Promise<unknown>, 'path_conflict');
    for (const name of ['a/', '/a', 'a//b', './a', 'a/../../x', 'x'.repeat(256)]) {
      await expectError(driver.write?.(key(name), bodyOf('x')) as Promise<unknown>, 'key_invalid');
    }
  });

  it('shows empty directories as prefixes, in order among files', async () => {
    await mkdir(join(root, 'pub/empty'));
    await write('pub/empty!', '');
    await write('pub/empty0', '');
    const page = await driver.list({ prefix: 'pub/', delimiter: '/', limit: 2 });
    expect([page.objects.map((one) => one.key), page.prefixes]).toEqual([['pub/empty!'], ['pub/empty/']]);
    expect((await listAll(driver, { prefix: 'pub/', delimiter: '/', limit: 1 })).keys).toEqual(['pub/empty!', 'pub/empty0']);
  });

  it('pages through a large directory, and sees what changes', async () => {
    await mkdir(join(root, 'many'));
    const names = Array.from({ length: 3000 }, (_, index) => `many/${String(index).padStart(5, '0')}`);
    for (const name of names) await writeFile(join(root, name), '');
    await utimes(join(root, 'many'), 1, 1);
    expect((await listAll(driver, { prefix: 'many/', limit: 999 })).keys).toEqual(names);
    await writeFile(join(root, 'many/00000a'), '');
    expect((await driver.list({ prefix: 'many/', limit: 2 })).objects.map((one) => one.key)).toEqual(['many/00000', 'many/00000a']);
  });

  it('removes leftovers of more than seven days when opened, and no younger ones', async () => {
    const upload = await driver.multipart?.create(key('x'));
    expect(upload).toBeTypeOf('string');
    await (await open(root, true, () => systemClock() + 6 * 86_400_000)).close?.();
    expect(await readdir(join(root, '.package-r'))).toHaveLength(1);
    await (await open(root, true, () => systemClock() + 8 * 86_400_000)).close?.();
    expect(await readdir(join(root, '.package-r'))).toEqual([]);
  });

  it('makes nothing in a read-only source, and has no way to write', async () => {
    await rm(join(root, '.package-r'), { recursive: true, force: true });
    const readOnly = await open(root, false);
    expect([readOnly.write, readOnly.delete, readOnly.copy, readOnly.multipart]).toEqual([undefined, undefined, undefined, undefined]);
    expect(existsSync(join(root, '.package-r'))).toBe(false);
    await expectError(() => readOnly.presign({ method: 'PUT', key: key('x'), expiresIn: 1 }), 'unsupported');
    await readOnly.close?.();
    await expectError(open(join(base, 'none')), 'source_unavailable');
    await expectError(open(join(out, 'outside.txt')), 'source_unavailable');
  });
});
