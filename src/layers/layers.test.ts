import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Connector } from '#drivers/connector.ts';
import type { Driver } from '#drivers/driver.ts';
import { memoryDriver } from '#drivers/memory/definition.ts';
import { isError, PackageRError } from '#errors/error.ts';
import { breaker } from '#layers/breaker.ts';
import { limit } from '#layers/limit.ts';
import { type DriverEvent, log } from '#layers/log.ts';
import { prefix } from '#layers/prefix.ts';
import { retry } from '#layers/retry.ts';
import { timeout } from '#layers/timeout.ts';
import { chaos } from '#testing/chaos-driver.ts';
import { aborted, bodyOf, bytesOf, expectError, key, listAll } from '#testing/driver-subject.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { fetchPlainly, type TestSubject, testDriver } from '#testing/test-driver.ts';
import { openUrlServer, TestUrlSigner } from '#testing/url-server.ts';

const clock = fakeClock();

async function memory(): Promise<Driver> {
  const signer = new TestUrlSigner(clock.now);
  return memoryDriver.open({ options: {}, secrets: {} }, { source: 'm', clock: clock.now, connector: {} as Connector, signer });
}

async function layeredSubject(wrap: (driver: Driver) => Driver): Promise<TestSubject> {
  const signer = new TestUrlSigner(clock.now);
  const context = { source: 'm', clock: clock.now, connector: {} as Connector, signer };
  const inner = await memoryDriver.open({ options: {}, secrets: {} }, context);
  const driver = wrap(inner);
  const server = await openUrlServer(signer, () => inner);
  return {
    driver,
    put: async (name, bytes) => void (await driver.write?.(name, bodyOf(bytes))),
    awkwardKeys: ['a b+c#d%e=f[1]@é日😀.txt', 'x//y', 'x/', '\udcff\udc80raw'],
    longestKey: 1000,
    fetchUrl: fetchPlainly,
    passSeconds: async (seconds) => clock.advance(seconds * 1000),
    close: () => server.close(),
  };
}

testDriver('memory under all layers', () =>
  layeredSubject((driver) =>
    log(retry(timeout(limit(breaker(prefix(driver, 'deep/below/')), { concurrency: 4 }))), { write: () => undefined }),
  ),
);

const down = (retryAfter?: number): PackageRError =>
  new PackageRError('source_unavailable', 'down', { retry: 'temporary', ...(retryAfter !== undefined && { retryAfter }) });

/** A driver whose `stat` throws what is queued before it answers. */
async function failing(errors: Error[]): Promise<Driver & { calls: number }> {
  const inner = await memory();
  await inner.write?.(key('a'), bodyOf('0123456789'));
  const driver = {
    ...inner,
    calls: 0,
    stat: (...asked: Parameters<Driver['stat']>) => {
      driver.calls++;
      const error = errors.shift();
      return error === undefined ? inner.stat(...asked) : Promise.reject(error);
    },
  };
  return driver;
}

