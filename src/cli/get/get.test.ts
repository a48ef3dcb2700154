import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '#cli/run.ts';
import { parsePath } from '#model/path.ts';
import { writePointerFile } from '#model/pointer-file.ts';
import { type Answer, type HostileLink, type HostileLinkOptions, openHostileLink, type Seen } from '#testing/hostile-link.ts';

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');

function line(path: string, bytes: string | Buffer, more: { size?: number; checksum?: string | null } = {}): string {
  const checksum = more.checksum === undefined ? sha256(bytes) : more.checksum;
  const checksums = checksum === null ? '' : `,"checksums":{"sha256":"${checksum}"}`;
  return `{"path":${JSON.stringify(path)},"kind":"pointer","size":${more.size ?? Buffer.byteLength(bytes)}${checksums}}\n`;
}

/** A store that sends the first byte, breaks off, and then refuses. */
function sendOneByte(size: number): Answer {
  return (response, _seen, count) => {
    if (count > 0) response.writeHead(403).end();
    else response.writeHead(200, { 'content-length': size }).write(Buffer.alloc(1), () => response.destroy());
  };
}

/** The range that was asked for, as a store gives it. */
function serve(bytes: Buffer, response: ServerResponse, { headers }: Seen): void {
  const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
  if (headers.range === undefined) response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  else {
    const range = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
    response.writeHead(206, { 'content-range': range, 'content-length': bytes.length - start }).end(bytes.subarray(start));
  }
}

