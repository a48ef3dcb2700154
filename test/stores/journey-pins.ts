/** What a version of a package gives when its objects have changed: the old bytes where the store keeps them, else none. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { hashesOf, hashFiles } from '../support/files.ts';
import { runCli } from '../support/packager.ts';
import type { StoreServer } from '../support/stores/store-server.ts';
import { noise, type PublishedShare, type StoreWorld, secretsFolder } from './store-world.ts';

const names = ['changed.bin', 'deleted.bin', 'kept.bin', 'same size.bin'];
const before: Record<string, Buffer> = Object.fromEntries(names.map((name, index) => [name, noise(5000 + index, index + 1)]));
const after: Record<string, Buffer> = { 'changed.bin': noise(7000, 50), 'same size.bin': noise(5003, 51) };

export function testPins(open: () => StoreWorld): void {
  describe('versions of a package, over objects that change', () => {
    let world: StoreWorld;
    let server: StoreServer;
    const buckets: Record<'pinned' | 'plain', string> = { pinned: '', plain: '' };
    const pinned: Record<string, PublishedShare> = {};
    let plain: PublishedShare;
    const versions: Record<string, string> = {};

    beforeAll(async () => {
      world = open();
      server = world.server;
      buckets.pinned = await server.makeBucket(undefined, { versioning: true });
      buckets.plain = await server.makeBucket();
      for (const [key, bytes] of Object.entries(before)) {
        versions[key] = (await server.put(buckets.pinned, key, bytes)).headers['x-amz-version-id'] ?? '';
        await server.put(buckets.plain, key, bytes);
      }
      await writeSecrets('plain', server.keys);
      for (const [name, ...more] of [['pinned'], ['plain', '--no-secrets']] as const) {
        const ran = await world.connect(name, buckets[name], ...more);
        expect(ran.code, ran.stdout + ran.stderr).toBe(0);
      }
      pinned['a folder'] = await world.publish('admin/pinned', ['pinned']);
      pinned['a list of keys'] = await world.publish('admin/listed', ['pinned'], { keys: names });
      pinned['single objects'] = await world.publish(
        'admin/single',
        names.map((name) => `pinned/${name}`),
      );
      plain = await world.publish('admin/plain', ['plain']);
      for (const bucket of Object.values(buckets)) {
        for (const [key, bytes] of Object.entries(after)) await server.put(bucket, key, bytes);
        await server.remove(bucket, 'deleted.bin');
      }
    });

    async function writeSecrets(source: string, keys: StoreServer['keys']): Promise<void> {
      const folder = join(server.folder, secretsFolder, source);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      for (const [file, value] of Object.entries({ AWS_ACCESS_KEY_ID: keys.accessKeyId, AWS_SECRET_ACCESS_KEY: keys.secretAccessKey }))
        await writeFile(join(folder, file), value, { mode: 0o600 });
    }

    it.each(['a folder', 'a list of keys', 'single objects'])(
      'a store that keeps object versions gives the old bytes of %s',
      async (how) => {
        const { url } = pinned[how] as PublishedShare;
        for (const [name, bytes] of Object.entries(before)) {
          const hop = await fetch(`${url}/o/${encodeURIComponent(name)}`, { redirect: 'manual' });
          expect(hop.status, name).toBe(307);
          const location = new URL(hop.headers.get('location') ?? '');
          expect(location.searchParams.get('versionId'), name).toBe(versions[name]);
          expect(Buffer.from(await (await fetch(location)).arrayBuffer()).equals(bytes), name).toBe(true);
          location.searchParams.delete('versionId');
          expect((await fetch(location)).status, `${name}: without its pin the signature is none`).toBe(403);
        }
        const folder = await world.emptyFolder(how);
        expect((await runCli(['--json', 'get', url, '-o', folder])).code).toBe(0);
        expect(await hashFiles(folder)).toEqual(hashesOf(before));
      },
    );

    it('a store without versions gives no other bytes: 409 and 410', async () => {
      const answer = async (name: string): Promise<[number, string | undefined]> => {
        const response = await fetch(`${plain.url}/o/${encodeURIComponent(name)}`, { headers: { accept: 'application/json' } });
        return [response.status, ((await response.json()) as { code?: string }).code];
      };
      expect(await answer('changed.bin')).toEqual([409, 'drifted']);
      expect(await answer('same size.bin')).toEqual([409, 'drifted']);
      expect(await answer('deleted.bin')).toEqual([410, 'object_gone']);
      expect(await answer('kept.bin')).toEqual([200, undefined]);
      const folder = await world.emptyFolder('plain');
      const ran = await runCli(['--json', 'get', plain.url, '-o', folder, '--tries', '2']);
      expect(ran.code).toBe(1);
      expect(await hashFiles(folder)).toEqual(hashesOf({ 'kept.bin': before['kept.bin'] as Buffer }));
    });

    it('a sweep tells what has changed, by the same rule', async () => {
      const sweep = async (reference: string): Promise<unknown> =>
        JSON.parse((await world.packager.run('--json', 'packages', 'drift', reference, '--rate', '100')).stdout);
      expect(await sweep('admin/pinned@1')).toMatchObject({ intact: 4, changed: 0, gone: 0, unreachable: 0 });
      expect(await sweep('admin/plain@1')).toMatchObject({
        intact: 1,
        changed: 2,
        gone: 1,
        unreachable: 0,
        entries: [
          { path: 'changed.bin', found: 'changed', size: 5000, now: { size: 7000 } },
          { path: 'deleted.bin', found: 'gone' },
          { path: 'same size.bin', found: 'changed', size: 5003, now: { size: 5003 } },
        ],
      });
      await server.remove(buckets.pinned, 'kept.bin', versions['kept.bin']);
      expect(await sweep('admin/pinned@1')).toMatchObject({ intact: 3, gone: 1, entries: [{ path: 'kept.bin', found: 'gone' }] });
    });

    it.each(['pinned', 'plain'] as const)('a sweep learns by a listing what it can (%s)', async (source) => {
      const many = Array.from({ length: 40 }, (_, index) => `many/${index} of 40.bin`);
      await server.fill(buckets[source], many);
      await world.publish(`admin/many-${source}`, [`${source}/many`]);
      await server.put(buckets[source], 'many/7 of 40.bin', 'other bytes');
      await world.packager.run('packages', 'drift', `admin/many-${source}@1`);
      const last = await world.packager.run('--json', 'packages', 'drift', `admin/many-${source}@1`, '--last');
      const found = source === 'pinned' ? { intact: 40, changed: 0 } : { intact: 39, changed: 1, entries: [{ path: '7 of 40.bin' }] };
      expect(JSON.parse(last.stdout)).toMatchObject({ ...found, gone: 0, unreachable: 0 });
      expect((JSON.parse(last.stdout) as { questions: number }).questions).toBeLessThanOrEqual(3);
    });
  });
}