describe('retry', () => {
  const waits: number[] = [];
  const options = {
    clock: clock.now,
    random: () => 1,
    wait: async (milliseconds: number) => {
      waits.push(milliseconds);
      clock.advance(milliseconds);
    },
  };
  afterEach(() => void waits.splice(0));

  it('repeats what may pass, twice, with growing waits, and marks what it gives up', async () => {
    const driver = await failing([down(), down()]);
    expect((await retry(driver, options).stat(key('a'))).size).toBe(10);
    expect(waits).toEqual([200, 400]);
    const hopeless = await failing([down(), down(), down()]);
    await expect(retry(hopeless, options).stat(key('a'))).rejects.toMatchObject({ code: 'source_unavailable', retry: 'exhausted' });
    expect(hopeless.calls).toBe(3);
  });

  it('waits as long as the store asks, but not past the deadline', async () => {
    await retry(await failing([down(3)]), options).stat(key('a'));
    expect(waits).toEqual([3000]);
    const driver = await failing([down(21)]);
    await expect(retry(driver, options).stat(key('a'))).rejects.toMatchObject({ retry: 'exhausted' });
    expect(driver.calls).toBe(1);
  });

  it('does not repeat what is permanent, cancelled, or a write', async () => {
    const forbidden = await failing([new PackageRError('forbidden')]);
    await expectError(retry(forbidden, options).stat(key('a')), 'forbidden');
    expect(forbidden.calls).toBe(1);
    await expectError(retry(await failing([down()]), options).stat(key('a'), { signal: aborted() }), 'cancelled');
    let writes = 0;
    const inner = await memory();
    const write = (): never => {
      writes++;
      throw down();
    };
    await expectError(() => retry({ ...inner, write }, options).write?.(key('w'), bodyOf('x')), 'source_unavailable');
    expect(writes).toBe(1);
  });

  it('continues a broken or short body, byte for byte, within any range', async () => {
    const inner = await memory();
    const bytes = Buffer.from(Array.from({ length: 500 }, (_, index) => index % 251));
    await inner.write?.(key('body'), bodyOf(bytes));
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.nat(499), fc.integer({ min: 1, max: 600 }), async (seed, start, length) => {
        const driver = retry(chaos(inner, { seed, resets: 0.3, truncated: 0.3 }), { ...options, retries: 40, deadline: 1e9 });
        const read = await bytesOf(driver.read(key('body'), { range: { start, end: start + length } }));
        expect(read.equals(bytes.subarray(start, start + length))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('never continues with the bytes of another object', async () => {
    const inner = await memory();
    await inner.write?.(key('body'), bodyOf('old old old'));
    const { versions: _, ...rest } = inner.capabilities;
    const unversioned: Driver = {
      ...inner,
      capabilities: { ...rest, versions: false },
      read: async (name, asked) => {
        const { info, body } = await inner.read(name, { ...asked, version: undefined });
        return { info, body };
      },
    };
    const driver = retry(chaos(unversioned, { seed: 1, resets: 1 }), options);
    const iterator = (await driver.read(key('body'))).body[Symbol.asyncIterator]();
    expect(Buffer.from((await iterator.next()).value as Uint8Array).toString()).toBe('old o');
    await inner.write?.(key('body'), bodyOf('NEW NEW NEW'));
    await expectError(iterator.next(), 'precondition_failed');
  });
});

describe('limit', () => {
  it('lets so many run at once, in order, and a body keep its place', async () => {
    const inner = await memory();
    await inner.write?.(key('a'), bodyOf('x'));
    const driver = limit(inner, { concurrency: 1 });
    const { body } = await driver.read(key('a'));
    const order: string[] = [];
    const first = driver.stat(key('a')).then(() => order.push('first'));
    const second = driver.list({ prefix: '' }).then(() => order.push('second'));
    const caller = new AbortController();
    const gone = expectError(driver.stat(key('a'), { signal: caller.signal }), 'cancelled');
    caller.abort();
    await gone;
    expect(order).toEqual([]);
    await body[Symbol.asyncIterator]().return?.();
    await Promise.all([first, second]);
    expect(order).toEqual(['first', 'second']);
    await expectError(driver.stat(key('none')), 'object_not_found');
    await expectError(driver.read(key('none')), 'object_not_found');
    expect((await bytesOf(driver.read(key('a')))).toString()).toBe('x');
    expect((await driver.stat(key('a'))).size).toBe(1);
  });
});

describe('timeout', () => {
  afterEach(() => void vi.useRealTimers());
  const never = new Promise<never>(() => undefined);

  it('ends calls, first bytes and idle bodies of a store that is silent, and tells the store', async () => {
    vi.useFakeTimers();
    const inner = await memory();
    let heard: AbortSignal | undefined;
    const silent: Driver = {
      ...inner,
      list: (request) => {
        heard = request.signal;
        return never;
      },
      read: async (name) => {
        if (name === key('slow')) return never;
        return { info: { key: name, size: 9 }, body: { [Symbol.asyncIterator]: () => ({ next: () => never }) } };
      },
      write: async (_, body) => {
        for await (const _chunk of body) await never;
        return never;
      },
    };
    const driver = timeout(silent);
    const cases: [Promise<unknown>, number][] = [
      [driver.list({ prefix: '' }), 10_000],
      [driver.read(key('slow')), 15_000],
      [bytesOf(driver.read(key('idle'))), 30_000],
      [driver.write?.(key('w'), bodyOf('x')) ?? never, 30_000],
    ];
    const ends = cases.map(([work]) =>
      work.then(
        () => 'done',
        (error: unknown) => (isError(error, 'timeout') ? error.retry : error),
      ),
    );
    await vi.advanceTimersByTimeAsync(9_999);
    expect(heard?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(await Promise.all(ends)).toEqual(['temporary', 'temporary', 'temporary', 'temporary']);
    expect(heard?.aborted).toBe(true);
  });
});

describe('breaker', () => {
  it('marks a source down after five failures in a row, and probes it every 30 s', async () => {
    const changes: boolean[] = [];
    const inner = await failing(Array.from({ length: 6 }, () => down()));
    const driver = breaker(inner, { clock: clock.now, onChange: (isDown) => changes.push(isDown) });
    for (let turn = 0; turn < 5; turn++) await expectError(driver.stat(key('a')), 'source_unavailable');
    await expect(driver.stat(key('a'))).rejects.toMatchObject({ code: 'source_down', retryAfter: 30 });
    await expectError(driver.list({ prefix: '' }), 'source_down');
    expect(inner.calls).toBe(5);
    clock.advance(30_000);
    const probes = await Promise.allSettled([driver.stat(key('a')), driver.stat(key('a'))]);
    expect(probes.map((probe) => probe.status === 'rejected' && (probe.reason as PackageRError).code)).toEqual([
      'source_unavailable',
      'source_down',
    ]);
    clock.advance(30_000);
    expect((await driver.stat(key('a'))).size).toBe(10);
    expect((await driver.stat(key('a'))).size).toBe(10);
    expect(changes).toEqual([true, false]);
  });

  it('takes a refusal for a sign of life', async () => {
    const errors = [down(), down(), down(), down(), new PackageRError('forbidden'), down()];
    const driver = breaker(await failing(errors), { clock: clock.now });
    for (let turn = 0; turn < 6; turn++) await driver.stat(key('a')).catch(() => undefined);
    expect((await driver.stat(key('a'))).size).toBe(10);
  });
});

describe('log', () => {
  it('writes one event a call, on one line, with no URL and no text of errors', async () => {
    const events: DriverEvent[] = [];
    const inner = await memory();
    const driver = log(inner, { write: (event) => events.push(event), clock: clock.now });
    await driver.write?.(key('a\n\u202eb'), bodyOf('12345'));
    await bytesOf(driver.read(key('a\n\u202eb')));
    await expectError(driver.stat(key('none')), 'object_not_found');
    await expectError(driver.list({ prefix: '', cursor: 'no' }), 'cursor_invalid');
    await driver.presign({ method: 'GET', key: key('a'), expiresIn: 5 });
    const common = { event: 'driver.call', kind: 'memory', milliseconds: 0 };
    expect(events).toEqual([
      { ...common, verb: 'write', key: 'a\\u000a\\u202eb' },
      { ...common, verb: 'read', key: 'a\\u000a\\u202eb', bytes: 5 },
      { ...common, verb: 'stat', key: 'none', error: 'object_not_found' },
      { ...common, verb: 'list', key: '', error: 'cursor_invalid' },
    ]);
  });
});

describe('prefix', () => {
  it('names and lists nothing outside', async () => {
    const inner = await memory();
    for (const name of ['p/a', 'p/', 'p2/b', 'p', 'q']) await inner.write?.(key(name), bodyOf(name));
    const driver = prefix(inner, 'p/');
    expect((await listAll(driver, { prefix: '', limit: 1 })).keys).toEqual(['a']);
    expect((await listAll(driver, { prefix: '', startAfter: 'A' })).keys).toEqual(['a']);
    for (const name of ['../q', '/q', 'p/a', ''])
      expect(
        await driver.stat(key(name)).then(
          () => 'found',
          () => 'refused',
        ),
      ).toBe('refused');
    const { cursor } = await inner.list({ prefix: '', limit: 1 });
    await expectError(driver.list({ prefix: '', cursor }), 'cursor_invalid');
    expect((await driver.copy?.(key('a'), key('c')))?.key).toBe('c');
    expect((await inner.stat(key('p/c'))).size).toBe(3);
  });

  it('ends in exactly one slash', async () => {
    const inner = await memory();
    for (const below of ['p', 'p//', '/', '/p/', 'p\0/']) expect(() => prefix(inner, below)).toThrow(/slash/);
    expect(prefix(inner, '')).toBe(inner);
  });
});

it('layers show no member that the driver has not', async () => {
  const { write: _w, copy: _c, delete: _d, multipart: _m, ...readOnly } = await memory();
  const wrapped = prefix(breaker(limit(timeout(retry(log(readOnly, { write: () => undefined }))))), 'p/');
  expect([wrapped.write, wrapped.copy, wrapped.delete, wrapped.multipart, wrapped.cors, wrapped.close]).toEqual(Array(6).fill(undefined));
});
