import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Driver } from '#drivers/driver.ts';
import { memoryDriver } from '#drivers/memory/definition.ts';
import { openMemory } from '#drivers/memory/driver.ts';
import { PackageRError } from '#errors/error.ts';
import { systemClock } from '#model/clock.ts';
import type { Key } from '#model/key.ts';
import type { TemporaryUrl } from '#model/temporary-url.ts';
import { type FetchedUrl, type ProbeHooks, probeSource } from '#sources/probe.ts';
import { bodyOf, expectError } from '#testing/driver-subject.ts';
import { openUrlServer, TestUrlSigner, type UrlServer } from '#testing/url-server.ts';

const fetchSigned: NonNullable<ProbeHooks['fetchSigned']> = async (url, { headers }) => {
  const answer = await fetch(url.url, { method: url.method, headers: { ...url.headers, ...headers } });
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body: new Uint8Array(await answer.arrayBuffer()) };
};

let server: UrlServer;
let driver: Driver;
let closed: number;
beforeEach(async () => {
  const signer = new TestUrlSigner(systemClock);
  const connector = { request: () => Promise.reject(new PackageRError('endpoint_refused')), close: async () => undefined };
  const memory = openMemory({ versions: true }, { source: '1', clock: systemClock, connector, signer });
  closed = 0;
  driver = { ...memory, close: async () => void closed++ };
  await driver.write?.('a.txt' as Key, bodyOf('some bytes to read'));
  server = await openUrlServer(signer, () => memory);
});
afterEach(() => server.close());

async function probe(change: Partial<Driver> = {}, hooks: ProbeHooks = { fetchSigned }, now = systemClock) {
  const open = async () => ({ ...driver, ...change });
  const test = await probeSource({ definition: memoryDriver, open, hooks, clock: now });
  const outcomes = Object.fromEntries(test.checks.map((check) => [check.name, check.outcome]));
  return { ...test, outcomes, find: (name: string) => test.checks.find((check) => check.name === name) };
}
const without = (...names: (keyof Driver['capabilities'])[]) => ({
  capabilities: { ...driver.capabilities, ...Object.fromEntries(names.map((name) => [name, name === 'presign' ? 'no' : false])) },
});
const answering = (change: (answer: FetchedUrl, url: TemporaryUrl) => Partial<FetchedUrl>): ProbeHooks => ({
  async fetchSigned(url, options) {
    const answer = await fetchSigned(url, options);
    return { ...answer, ...change(answer, url) };
  },
});

describe('the test of a source', () => {
  it('tries all that is declared, and leaves nothing behind', async () => {
    const { works, outcomes } = await probe();
    expect(works).toBe(true);
    expect(outcomes).toEqual({
      open: 'ok',
      list: 'ok',
      read: 'ok',
      range: 'ok',
      presign: 'ok',
      'presign-range': 'ok',
      tampered: 'ok',
      clock: 'ok',
      write: 'ok',
      versions: 'ok',
      checksums: 'ok',
    });
    expect((await driver.list({ prefix: '' })).objects.map((object) => object.key)).toEqual(['a.txt']);
    expect(closed).toBe(1);
  });

  it('says only what is known where little is there', async () => {
    await driver.delete?.('a.txt' as Key);
    const { works, outcomes } = await probe(without('write', 'versions'), {});
    expect([works, outcomes]).toEqual([
      true,
      expect.objectContaining({ list: 'warning', read: 'skipped', presign: 'skipped', write: 'ok' }),
    ]);
    expect((await probe(without('presign'))).outcomes).toMatchObject({ presign: 'warning' });
  });

  it('ends with what keeps it from opening', async () => {
    const open = () => Promise.reject(new PackageRError('source_credentials'));
    const { works, checks } = await probeSource({ definition: memoryDriver, open, hooks: {}, clock: systemClock });
    expect([works, checks]).toEqual([
      false,
      [{ name: 'open', outcome: 'failed', says: expect.any(String), remedy: expect.stringContaining('secrets') }],
    ]);
  });

  it('finds a store that may not be listed or read', async () => {
    const refused = () => Promise.reject(new PackageRError('forbidden', 'The store refused it.'));
    expect(await probe({ list: refused })).toMatchObject({ works: false, outcomes: { list: 'failed', read: 'skipped' } });
    const { find, works } = await probe({ read: refused });
    expect([works, find('read')]).toEqual([
      false,
      expect.objectContaining({ outcome: 'failed', remedy: expect.stringContaining('identity') }),
    ]);
  });

  it('finds objects that are cut short, of another size, or given whole for a part', async () => {
    const info = await driver.stat('a.txt' as Key);
    const giving = (text: string): Partial<Driver> => ({ read: async () => ({ info, body: bodyOf(text) }) });
    expect((await probe(giving('some'))).outcomes).toMatchObject({ read: 'failed' });
    expect((await probe(giving('some bytes to read'))).outcomes).toMatchObject({ read: 'ok', range: 'failed' });
    expect((await probe({ stat: async () => ({ ...info, size: 1 }) })).outcomes).toMatchObject({ read: 'failed' });
  });

  it('finds temporary URLs that do not do', async () => {
    expect(
      await probe(
        {},
        answering(() => ({ status: 403 })),
      ),
    ).toMatchObject({ works: false, outcomes: { presign: 'failed' } });
    expect(
      (
        await probe(
          {},
          answering(() => ({ body: Buffer.from('<html>') })),
        )
      ).outcomes,
    ).toMatchObject({ presign: 'failed' });
    expect(
      (
        await probe(
          {},
          answering(() => ({ status: 200 })),
        )
      ).outcomes,
    ).toMatchObject({ 'presign-range': 'warning', tampered: 'failed' });
    const broken: ProbeHooks = { fetchSigned: () => Promise.reject(new TypeError('CANARY-UPSTREAM')) };
    const { find, checks } = await probe({}, broken);
    expect([find('presign')?.outcome, JSON.stringify(checks)]).toEqual(['failed', expect.not.stringContaining('CANARY')]);
  });

  it('finds clocks that differ', async () => {
    const ahead = (seconds: number) => () => Date.now() + seconds * 1000;
    expect((await probe({}, { fetchSigned }, ahead(60))).outcomes).toMatchObject({ clock: 'warning' });
    expect((await probe({}, { fetchSigned }, ahead(600))).outcomes).toMatchObject({ clock: 'failed' });
    expect(
      (
        await probe(
          {},
          answering(() => ({ headers: {} })),
        )
      ).outcomes,
    ).toMatchObject({ clock: 'skipped' });
  });

  it('finds a source that cannot be written as declared, and a store without versions', async () => {
    const refused = () => Promise.reject(new PackageRError('forbidden'));
    expect((await probe({ write: refused })).outcomes).toMatchObject({ write: 'failed' });
    const { version: _, ...bare } = await driver.stat('a.txt' as Key);
    expect((await probe({ stat: async () => bare })).outcomes).toMatchObject({ versions: 'warning' });
  });

  it('shows no temporary URL', async () => {
    const urls: string[] = [];
    const { checks } = await probe(
      {},
      answering((_, url) => {
        urls.push(url.url);
        return {};
      }),
    );
    expect(urls.length).toBeGreaterThan(1);
    for (const url of urls) expect(JSON.stringify(checks)).not.toContain(new URL(url).searchParams.get('signature'));
  });

  it('can be cancelled', async () => {
    const open = async () => driver;
    await expectError(
      probeSource({ definition: memoryDriver, open, hooks: {}, clock: systemClock, signal: AbortSignal.abort() }),
      'cancelled',
    );
    expect(closed).toBe(1);
  });
});
