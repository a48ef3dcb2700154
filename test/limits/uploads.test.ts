/** Files that a package does not keep: to the upload source of the namespace and into the draft, by HTTP and by the command line, or not at all. */
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashFiles, writeFiles } from '../support/files.ts';
import { type LimitedServer, startLimited } from './limited-server.ts';

const most = 1_048_576;
const textBytes = 4096;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const octets = { 'content-type': 'application/octet-stream' };
const entries = '/api/v1/packages/admin/p/entries';

let server: LimitedServer;
let inbox: string;
const put = (name: string, body: Buffer, headers: Readonly<Record<string, string>> = {}) =>
  server.ask({ method: 'PUT', path: `${entries}/${name}`, headers: { ...octets, ...headers }, body });
const entryOf = async (name: string) => (await server.ask({ path: `${entries}/${name}` })).json<{ entry: Record<string, unknown> }>().entry;
/** What was uploaded, and scratch files if any were left. */
const inInbox = (): Promise<Record<string, string>> => hashFiles(inbox);

beforeAll(async () => {
  server = await startLimited({ 'uploads.bytes': most, 'uploads.perUser': 2, 'packages.textBytes': textBytes, 'http.idleTimeout': 700 });
  inbox = join(server.packager.folder, 'inbox');
  await writeFiles(inbox, {});
  await writeFiles(server.packager.folder, { 'inbox/.keep': '' });
  const options = { root: inbox, writable: true };
  const added = await server.ask({ method: 'POST', path: '/api/v1/sources', body: { name: 'inbox', driver: 'folder', options } });
  expect(added.status, added.text).toBe(201);
  await server.ask({ method: 'POST', path: '/api/v1/packages', body: { reference: 'admin/p' } });
});
afterAll(() => server.stop());

