/**
 * Every pasted line, on a network that cuts a connection after its signature has ended, and over a kill -9. No byte of an object goes
 * through packageR.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { components, requireComponent } from '#testing/component.ts';
import { hashesOf, hashFiles } from '../support/files.ts';
import { program, runCli } from '../support/packager.ts';
import type { StoreServer } from '../support/stores/store-server.ts';
import { MiB, noise, type PublishedShare, pastedLine, runLine, type StoreWorld, unlock, until } from './store-world.ts';

/** Seconds that a temporary URL lives, and milliseconds for which the network is silent before it cuts: longer. */
export const life = 3;
const stall = 4000;
const password = 'correct horse battery';

const big: Record<string, Buffer> = { 'large/scene 1.bin': noise(64 * MiB + 4321, 99) };
const small: Record<string, Buffer> = {
  'stations/davos/2024-01.csv': Buffer.from('time,depth\n2024-01-01,31\n'),
  'stations/arolla/2024-01.csv': Buffer.from('time,depth\n2024-01-01,12\n'),
  'awkward/a b  c.bin': noise(1000, 2),
  'awkward/quotes " and \'.bin': noise(1001, 3),
  'awkward/[1]{a,b} & $HOME `x` ;.bin': noise(1002, 4),
  'awkward/Zürich 日本 😀.bin': noise(1003, 5),
  'awkward/plus+hash#question?.bin': noise(1004, 6),
  'awkward/empty.bin': Buffer.alloc(0),
};
const inParts = 'parts/two parts.bin';
const parts = [noise(5 * MiB, 11), noise(70_000, 12)];
const objects: Record<string, Buffer> = { ...big, ...small, [inParts]: Buffer.concat(parts) };
const readme = '# Snow\n';
const files: Record<string, string | Buffer> = { ...objects, 'README.md': readme };
const lists = ['curl.cfg', 'aria2.txt'];

