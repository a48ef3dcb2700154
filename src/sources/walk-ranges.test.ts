import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Driver, ListPage, ListRequest, ObjectInfo } from '#drivers/driver.ts';
import { openMemory } from '#drivers/memory/driver.ts';
import { type RangesOptions, walkRangePages, walkRanges } from '#drivers/ranges.ts';
import { PackageRError } from '#errors/error.ts';
import { compareKeys, decodeKey, type Key } from '#model/key.ts';
import { chaos } from '#testing/chaos-driver.ts';
import { bodyOf, expectError } from '#testing/driver-subject.ts';
import { fakeClock } from '#testing/fake-clock.ts';

/** Holds every page back until `settle` is called, and knows what was asked. */
class Held {
  readonly requests: ListRequest[] = [];
  readonly waiting: { readonly request: ListRequest; readonly answer: () => void }[] = [];
  most = 0;
  readonly driver: Driver;

  constructor(inner: Driver, pageSize = 1000) {
    this.driver = {
      ...inner,
      list: (request) => {
        const { promise, resolve, reject } = Promise.withResolvers<ListPage>();
        const answer = () => void inner.list({ ...request, limit: pageSize }).then(resolve, reject);
        this.requests.push(request);
        this.waiting.push({ request, answer });
        this.most = Math.max(this.most, this.waiting.length);
        return promise;
      },
    };
  }

  /** Answers one after another, chosen by `next`, until the work is done. */
  async settle<T>(work: Promise<T>, next: (waiting: number) => number): Promise<T> {
    let isDone = false;
    const end = () => {
      isDone = true;
    };
    work.then(end, end);
    for (let idle = 0; !isDone && idle < 100; ) {
      await turn();
      const [chosen] = this.waiting.splice(this.waiting.length === 0 ? 0 : next(this.waiting.length), 1);
      chosen?.answer();
      idle = chosen === undefined ? idle + 1 : 0;
    }
    return work;
  }

  /** Answers all that waits at once, again and again; how many times. */
  async rounds(work: Promise<unknown>): Promise<number> {
    let isDone = false;
    const end = () => {
      isDone = true;
    };
    work.then(end, end);
    let rounds = 0;
    for (let idle = 0; !isDone && idle < 20; ) {
      await turn();
      const all = this.waiting.splice(0);
      for (const { answer } of all) answer();
      if (all.length > 0) rounds++;
      idle = all.length === 0 ? idle + 1 : 0;
    }
    await work;
    return rounds;
  }
}

const signer = { sign: () => 'http://127.0.0.1/signed' };
const connector = { request: () => Promise.reject(new PackageRError('endpoint_refused')), close: async () => undefined };

async function memoryOf(keys: readonly string[]): Promise<Driver> {
  const memory = openMemory({ versions: true }, { source: '1', clock: fakeClock().now, connector, signer });
  for (const key of keys) await memory.write?.(key as Key, bodyOf('x'));
  return memory;
}

/** A driver over sorted ASCII keys, for sets too large to be written one by one. */
function cannedOf(keys: readonly string[]): Driver {
  const behind = (text: string) => {
    let [low, high] = [0, keys.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((keys[middle] as string) <= text) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const list = async ({ cursor, startAfter = '', limit = 1000 }: ListRequest): Promise<ListPage> => {
    const from = behind(cursor ?? startAfter);
    const objects = keys.slice(from, from + limit).map((key): ObjectInfo => ({ key: key as Key, size: 1 }));
    return { objects, prefixes: [], ...(from + limit < keys.length && { cursor: objects.at(-1)?.key ?? '' }) };
  };
  return { list } as unknown as Driver;
}

const collect = async (driver: Driver, options: Partial<RangesOptions> = {}): Promise<string[]> => {
  const keys: string[] = [];
  for await (const { key } of walkRanges(() => driver, { prefix: '', ...options })) keys.push(key);
  return keys;
};

const pad = (value: number, width: number) => String(value).padStart(width, '0');
const hash = (index: number) => createHash('sha256').update(String(index)).digest('hex').slice(0, 20);
const numbers = (count: number) => Array.from({ length: count }, (_, index) => `img_${pad(index, 9)}.jpg`);
const shapes: Readonly<Record<string, (count: number) => string[]>> = {
  'one flat prefix': numbers,
  'hash prefixes': (count) => Array.from({ length: count }, (_, index) => `${hash(index).slice(0, 2)}/${hash(index).slice(2)}`).sort(),
  'hash folders whose names are said again': (count) =>
    Array.from({ length: count }, (_, index) => `${hash(index).slice(0, 2)}/${hash(index)}`).sort(),
  'hash folders, two levels said again': (count) =>
    Array.from({ length: count }, (_, index) => `x/${hash(index)[0]}/${hash(index)[1]}/y-${hash(index)}`).sort(),
  'a date tree': (count) =>
    Array.from({ length: count }, (_, index) => {
      const day = new Date(Date.UTC(2021, 0, 1) + Math.floor((index * 1000) / count) * 86_400_000).toISOString().slice(0, 10);
      return `scenes/${day.replaceAll('-', '/')}/T32_${pad(index, 7)}.tif`;
    }),
  'folders of any size': (count) =>
    ['alpha', 'beta', 'era5', 'zeta']
      .flatMap((name, which) =>
        Array.from({ length: Math.floor(count * ([0.6, 0.001, 0.3, 0.099][which] ?? 0)) }, (_, index) => `${name}/run-${index}/part.nc`),
      )
      .sort(),
};

const piece = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'ab',
    '0',
    '1',
    '09',
    '10',
    '2024',
    '/',
    '//',
    '/a/',
    '-',
    '~',
    ' ',
    '\n',
    '\u007f',
    'é',
    '日',
    '日本',
    '😀',
    '\u{ffff}',
  ),
  fc.uint8Array({ minLength: 1, maxLength: 2 }).map((bytes) => decodeKey(bytes.map((byte) => byte || 1))),
);
const someKey = fc
  .array(piece, { minLength: 1, maxLength: 6 })
  .map((pieces) => decodeKey(Buffer.concat(pieces.map((one) => encode(one)))) as string);
