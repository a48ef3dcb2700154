/**
 * What is checked on every real server before its other results are trusted. What was seen last is kept in docs/reference/stores.json,
 * and a server that behaves otherwise fails here, for better or worse. UPDATE_STORES=1 writes it anew.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Key } from '#model/key.ts';
import { sendRaw } from '../support/stores/signed-request.ts';
import type { StoreServer } from '../support/stores/store-server.ts';
import type { World } from './check.ts';
import { checks, readRecord, writeRecord } from './checks.ts';
import { openOurs } from './ours.ts';

/** One test a check. */
export function testMatrix(server: StoreServer): void {
  describe(`matrix of ${server.name}`, () => {
    const isUpdate = process.env['UPDATE_STORES'] === '1';
    const seen: Record<string, string> = {};
    let world: World;
    beforeAll(async () => {
      world = await makeWorld(server);
    });
    afterAll(() => {
      if (isUpdate && Object.keys(seen).length === checks.length) writeRecord(server.name, seen);
    });

    it.each(checks.map((check) => [check.name, check] as const))('%s', async (name, check) => {
      seen[name] = await check.see(world);
      if (!isUpdate) expect(seen[name]).toBe(readRecord()[server.name][name]);
    });

    it('knows no other check', () => {
      if (!isUpdate) expect(Object.keys(readRecord()[server.name])).toEqual(checks.map((check) => check.name));
    });
  });
}

async function makeWorld(server: StoreServer): Promise<World> {
  const bucket = await server.makeBucket();
  await server.put(bucket, 'digits', '0123456789');
  return {
    server,
    bucket,
    async sign(request = {}, options = {}) {
      // Where keys, date or region are wrong on purpose, the driver must not ask the store anything.
      const versions = request.version === undefined ? 'off' : 'on';
      const driver = await openOurs(server, options.bucket ?? bucket, { ...options, options: { versions, ...options.options } });
      const { url } = await driver.presign({ method: 'GET', key: 'digits' as Key, expiresIn: 60, ...request });
      await driver.close?.();
      return url;
    },
    use(url, { method = 'GET', headers = {}, body = '' } = {}) {
      const { origin, host } = new URL(url);
      // A host below localhost is the server's own address.
      const reached = origin.replace(/\/\/[^/]*localhost/, '//127.0.0.1');
      return sendRaw(reached, method, url.slice(url.indexOf('/', 8)), { host, ...headers }, Buffer.from(body));
    },
  };
}
