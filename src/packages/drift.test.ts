/** The sweep on the memory driver: what it finds, what it costs, at which rate, and how it goes on. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openMemory } from '#drivers/memory/driver.ts';
import { PackageRError } from '#errors/error.ts';
import type { Pointer } from '#model/entry.ts';
import type { Key } from '#model/key.ts';
import type { Path } from '#model/path.ts';
import { placeOfKey } from '#sources/place.ts';
import type { SourceHandle } from '#sources/source-handle.ts';
import { insertRows } from '#state/insert.ts';
import { bodyOf } from '#testing/driver-subject.ts';
import { type FakeClock, fakeClock } from '#testing/fake-clock.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';
import { type DriftCheckpoint, type DriftWork, findDrift } from './drift.ts';
import { entryColumns, toValues } from './entry-row.ts';

let temporary: TemporaryState;
let clock: FakeClock;
let driver: ReturnType<typeof openMemory>;
let stats: string[];
let lists: { readonly prefix: string; readonly versions?: boolean | undefined }[];
beforeEach(async () => {
  temporary = await temporaryState();
  clock = fakeClock();
  stats = [];
  lists = [];
});
afterEach(() => temporary.close());

const connector = { request: () => Promise.reject(new PackageRError('endpoint_refused')), close: async () => undefined };
const keyOf = (index: number): Key => `data/${String(index).padStart(5, '0')}.bin` as Key;
const pathOf = (index: number): Path => `p/${String(index).padStart(5, '0')}` as Path;
const put = async (key: Key, text: string) => driver.write?.(key, bodyOf(Buffer.from(text)));

/** So many objects, each `gap`th annexed. */
async function annexed(count: number, { versions = false, gap = 1 } = {}): Promise<void> {
  driver = openMemory({ versions }, { source: '1', clock: clock.now, connector, signer: { sign: () => '' } });
  const rows = [];
  for (let index = 0; index < count; index++) {
    const info = await put(keyOf(index), `bytes of ${index}`);
    if (info === undefined || index % gap !== 0) continue;
    const { etag = '', version, size } = info;
    const known = { kind: 'pointer', source: '1', key: keyOf(index), size, etag, checksums: [], inline: false } as const;
    const pointer: Pointer = { ...known, path: pathOf(index), ...(versions && version !== undefined ? { version } : {}) };
    rows.push(toValues(1, 1, pointer));
  }
  await temporary.state.write(insertRows(temporary.state, 'entry', entryColumns, rows));
}

function sweep(more: Partial<DriftWork> = {}): ReturnType<typeof findDrift> {
  return findDrift({
    state: temporary.state,
    package: 1,
    step: 1,
    signal: new AbortController().signal,
    resume: undefined,
    rate: 100,
    clock: clock.now,
    wait: async (duration) => clock.advance(duration),
    open: async (action, source, path) => ({ action, source, path }) as unknown as SourceHandle,
    stat: (_, key, options) => {
      stats.push(key);
      return driver.stat(key, options);
    },
    list: ({ path }, request) => {
      lists.push({ ...request, prefix: `${path}/` });
      return driver.list({ ...request, prefix: `${path}/` });
    },
    placeOf: placeOfKey,
    save: async () => undefined,
    progress: () => undefined,
    ...more,
  });
}

describe('a sweep for drift', () => {
  it('learns of a thousand objects by one listing, and asks only for those that differ', async () => {
    await annexed(2500);
    await put(keyOf(3), 'longer than it was before');
    await put(keyOf(1500), 'BYTES of 1500');
    await driver.delete?.(keyOf(2499));
    const result = await sweep();
    expect(result).toMatchObject({ intact: 2497, changed: 2, gone: 1, unreachable: 0 });
    expect(result.entries).toMatchObject([
      { path: pathOf(3), found: 'changed', size: 10, now: { size: 25 } },
      { path: pathOf(1500), found: 'changed', size: 13, now: { size: 13 } },
      { path: pathOf(2499), found: 'gone' },
    ]);
    expect(result.questions).toBe(stats.length + lists.length);
    expect(result.questions).toBeLessThan(15);
    expect(lists.map(({ prefix }) => prefix)).toContain('data/');
  });

  it('goes on to ask for each object where a listing tells of too few', async () => {
    await annexed(4000, { gap: 400 });
    expect(await sweep()).toMatchObject({ intact: 10, changed: 0, gone: 0 });
    expect([lists.length, stats.length]).toEqual([1, 8]);
  });

  it('looks for the pinned object version, whatever is newest', async () => {
    await annexed(30, { versions: true });
    await put(keyOf(7), 'bytes of 7');
    await put(keyOf(8), 'newer');
    await driver.delete?.(keyOf(9));
    expect(await sweep()).toMatchObject({ intact: 30, changed: 0, gone: 0 });
    expect(lists[0]?.versions).toBe(true);
    expect(stats).toEqual(expect.arrayContaining([keyOf(7), keyOf(8), keyOf(9)]));
    expect(stats.length).toBeLessThanOrEqual(4);
  });

  it('keeps to its rate', async () => {
    await annexed(40);
    const before = clock.now();
    const { questions } = await sweep({ list: undefined, rate: 20 });
    expect(questions).toBe(40);
    expect(clock.now() - before).toBeGreaterThanOrEqual((39 * 1000) / 20);
  });

  it('stops with its signal, and goes on behind its checkpoint', async () => {
    await annexed(2500);
    await put(keyOf(10), 'changed');
    await put(keyOf(2000), 'changed too');
    const stop = new AbortController();
    let kept: DriftCheckpoint | undefined;
    const save = async (checkpoint: DriftCheckpoint): Promise<void> => {
      kept = JSON.parse(JSON.stringify(checkpoint));
      stop.abort(new PackageRError('cancelled'));
    };
    await expect(sweep({ save, signal: stop.signal })).rejects.toMatchObject({ code: 'cancelled' });
    expect(kept).toMatchObject({ done: 1000, result: { intact: 999, changed: 1 } });
    const done: number[] = [];
    const result = await sweep({ resume: kept, progress: (count) => done.push(count) });
    expect(result).toMatchObject({ intact: 2498, changed: 2 });
    expect(result.entries.map(({ path }) => path)).toEqual([pathOf(10), pathOf(2000)]);
    expect(done).toEqual([2000, 2500]);
  });

  it('where the source may not be listed asks for each, and tells what cannot be reached', async () => {
    await annexed(20);
    const open: DriftWork['open'] = async (action, source, path) => {
      if (action === 'download' || String(path) === keyOf(4)) throw new PackageRError('forbidden');
      return { action, source, path } as unknown as SourceHandle;
    };
    const result = await sweep({ open });
    expect(result).toMatchObject({ intact: 19, unreachable: 1, entries: [{ path: pathOf(4), found: 'unreachable', code: 'forbidden' }] });
    expect(lists).toEqual([]);
  });
});
