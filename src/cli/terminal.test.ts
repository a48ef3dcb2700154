import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { printable, readSecret, type Terminal, writeSize, writeTable } from '#cli/terminal.ts';

function terminal(input: string): Terminal {
  const stdin = new PassThrough();
  stdin.end(input);
  return { stdin, stdout: new PassThrough(), stderr: new PassThrough() };
}

describe('printable', () => {
  it.each([
    ['a\u001b[2Jb', 'a\\u{1b}[2Jb'],
    ['line\nbreak', 'line\\u{a}break'],
    ['evil\u202egpj.exe', 'evil\\u{202e}gpj.exe'],
    ['a\u2066b', 'a\\u{2066}b'],
    ['\udc80', '\\u{dc80}'],
    ['Zürich 日本 😀', 'Zürich 日本 😀'],
  ])('writes %j as %j', (text, written) => expect(printable(text)).toBe(written));
});

describe('tables', () => {
  it('align, escape, and keep numbers to the right', () => {
    const rows = [
      ['a\nb', 5],
      ['日本', 1000],
    ];
    expect(writeTable(rows, ['name', 'size'])).toBe('name     size\na\\u{a}b     5\n日本     1000\n');
    expect(writeTable([], ['name'])).toBe('');
  });
});

it('sizes are short', () => {
  expect([0, 1023, 1024, 1536, 150 * 1024, 5 * 2 ** 40].map(writeSize)).toEqual([
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '150 KiB',
    '5.0 TiB',
  ]);
});

describe('secrets', () => {
  it('come from stdin, never from an argument', async () => {
    expect((await readSecret(terminal('s3cret\n'), '-', '?')).reveal()).toBe('s3cret');
    await expect(readSecret(terminal(''), 's3cret', '?')).rejects.toMatchObject({ code: 'secret_invalid' });
    await expect(readSecret(terminal(''), '-', '?')).rejects.toMatchObject({ code: 'secret_invalid' });
    await expect(readSecret(terminal(''), undefined, '?')).rejects.toMatchObject({ code: 'secret_invalid' });
  });
});
