import { expect, it } from 'vitest';
import type { Connector } from '#drivers/connector.ts';
import type { DriverContext } from '#drivers/driver.ts';
import { memoryDriver } from '#drivers/memory/definition.ts';
import { chaos } from '#testing/chaos-driver.ts';
import { bodyOf, bytesOf, key, listAll } from '#testing/driver-subject.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { fetchPlainly, type TestSubject, testDriver } from '#testing/test-driver.ts';
import { openUrlServer, TestUrlSigner } from '#testing/url-server.ts';

async function memorySubject(versions: boolean): Promise<TestSubject> {
  const clock = fakeClock();
  const signer = new TestUrlSigner(clock.now);
  const context: DriverContext = { source: 'memory', clock: clock.now, connector: {} as Connector, signer };
  const driver = await memoryDriver.open({ options: { versions }, secrets: {} }, context);
  const server = await openUrlServer(signer, () => driver);
  return {
    driver,
    put: async (name, bytes) => void (await driver.write?.(name, bodyOf(bytes))),
    awkwardKeys: ['a b+c#d%e=f[1]@é日😀.txt', 'x//y', 'x/', './..', '\n\t\u001b[2J', '\udcff\udc80raw'],
    longestKey: 1024,
    fetchUrl: fetchPlainly,
    passSeconds: async (seconds) => clock.advance(seconds * 1000),
    close: () => server.close(),
  };
}

testDriver('memory', () => memorySubject(true));
testDriver('memory without versions', () => memorySubject(false));

it('chaos strikes by its seed, the same each time', async () => {
  const plan = {
    seed: 3,
    duplicates: 0.5,
    repeatedPages: 0.5,
    truncated: 0.3,
    resets: 0.3,
    wrongEtags: 0.3,
    errors: [{ code: 'source_unavailable', retry: 'temporary', chance: 0.2 } as const],
    slow: { chance: 0.2, delay: 1 },
  };
  const run = async (): Promise<unknown> => {
    const { driver, put, close } = await memorySubject(true);
    for (let index = 0; index < 20; index++) await put(key(`k${index}`), Buffer.from('0123456789'));
    const chaotic = chaos(driver, plan);
    const seen: unknown[] = [];
    for (let index = 0; index < 40; index++) {
      seen.push(await bytesOf(chaotic.read(key(`k${index % 20}`))).then(String, (error: Error) => error.message));
    }
    const calm = chaos(driver, { ...plan, errors: [] });
    seen.push((await listAll(calm, { prefix: '', limit: 2 })).keys, chaotic.faults, calm.faults);
    await close();
    return seen;
  };
  const first = (await run()) as [...unknown[], string[], Record<string, number>, Record<string, number>];
  expect(await run()).toEqual(first);
  expect(first.at(-3)).toSatisfy((keys: string[]) => keys.length > 20 && new Set(keys).size === 20);
  expect(first.at(-2)).toSatisfy((faults: Record<string, number>) =>
    ['error', 'slow', 'truncated', 'reset', 'wrongEtag'].every((fault) => (faults[fault] ?? 0) > 0),
  );
});
