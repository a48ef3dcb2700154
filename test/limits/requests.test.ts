/** What one request may be: just below and at each limit it is heard, above it is refused by name. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeFiles } from '../support/files.ts';
import { type LimitedServer, startLimited } from './limited-server.ts';

/** As far down as they go, so that each can be reached; what stands at its default is asked at its default. */
const lowered = {
  'http.urlBytes': 8192,
  'http.secretBytes': 1024,
  'http.jsonBytes': 16_384,
  'http.listBytes': 65_536,
  'http.lineBytes': 1024,
  'http.jsonString': 8192,
  'packages.textBytes': 2048,
};

let server: LimitedServer;
beforeAll(async () => {
  server = await startLimited(lowered);
  const data = join(server.packager.folder, 'data');
  await writeFiles(data, { 'a.txt': 'text', 'b/c.txt': 'more', 'ü.txt': 'umlaut' });
  await writeFile(join(data, 'x'.repeat(255)), 'longest name');
  await server.ask({ method: 'POST', path: '/api/v1/sources', body: { name: 'lab', driver: 'folder', options: { root: data } } });
  for (const reference of ['admin/p', 'admin/texts']) await server.ask({ method: 'POST', path: '/api/v1/packages', body: { reference } });
});
afterAll(() => server.stop());

const json = { 'content-type': 'application/json' };
const share = '/api/v1/shares';
const login = '/api/v1/login';
/** JSON of exactly so many bytes. */
const sized = (bytes: number): string => `{"x":1}${' '.repeat(bytes - 7)}`;
const post = (path: string, body: string | Buffer, headers: Readonly<Record<string, string>> = json) =>
  server.ask({ method: 'POST', path, headers, body });

