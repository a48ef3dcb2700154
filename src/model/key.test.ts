import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeKey, encodeKey, parseKey } from '#model/key.ts';

describe('keys', () => {
  it('carry any bytes there and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
        expect(Buffer.compare(encodeKey(decodeKey(bytes)), Buffer.from(bytes))).toBe(0);
      }),
    );
  });

  it('decode distinct bytes to distinct keys, among them spellings of the escapes themselves', () => {
    const spellings = [[0xed, 0xb2, 0x80], [0x80], [0xc3, 0xa9], [0xe9], [0xf0, 0x9f, 0x98, 0x80], [0xf0, 0x9f]].map((bytes) =>
      decodeKey(Uint8Array.from(bytes)),
    );
    expect(new Set(spellings).size).toBe(spellings.length);
  });

  it.each(['a', 'a//b', '/a', 'a/', 'a\nb', '..', 'é😀', decodeKey(Uint8Array.of(0x61, 0xff))])('accept %j', (text) => {
    expect(parseKey(text)).toBe(text);
  });

  it.each(['', 'a\0b', '\ud83d', 'a\ud83d\udc80\udc80x\ud83d', 'x'.repeat(1025), 'é'.repeat(513)])('refuse %j', (text) => {
    expect(() => parseKey(text)).toThrow(expect.objectContaining({ code: 'key_invalid' }));
  });

  it('have up to 1024 bytes', () => {
    expect(parseKey('é'.repeat(512))).toHaveLength(512);
  });
});
