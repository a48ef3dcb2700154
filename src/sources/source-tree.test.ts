import { createHmac } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Driver, ListRequest, ObjectInfo } from '#drivers/driver.ts';
import { openMemory } from '#drivers/memory/driver.ts';
import { PackageRError } from '#errors/error.ts';
import { retry } from '#layers/retry.ts';
import type { Entry, Unnamable } from '#model/entry.ts';
import { compareKeys, decodeKey, type Key } from '#model/key.ts';
import { parsePath, root } from '#model/path.ts';
import { readAll } from '#model/tree.ts';
import { type CursorSeal, SourceTree } from '#sources/source-tree.ts';
import { chaos } from '#testing/chaos-driver.ts';
import { bodyOf, expectError } from '#testing/driver-subject.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { awkwardPaths } from '#testing/memory-tree.ts';

const signer = { sign: () => 'http://127.0.0.1/signed' };
const connector = { request: () => Promise.reject(new PackageRError('endpoint_refused')), close: async () => undefined };
const cursors: CursorSeal = {
  seal: (bytes, label) => Buffer.concat([createHmac('sha256', label).update(bytes).digest(), bytes]),
  unseal(sealed, label) {
    const bytes = Buffer.from(sealed).subarray(32);
    if (!createHmac('sha256', label).update(bytes).digest().equals(Buffer.from(sealed).subarray(0, 32)))
      throw new PackageRError('key_missing');
    return bytes;
  },
};
const inline = { extensions: ['.md', '.csv'], maxBytes: 100 };

let driver: Driver;
let calls: string[];
beforeEach(() => {
  const memory = openMemory({ versions: true }, { source: '1', clock: fakeClock().now, connector, signer });
  calls = [];
  driver = {
    ...memory,
    list: (request) => {
      calls.push(`list ${request.prefix}`);
      return memory.list(request);
    },
    stat: (key, options) => {
      calls.push(`stat ${key}`);
      return memory.stat(key, options);
    },
  };
});

const put = async (...keys: string[]): Promise<void> => {
  for (const key of keys) await driver.write?.(key as Key, key.endsWith('/') ? bodyOf() : bodyOf(`bytes of ${key.length}`));
};
const treeOf = (over: Driver = driver, more: { owner?: string; source?: string } = {}) =>
  new SourceTree({ source: '1', driver: () => over, inline, cursors, owner: 'user:1', ...more });
const named = (entry: Entry | Unnamable): string => {
  if (entry.kind === 'unnamable') return `?${entry.key}`;
  return entry.kind === 'folder' ? `${entry.path}/` : entry.path;
};
const listed = async (folder = '', limit?: number) => {
  const names: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await treeOf().list(parsePath(folder), { limit, cursor });
    names.push(...page.entries.map(named));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return names;
};
const walked = async (folder = '', after?: string, over: Driver = driver) => {
  const paths: string[] = [];
  const lost: string[] = [];
  const options = { after: after === undefined ? undefined : parsePath(after), onUnnamable: (one: Unnamable) => lost.push(one.key) };
  for await (const leaf of treeOf(over).walk(parsePath(folder), options)) paths.push(leaf.path);
  return { paths, lost };
};

