import { describe, expect, it } from 'vitest';
import english from '../../locales/en.json' with { type: 'json' };
import { allowanceOf, familyOf, horizonOf, isOver, stateOf, targetOf, type Words } from './share-words.ts';

const reading = { locale: 'en', now: new Date('2026-11-23T12:00:00Z') };
const later = '2026-11-30T12:00:00Z';
const before = '2026-11-20T12:00:00Z';

/** The text that is shown. */
function say({ key, values }: Words): string {
  const text = key.split('.').reduce<unknown>((found, part) => (found as Record<string, unknown>)[part], english);
  return String(text).replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? `?${name}`);
}

describe('the state of a share', () => {
  it('is said with when it ends or begins', () => {
    expect(say(stateOf({ state: 'open', expiresAt: later }, reading))).toMatch(/^Open until Nov 30, 2026/);
    expect(say(stateOf({ state: 'open' }, reading))).toBe('Open, without an end');
    expect(say(stateOf({ state: 'pending', notBefore: later }, reading))).toMatch(/^Opens Nov 30, 2026/);
    expect(say(stateOf({ state: 'expired', expiresAt: before }, reading))).toMatch(/^Expired Nov 20, 2026/);
    expect(say(stateOf({ state: 'paused', expiresAt: later }, reading))).toBe('Paused');
    expect(say(stateOf({ state: 'closed' }, reading))).toMatch(/^Closed/);
  });
  it('of a revoked one tells until when what was given out lives', () => {
    expect(say(stateOf({ state: 'revoked' }, reading))).toBe('Revoked');
    expect(say(stateOf({ state: 'revoked', horizonAt: before }, reading))).toBe('Revoked');
    expect(say(stateOf({ state: 'revoked', horizonAt: later }, reading))).toMatch(/^Revoked; .* until Nov 30, 2026/);
    expect([horizonOf({ horizonAt: before }, reading.now), horizonOf({ horizonAt: later }, reading.now)]).toEqual([undefined, later]);
  });
  it('says whether it is over for good', () => {
    const states = ['open', 'pending', 'paused', 'expired', 'revoked', 'closed'] as const;
    expect(states.filter((state) => isOver({ state }))).toEqual(['expired', 'revoked']);
  });
});

describe('what a share allows', () => {
  const open = { audience: 'link', rights: ['view', 'exchange'], users: [], groups: [] } as const;
  const read = (share: Parameters<typeof allowanceOf>[0]): string => {
    const { who, may, limit } = allowanceOf(share, 'en');
    return [say(who), say(may), limit === undefined ? '' : say(limit)].join(' | ');
  };
  it('is one sentence', () => {
    expect(read({ ...open, rights: ['view', 'exchange'], users: [], groups: [] })).toBe('Anyone with the link | see and download | ');
    const named = read({ audience: 'named', rights: ['view'], users: ['ada', 'bob'], groups: ['lab'], maxObjects: 1000 });
    expect(named).toBe('ada, bob, or lab | see names and sizes | at most 1,000 files a day');
    const both = read({ audience: 'password', rights: ['exchange'], users: [], groups: [], maxObjects: 3, maxBytes: 2e9 });
    expect(both).toBe(
      'Whoever has the link and the password | download what they know the name of | at most 3 files and 2.0\u00a0GB a day',
    );
  });
});

describe('what a share shows', () => {
  it('is a package at a version or the latest, or a folder', () => {
    expect(targetOf({ target: 'ada/snow@3', path: 'a' })).toEqual({
      kind: 'package',
      namespace: 'ada',
      name: 'snow',
      version: 3,
      path: 'a',
    });
    expect(targetOf({ target: 'ada/snow@latest', path: '' })).toMatchObject({ version: undefined });
    expect(targetOf({ target: 'source:field', path: 'x/y' })).toEqual({ kind: 'source', source: 'field', path: 'x/y' });
    expect(targetOf({ path: '' })).toBeUndefined();
  });
  it('is of one family, whatever the version', () => {
    expect(['ada/snow@3', 'ada/snow@latest', 'source:field'].map((target) => familyOf({ target, path: 'x' }))).toEqual([
      'ada/snow',
      'ada/snow',
      'source:field',
    ]);
  });
});
