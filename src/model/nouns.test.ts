import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { findChecksum, parseChecksum } from '#model/checksum.ts';
import { parseDigest } from '#model/digest.ts';
import { parseDuration, parseInstant, writeDuration } from '#model/duration.ts';
import { parseName } from '#model/name.ts';
import { equalSecrets, Secret } from '#model/secret.ts';

describe('names', () => {
  it.each(['a', 'a1', 'my-lab_2.x', 'a'.repeat(63)])('accept %j', (text) => expect(parseName(text)).toBe(text));
  it.each([
    '',
    'A',
    '-a',
    '.a',
    'a b',
    'a/b',
    'a..b',
    'a\n',
    'é',
    ';id',
    '$(id)',
    '`id`',
    '|id',
    '&&id',
    '--config=/x',
    'a'.repeat(64),
    '__proto__',
  ])('refuse %j', (text) => {
    expect(() => parseName(text)).toThrow(expect.objectContaining({ code: 'name_invalid' }));
  });
});

describe('secrets', () => {
  const secret = Secret.parse('hunter2-hunter2\n');

  it('cannot be printed', () => {
    for (const text of [
      String(secret),
      `${secret}`,
      JSON.stringify({ secret }),
      inspect(secret),
      inspect({ a: [secret] }, { showHidden: true, depth: 9 }),
    ]) {
      expect(text).not.toContain('hunter2');
    }
    expect(Object.keys(secret)).toEqual([]);
    expect(secret.reveal()).toBe('hunter2-hunter2');
  });

  it('equal only themselves', () => {
    expect(secret.equals('hunter2-hunter2')).toBe(true);
    expect(secret.equals('hunter2')).toBe(false);
    expect(secret.equals('')).toBe(false);
    expect(secret.equals(undefined)).toBe(false);
    expect(equalSecrets('', '')).toBe(false);
  });

  it.each(['', '\n', 'a\0b'])('refuse %j', (text) => {
    expect(() => Secret.parse(text)).toThrow(expect.objectContaining({ code: 'secret_invalid' }));
  });
});

describe('digests and checksums', () => {
  it('are exact', () => {
    expect(parseDigest(`sha256:${'0a'.repeat(32)}`)).toBeDefined();
    for (const text of ['', 'sha256:', `sha256:${'0A'.repeat(32)}`, `md5:${'0'.repeat(32)}`]) expect(() => parseDigest(text)).toThrow();
    expect(parseChecksum(`MD5:${'AB'.repeat(16)}`, 'stated')).toEqual({ algorithm: 'md5', value: 'ab'.repeat(16), evidence: 'stated' });
    for (const text of ['', 'md5', 'md5:xyz', `md5:${'0'.repeat(31)}`, `constructor:${'0'.repeat(32)}`, `md5:${'0'.repeat(32)}-5`]) {
      expect(() => parseChecksum(text, 'stated')).toThrow(expect.objectContaining({ code: 'checksum_invalid' }));
    }
  });

  it('are found by evidence', () => {
    const stated = parseChecksum(`md5:${'1'.repeat(32)}`, 'stated');
    const stored = parseChecksum(`md5:${'2'.repeat(32)}`, 'stored');
    expect(findChecksum([stated, stored], 'md5')).toBe(stored);
    expect(findChecksum([stated], 'md5', 'stored')).toBeUndefined();
    expect(findChecksum([stated], 'sha256')).toBeUndefined();
  });
});

describe('durations and instants', () => {
  it('are read and written', () => {
    expect(parseDuration('15m')).toBe(900_000);
    expect(writeDuration(90_000)).toBe('90s');
    expect(writeDuration(3_600_000)).toBe('1h');
    expect(writeDuration(0)).toBe('0ms');
    for (const text of ['', '15', 'm', '-1s', '1.5h', '1w', '99999999999999d']) expect(() => parseDuration(text)).toThrow();
    expect(parseInstant('2026-11-23')).toBe(Date.UTC(2026, 10, 23));
    expect(parseInstant('2026-11-23T12:00:00+01:00')).toBe(Date.UTC(2026, 10, 23, 11));
    for (const text of ['', '2026', '2026-02-30', '2026-13-01', '23.11.2026', '2026-11-23 12:00', '2026-11-23T12:00'])
      expect(() => parseInstant(text), text).toThrow();
  });
});