describe('list', () => {
  it('gives folders among files as stores order them, one call a page', async () => {
    await put('b', 'a!', 'a/x', 'a/y', 'a0', 'a', '\u{ffff}', '😀');
    expect(await listed()).toEqual(['a', 'a!', 'a/', 'a0', 'b', '\u{ffff}', '😀']);
    calls = [];
    expect(await listed('', 2)).toEqual(['a', 'a!', 'a/', 'a0', 'b', '\u{ffff}', '😀']);
    expect(calls).toHaveLength(4);
  });

  it('does not take a prefix for a folder that contains it (A23)', async () => {
    await put('p/in', 'p2/out', 'p.bak', 'pa');
    expect(await listed('p')).toEqual(['p/in']);
    expect((await walked('p')).paths).toEqual(['p/in']);
    expect(await treeOf().find(parsePath('p2'))).toMatchObject({ kind: 'folder' });
    expect(await treeOf().find(parsePath('p.'))).toBeUndefined();
  });

  it('marks what is no path, and takes markers for folders (A40)', async () => {
    const raw = decodeKey(Buffer.from([0x66, 0xff, 0x2e]));
    await put('ok', 'f/', 'f/x', 'a//b', 'new\nline', 'esc\u001b[2J', 'sep\u2028', '/lead', '..', './x', raw, 'd/../e');
    const unnamable = (await listed()).filter((name) => name.startsWith('?'));
    expect(unnamable).toEqual(['./', '..', '/', 'esc\u001b[2J', raw, 'new\nline', 'sep\u2028'].map((key) => `?${key}`).sort(compareKeys));
    expect(await listed('f')).toEqual(['f/x']);
    expect(await listed('a')).toEqual(['?a//']);
    expect(await listed('d')).toEqual(['?d/../']);
    const { paths, lost } = await walked();
    expect(paths).toEqual(['f/x', 'ok']);
    expect(lost.sort(compareKeys)).toEqual(
      ['./x', '..', '/lead', 'a//b', 'd/../e', 'esc\u001b[2J', raw, 'new\nline', 'sep\u2028'].sort(compareKeys),
    );
  });

  it('tells a run of keys from an object, so that one may be annexed and the other opened', async () => {
    await put('a//b');
    await driver.write?.('x/' as Key, bodyOf('not empty'));
    expect((await treeOf().list(parsePath('a'))).entries).toEqual([{ kind: 'unnamable', key: 'a//', size: 0, prefix: true }]);
    expect((await treeOf().list(parsePath('x'))).entries).toEqual([expect.objectContaining({ kind: 'unnamable', key: 'x/', size: 9 })]);
  });

  it('knows an empty folder from none', async () => {
    await put('empty/', 'full/x', 'fulls');
    expect(await listed('empty')).toEqual([]);
    for (const none of ['none', 'ful', 'fulls', 'full/x', `${'d/'.repeat(60)}${'é'.repeat(600)}`]) {
      await expectError(treeOf().list(parsePath(none)), 'not_found');
    }
    expect(await listed('')).toContain('empty/');
    const emptied: Driver = {
      ...driver,
      list: async ({ prefix }) => ({ objects: [], prefixes: 'dir/'.startsWith(prefix) && prefix !== 'dir/' ? ['dir/'] : [] }),
      stat: async () => Promise.reject(new PackageRError('object_not_found')),
    };
    expect(await treeOf(emptied).list(parsePath('dir'))).toEqual({ entries: [] });
    expect(await treeOf(emptied).find(parsePath('dir'))).toEqual({ kind: 'folder', path: 'dir' });
    await expectError(treeOf(emptied).list(parsePath('di')), 'not_found');
  });

  it('refuses limits out of range', async () => {
    for (const limit of [0, -1, 1001, 1.5, Number.NaN]) await expectError(treeOf().list(root, { limit }), 'request_invalid');
  });

  it('takes awkward names as they are (A47, A48)', async () => {
    await put(...awkwardPaths);
    const { paths, lost } = await walked();
    expect(paths).toEqual([...awkwardPaths].sort(compareKeys));
    expect(lost).toEqual([]);
    for (const path of awkwardPaths) expect(await treeOf().find(path)).toMatchObject({ kind: 'pointer', path, key: path, source: '1' });
  });
});

