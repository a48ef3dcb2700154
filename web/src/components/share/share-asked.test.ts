import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { askedBy, endOf, faultsOf, lives, makePassword, newDraft, parseCount, parseSize, type Subject, writeDay } from './share-asked.ts';

const now = new Date(2026, 0, 31, 12, 30, 0);
const snow: Subject = { kind: 'package', reference: 'ada/snow', version: 4, path: '' };

describe('the end of a share', () => {
  it('is the same time of a later day', () => {
    expect(endOf({ life: 'day', date: '' }, now)).toBe(new Date(2026, 1, 1, 12, 30).toISOString());
    expect(endOf({ life: 'week', date: '' }, now)).toBe(new Date(2026, 1, 7, 12, 30).toISOString());
  });
  it('is a day that the month has', () => {
    expect(endOf({ life: 'month', date: '' }, now)).toBe(new Date(2026, 1, 28, 12, 30).toISOString());
    expect(endOf({ life: 'month', date: '' }, new Date(2026, 4, 15, 1))).toBe(new Date(2026, 5, 15, 1).toISOString());
  });
  it('is the end of the day that was written, today too', () => {
    expect(endOf({ life: 'date', date: '2026-12-24' }, now)).toBe(new Date(2026, 11, 24, 23, 59, 59).toISOString());
    expect(endOf({ life: 'date', date: writeDay(now) }, now)).toBe(new Date(2026, 0, 31, 23, 59, 59).toISOString());
  });
  it.each(['', '2026-01-30', '2026-02-30', '24.12.2026', '2026-13-01'])('is none for %j', (date) => {
    expect(endOf({ life: 'date', date }, now)).toBeUndefined();
  });
  it('lies ahead, whenever it is asked', () => {
    const instant = fc.date({ min: new Date(2020, 0, 1), max: new Date(2090, 0, 1), noInvalidDate: true });
    fc.assert(
      fc.property(instant, fc.constantFrom(...lives), (at, life) => {
        const end = endOf({ life, date: writeDay(new Date(at.getTime() + 90_000_000)) }, at);
        expect(end === null ? life : new Date(end ?? 0) > at).toEqual(life === 'endless' ? 'endless' : true);
      }),
    );
  });
});

describe('what is written into a field', () => {
  it.each([
    ['', null],
    ['500 MB', 500e6],
    ['1.5 tb', 1.5e12],
    ['1,5 kB', 1500],
    ['20GiB', 20 * 1024 ** 3],
    ['77', 77],
    ['0', undefined],
    ['much', undefined],
    ['-1', undefined],
    ['9999999 PB', undefined],
  ])('is a size: %j', (text, bytes) => expect(parseSize(text)).toBe(bytes));
  it.each([
    ['', null],
    ['12', 12],
    ['1 000', 1000],
    ['0', undefined],
    ['1.5', undefined],
    ['ten', undefined],
  ])('is a count: %j', (text, count) => expect(parseCount(text)).toBe(count));
});

describe('a password that is made', () => {
  it('has twenty letters in groups, none of them likelier than another', () => {
    const counts = new Map<string, number>();
    for (let time = 0; time < 2000; time++) {
      const password = makePassword((bytes) => crypto.getRandomValues(bytes));
      expect(password).toMatch(/^([a-zA-Z2-9]{5}-){3}[a-zA-Z2-9]{5}$/);
      for (const letter of password.replaceAll('-', '')) counts.set(letter, (counts.get(letter) ?? 0) + 1);
    }
    const average = 40_000 / counts.size;
    expect(counts.size).toBe(56);
    expect(Math.max(...counts.values())).toBeLessThan(average * 1.3);
    expect(Math.min(...counts.values())).toBeGreaterThan(average * 0.7);
  });
});

describe('what a form asks for', () => {
  it('is a fixed version for whoever has the link, for a month', () => {
    expect(askedBy(newDraft(snow), snow, now)).toEqual({
      target: 'ada/snow@4',
      audience: 'link',
      rights: ['view', 'exchange'],
      expiresAt: new Date(2026, 1, 28, 12, 30).toISOString(),
      onDrift: 'refuse',
    });
  });
  it('follows the latest, below a folder', () => {
    const below: Subject = { ...snow, path: 'a/b' };
    const draft = { ...newDraft(below), what: 'latest' as const };
    expect(askedBy(draft, below, now)).toMatchObject({ target: 'ada/snow@latest', path: 'a/b' });
    expect(askedBy({ ...draft, isFolderOnly: false }, below, now)).not.toHaveProperty('path');
  });
  it('is a live folder', () => {
    const folder: Subject = { kind: 'folder', source: 'field', path: 'deep/er' };
    expect(askedBy(newDraft(folder), folder, now)).toMatchObject({ target: 'source:field', path: 'deep/er' });
  });
  it('holds a password only where one is wanted, and names only for people', () => {
    const draft = { ...newDraft(snow), password: 'correct horse', users: 'ada, bob', groups: 'lab' };
    expect(askedBy(draft, snow, now)).not.toHaveProperty('password');
    expect(askedBy({ ...draft, who: 'password' }, snow, now)).toMatchObject({ audience: 'password', password: 'correct horse' });
    const named = askedBy({ ...draft, who: 'people' }, snow, now);
    expect(named).toMatchObject({ audience: 'named', users: ['ada', 'bob'], groups: ['lab'] });
    expect(named).not.toHaveProperty('password');
    expect(askedBy({ ...draft, who: 'people', users: '', groups: ' ' }, snow, now)).toMatchObject({ audience: 'users' });
  });
  it('says what is not right before anything is asked', () => {
    expect(faultsOf(newDraft(snow), now)).toEqual({});
    const wrong = {
      ...newDraft(snow),
      who: 'password',
      life: 'date',
      mayView: false,
      mayExchange: false,
      maxObjects: 'x',
      maxBytes: 'y',
    } as const;
    expect(faultsOf(wrong, now)).toEqual({
      password: 'passwordNone',
      date: 'date',
      rights: 'rights',
      maxObjects: 'count',
      maxBytes: 'size',
    });
    expect(faultsOf({ ...newDraft(snow), who: 'password', password: 'short' }, now)).toEqual({ password: 'passwordShort' });
    expect(faultsOf({ ...newDraft(snow), password: 'short' }, now)).toEqual({});
  });
});
