/** Keys of the store and of packageR are changed while people fetch: nobody notices. */
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StoreServer } from '../support/stores/store-server.ts';
import { noise, type PublishedShare, type StoreWorld, secretsOf } from './store-world.ts';

const perSecond = 300;
/** More are not begun while so many wait: where the machine is slow there are fewer a second. */
const atOnce = 128;
/** URLs that are tried afterwards, from the first to the last. */
const tried = 1000;
const bytes = noise(700, 5);
const names = Array.from({ length: 40 }, (_, index) => `object-${index}.bin`);

export function testRotation(open: () => StoreWorld): void {
  describe('keys rotated under load', () => {
    let world: StoreWorld;
    let share: PublishedShare;
    let pairs: readonly StoreServer['keys'][];
    const agent = new Agent({ keepAlive: true, maxSockets: 64 });

    beforeAll(async () => {
      world = open();
      const { server } = world;
      const bucket = await server.makeBucket();
      for (const name of names) await server.put(bucket, name, bytes);
      const ran = await world.connect('turning', bucket);
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
      pairs = [await server.otherKeys(), server.keys];
      share = await world.publish('admin/turning', ['turning']);
    });
    afterAll(() => agent.destroy());

    const ask = (url: string): Promise<{ status: number; location: string; body: Buffer }> =>
      new Promise((resolve, reject) => {
        const sent = request(url, { agent }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.once('error', reject);
          response.once('end', () =>
            resolve({ status: response.statusCode ?? 0, location: response.headers.location ?? '', body: Buffer.concat(chunks) }),
          );
        });
        sent.once('error', reject);
        sent.end();
      });

    it(`${perSecond} exchanges a second: none fails, and the URLs that were given work`, async () => {
      const given: string[] = [];
      const failed: string[] = [];
      const running = new Set<Promise<void>>();
      const load = { isOn: true };
      const exchange = async (name: string): Promise<void> => {
        try {
          const { status, location, body } = await ask(`${share.url}/o/${name}?expires=600`);
          if (status === 307) given.push(location);
          else failed.push(`${status} ${body}`);
        } catch (error) {
          failed.push(String(error));
        }
      };
      const began = Date.now();
      let sent = 0;
      const sending = (async () => {
        while (load.isOn) {
          for (const due = ((Date.now() - began) / 1000) * perSecond; sent < due && running.size < atOnce; sent++) {
            const one: Promise<void> = exchange(names[sent % names.length] ?? '').finally(() => running.delete(one));
            running.add(one);
          }
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      })();
      const { packager } = world;
      for (const keys of pairs) {
        const ran = await packager.runWith({ input: secretsOf(keys) }, 'sources', 'update', 'turning', '--secrets', '-');
        expect(ran.code, ran.stderr).toBe(0);
        expect((await packager.run('keys', 'rotate')).code).toBe(0);
      }
      load.isOn = false;
      await sending;
      await Promise.all(running);
      expect(failed).toEqual([]);
      expect(given.length).toBe(sent);
      const signedBy = new Set(given.map((url) => new URL(url).searchParams.get('X-Amz-Credential')?.split('/')[0]));
      expect([...signedBy].sort(), 'both pairs of keys were used').toEqual(pairs.map(({ accessKeyId }) => accessKeyId).sort());
      const wrong: string[] = [];
      const step = Math.ceil(given.length / tried);
      const some = given.filter((_, index) => index % step === 0);
      for (let at = 0; at < some.length; at += 32) {
        const answers = await Promise.all(some.slice(at, at + 32).map(ask));
        for (const { status, body } of answers) if (status !== 200 || !body.equals(bytes)) wrong.push(`${status} ${body}`);
      }
      expect(wrong).toEqual([]);
    }, 120_000);
  });
}