const encode = (text: string): Buffer =>
  Buffer.concat(
    [...text].map((one) =>
      one >= '\udc80' && one <= '\udcff' && one.length === 1 ? Buffer.of(one.charCodeAt(0) - 0xdc00) : Buffer.from(one),
    ),
  );

describe('key ranges', () => {
  it('give what a plain walk gives, whatever the keys, the pages and the order of answers', async () => {
    const run = fc.record({
      keys: fc.uniqueArray(someKey, { minLength: 0, maxLength: 120 }),
      prefix: fc.constantFrom('', '', '', 'a', '日', '2024/'),
      isResumed: fc.boolean(),
      pageSize: fc.integer({ min: 1, max: 9 }),
      concurrency: fc.integer({ min: 1, max: 9 }),
      window: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined }),
      order: fc.array(fc.nat(), { minLength: 1, maxLength: 40 }),
      versions: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(run, async ({ keys, prefix, isResumed, pageSize, concurrency, window, order, versions }) => {
        const after = isResumed ? keys[(order[0] as number) % Math.max(1, keys.length)] : undefined;
        const wanted = keys
          .filter((key) => key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0))
          .sort(compareKeys);
        const held = new Held(await memoryOf(keys), pageSize);
        let step = 0;
        const next = (waiting: number) => (order[step++ % order.length] as number) % waiting;
        expect(await held.settle(collect(held.driver, { prefix, after, concurrency, window, versions }), next)).toEqual(wanted);
        for (const { startAfter } of held.requests)
          expect(startAfter === undefined || startAfter === after || startAfter.isWellFormed()).toBe(true);
        expect(held.most).toBeLessThanOrEqual(concurrency);
        expect(new Set(held.requests.map(({ cursor, startAfter }) => `${cursor} ${startAfter}`)).size).toBe(held.requests.length);
      }),
      { numRuns: 150 },
    );
  });

  it('come out whole of chaos', async () => {
    const keys = numbers(400);
    const memory = await memoryOf(keys);
    for (let seed = 1; seed <= 12; seed++) {
      const driver = chaos(
        { ...memory, list: (request) => memory.list({ ...request, limit: 7 }) },
        { seed, duplicates: 0.4, repeatedPages: 0.4 },
      );
      expect(await collect(driver, { concurrency: 8, window: 200 })).toEqual(keys);
      expect(driver.faults.duplicate + driver.faults.repeated).toBeGreaterThan(10);
    }
  });

  it.each(Object.keys(shapes))('are in flight together for %s, with few requests more than pages', async (shape) => {
    const keys = (shapes[shape] as (count: number) => string[])(100_000);
    const held = new Held(cannedOf(keys), 100);
    let count = 0;
    const rounds = await held.rounds(
      (async () => {
        for await (const page of walkRangePages(() => held.driver, { prefix: '', concurrency: 32, window: 15_000 })) {
          for (const { key } of page) expect(key === keys[count++]).toBe(true);
        }
      })(),
    );
    expect(count).toBe(keys.length);
    expect(rounds).toBeLessThan(keys.length / 100 / 5);
    expect(held.requests.length).toBeLessThan(1600);
  });

  it('cost a small listing nothing, and a short one little', async () => {
    for (const [count, most] of [
      [0, 1],
      [1, 1],
      [1000, 1],
      [1001, 3],
      [2500, 7],
      [5000, 12],
    ] as const) {
      const held = new Held(cannedOf(numbers(count)));
      await held.rounds(collect(held.driver, { concurrency: 32 }));
      expect(held.requests.length).toBeLessThanOrEqual(most);
    }
  });

  it('hold no more than their window while nobody takes', async () => {
    const keys = numbers(50_000);
    const held = new Held(cannedOf(keys), 100);
    const walk = walkRangePages(() => held.driver, { prefix: '', concurrency: 8, window: 3000 });
    await held.settle(walk.next(), () => 0);
    for (let idle = 0; idle < 20; idle = held.waiting.length === 0 ? idle + 1 : 0) {
      for (const { answer } of held.waiting.splice(0)) answer();
      await turn();
    }
    expect(held.requests.length).toBeGreaterThan(8);
    expect(held.requests.length).toBeLessThanOrEqual(45);
    await walk.return();
  });

  it('hold fewer objects where their keys are long', async () => {
    const keys = numbers(50_000).map((name) => `${'long/'.repeat(100)}${name}`);
    const held = new Held(cannedOf(keys), 100);
    const windowBytes = 2 * 1024 * 1024;
    const walk = walkRangePages(() => held.driver, { prefix: '', concurrency: 8, windowBytes });
    await held.settle(walk.next(), () => 0);
    for (let idle = 0; idle < 20; idle = held.waiting.length === 0 ? idle + 1 : 0) {
      for (const { answer } of held.waiting.splice(0)) answer();
      await turn();
    }
    expect(held.requests.length).toBeGreaterThan(4);
    expect(held.requests.length * 100 * 500).toBeLessThan(2 * windowBytes);
    await walk.return();
    const few = new Held(cannedOf(keys.slice(0, 20_000)), 100);
    const work = collect(few.driver, { concurrency: 8, windowBytes });
    await few.rounds(work);
    expect(await work).toEqual(keys.slice(0, 20_000));
  });

  it('fail at once with any of them, and abort the others', async () => {
    const keys = shapes['hash prefixes']?.(50_000) ?? [];
    const held = new Held(cannedOf(keys), 100);
    let asked = 0;
    const signals: (AbortSignal | undefined)[] = [];
    const failing: Driver = {
      ...held.driver,
      list: (request) => {
        signals.push(request.signal);
        return ++asked === 40 ? Promise.reject(new PackageRError('forbidden')) : held.driver.list(request);
      },
    };
    await expectError(
      held.settle(collect(failing, { concurrency: 8 }), () => 0),
      'forbidden',
    );
    expect(asked).toBe(40);
    expect(held.waiting.length).toBeGreaterThan(3);
    expect(signals.every((signal) => signal?.aborted)).toBe(true);
  });

  it('are aborted when the consumer leaves, and end with the signal of the caller', async () => {
    const held = new Held(cannedOf(numbers(50_000)), 100);
    const walk = walkRanges(() => held.driver, { prefix: '', concurrency: 8 });
    expect((await held.settle(walk.next(), () => 0)).value?.key).toBe('img_000000000.jpg');
    await walk.return();
    expect(held.requests.at(-1)?.signal?.aborted).toBe(true);
    const controller = new AbortController();
    const work = collect(held.driver, { concurrency: 8, signal: controller.signal });
    controller.abort();
    await expectError(work, 'cancelled');
  });

  it('refuse a store that goes back in its order or never ends, and hear out one that begins too early', async () => {
    const page = (names: readonly string[], cursor?: string): ListPage => ({
      objects: names.map((name) => ({ key: name as Key, size: 1 })),
      prefixes: [],
      ...(cursor !== undefined && { cursor }),
    });
    const driverOf = (list: (request: ListRequest) => ListPage) =>
      ({ list: async (request: ListRequest) => list(request) }) as unknown as Driver;
    await expectError(
      collect(
        driverOf(({ cursor }) => (cursor === undefined ? page(['b', 'c'], '1') : page(['a']))),
        { concurrency: 4 },
      ),
      'store_response',
    );
    await expectError(collect(driverOf(() => page(['a', 'c', 'b']))), 'store_response');
    await expectError(
      collect(
        driverOf(() => page(['a', 'b'], '1')),
        { concurrency: 4 },
      ),
      'store_response',
    );
    await expectError(collect(driverOf(() => page([], '1'))), 'store_response');
    const keys = numbers(300);
    const canned = cannedOf(keys);
    const deaf: Driver = { ...canned, list: ({ startAfter: _, ...request }) => canned.list({ ...request, limit: 10 }) };
    expect(await collect(deaf, { concurrency: 8, after: keys[4] })).toEqual(keys.slice(5));
  });

  it('ask for the driver before each page, so that it may refuse, and for nothing ahead without a window', async () => {
    const driver = cannedOf(numbers(5000));
    let asked = 0;
    const walk = walkRangePages(
      () => {
        if (++asked > 2) throw new PackageRError('source_broken');
        return driver;
      },
      { prefix: '', window: 0 },
    );
    await walk.next();
    await turn();
    expect(asked).toBe(1);
    await walk.next();
    await expectError(walk.next(), 'source_broken');
  });
});
