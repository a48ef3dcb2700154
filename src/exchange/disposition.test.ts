import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attachment } from '#exchange/disposition.ts';

describe('disposition', () => {
  it.each([
    ['a.txt', 'attachment; filename="a.txt"'],
    ['é日.txt', `attachment; filename="__.txt"; filename*=UTF-8''%C3%A9%E6%97%A5.txt`],
    ['a"b\\c%.txt', `attachment; filename="a_b_c_.txt"; filename*=UTF-8''a%22b%5Cc%25.txt`],
    [`it's (1)*.txt`, `attachment; filename="it's (1)*.txt"`],
    ['a\r\nSet-Cookie: x=1', `attachment; filename="a__Set-Cookie: x=1"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x%3D1`],
    ['🛰.tif', `attachment; filename="_.tif"; filename*=UTF-8''%F0%9F%9B%B0.tif`],
  ])('writes %j', (name, value) => expect(attachment(name)).toBe(value));

  it('is one printable header for any name, and gives the name back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }), (name) => {
        const value = attachment(name);
        expect(value).toMatch(/^attachment; filename="[ !#-[\]-~]*"(?:; filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]+)?$/);
        const extended = /filename\*=UTF-8''(.*)$/.exec(value)?.[1];
        const plain = /filename="(.*)"$/.exec(value)?.[1];
        expect(extended === undefined ? plain : decodeURIComponent(extended)).toBe(name);
      }),
      { numRuns: 300 },
    );
  });

  it('cuts a long name to 255 bytes and keeps the extension', () => {
    const value = attachment(`${'日'.repeat(255)}.parquet`);
    const name = decodeURIComponent(/filename\*=UTF-8''(.*)$/.exec(value)?.[1] ?? '');
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
    expect(name.endsWith('日.parquet')).toBe(true);
  });
});