describe('cursors', () => {
  const first = async (folder = '') => (await treeOf().list(parsePath(folder), { limit: 1 })).cursor as string;

  it('are those of one source, actor and folder, and of nothing else', async () => {
    await put('a', 'b', 'f/a', 'f/b');
    const cursor = await first();
    expect((await treeOf().list(root, { cursor })).entries.map(named)).toEqual(['b', 'f/']);
    const flipped = `${cursor.slice(0, -3)}${cursor.at(-3) === 'A' ? 'B' : 'A'}${cursor.slice(-2)}`;
    for (const forged of [
      flipped,
      '',
      'x',
      '../..',
      `${cursor}=`,
      'A'.repeat(2049),
      cursor.slice(1),
      Buffer.from('f/').toString('base64url'),
    ]) {
      await expectError(treeOf().list(root, { cursor: forged }), 'cursor_invalid');
    }
    await expectError(treeOf().list(parsePath('f'), { cursor }), 'cursor_invalid');
    await expectError(treeOf(driver, { owner: 'user:2' }).list(root, { cursor }), 'cursor_invalid');
    await expectError(treeOf(driver, { source: '2' }).list(root, { cursor }), 'cursor_invalid');
  });

  it('stay within 2 KiB for the longest keys', async () => {
    await put(`${'k'.repeat(1023)}1`, `${'k'.repeat(1023)}2`);
    const cursor = await first();
    expect(cursor.length).toBeLessThanOrEqual(2048);
    expect((await treeOf().list(root, { cursor })).entries).toHaveLength(1);
  });
});

describe('find', () => {
  it('finds objects, folders, and the root', async () => {
    await put('d/e/f.csv', 'd!', 'both', 'both/x');
    const found = async (path: string) => (await treeOf().find(parsePath(path)))?.kind;
    expect(await Promise.all(['', 'd', 'd/e', 'd/e/f.csv', 'd/e/f', 'e', 'both'].map(found))).toEqual([
      'folder',
      'folder',
      'folder',
      'pointer',
      undefined,
      undefined,
      'pointer',
    ]);
  });

  it('finds the longest key there can be, and no folder that is longer', async () => {
    const longest = 'k'.repeat(1024);
    await put(longest);
    expect(await treeOf().find(parsePath(longest))).toMatchObject({ kind: 'pointer', key: longest });
    expect((await walked(longest)).paths).toEqual([longest]);
    calls = [];
    expect(await treeOf().find(parsePath(`${longest}k`))).toBeUndefined();
    await expectError(treeOf().list(parsePath(longest)), 'not_found');
    expect(calls).toEqual([]);
  });

  it('does not hide a failing store', async () => {
    const failing: Driver = { ...driver, stat: () => Promise.reject(new PackageRError('source_unavailable')) };
    await expectError(treeOf(failing).find(parsePath('a')), 'source_unavailable');
  });
});

