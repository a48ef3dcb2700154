import { describe, expect, it } from 'vitest';
import { isError } from '#errors/error.ts';
import { parseAnnexList } from '#packages/annex-list.ts';

/** In pieces of a few bytes, so that every cut is met. */
async function* pieces(text: string | Buffer): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 3) yield bytes.subarray(at, at + 3);
}
const parse = (text: string | Buffer, format: 'csv' | 'ndjson' = 'csv', limit = 10) => parseAnnexList(pieces(text), format, limit);
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'nothing',
    (error: unknown) => (isError(error) ? error.code : error),
  );

describe('lists of objects', () => {
  it('are CSV with quotes, line breaks in them, and columns in any order', async () => {
    const md5 = `md5:${'0'.repeat(32)}`;
    const sha1 = `sha1:${'1'.repeat(40)}`;
    const text = `\uFEFFsize,path,to,checksum\r\n5,"a ""b"", c.txt",é/😀,${md5} ${sha1}\r\n\r\n,plain,,\r\n`;
    expect(await parse(text)).toEqual([{ key: 'a "b", c.txt', to: 'é/😀', size: 5, checksums: [md5, sha1] }, { key: 'plain' }]);
    expect(await parse('key\n"a\nb"')).toEqual([{ key: 'a\nb' }]);
  });

  it('are NDJSON, with or without a last line break', async () => {
    const line = { key: 'a//b', to: 'b', size: 1, etag: '"x"', version: 'v', modifiedAt: '2026-01-01' };
    const item = { ...line, etag: 'x', modifiedAt: Date.UTC(2026, 0, 1) };
    expect(await parse(`${JSON.stringify(line)}\n{"key":"c"}`, 'ndjson')).toEqual([item, { key: 'c' }]);
  });

  it.each([
    ['key\n"open', 'csv', 'request_invalid'],
    ['key\na,b', 'csv', 'request_invalid'],
    ['key,colour\na,b', 'csv', 'request_invalid'],
    ['key\na"b', 'csv', 'request_invalid'],
    ['key,size\na,-1', 'csv', 'request_invalid'],
    ['key,size\na,1e99', 'csv', 'request_invalid'],
    ['key,to\na,../b', 'csv', 'path_invalid'],
    ['key,checksum\na,md5:xyz', 'csv', 'checksum_invalid'],
    [`key\n${'k'.repeat(2000)}`, 'csv', 'key_invalid'],
    ['[]', 'ndjson', 'request_invalid'],
    ['{"to":"a"}', 'ndjson', 'request_invalid'],
    ['{"key":"a\\u0000"}', 'ndjson', 'key_invalid'],
    ['{"key":{"toString":1}}', 'ndjson', 'request_invalid'],
    ['{"key":"a","checksums":[1]}', 'ndjson', 'request_invalid'],
    [`key\n${'a\n'.repeat(11)}`, 'csv', 'too_many'],
    ['k'.repeat(65_537), 'csv', 'too_large'],
  ] as const)('refuse %j as %s', async (text, format, code) => {
    expect(await codeOf(parse(text, format))).toBe(code);
  });

  it('refuse what is no UTF-8', async () => {
    expect(await codeOf(parse(Buffer.from([0x6b, 0x65, 0x79, 0x0a, 0xff])))).toBe('request_invalid');
  });

  it('hold no line above the limit in bytes, in one piece or in many, closed or not', async () => {
    const key = (bytes: number) => `{"key":"é${'k'.repeat(bytes - 12)}"}`;
    async function* whole(text: string) {
      yield Buffer.from(text);
    }
    for (const cut of [pieces, whole]) {
      for (const end of ['', '\n']) {
        const read = (bytes: number) => codeOf(parseAnnexList(cut(`${key(bytes)}${end}`), 'ndjson', 10, 64));
        expect([await read(63), await read(64), await read(65)]).toEqual(['nothing', 'nothing', 'too_large']);
      }
    }
    const record = (bytes: number) => codeOf(parseAnnexList(pieces(`key\n"a\n${'k'.repeat(bytes - 4)}"\n`), 'csv', 10, 64));
    expect([await record(63), await record(64), await record(65)].map((code) => code === 'too_large')).toEqual([false, false, true]);
  });
});
