import { expect, it } from 'vitest';
import { decodeText, decodeUrlText, eachInner, encodeText, rootOf, textOf, verifyRoot } from '#drivers/s3/xml.ts';

const bytes = (text: string): string => Buffer.from(text).toString('latin1');

it('finds the root behind what may stand before it, and none behind a document type', () => {
  expect(rootOf(bytes('\ufeff<?xml version="1.0"?>\n<!-- <Not/> -->\n<Root xmlns="x">'))).toBe('Root');
  expect([rootOf(''), rootOf('no xml'), rootOf('<!DOCTYPE a><a/>'), rootOf('<?xml'), rootOf('<!-- <a/>')]).toEqual(
    Array(5).fill(undefined),
  );
});

it('takes whole documents of the expected root only', () => {
  expect(() => verifyRoot('<A><B/></A>\n', 'A', 'test')).not.toThrow();
  expect(() => verifyRoot('<A xmlns="x"/>', 'A', 'test')).not.toThrow();
  for (const odd of ['<A><B/></A', '<A><B/>', '<B></A></B>', '<!DOCTYPE A><A></A>', ''])
    expect(() => verifyRoot(odd, 'A', 'test')).toThrow();
});

it('reads elements by their whole name, empty ones and those with attributes too', () => {
  const xml = '<A><Keys>no</Keys><Key x="1">one</Key><Key/><Key >two</Key></A>';
  expect([...eachInner(xml, 'Key')]).toEqual(['one', '', 'two']);
  expect([textOf(xml, 'Key'), textOf(xml, 'Ke')]).toEqual(['one', undefined]);
  expect(() => textOf('<Key>one', 'Key')).toThrow();
  expect(() => textOf('<Key one', 'Key')).toThrow();
});

it('decodes references of XML, and refuses all others', () => {
  expect(decodeText('&amp;&lt;&gt;&quot;&apos;&#65;&#x1F600;&#xe9;')).toBe('&<>"\'A😀é');
  for (const odd of ['&', '&a;', '&amp', '&#;', '&#x110000;', '&#xD800;', '&constructor;', '&#99999999;'])
    expect(() => decodeText(odd)).toThrow();
});

it('decodes percent and plus to bytes, UTF-8 or not', () => {
  expect(decodeUrlText('a+b%2Bc%20d%C3%A9%25')).toBe('a b+c dé%');
  expect(decodeUrlText('%FFa%C3')).toBe('\udcffa\udcc3');
  expect(decodeUrlText(bytes('é%C3%A9'))).toBe('éé');
  expect(decodeUrlText('100%&amp;%zz')).toBe('100%&%zz');
});

it('writes text that reads back', () => {
  const text = `<a b="c">&'\r\n\t`;
  expect(encodeText(text)).not.toMatch(/[<>"'\r\n\t]/);
  expect(decodeText(encodeText(text))).toBe(text);
});
