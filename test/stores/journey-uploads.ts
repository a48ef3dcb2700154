/** A large file is put into a package: into the upload bucket in parts, and into the draft; or it is nowhere. */
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { beforeAll, describe, expect, it } from 'vitest';
import { MiB, noise, type StoreWorld } from './store-world.ts';

const large = noise(20 * MiB, 77);
const sha256 = createHash('sha256').update(large).digest('hex');

export function testUploads(open: () => StoreWorld): void {
  describe('uploads into a package', () => {
    let world: StoreWorld;
    let bucket: string;

    beforeAll(async () => {
      world = open();
      bucket = await world.server.makeBucket();
      const ran = await world.connect('inbox', bucket, '--set', 'writable=true');
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
      await world.packager.json('packages', 'create', 'admin/uploads');
      await world.packager.json('namespaces', 'set', 'admin', '--upload-source', 'inbox', '--upload-prefix', 'in');
    });

    const keys = async (): Promise<string[]> => {
      const { body } = await world.server.call({ method: 'GET', bucket, query: [['list-type', '2']] });
      return [...body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => match[1] ?? '');
    };
    const unfinished = async (): Promise<number> => {
      const { body } = await world.server.call({ method: 'GET', bucket, query: [['uploads', '']] });
      return body.toString().split('<UploadId>').length - 1;
    };

    it('arrive whole, are pointed to with their checksum, and are fetched by the link', async () => {
      const ran = await world.packager.runWith({ input: large }, 'packages', 'put', 'admin/uploads', 'scans/large.bin', '-');
      expect([ran.code, ran.stderr]).toEqual([0, '']);
      const [key = ''] = await keys();
      expect(key).toMatch(/^in\/uploads\/[\w-]+\/scans\/large\.bin$/);
      const kept = await world.server.call({ method: 'GET', bucket, key });
      expect(createHash('sha256').update(kept.body).digest('hex')).toBe(sha256);
      await world.packager.json('packages', 'freeze', 'admin/uploads', '-m', 'Uploaded');
      const { url } = await world.share('admin/uploads@1');
      expect(await (await fetch(`${url}/SHA256SUMS`)).text()).toContain(`${sha256}  scans/large.bin`);
      const fetched = Buffer.from(await (await fetch(`${url}/o/scans/large.bin`)).arrayBuffer());
      expect(createHash('sha256').update(fetched).digest('hex')).toBe(sha256);
    });

    it('leave neither object nor unfinished upload where the sender goes away, or the entry cannot be put', async () => {
      const before = await keys();
      const login = await fetch(`${world.packager.url}/api/v1/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'admin', password: world.packager.adminPassword }),
      });
      const { token } = (await login.json()) as { token: string };
      await new Promise<void>((resolve) => {
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream', 'content-length': 30 * MiB };
        const sent = request(`${world.packager.url}/api/v1/packages/admin/uploads/entries/cut.bin`, { method: 'PUT', headers });
        sent.once('error', () => undefined).once('close', resolve);
        sent.write(large, () => sent.destroy());
      });
      const conflict = await world.packager.runWith({ input: large }, 'packages', 'put', 'admin/uploads', 'scans', '-');
      expect([conflict.code === 0, conflict.stderr]).toEqual([false, expect.stringContaining('scans')]);
      for (let tries = 0; tries < 100 && (await unfinished()) > 0; tries++) await new Promise((resolve) => setTimeout(resolve, 100));
      expect([await unfinished(), await keys()]).toEqual([0, before]);
    });
  });
}