describe('walk', () => {
  it('is in byte order of paths, resumes behind a path, and begins with the file of that name', async () => {
    await put('a', 'a!', 'a/b', 'a/b!', 'a/b/c', 'b');
    expect((await walked()).paths).toEqual(['a', 'a!', 'a/b', 'a/b!', 'a/b/c', 'b']);
    expect((await walked('a')).paths).toEqual(['a', 'a/b', 'a/b!', 'a/b/c']);
    expect((await walked('a', 'a')).paths).toEqual(['a/b', 'a/b!', 'a/b/c']);
    expect((await walked('a', 'a/b')).paths).toEqual(['a/b!', 'a/b/c']);
    expect((await walked('', 'a/b!')).paths).toEqual(['a/b/c', 'b']);
    expect((await walked('a', 'b')).paths).toEqual([]);
    expect((await walked('none')).paths).toEqual([]);
  });

  it('survives what stores do: errors, slow, duplicate and repeated pages', async () => {
    const keys = Array.from({ length: 60 }, (_, i) => `d/${String(i).padStart(3, '0')}`);
    await put(...keys);
    const paged: Driver = { ...driver, list: (request) => driver.list({ ...request, limit: 4 }) };
    for (let seed = 1; seed < 20; seed++) {
      const rough = chaos(paged, {
        seed,
        duplicates: 0.5,
        repeatedPages: 0.5,
        errors: [{ code: 'source_unavailable', retry: 'temporary', chance: 0.1 }],
      });
      const calm = retry(rough, { retries: 10, deadline: 1e9, wait: async () => undefined });
      expect((await walked('', undefined, calm)).paths).toEqual(keys);
    }
  });

  it('refuses a store that goes back in its order, or that never ends', async () => {
    const info = (key: string): ObjectInfo => ({ key: key as Key, size: 1 });
    const pages = (...all: string[][]): Driver => ({
      ...driver,
      list: async ({ cursor }: ListRequest) => {
        const at = Number(cursor ?? 0);
        return { objects: (all[at] ?? []).map(info), prefixes: [], ...(at + 1 < all.length ? { cursor: String(at + 1) } : {}) };
      },
    });
    await expectError(walked('', undefined, pages(['b', 'c'], ['a'])), 'store_response');
    await expectError(walked('', undefined, pages(['a', 'c', 'b'])), 'store_response');
    expect((await walked('', undefined, pages(['a', 'b'], ['a', 'b'], ['c']))).paths).toEqual(['a', 'b', 'c']);
    const endless: Driver = { ...driver, list: async () => ({ objects: [info('a')], prefixes: [], cursor: 'again' }) };
    await expectError(walked('', undefined, endless), 'store_response');
    const unordered: Driver = { ...driver, capabilities: { ...driver.capabilities, ordered: false } };
    await expectError(walked('', undefined, unordered), 'unsupported');
  });

  it('asks for nothing that is not wanted, and stops when its signal aborts', async () => {
    await put('a', 'b');
    calls = [];
    for await (const leaf of treeOf().walk(root)) if (leaf.path === 'a') break;
    expect(calls).toEqual(['list ']);
    const drain = async () => {
      for await (const leaf of treeOf().walk(root, { signal: AbortSignal.abort() })) expect(leaf).toBeUndefined();
    };
    await expectError(drain(), 'cancelled');
  });
});

describe('inline objects', () => {
  const read = (path: string, range?: { start: number; end: number }) => readAll(treeOf().read(parsePath(path), { range }), 1000);

  it('are small and of a text type, whatever the case', async () => {
    await put('A.MD', 'x.bin', 'md', 'notes.md/x');
    await driver.write?.('big.csv' as Key, bodyOf('x'.repeat(101)));
    await driver.write?.('fits.csv' as Key, bodyOf('x'.repeat(100)));
    const marks = (await treeOf().list(root)).entries.map((entry) => [named(entry), entry.kind === 'pointer' && entry.inline]);
    expect(Object.fromEntries(marks)).toEqual({
      'A.MD': true,
      'big.csv': false,
      'fits.csv': true,
      md: false,
      'notes.md/': false,
      'x.bin': false,
    });
    expect((await read('A.MD')).toString()).toBe('bytes of 4');
    expect((await read('A.MD', { start: 1, end: 3 })).toString()).toBe('yt');
    await expectError(read('x.bin'), 'unsupported');
    await expectError(read('big.csv'), 'unsupported');
    await expectError(read('none.md'), 'not_found');
    await expectError(read('notes.md'), 'not_found');
    await expectError(read(''), 'not_found');
  });

  it('are cut off when the store sends more than it said', async () => {
    await put('a.md');
    const liar: Driver = {
      ...driver,
      read: async (key) => ({ info: await driver.stat(key), body: bodyOf('x'.repeat(90), 'x'.repeat(90)) }),
    };
    await expectError(readAll(treeOf(liar).read(parsePath('a.md')), 1000), 'too_large');
  });

  it('carry what the store states of them', async () => {
    await put('a.md');
    const { entries } = await treeOf().list(root);
    expect(entries[0]).toMatchObject({ version: expect.any(String), etag: expect.any(String), modifiedAt: expect.any(Number) });
    expect(entries[0]).toHaveProperty('checksums.0.evidence', 'stored');
  });
});