export function testClients(open: () => StoreWorld): void {
  describe('clients on a network that cuts after the signature has ended', () => {
    let world: StoreWorld;
    let share: PublishedShare;
    let locked: string;
    const expected = hashesOf(files);
    const expectedSmall = hashesOf(small);

    beforeAll(async () => {
      world = open();
      const { server } = world;
      const bucket = await server.makeBucket();
      for (const [key, bytes] of Object.entries({ ...small, ...big })) await server.put(bucket, `data/${key}`, bytes);
      await putInParts(server, bucket, `data/${inParts}`, parts);
      const ran = await world.connect('alps', bucket, '--set', 'prefix=data');
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
      await world.packager.json('packages', 'create', 'admin/snow');
      await world.packager.runWith({ input: readme }, 'packages', 'put', 'admin/snow', 'README.md', '-');
      share = await world.publish('admin/snow', ['alps'], { keys: Object.keys(objects) });
      const few = await world.publish('admin/few', ['alps/stations', 'alps/awkward'], { password });
      locked = await unlock(few.url, password);
    });
    beforeEach(() => {
      world.direct.weather = {};
    });

    /** Kills the line in the middle of the large file, gives it a bad network, runs it again. */
    async function journey(line: string, folder: string): Promise<{ readonly text: string; readonly code: number; readonly down: number }> {
      const { direct } = world;
      direct.weather = { speed: 40 * MiB };
      const before = direct.down;
      const killed = runLine(line, folder);
      await until(() => direct.down - before > 24 * MiB, killed);
      killed.kill();
      expect((await killed.ended).code, 'it was killed in the middle').not.toBe(0);
      direct.weather = { cutAfter: 16 * MiB, stall, cuts: 1 };
      const [cuts, down] = [direct.cuts, direct.down];
      const { code, stdout, stderr } = await runLine(line, folder).ended;
      expect(direct.cuts - cuts, 'the network cut it').toBe(1);
      return { code, text: stdout + stderr, down: direct.down - down };
    }

    it('the bucket can be browsed, and its objects are what the store says they are', async () => {
      const rows = await world.packager.json<{ kind: string; path: string }>('sources', 'browse', 'alps/awkward');
      expect(rows.map(({ path }) => path).sort()).toEqual(
        Object.keys(small)
          .filter((name) => name.startsWith('awkward/'))
          .sort(),
      );
      const listed = async (name: string): Promise<string> => (await fetch(`${share.url}/${name}`)).text();
      expect(await listed('SHA256SUMS')).toContain('  README.md\n');
      expect(await listed('MD5SUMS')).toContain(`${md5(big['large/scene 1.bin'])}  large/scene 1.bin\n`);
      expect(await listed('omissions.txt'), 'an object of several parts has no MD5').toContain(`MD5SUMS\t${inParts}\t`);
    });

    it.runIf(requireComponent('curl', components.curl))('curl goes on, and checks', async () => {
      const folder = await world.emptyFolder('curl');
      const line = await pastedLine(share.url, 'curl');
      expect(line).toMatch(/sha256sum -c .*md5sum -c /);
      const { code, text, down } = await journey(line, folder);
      expect(code, text).toBe(0);
      expect(await hashFiles(folder, lists), text).toEqual(expected);
      expect(down).toBeLessThan(60 * MiB);
    });

    it.runIf(requireComponent('wget', components.wget))('wget goes on, and checks', async () => {
      const folder = await world.emptyFolder('wget');
      const { code, text, down } = await journey(await pastedLine(share.url, 'wget'), folder);
      expect(code, text).toBe(0);
      expect(await hashFiles(folder), text).toEqual(expected);
      expect(world.direct.statuses, 'the store refused the old signature').toContain(403);
      expect(down).toBeLessThan(60 * MiB);
    });

    it.runIf(requireComponent('aria2', components.aria2))('aria2 finishes in the same run', async () => {
      const folder = await world.emptyFolder('aria2');
      const { code, text } = await journey(await pastedLine(share.url, 'aria2c'), folder);
      expect(code, text).toBe(0);
      expect(await hashFiles(folder, lists), text).toEqual(expected);
    });

    it.runIf(requireComponent('rclone', components.rclone))('rclone starts the file again', async () => {
      const folder = await world.emptyFolder('rclone');
      const { code, text } = await journey(await pastedLine(share.url, 'rclone'), folder);
      expect(code, text).toBe(0);
      expect(await hashFiles(folder), text).toEqual(expected);
    });

    it('package-r get finishes in the same run', async () => {
      const folder = await world.emptyFolder('get');
      const { code, text, down } = await journey(`exec ${program} --json get ${share.url} -o .`, folder);
      expect(code, text).toBe(0);
      expect(await hashFiles(folder)).toEqual(expected);
      expect(down).toBeLessThan(60 * MiB);
    });

    it('a browser follows the redirect, from any origin, and for the part it asks', async () => {
      const url = `${share.url}/o/large/scene%201.bin`;
      const hop = await fetch(url, { redirect: 'manual' });
      expect([hop.status, hop.headers.get('content-length'), hop.headers.get('cache-control')]).toEqual([307, '0', 'no-store']);
      expect(hop.headers.get('location')).toContain(world.direct.url);
      const part = await fetch(url, { headers: { range: 'bytes=67108000-67108999' } });
      expect(part.status).toBe(206);
      expect(Buffer.from(await part.arrayBuffer()).equals((big['large/scene 1.bin'] as Buffer).subarray(67_108_000, 67_109_000))).toBe(
        true,
      );
      const whole = await fetch(url);
      expect(md5(Buffer.from(await whole.arrayBuffer()))).toBe(md5(big['large/scene 1.bin']));
      expect(whole.headers.get('content-disposition')).toContain('attachment');
    });

    it('HEAD is signed as HEAD, GET as GET', async () => {
      const url = `${share.url}/o/large/scene%201.bin`;
      const location = async (method: string): Promise<string> =>
        (await fetch(url, { method, redirect: 'manual' })).headers.get('location') ?? '';
      const head = await fetch(await location('HEAD'), { method: 'HEAD' });
      expect([head.status, head.headers.get('content-length')]).toEqual([200, String(64 * MiB + 4321)]);
      expect((await fetch(await location('GET'), { method: 'HEAD' })).status).toBe(403);
      expect((await fetch(await location('HEAD'))).status).toBe(403);
    });

    it('a temporary URL ends when it says, and says so', async () => {
      const answer = await fetch(`${share.url}/o/stations/davos/2024-01.csv`, { headers: { accept: 'application/json' } });
      const { url, expiresAt } = (await answer.json()) as { url: string; expiresAt: string };
      expect(Date.parse(expiresAt) - Date.now()).toBeLessThanOrEqual(life * 1000);
      expect((await fetch(url)).status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, (life + 1) * 1000));
      expect((await fetch(url)).status).toBe(403);
    });

    describe('with a password, by the ticket in the link', () => {
      for (const [client, name] of [
        ['curl', 'curl'],
        ['wget', 'wget'],
        ['aria2', 'aria2c'],
        ['rclone', 'rclone'],
      ] as const) {
        it.runIf(requireComponent(client, components[client]))(client, async () => {
          const folder = await world.emptyFolder(`locked-${client}`);
          const { code, stdout, stderr } = await runLine(await pastedLine(locked, name), folder).ended;
          expect(code, stdout + stderr).toBe(0);
          expect(await hashFiles(folder, lists), stderr).toEqual(expectedSmall);
        });
      }

      it('package-r get', async () => {
        const folder = await world.emptyFolder('locked-get');
        const link = locked.replace(/~.*$/, '');
        expect((await fetch(`${link}/urls.txt`)).status).toBe(401);
        const ran = await runCli(['--json', 'get', link, '-o', join(folder), '--password', '-'], { input: password });
        expect(ran.code, ran.stderr).toBe(0);
        expect(await hashFiles(folder)).toEqual(expectedSmall);
      });
    });

    it('no byte of an object went through packageR', () => {
      const { front, back, direct } = world;
      const total = Object.values(big).reduce((sum, bytes) => sum + bytes.length, 0);
      expect(direct.down).toBeGreaterThan(total);
      // Lists, pages and redirects to people; listings and single questions to the store: what grows with files, never with bytes.
      expect(front.down).toBeLessThan(2 * MiB);
      expect(front.up + back.up + back.down).toBeLessThan(2 * MiB);
    });
  });
}

function md5(bytes: Uint8Array = Buffer.alloc(0)): string {
  return createHash('md5').update(bytes).digest('hex');
}

/** As clients upload what is large: its ETag is no MD5. */
async function putInParts(server: StoreServer, bucket: string, key: string, chunks: readonly Buffer[]): Promise<void> {
  const begun = await server.call({ method: 'POST', bucket, key, query: [['uploads', '']] });
  const upload = /<UploadId>([^<]+)</.exec(begun.body.toString())?.[1] ?? '';
  const rows: string[] = [];
  for (const [index, body] of chunks.entries()) {
    const query = [
      ['partNumber', String(index + 1)],
      ['uploadId', upload],
    ] as const;
    const { headers } = await server.call({ method: 'PUT', bucket, key, query, body });
    rows.push(`<Part><PartNumber>${index + 1}</PartNumber><ETag>${headers['etag']}</ETag></Part>`);
  }
  const body = `<CompleteMultipartUpload>${rows.join('')}</CompleteMultipartUpload>`;
  const done = await server.call({ method: 'POST', bucket, key, query: [['uploadId', upload]], body });
  expect(done.status, done.body.toString()).toBe(200);
}