describe('a file that is put into a package', () => {
  it('is refused without an upload source, with what to do', async () => {
    const answer = await put('large.bin', randomBytes(textBytes + 1));
    expect([answer.status, answer.code]).toEqual([413, 'too_large']);
    expect(answer.says).toContain('namespaces set admin --upload-source');
    const ran = await server.packager.run('namespaces', 'set', 'admin', '--upload-source', 'inbox', '--upload-prefix', 'uploads/2026');
    expect([ran.code, ran.stderr]).toEqual([0, '']);
  });

  it('goes to the upload source where it is longer than a text, up to its own limit', async () => {
    const texts = [textBytes - 1, textBytes].map((size) => Buffer.alloc(size, 'text '));
    for (const text of texts) expect((await put(`${text.length}.txt`, text)).status).toBe(200);
    expect(await entryOf(`${textBytes}.txt`)).toMatchObject({ kind: 'text' });
    for (const size of [textBytes + 1, most - 1, most]) {
      const bytes = randomBytes(size);
      const answer = await put(`${size}.bin`, bytes);
      expect([answer.status, answer.json()], answer.text).toEqual([200, expect.objectContaining({ added: 1 })]);
      const entry = await entryOf(`${size}.bin`);
      const checksums = [{ algorithm: 'sha256', value: sha256(bytes), evidence: 'verified' }];
      expect(entry).toMatchObject({ kind: 'pointer', source: 'inbox', size, checksums: expect.arrayContaining(checksums) });
      expect(entry['key']).toMatch(new RegExp(`^uploads/2026/p/[\\w-]+/${size}\\.bin$`));
      expect((await inInbox())[String(entry['key'])]).toBe(sha256(bytes));
    }
    const before = await inInbox();
    const told = await put('too-large.bin', randomBytes(most + 1));
    expect([told.status, told.code, told.says]).toEqual([413, 'too_large', expect.stringContaining('limits.uploads.bytes')]);
    const chunked = server.head(`PUT ${entries}/too-large.bin`, 'Content-Type: application/octet-stream', 'Transfer-Encoding: chunked');
    const piece = Buffer.concat([Buffer.from('10000\r\n'), randomBytes(65_536), Buffer.from('\r\n')]);
    const endless = function* (): Generator<string | Buffer> {
      yield chunked;
      for (let sent = 0; sent < 40; sent++) yield piece;
    };
    expect(await server.raw(endless())).toMatch(/^HTTP\/1\.1 413 .*too_large/s);
    expect(await inInbox(), 'nothing of them stays').toEqual(before);
    expect((await server.ask({ path: `${entries}/too-large.bin` })).status).toBe(404);
  });

  it('is not there where its bytes stop coming, are fewer than announced, or end with the connection', async () => {
    const before = await inInbox();
    const head = (name: string, length: number): string =>
      server.head(`PUT ${entries}/${name}`, 'Content-Type: application/octet-stream', `Content-Length: ${length}`);
    expect(await server.raw([head('stops.bin', 100_000), randomBytes(50_000)])).toMatch(/^HTTP\/1\.1 408 .*body_timeout/s);
    await server.raw([head('leaves.bin', 100_000), randomBytes(50_000)], { milliseconds: 200 });
    const trickle = function* (): Generator<string | Buffer> {
      yield head('trickles.bin', 6000);
      for (let sent = 0; sent < 12; sent++) yield randomBytes(500);
    };
    expect(await server.raw(trickle(), { pause: 100 }), 'slow is not idle').toMatch(/^HTTP\/1\.1 200 /);
    for (const name of ['stops.bin', 'leaves.bin']) expect((await server.ask({ path: `${entries}/${name}` })).status, name).toBe(404);
    let after = await inInbox();
    for (let tries = 0; tries < 40 && Object.keys(after).length !== Object.keys(before).length + 1; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      after = await inInbox();
    }
    expect(Object.keys(after).filter((name) => !(name in before))).toEqual([expect.stringMatching(/trickles\.bin$/)]);
  });

  it('waits for no place beyond those of one user, and leaves it however it ends', async () => {
    const head = (name: string): string =>
      server.head(`PUT ${entries}/${name}`, 'Content-Type: application/octet-stream', 'Content-Length: 100000');
    const slow = (name: string) => server.raw([head(name), randomBytes(50_000)], { milliseconds: 600 });
    const held = [slow('held-1.bin'), slow('held-2.bin')];
    let third = await put('third.bin', randomBytes(5000));
    for (let tries = 0; tries < 20 && third.status === 200; tries++) third = await put('third.bin', randomBytes(5000));
    expect([third.status, third.code, third.says, Number(third.headers['retry-after']) > 0]).toEqual([
      429,
      'rate_limited',
      expect.stringContaining('2 uploads of yours'),
      true,
    ]);
    expect((await put('text.txt', Buffer.from('a text is no upload'))).status).toBe(200);
    await Promise.all(held);
    let again = await put('third.bin', randomBytes(5000));
    for (let tries = 0; tries < 40 && again.status === 429; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      again = await put('third.bin', randomBytes(5000));
    }
    expect(again.status, again.text).toBe(200);
  });

  it('comes from the command line by name or from stdin, and is fetched again through a share', async () => {
    const bytes = randomBytes(300_000);
    const file = join(server.packager.folder, 'scan.tif');
    await writeFile(file, bytes);
    const ran = await server.packager.run('packages', 'put', 'admin/p', 'scans/scan.tif', file);
    expect([ran.code, ran.stdout]).toEqual([0, expect.stringContaining('1 added')]);
    const piped = await server.packager.runWith({ input: bytes }, 'packages', 'put', 'admin/p', 'scans/piped.tif', '-');
    expect([piped.code, piped.stderr]).toEqual([0, '']);
    expect(await entryOf('scans/piped.tif')).toMatchObject({ kind: 'pointer', size: 300_000 });
    const missing = await server.packager.run('packages', 'put', 'admin/p', 'x', join(server.packager.folder, 'not-there'));
    expect([missing.code === 0, missing.stderr]).toEqual([false, expect.stringContaining('not-there')]);
    const tooLarge = await server.packager.runWith({ input: randomBytes(most + 1) }, 'packages', 'put', 'admin/p', 'x.bin', '-');
    expect([tooLarge.code === 0, tooLarge.stderr]).toEqual([false, expect.stringContaining('limits.uploads.bytes')]);
    await server.packager.json('packages', 'freeze', 'admin/p', '-m', 'With uploads');
    const [share] = await server.packager.json<{ url: string }>('shares', 'add', 'admin/p@1');
    const fetched = await fetch(`${share?.url}/o/scans/scan.tif`);
    expect([fetched.status, sha256(Buffer.from(await fetched.arrayBuffer()))]).toEqual([200, sha256(bytes)]);
    const sums = await (await fetch(`${share?.url}/SHA256SUMS`)).text();
    expect(sums).toContain(`${sha256(bytes)}  scans/scan.tif`);
  });
});
