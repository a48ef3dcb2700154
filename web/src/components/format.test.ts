import { describe, expect, it } from 'vitest';
import { writeBytes, writeInstant } from './format.ts';

describe('sizes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [6_553_600, '6.6 MB'],
    [99_949, '99.9 kB'],
    [99_950, '100 kB'],
    [999_999, '1.0 MB'],
    [13_600_000_000, '13.6 GB'],
    [2 ** 53, '9.0 PB'],
  ])('%d is %s', (bytes, text) => expect(writeBytes(bytes, 'en')).toBe(text.replace(' ', '\u00a0')));

  it('follow the language', () => expect(writeBytes(1_500_000, 'de')).toBe('1,5\u00a0MB'));
});

describe('dates', () => {
  const now = new Date(2026, 10, 23, 12);
  it('are days, and today a time', () => {
    expect(writeInstant(new Date(2026, 2, 12).toISOString(), 'en', now)).toBe('Mar 12, 2026');
    expect(writeInstant(new Date(2026, 10, 23, 9, 5).toISOString(), 'en-GB', now)).toBe('09:05');
  });
});
