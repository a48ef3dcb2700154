/** What the test of a source finds on a real server: that all is well, and each gap by itself. */
import { describe, expect, it } from 'vitest';
import type { Driver } from '#drivers/driver.ts';
import { s3Driver } from '#drivers/s3/definition.ts';
import { createConnector } from '#layers/connector.ts';
import { systemClock } from '#model/clock.ts';
import { type ProbeOptions, probeSource } from '#sources/probe/probe.ts';
import type { SourceCheck } from '#sources/source.ts';
import type { StoreServer } from '../support/stores/store-server.ts';
import { type OpenOptions, openOurs } from './ours.ts';
import { openStoreWorld } from './store-world.ts';

const origin = 'https://data.example.org';

interface Found {
  readonly works: boolean;
  readonly outcomes: Readonly<Record<string, string>>;
  readonly find: (name: string) => SourceCheck | undefined;
}

export function testProbe(server: StoreServer): void {
  const makeBucket = async (versioning: boolean): Promise<string> => {
    const bucket = await server.makeBucket(undefined, { versioning });
    await server.put(bucket, 'some/object.txt', 'some bytes to read');
    return bucket;
  };
  async function probe(bucket: string, open: OpenOptions = {}, more: Partial<ProbeOptions> = {}): Promise<Found> {
    const connector = createConnector({ allow: [new URL(server.endpoint).host] });
    const drive = (): Promise<Driver> => openOurs(server, bucket, open);
    const asked = { definition: s3Driver, options: {}, open: drive, connector, hooks: { origin }, clock: systemClock, ...more };
    const { works, checks } = await probeSource(asked);
    await connector.close();
    const outcomes = Object.fromEntries(checks.map((check) => [check.name, check.outcome]));
    return { works, outcomes, find: (name) => checks.find((check) => check.name === name) };
  }

  describe(`the test of a source on ${server.name}`, () => {
    it('finds that all works, sets the CORS rule when told to, and leaves no object behind', async () => {
      const bucket = await makeBucket(true);
      const { works, outcomes } = await probe(bucket, {}, { setCors: true });
      const signing = { presign: 'ok', 'presign-range': 'ok', 'presign-head': 'ok', 'presign-method': 'ok' };
      const refusing = { tampered: 'ok', unsigned: 'ok', expired: 'ok' };
      const kept = { write: 'ok', 'old-version': 'ok', versions: 'ok', checksums: 'ok' };
      const browsers = { 'cors-set': 'ok', cors: 'ok', 'cors-redirect': 'ok' };
      const all = { open: 'ok', list: 'ok', read: 'ok', range: 'ok', clock: 'ok', ...signing, ...refusing, ...kept, ...browsers };
      expect([works, outcomes]).toEqual([true, expect.objectContaining(all)]);
      expect((await probe(bucket)).outcomes).toMatchObject({ cors: 'ok', 'cors-redirect': 'ok' });
      const left = await server.call({ method: 'GET', bucket, query: [['versions', '']] });
      expect(left.body.toString()).not.toContain('.package-r-test');
    });

    it('finds missing versions and CORS rules, and rights that a read-only source does not need', async () => {
      const { works, find, outcomes } = await probe(await makeBucket(false), { options: { writable: false } });
      expect([works, outcomes]).toEqual([true, expect.objectContaining({ write: 'ok', versions: 'warning', cors: 'warning' })]);
      expect(JSON.parse(find('cors')?.paste ?? '')[0]).toMatchObject({ AllowedOrigins: [origin, 'null'], AllowedMethods: ['GET', 'HEAD'] });
      expect(find('rights')).toMatchObject({ outcome: 'warning', says: expect.stringContaining('write objects') });
      expect(JSON.parse(find('rights')?.paste ?? '')).toMatchObject({ Version: '2012-10-17' });
    });

    it('finds versioning that was suspended', async () => {
      const bucket = await makeBucket(true);
      await server.setVersioning(bucket, 'Suspended');
      expect((await probe(bucket)).outcomes).toMatchObject({ versions: 'warning' });
    });

    it('finds wrong keys, a bucket that is not there, and a public endpoint that is not reached', async () => {
      const bucket = await makeBucket(false);
      const wrong = { accessKeyId: server.keys.accessKeyId, secretAccessKey: 'wrong' };
      const denied = await probe(bucket, { keys: wrong });
      expect([denied.works, Object.values(denied.outcomes).includes('failed')]).toEqual([false, true]);
      expect((await probe('no-such-bucket-anywhere')).works).toBe(false);
      const apart = await probe(bucket, { options: { publicEndpoint: 'http://192.0.2.1:9' } });
      expect([apart.works, apart.find('public-endpoint')]).toEqual([
        true,
        expect.objectContaining({ outcome: 'warning', remedy: expect.stringContaining('publicEndpoint') }),
      ]);
    });

    it('finds what a private address needs', async () => {
      const connector = createConnector();
      const { find } = await probe(await makeBucket(false), {}, { connector });
      expect(find('public-endpoint')).toMatchObject({
        outcome: 'failed',
        says: expect.stringContaining(`add ${new URL(server.endpoint).host} to the setting endpoints.allow`),
      });
    });

    it('says the same words on the command line and in the API', async () => {
      const bucket = await makeBucket(false);
      const world = await openStoreWorld(server);
      try {
        const added = await world.connect('bucket', bucket, '--set', 'prefix=some');
        expect([added.code, added.stderr]).toEqual([0, '']);
        expect(added.stdout).toMatch(/^✓ One object was listed\.$/m);
        expect(added.stdout).toMatch(/^✓ Temporary URLs are made for 127\.0\.0\.1:\d+, which answers\.$/m);
        expect(added.stdout).toMatch(/^! Pages of http.*\n {2}→ Put this before.*--set-cors.*\n {6}\[\n {8}\{\n {10}"AllowedOrigins"/m);
        expect(added.stdout).toMatch(/^! The identity.*: write objects.*what lies beyond the prefix\.\n {2}→ .*\n {6}\{\n/m);
        const set = await world.packager.run('sources', 'test', 'bucket', '--set-cors');
        expect(set.stdout).toMatch(/^✓ A CORS rule was set\.\n✓ Pages of http/m);
        const [told] = await world.packager.json<{ checks: SourceCheck[] }>('sources', 'test', 'bucket');
        expect(told?.checks.filter(({ outcome }) => outcome === 'ok').every(({ says }) => set.stdout.includes(`✓ ${says}\n`))).toBe(true);
        expect(told?.checks.find(({ name }) => name === 'rights')?.paste).toContain(`arn:aws:s3:::${bucket}/some/*`);
      } finally {
        await world.stop();
      }
    }, 180_000);
  });
}