describe('a request', () => {
  it('has at most 64 headers and 16 KiB of them', async () => {
    const fixed = ['Host', 'Authorization'].length;
    const lines = (count: number): string[] => Array.from({ length: count - fixed }, (_, index) => `X-${index}: y`);
    for (const [count, status] of [
      [63, 200],
      [64, 200],
      [65, 431],
      [2500, 431],
    ] as const) {
      const text = await server.raw([server.head('GET /api/v1/me', ...lines(count))]);
      expect(text, `${count} headers`).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      if (count === 65) expect(text).toContain('"code":"headers_too_large"');
    }
    const long = (bytes: number): string => {
      const empty = server.head('GET /api/v1/me', 'X: ').length;
      return server.head('GET /api/v1/me', `X: ${'y'.repeat(bytes - empty)}`);
    };
    expect(await server.raw([long(15_900)])).toMatch(/^HTTP\/1\.1 200 /);
    expect(await server.raw([long(16_900)])).toMatch(/^HTTP\/1\.1 431 .*headers_too_large/s);
  });

  it('has a URL of at most 8 KiB', async () => {
    const path = (bytes: number): string => `/health?${'x'.repeat(bytes - 8)}`;
    for (const bytes of [8191, 8192]) expect((await server.ask({ path: path(bytes) })).status, String(bytes)).not.toBe(414);
    const answer = await server.ask({ path: path(8193) });
    expect([answer.status, answer.code, answer.says]).toEqual([414, 'url_too_long', expect.stringContaining('8192')]);
  });

  it('has no compressed body, nor one in another transfer encoding than chunked', async () => {
    const body = gzipSync('{}');
    for (const encoding of ['gzip', 'br', 'deflate', 'identity, gzip', 'GZIP', 'x-gzip', 'zstd']) {
      const answer = await post(share, body, { ...json, 'content-encoding': encoding });
      expect([answer.status, answer.code], encoding).toEqual([415, 'media_type_unsupported']);
    }
    for (const encoding of ['gzip, chunked', 'gzip', 'identity, chunked'])
      expect(await server.raw([`${server.head(`POST ${share}`, `Transfer-Encoding: ${encoding}`)}0\r\n\r\n`]), encoding).toMatch(
        /^HTTP\/1\.1 (400|415|501) /,
      );
    expect((await post(share, '{}', { ...json, 'content-encoding': 'identity' })).status).toBe(400);
  });

  it('says its length once, as a number, and is heard to it', async () => {
    const lengths = ['-1', '1e9', 'NaN', '0x10', '1.5', '+1', '', ' ', '99999999999999999999999', '5, 5', '1 2'];
    for (const length of lengths) {
      const text = await server.raw([`${server.head(`POST ${share}`, 'Content-Type: application/json', `Content-Length: ${length}`)}{}`]);
      expect(text, length).toMatch(/^HTTP\/1\.1 (400|413) /);
    }
    const cut = await server.raw([`${server.head(`POST ${share}`, 'Content-Type: application/json', 'Content-Length: 10')}{}`], {
      milliseconds: 500,
    });
    expect(cut, 'fewer bytes than announced: waited for').toBe('');
    const huge = server.head(`POST ${share}`, 'Content-Type: application/json', 'Content-Length: 9007199254740993');
    expect(await server.raw([huge])).toMatch(/^HTTP\/1\.1 413 .*too_large/s);
    const chunked = server.head(`POST ${share}`, 'Content-Type: application/json', 'Transfer-Encoding: chunked');
    expect(await server.raw([`${chunked}FFFFFFFFFFFFFFFFF\r\n`])).toMatch(/^HTTP\/1\.1 400 /);
    expect(await server.raw([`${chunked}-1\r\n{}\r\n0\r\n\r\n`])).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe('a path', () => {
  const stat = (path: string) => server.ask({ path: `/api/v1/sources/lab/entries/${path}` });

  it('has at most 4,096 bytes, counted as bytes and after decoding, the name of a package among them', async () => {
    const ascii = (bytes: number): string => `${'a'.repeat(200)}/`.repeat(Math.floor(bytes / 201)) + 'b'.repeat(bytes % 201);
    for (const bytes of [4095, 4096]) expect((await stat(ascii(bytes))).code, String(bytes)).toBe('not_found');
    const above = await stat(ascii(4097));
    expect([above.status, above.code, above.says]).toEqual([400, 'path_invalid', expect.stringContaining('4096 bytes')]);
    const wide = (characters: number): string => Array.from({ length: characters / 101 }, () => `${'%C3%BC'.repeat(100)}`).join('/');
    expect((await stat(wide(10 * 101))).code, '2,009 bytes in 1,009 characters').toBe('not_found');
    const multi = `${'ü'.repeat(120)}/`.repeat(17);
    expect((await server.ask({ method: 'POST', path: share, body: { target: `admin/p/${multi}x` } })).status).toBe(400);
    const steps = { operation: 'mkdir', path: `${'ü'.repeat(127)}/`.repeat(16) + 'ü'.repeat(9) };
    const made = await server.ask({ method: 'POST', path: '/api/v1/packages/admin/p/steps', body: steps });
    expect([made.status, made.code, Buffer.byteLength(steps.path)]).toEqual([400, 'path_invalid', 4098]);
    const fitting = { operation: 'mkdir', path: `${'ü'.repeat(127)}/`.repeat(16) + 'ü'.repeat(7) };
    const fits = await server.ask({ method: 'POST', path: '/api/v1/packages/admin/p/steps', body: fitting });
    expect(fits.status, fits.text).toBe(200);
  });

  it('has at most 64 segments', async () => {
    for (const [count, code] of [
      [63, 'not_found'],
      [64, 'not_found'],
      [65, 'path_invalid'],
    ] as const)
      expect((await stat(Array.from({ length: count }, () => 's').join('/'))).code, String(count)).toBe(code);
  });

  it('has segments of at most 255 bytes in a folder, and none that climb or are empty', async () => {
    expect((await stat('x'.repeat(255))).status).toBe(200);
    for (const name of ['y'.repeat(254), 'y'.repeat(256), '%C3%BC'.repeat(128)]) {
      const answer = await stat(name);
      expect([400, 404], name.slice(0, 9)).toContain(answer.status);
    }
    for (const path of ['a//b', '..', 'b/../a.txt', 'b/%2e%2e/a.txt', '.', 'b%2Fc.txt', 'a%00', 'a%0A', '%ff', '%', '%C3'])
      expect((await stat(path)).status, path).toBe(400);
  });
});

describe('a JSON body', () => {
  it('of a sign-in, of other requests, and of a list is as long as its kind may be', async () => {
    const annex = '/api/v1/packages/admin/p/annex';
    for (const [path, most] of [
      [login, lowered['http.secretBytes']],
      [share, lowered['http.jsonBytes']],
      [annex, lowered['http.listBytes']],
    ] as const) {
      for (const bytes of [most - 1, most]) expect((await post(path, sized(bytes))).status, `${path} ${bytes}`).toBe(400);
      const answer = await post(path, sized(most + 1));
      expect([answer.status, answer.code, answer.says], path).toEqual([413, 'too_large', expect.stringContaining(String(most))]);
      const head = server.head(`POST ${path}`, 'Content-Type: application/json', 'Transfer-Encoding: chunked');
      const chunk = `400\r\n${' '.repeat(1024)}\r\n`;
      const endless = function* (): Generator<string> {
        yield head;
        for (let sent = 0; sent < 200; sent++) yield chunk;
      };
      expect(await server.raw(endless()), `${path}, of a length that is not told`).toMatch(/^HTTP\/1\.1 413 /);
    }
  });

  const nested = (depth: number): string => `${'{"x":'.repeat(depth)}1${'}'.repeat(depth)}`;
  const keyed = (count: number): string => `{${Array.from({ length: count }, (_, index) => `"k${index}":1`).join(',')}}`;
  const listed = (count: number): string => `{"only":[${Array.from({ length: count }, () => '0').join(',')}]}`;
  const texted = (bytes: number): string => `{"target":"${'t'.repeat(bytes)}"}`;
  const wide = (bytes: number): string => `{"target":"${'ü'.repeat(bytes / 2)}"}`;

  it.each([
    ['depth 32', nested, 32, 'nested deeper than 32'],
    ['1,000 keys of an object', keyed, 1000, 'more than 1000 keys'],
    ['8,192 bytes of a string, as lowered', texted, 8192, 'longer than 8192 bytes'],
    ['8,192 bytes of a string, counted as bytes', wide, 8192, 'longer than 8192 bytes'],
  ] as const)('keeps to its shape: %s', async (_, make, most, says) => {
    const step = make === wide ? 2 : 1;
    for (const size of [most - step, most]) {
      const answer = await post(share, make(size));
      expect([answer.status, answer.says.startsWith('The JSON is refused')], String(size)).toEqual([400, false]);
    }
    const above = await post(share, make(most + step));
    expect([above.status, above.code, above.says]).toEqual([400, 'request_invalid', expect.stringContaining(says)]);
  });

  it('lists at most 10,000 items', async () => {
    const annex = '/api/v1/packages/admin/p/annex';
    for (const [count, isRefused] of [
      [9999, false],
      [10_000, false],
      [10_001, true],
    ] as const) {
      const answer = await post(annex, listed(count));
      expect([answer.status, answer.says.includes('more than 10000 items')], String(count)).toEqual([400, isRefused]);
    }
    const remove = { operation: 'remove', paths: Array.from({ length: 1001 }, (_, index) => `p${index}`) };
    const many = await server.ask({ method: 'POST', path: '/api/v1/packages/admin/p/steps', body: remove });
    expect([many.status, many.code]).toEqual([413, 'too_many']);
    const fewer = { ...remove, paths: remove.paths.slice(1) };
    expect((await server.ask({ method: 'POST', path: '/api/v1/packages/admin/p/steps', body: fewer })).code).toBe('not_found');
  });

  it('says no number that is none, and nothing twice', async () => {
    const faults = [
      '{"expiresAt":NaN}',
      '{"maxBytes":1e99}',
      '{"maxBytes":-1}',
      '{"maxBytes":1.5}',
      '{"maxObjects":1e400}',
      '{"a":1,"a":2}',
      '{"a":1,"\\u0061":2}',
    ];
    for (const body of faults) expect((await post(share, `{"target":"admin/p",${body.slice(1)}`)).status, body).toBe(400);
    for (const body of ['[]', 'null', '1', '"x"', '', '{', '{"a"', '\u00ef\u00bb\u00bf{}'])
      expect((await post(share, body)).status, body).toBe(400);
    expect((await post(share, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).status, 'no UTF-8').toBe(400);
  });
});

describe('lists and texts', () => {
  it('have lines of at most so many bytes', async () => {
    const annex = '/api/v1/packages/admin/p/annex?source=lab';
    const line = (bytes: number): string => `{"key":"a.txt","to":"${'x'.repeat(bytes - 23)}"}\n`;
    expect(line(1024)).toHaveLength(1025);
    const headers = { 'content-type': 'application/x-ndjson' };
    for (const bytes of [1023, 1024]) expect((await post(annex, line(bytes), headers)).says, String(bytes)).not.toContain('line');
    const above = await post(annex, line(1025), headers);
    expect([above.status, above.says]).toEqual([413, expect.stringContaining('1024')]);
    const endless = await post(annex, 'x'.repeat(500_000), headers);
    expect(endless.status).toBe(413);
  });

  it('of a package are kept up to their limit', async () => {
    const put = (bytes: number) =>
      server.ask({
        method: 'PUT',
        path: `/api/v1/packages/admin/texts/entries/text-${bytes}.txt`,
        headers: { 'content-type': 'application/octet-stream' },
        body: 'ü'.repeat(bytes / 2) + 'x'.repeat(bytes % 2),
      });
    for (const bytes of [2047, 2048]) expect((await put(bytes)).status, String(bytes)).toBe(200);
    const above = await put(2049);
    expect([above.status, above.code, above.says]).toEqual([413, 'too_large', expect.stringContaining('--upload-source')]);
  });

  it('are given out in one range, or whole', async () => {
    const path = '/api/v1/packages/admin/texts/entries/text-2048.txt?content=true';
    for (const [range, status, length] of [
      ['bytes=0-0', 206, 1],
      ['bytes=2047-', 206, 1],
      ['bytes=-1', 206, 1],
      ['bytes=0-99999999', 206, 2048],
      ['bytes=2048-', 416, undefined],
      ['bytes=-0', 416, undefined],
      ['bytes=0-0,2-3', 200, 2048],
      ['bytes=5-2', 200, 2048],
      ['bytes=-', 200, 2048],
      ['bytes=99999999999999999999-', 200, 2048],
      ['lines=1-2', 200, 2048],
    ] as const) {
      const answer = await server.ask({ path, headers: { range } });
      expect([answer.status, status === 416 ? undefined : Number(answer.headers['content-length'])], range).toEqual([status, length]);
    }
  });
});