describe('package-r get', () => {
  let home: string;
  let out: string;
  let link: HostileLink;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'package-r-get-'));
    out = join(home, 'out', 'below');
  });
  afterEach(async () => {
    await link?.close();
    await rm(home, { recursive: true });
  });

  async function run(args: readonly string[], { input = '', env = {}, signal }: RunOptions = {}): Promise<Ran> {
    const written = { stdout: '', stderr: '' };
    const stream = (name: 'stdout' | 'stderr'): PassThrough =>
      new PassThrough().on('data', (chunk) => {
        written[name] += chunk;
      });
    const stdin = new PassThrough();
    stdin.end(input);
    const code = await runCli({
      argv: args,
      env: { HOME: home, ...env },
      cwd: home,
      terminal: { stdin, stdout: stream('stdout'), stderr: stream('stderr') },
      signal: signal ?? new AbortController().signal,
      openLocal: () => Promise.reject(new Error('not here')),
      serve: () => Promise.reject(new Error('not here')),
      copyState: () => Promise.reject(new Error('not here')),
      restore: () => Promise.reject(new Error('not here')),
      verifyFile: () => {
        throw new Error('not here');
      },
    });
    return { code, ...written };
  }
  const get = (...more: string[]): Promise<Ran> => run(['--json', 'get', link.url, '-o', out, '--tries', '2', ...more]);
  async function open(manifest: string, options: HostileLinkOptions = {}): Promise<void> {
    const front = { 'manifest.jsonl': (response: ServerResponse) => void response.end(manifest), ...options.front };
    link = await openHostileLink({ ...options, front });
  }
  const failed = ({ stdout }: Ran): Record<string, string> =>
    Object.fromEntries((JSON.parse(stdout) as { failed: { path: string; code: string }[] }).failed.map(({ path, code }) => [path, code]));
  const everything = async (): Promise<string[]> => (await readdir(home, { recursive: true })).sort();

  describe('refuses the whole of a manifest that packageR would not have written', () => {
    const hostile = {
      'a path that climbs': line('../../escape', 'x'),
      'a path that climbs inside': line('a/../../../escape', 'x'),
      'an absolute path': line('/tmp/escape', 'x'),
      'a NUL': line('a\0b', 'x'),
      'a control character': line('a\u001b[2Jb', 'x'),
      'an empty path': line('', 'x'),
      'an empty segment': line('a//b', 'x'),
      'a negative size': line('a', 'x', { size: -1 }),
      'a size beyond integers': line('a', 'x', { size: 2 ** 60 }),
      'the same path twice': line('a', 'x') + line('a', 'x'),
      'lines out of order': line('b', 'x') + line('a', 'x'),
      'a checksum that is none': line('a', 'x', { checksum: '../../x' }),
      'no JSON': '<html>\n',
      'a lone surrogate': '{"path":"b\\ud800","kind":"pointer","size":1}\n',
    };
    for (const [what, manifest] of Object.entries(hostile)) {
      it(what, async () => {
        await open(line('0-first', 'x') + manifest, { store: (response, seen) => serve(Buffer.from('x'), response, seen) });
        const ran = await get();
        expect(ran.code, ran.stderr).toBe(2);
        expect(link.store).toEqual([]);
        expect(await everything()).toEqual(['out', 'out/below']);
      });
    }

    it('a line without an end, long before it fills the memory', async () => {
      let sent = 0;
      await open('', {
        front: {
          'manifest.jsonl': (response) => {
            const block = Buffer.alloc(65_536, 'x');
            const more = (): void => {
              while (!response.destroyed && response.write(block)) sent += block.length;
            };
            response.on('drain', more);
            more();
          },
        },
      });
      const ran = await get();
      expect(ran.code).toBe(2);
      expect(ran.stderr).toContain('manifest_invalid');
      expect(sent).toBeLessThan(64 * 1024 * 1024);
    });
  });

  it('takes names of any script, and creates the folder', async () => {
    const name = 'a\u2027b \u00e9 日本/😀.bin';
    await open(line(name, 'bytes'), { store: (response, seen) => serve(Buffer.from('bytes'), response, seen) });
    expect(await get()).toMatchObject({ code: 0 });
    expect(String(await readFile(join(out, name)))).toBe('bytes');
  });

  describe('writes nothing through what lies in the way', () => {
    it('a link where a folder should be, a link where a file should be, a file where a folder should be', async () => {
      const [outside, secret] = [join(home, 'outside'), join(home, 'secret')];
      await mkdir(outside, { recursive: true });
      await mkdir(out, { recursive: true });
      await writeFile(secret, 'mine');
      await symlink(outside, join(out, 'folder'));
      await symlink(secret, join(out, 'link'));
      await writeFile(join(out, 'plain'), 'mine');
      await open(line('folder/x', 'bytes') + line('good', 'bytes') + line('link', 'bytes') + line('plain/x', 'bytes'), {
        store: (response, seen) => serve(Buffer.from('bytes'), response, seen),
      });
      const ran = await get('--overwrite');
      expect(ran.code).toBe(1);
      expect(failed(ran)).toEqual({ 'folder/x': 'link_refused', 'plain/x': 'not_a_folder' });
      expect(await readdir(outside)).toEqual([]);
      expect(String(await readFile(secret))).toBe('mine');
      expect(String(await readFile(join(out, 'link')))).toBe('bytes');
      expect((await readdir(out)).sort()).toEqual(['folder', 'good', 'link', 'plain']);
    });

    it('a link where the part should be', async () => {
      await open(line('a', 'bytes'), { store: sendOneByte(5) });
      await get();
      const [part = ''] = await readdir(out);
      await rm(join(out, part));
      await writeFile(join(home, 'secret'), 'mine');
      await symlink(join(home, 'secret'), join(out, part));
      expect(failed(await get())).toEqual({ a: 'link_refused' });
      expect(String(await readFile(join(home, 'secret')))).toBe('mine');
    });

    it('names as long as a disk takes them work, longer ones fail alone', async () => {
      const names = ['日'.repeat(85), 'x'.repeat(255), `${'y'.repeat(255)}z`, `${'z'.repeat(256)}/a`];
      const manifest = [...names].sort().map((name) => line(name, 'bytes'));
      await open(manifest.join(''), { store: (response, seen) => serve(Buffer.from('bytes'), response, seen) });
      const ran = await get();
      expect(failed(ran)).toEqual({ [names[2] as string]: 'path_invalid', [names[3] as string]: 'path_invalid' });
      expect((await readdir(out)).sort()).toEqual([names[1], names[0]]);
    });

    it('never mixes two files of one folder whose names begin alike and whose bytes are the same', async () => {
      const names = ['a', 'b'].map((end) => 'x'.repeat(200) + end);
      const bytes = Buffer.alloc(300_000, 'q');
      await open(names.map((name) => line(name, bytes)).join(''), { store: (response, seen) => serve(bytes, response, seen) });
      expect(await get()).toMatchObject({ code: 0 });
      expect((await readdir(out)).sort()).toEqual(names);
    });
  });

  describe('gives a file its name only when it is right', () => {
    const cases: Record<string, { size?: number; checksum?: string | null; code: string; store: HostileLinkOptions['store'] }> = {
      'more bytes than stated': { code: 'verify_failed', store: (response) => void response.end('bytes and more') },
      'endless bytes': {
        code: 'verify_failed',
        store: (response) => {
          const more = (): void => {
            while (!response.destroyed && response.write(Buffer.alloc(65_536)));
          };
          response.on('drain', more);
          more();
        },
      },
      'fewer bytes than stated': {
        code: 'verify_failed',
        store: (response) => void response.writeHead(200, { 'content-length': 3 }).end('byt'),
      },
      'a lie about the size, without a checksum': {
        size: 9,
        checksum: null,
        code: 'verify_failed',
        store: (response, seen) => serve(Buffer.from('bytes'), response, seen),
      },
      'other bytes of the same length': { code: 'verify_failed', store: (response) => void response.end('BYTES') },
      'a content encoding that is not undone': {
        code: 'verify_failed',
        store: (response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('BYTES'),
      },
      'a range that nobody asked for': {
        code: 'store_response',
        store: (response) => void response.writeHead(206, { 'content-range': 'bytes 2-6/7' }).end('bytes'),
      },
      'nothing of the kind': {
        code: 'store_response',
        store: (response) => void response.writeHead(404).end('http://10.0.0.1/?signature=TopSecret'),
      },
    };
    for (const [what, { code, store, ...more }] of Object.entries(cases)) {
      it(what, async () => {
        await open(line('a', 'bytes', more), store === undefined ? {} : { store });
        const ran = await get();
        expect(ran.code).toBe(1);
        expect(failed(ran)).toEqual({ a: code });
        expect(ran.stdout + ran.stderr).not.toContain('TopSecret');
        expect((await readdir(out)).filter((name) => name === 'a' || (code === 'verify_failed' && name !== 'a'))).toEqual([]);
      });
    }

    it('takes bytes stored with an encoding as they are', async () => {
      await open(line('a', 'bytes'), { store: (response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('bytes') });
      expect(await get()).toMatchObject({ code: 0 });
      expect(String(await readFile(join(out, 'a')))).toBe('bytes');
    });
  });

  describe('goes on where it stopped', () => {
    const bytes = Buffer.alloc(100_000, 'abcdefg');
    const half = async (size = 60_000, content: Buffer = bytes): Promise<void> => {
      await open(line('a', bytes), { store: sendOneByte(bytes.length) });
      await get();
      await link.close();
      const [part = ''] = await readdir(out);
      await writeFile(join(out, part), content.subarray(0, size));
    };
    const again = async (store: HostileLinkOptions['store']): Promise<Ran> => {
      await open(line('a', bytes), store === undefined ? {} : { store });
      return await get();
    };
    const expectWhole = async (ran: Ran): Promise<void> => {
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
      expect(sha256(await readFile(join(out, 'a')))).toBe(sha256(bytes));
      expect(await readdir(out)).toEqual(['a']);
    };

    it('with the rest only', async () => {
      await half();
      const ran = await again((response, seen) => serve(bytes, response, seen));
      await expectWhole(ran);
      expect(link.store.map(({ headers }) => headers.range)).toEqual(['bytes=60000-']);
      expect((JSON.parse(ran.stdout) as { received: number }).received).toBe(40_000);
    });
    it('repairs a part that was poisoned', async () => {
      await half(60_000, Buffer.alloc(60_000, 'EVIL'));
      await expectWhole(await again((response, seen) => serve(bytes, response, seen)));
    });
    it('repairs a part that is as long as the file, and one that is longer', async () => {
      await half(100_000, Buffer.alloc(100_000, 'EVIL'));
      await expectWhole(await again((response, seen) => serve(bytes, response, seen)));
      await rm(join(out, 'a'));
      await link.close();
      await half(200_000, Buffer.alloc(200_000, 'EVIL'));
      await expectWhole(await again((response, seen) => serve(bytes, response, seen)));
    });
    it('begins anew where the server gives everything, or another range', async () => {
      await half();
      await expectWhole(await again((response) => void response.writeHead(200).end(bytes)));
      await rm(join(out, 'a'));
      await link.close();
      await half();
      await expectWhole(
        await again((response, seen) => {
          if (seen.headers.range === undefined) serve(bytes, response, seen);
          else response.writeHead(206, { 'content-range': 'bytes 50000-99999/100000' }).end(bytes.subarray(50_000));
        }),
      );
    });
    it('after 503 with Retry-After, a reset, and a signature that has ended', async () => {
      const ran = await again((response, seen) => {
        const count = link.store.length;
        if (count === 1) response.writeHead(503, { 'retry-after': '1' }).end();
        else if (count === 2)
          response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 30_000), () => response.destroy());
        else if (count === 3) response.writeHead(403).end('expired');
        else serve(bytes, response, seen);
      });
      await expectWhole(ran);
      expect(link.front.filter(({ url }) => url.endsWith('/o/a'))).toHaveLength(4);
    });
    it('does not join pieces of two objects where no checksum is known', async () => {
      const [one, two] = [Buffer.alloc(90_000, '1'), Buffer.alloc(90_000, '2')];
      await open(line('a', one, { checksum: null }), {
        store: (response, seen) => {
          const isFirst = link.store.length === 1;
          const etag = isFirst ? '"1"' : '"2"';
          const isSame = seen.headers['if-range'] === etag;
          response.setHeader('etag', etag);
          if (isFirst) response.writeHead(200, { 'content-length': 90_000 }).write(one.subarray(0, 40_000), () => response.destroy());
          else serve(two, response, isSame ? seen : { ...seen, headers: {} });
        },
      });
      expect(await get()).toMatchObject({ code: 0 });
      expect(sha256(await readFile(join(out, 'a')))).toBe(sha256(two));
    });
    it('reads a manifest again that was cut off', async () => {
      const manifest = line('a', 'bytes') + line('b', 'bytes');
      await open(manifest, {
        front: {
          'manifest.jsonl': (response, _seen, count) => {
            if (count > 0) response.end(manifest);
            else response.writeHead(200, { 'content-length': manifest.length }).write(manifest.slice(0, 60), () => response.destroy());
          },
        },
        store: (response, seen) => serve(Buffer.from('bytes'), response, seen),
      });
      expect(await get()).toMatchObject({ code: 0 });
      expect(await readdir(out)).toEqual(['a', 'b']);
    });
  });

  describe('follows redirects with care', () => {
    for (const [what, location] of Object.entries({
      'to a file': 'file:///etc/passwd',
      'to another scheme': 'gopher://127.0.0.1/',
      'to data': 'data:text/plain,bytes',
      'to nothing': 'http://[',
    })) {
      it(`not ${what}`, async () => {
        await open(line('a', 'bytes'), { front: { 'o/*': (response) => void response.writeHead(307, { location }).end() } });
        expect(failed(await get())).toEqual({ a: 'store_response' });
        expect(await readdir(out)).not.toContain('a');
      });
    }
    it('not in a circle', async () => {
      await open(line('a', 'bytes'), { store: (response) => void response.writeHead(302, { location: '/again' }).end() });
      expect(failed(await get())).toEqual({ a: 'store_response' });
      expect(link.store.length).toBeLessThan(10);
    });
    it('with the token for the link alone', async () => {
      const answers: HostileLinkOptions = {
        place: 'p/alice/snow@3',
        store: (response, seen) => serve(Buffer.from('bytes'), response, seen),
      };
      await open(line('a', 'bytes'), answers);
      const env = { PACKAGE_R_TOKEN: 'pr_VerySecretToken' };
      const ran = await run(['get', link.url, '-o', out], { env });
      expect(ran.code, ran.stderr).toBe(0);
      expect(link.front.map(({ headers }) => headers.authorization)).toEqual(Array(2).fill('Bearer pr_VerySecretToken'));
      expect(link.store).toHaveLength(1);
      for (const { headers, url } of link.store) expect(JSON.stringify({ headers, url })).not.toContain('VerySecret');
    });
    it('with no token where the environment names another server', async () => {
      await open(line('a', 'bytes'), { place: 'p/alice/snow@3' });
      await run(['get', link.url, '-o', out, '--tries', '1'], {
        env: { PACKAGE_R_TOKEN: 'pr_VerySecretToken', PACKAGE_R_URL: 'https://elsewhere.example' },
      });
      for (const { headers } of link.front) expect(headers.authorization).toBeUndefined();
    });
    it('of the manifest to another host only without a token', async () => {
      const other = await openHostileLink({
        place: 'p/alice/snow@3',
        front: { 'manifest.jsonl': (response) => void response.end(line('a', 'bytes')) },
      });
      const manifest = (response: ServerResponse) => void response.writeHead(302, { location: `${other.url}/manifest.jsonl` }).end();
      await open('', { place: 'p/alice/snow@3', front: { 'manifest.jsonl': manifest } });
      const ran = await run(['get', link.url, '-o', out], { env: { PACKAGE_R_TOKEN: 'pr_VerySecretToken' } });
      expect(ran.code).not.toBe(0);
      expect(other.front).toEqual([]);
      await other.close();
    });
  });

  it('goes on with the others where one has drifted and one is gone, and lists what failed', async () => {
    const problem = (status: number, code: string) => (response: ServerResponse) =>
      void response
        .writeHead(status, { 'content-type': 'application/problem+json' })
        .end(JSON.stringify({ code, detail: `${code} https://x/?sig=TopSecret` }));
    const names = Array.from({ length: 40 }, (_, index) => `f${String(index).padStart(2, '0')}`);
    await open(names.map((name) => line(name, 'bytes')).join(''), {
      front: { 'o/f07': problem(409, 'drifted'), 'o/f23': problem(404, 'not_found') },
      store: (response, seen) => serve(Buffer.from('bytes'), response, seen),
    });
    const ran = await run(['get', link.url, '-o', out, '--tries', '2']);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain('2 failed:\n  f07  drifted\n  f23  not_found\n');
    expect(ran.stdout + ran.stderr).not.toContain('TopSecret');
    expect((await readdir(out)).length).toBe(38);
  });

  it('stops where the link ends in the middle, and says what was not tried', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `f${String(index).padStart(2, '0')}`);
    const gone = (response: ServerResponse) => void response.writeHead(404).end('{"code":"share_not_found"}');
    await open(names.map((name) => line(name, 'bytes')).join(''), {
      front: Object.fromEntries(names.slice(10).map((name) => [`o/${name}`, gone])),
      store: (response, seen) => serve(Buffer.from('bytes'), response, seen),
    });
    const ran = await get('-j', '2');
    const result = JSON.parse(ran.stdout) as { verified: number; failures: number; untried: number };
    expect(ran.code).toBe(1);
    expect(result.verified).toBe(10);
    expect(result.failures).toBeLessThanOrEqual(2);
    expect(result.failures + result.untried).toBe(30);
  });

  it('asks for the password once, keeps its ticket to itself, and wants the terms accepted', async () => {
    const locked = (response: ServerResponse, { url }: Seen): void => {
      if (!url.includes('~')) response.writeHead(401).end('{"code":"share_locked"}');
      else response.end('{"needsAcceptance":true,"terms":"Be kind.\\u001b[2J"}');
    };
    const open = async (): Promise<void> => {
      link = await openHostileLink({
        place: 's/ShareId12~SecretTicket',
        front: {
          api: locked,
          'manifest.jsonl': (response) => void response.end(line('a', 'bytes')),
          accept: (response) => void response.end('{}'),
        },
        store: (response) => void response.writeHead(404).end(),
      });
    };
    await open();
    const refused = await run(['get', link.url, '-o', out, '--tries', '1']);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('Be kind.');
    expect(refused.stderr).not.toContain('\u001b');
    const ran = await run(['get', link.url, '-o', out, '--tries', '1', '--accept-terms']);
    expect(ran.code).toBe(1);
    expect(link.front.filter(({ url }) => url.endsWith('/accept'))).toHaveLength(1);
    for (const { stdout, stderr } of [refused, ran]) expect(stdout + stderr).not.toMatch(/SecretTicket|TopSecret/);
  });

  it('unlocks with a password from stdin, and gives up where that is wrong', async () => {
    const answer = (response: ServerResponse, seen: Seen): void => {
      if (seen.url === '/s/ShareId12/api') response.writeHead(401).end('{"code":"share_locked"}');
      else if (seen.url === '/s/ShareId12/unlock' && seen.body.includes('correct')) response.end('{"listTicket":"SecretTicket"}');
      else if (seen.url === '/s/ShareId12/unlock') response.writeHead(401).end('{"code":"share_password_wrong"}');
      else response.writeHead(404).end();
    };
    link = await openHostileLink({ front: { api: answer, unlock: answer } });
    const right = await run(['get', link.url, '-o', out, '--password', '-'], { input: 'correct horse\n' });
    expect(right.code).toBe(5);
    expect(link.front.map(({ url }) => url)).toEqual(['/s/ShareId12/api', '/s/ShareId12/unlock', '/s/ShareId12~SecretTicket/api']);
    const wrong = await run(['get', link.url, '-o', out, '--password', '-'], { input: 'wrong horse\n' });
    expect(wrong.code).toBe(3);
    for (const { stdout, stderr } of [right, wrong]) expect(stdout + stderr).not.toMatch(/horse|SecretTicket/);
  });

  it('stops at Ctrl-C with 130, and says that the same line goes on', async () => {
    const bytes = Buffer.alloc(100_000, 'x');
    const stop = new AbortController();
    await open(line('a', bytes), {
      store: (response) =>
        void response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 50_000), () => stop.abort()),
    });
    const ran = await run(['get', link.url, '-o', out], { signal: stop.signal });
    expect(ran.code).toBe(130);
    expect(ran.stderr).toContain('The same line goes on from here');
  });

  it('tells of names that fall together on other disks, lists with --dry-run, and takes a stable URL for a path', async () => {
    await open(line('Data/a.csv', 'x') + line('data/A.csv', 'x') + line('e\u0301', 'x') + line('\u00e9', 'x'));
    const dry = await run(['get', link.url, '--dry-run', '-o', out]);
    expect(dry.code).toBe(0);
    expect(dry.stderr).toContain('2 names differ');
    expect(dry.stdout).toContain('Data/a.csv');
    const one = await run(['--json', 'get', `${link.url}/o/data`, '--dry-run']);
    expect(one.stdout.trim().split('\n')).toHaveLength(1);
    expect(await everything()).toEqual([]);
  });

  describe('exchanges pointer files', () => {
    const pointerOf = (base: string, path: string, bytes: string, checksum = sha256(bytes)): string =>
      writePointerFile({
        url: `${base}/o/${path}`,
        path: parsePath(path),
        size: bytes.length,
        checksums: [{ algorithm: 'sha256', value: checksum, evidence: 'stated' }],
      });
    const openStore = async (): Promise<void> => {
      await open('', {
        store: (response, seen) => serve(Buffer.from(`bytes of ${seen.url.slice(1, seen.url.indexOf('?'))}`), response, seen),
      });
      await mkdir(join(home, 'deep', 'er'), { recursive: true });
    };

    it('one by one, beside them', async () => {
      await openStore();
      const file = join(home, 'deep', 'renamed.pointer');
      await writeFile(file, pointerOf(link.url, 'data/a.csv', 'bytes of data/a.csv'));
      expect(await run(['get', file])).toMatchObject({ code: 0 });
      expect(String(await readFile(join(home, 'deep', 'a.csv')))).toBe('bytes of data/a.csv');
      expect((await readdir(join(home, 'deep'))).sort()).toEqual(['a.csv', 'er', 'renamed.pointer']);
    });
    it('all of a folder, each goes when its file is right', async () => {
      await openStore();
      await writeFile(join(home, 'deep', 'a.csv.pointer'), pointerOf(link.url, 'a.csv', 'bytes of a.csv'));
      await writeFile(join(home, 'deep', 'er', 'b.csv.pointer'), pointerOf(link.url, 'er/b.csv', 'bytes of er/b.csv'));
      await writeFile(join(home, 'deep', 'er', 'bad.pointer'), pointerOf(link.url, 'er/bad', 'bytes of er/bad', sha256('other')));
      await writeFile(join(home, 'deep', 'er', 'no.pointer'), 'notes of mine\n');
      const ran = await run(['--json', 'get', '--pointers', join(home, 'deep')]);
      expect(ran.code).toBe(1);
      expect(failed(ran)).toEqual({
        [join(home, 'deep/er/bad.pointer')]: 'verify_failed',
        [join(home, 'deep/er/no.pointer')]: 'pointer_invalid',
      });
      expect((await everything()).filter((name) => name.includes('.'))).toEqual([
        'deep/a.csv',
        'deep/er/b.csv',
        'deep/er/bad.pointer',
        'deep/er/no.pointer',
      ]);
    });
    it('of one link only in a folder, and never with a token that was not made for it', async () => {
      await openStore();
      const other = await openHostileLink({ place: 'p/eve/trap@1' });
      await writeFile(join(home, 'deep', 'a.csv.pointer'), pointerOf(link.url, 'a.csv', 'bytes of a.csv'));
      await writeFile(join(home, 'deep', 'trap.pointer'), pointerOf(other.url, 'trap', 'x'));
      expect((await run(['get', '--pointers', join(home, 'deep')])).code).toBe(2);
      expect([link.front, other.front]).toEqual([[], []]);
      const ran = await run(['--json', 'get', link.url, '--pointers', join(home, 'deep')]);
      expect(failed(ran)).toEqual({ [join(home, 'deep/trap.pointer')]: 'pointer_invalid' });
      expect(other.front).toEqual([]);
      await run(['get', join(home, 'deep', 'trap.pointer'), '--tries', '1'], { env: { PACKAGE_R_TOKEN: 'pr_VerySecretToken' } });
      expect(other.front.map(({ headers }) => headers.authorization)).toEqual([undefined]);
      await other.close();
    });
  });
});
