import { describe, expect, it } from 'vitest';
import { encodePath, parsePath } from '#model/path.ts';
import { isPrintable, putBytes, putEncodedPath, putInteger, putText } from '#model/text-bytes.ts';

function put(write: (block: Buffer, at: number) => number): string {
  const block = Buffer.alloc(400, '#');
  const end = write(block, 3);
  expect([block.toString('latin1', 0, 3), block[end]]).toEqual(['###', 0x23]);
  return block.toString('utf8', 3, end);
}

describe('what is put into a block', () => {
  it.each([0, 9, 10, 99, 100, 1_234_567, 0x7fffffff, 0x80000000, Number.MAX_SAFE_INTEGER])('%d in decimal', (value) => {
    expect(put((block, at) => putInteger(block, at, value))).toBe(String(value));
  });

  it.each(['a/b-c_d.e~f', 'a b', 'ä/ö', '☃', '😀/x', "a%20b!'()*", 'a\\b'])('the path %j as encodePath has it', (text) => {
    const path = parsePath(text);
    const block = Buffer.alloc(400);
    expect(block.toString('latin1', 0, putEncodedPath(block, 0, path))).toBe(encodePath(path));
    expect(put((one, at) => putText(one, at, path))).toBe(path);
  });

  it('bytes', () => {
    expect(put((block, at) => putBytes(block, at, Buffer.from('.pointer')))).toBe('.pointer');
  });

  it('is printable where it holds ASCII without control characters', () => {
    for (const text of ['', 'abc "é', 'a\tb', '\x7f', 'a b~!'])
      expect(isPrintable(Buffer.from(text), 0, Buffer.byteLength(text))).toBe(/^[ -~]*$/.test(text));
  });
});
