import { describe, expect, it } from 'vitest';
import type { Driver } from '#drivers/driver.ts';
import { drain } from '#layers/drain.ts';
import { parseKey } from '#model/key.ts';

const key = parseKey('a');
const capabilities = { presign: 'local' } as Driver['capabilities'];

function slowDriver() {
  const begun: { resolve(value: unknown): void; reject(error: Error): void }[] = [];
  const wait = () => new Promise<never>((resolve, reject) => begun.push({ resolve: resolve as (value: unknown) => void, reject }));
  const driver: Driver = { kind: 'slow', capabilities, list: wait, stat: wait, read: wait, presign: () => ({}) as never };
  return { begun, driver };
}

async function isIdle(idle: Promise<void>): Promise<boolean> {
  const no = new Promise<false>((resolve) => setImmediate(() => resolve(false)));
  return Promise.race([idle.then(() => true as const), no]);
}

describe('drain', () => {
  it('is idle at once where nothing is under way, presign included', async () => {
    const { driver, idle } = drain(slowDriver().driver);
    void driver.presign({ method: 'GET', key, expiresIn: 1 });
    expect(await isIdle(idle())).toBe(true);
  });

  it('waits for every call, also for one that fails', async () => {
    const slow = slowDriver();
    const { driver, idle } = drain(slow.driver);
    const calls = [driver.stat(key), driver.list({ prefix: '' }).catch(() => undefined)];
    const ended = idle();
    slow.begun[0]?.resolve({});
    expect(await isIdle(ended)).toBe(false);
    slow.begun[1]?.reject(new Error('no'));
    expect(await isIdle(ended)).toBe(true);
    await Promise.all(calls);
  });

  it('waits for a body until it ends or is left', async () => {
    const slow = slowDriver();
    const { driver, idle } = drain(slow.driver);
    const read = driver.read(key);
    slow.begun[0]?.resolve({
      info: { key, size: 2 },
      body: (async function* () {
        yield Buffer.from('a');
        yield Buffer.from('b');
      })(),
    });
    const iterator = (await read).body[Symbol.asyncIterator]();
    await iterator.next();
    const ended = idle();
    expect(await isIdle(ended)).toBe(false);
    await iterator.return?.();
    expect(await isIdle(ended)).toBe(true);
  });
});
