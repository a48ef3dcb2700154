import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AttemptRule, Attempts, attemptRules, peerOf } from '#access/attempts.ts';
import { PackageRError } from '#errors/error.ts';
import { type FakeClock, fakeClock } from '#testing/fake-clock.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

const minute = 60_000;

describe('attempts', () => {
  let place: TemporaryState;
  let clock: FakeClock;
  let attempts: Attempts;
  beforeEach(async () => {
    place = await temporaryState();
    clock = fakeClock();
    attempts = new Attempts({ state: place.state, clock: clock.now });
  });
  afterEach(() => place.close());

  /** undefined where it went through, else the seconds to wait. */
  const tryOnce = async (key: string, rule: AttemptRule): Promise<number | undefined> => {
    try {
      await attempts.reserve([key, rule]);
      return undefined;
    } catch (error) {
      if (error instanceof PackageRError && error.code === 'rate_limited') return error.retryAfter;
      throw error;
    }
  };

  it('lets five through, then waits longer and longer, and never for good', async () => {
    for (let i = 0; i < 5; i++) expect(await tryOnce('a', attemptRules.account)).toBeUndefined();
    const waits: (number | undefined)[] = [];
    for (let i = 0; i < 8; i++) {
      const wait = await tryOnce('a', attemptRules.account);
      waits.push(wait);
      clock.advance((wait ?? 0) * 1000);
      expect(await tryOnce('a', attemptRules.account)).toBeUndefined();
    }
    expect(waits).toEqual([30, 60, 120, 240, 480, 900, 900, 900]);
  });

  it('begins again when it was quiet for a window', async () => {
    for (let i = 0; i < 5; i++) await tryOnce('a', attemptRules.account);
    clock.advance(30_000 + 15 * minute - 1);
    expect(await tryOnce('a', attemptRules.account)).toBeUndefined();
    expect(await tryOnce('a', attemptRules.account)).toBe(60);
    clock.advance(60_000 + 15 * minute);
    for (let i = 0; i < 5; i++) expect(await tryOnce('a', attemptRules.account)).toBeUndefined();
    expect(await tryOnce('a', attemptRules.account)).toBe(30);
  });

  it('blocks a peer to the end of its window', async () => {
    for (let i = 0; i < 30; i++) expect(await tryOnce('p', attemptRules.peer)).toBeUndefined();
    clock.advance(5 * minute);
    expect(await tryOnce('p', attemptRules.peer)).toBe(600);
    clock.advance(10 * minute);
    expect(await tryOnce('p', attemptRules.peer)).toBeUndefined();
  });

  it('lets no more through at once than in a row', async () => {
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => tryOnce('a', attemptRules.account)));
    expect(outcomes.filter((wait) => wait === undefined)).toHaveLength(5);
  });

  it('counts for all keys or for none', async () => {
    for (let i = 0; i < 5; i++) await tryOnce('a', attemptRules.account);
    await expect(attempts.reserve(['p', attemptRules.peer], ['a', attemptRules.account])).rejects.toThrow();
    expect(await place.state.db.selectFrom('attempt').select('key').execute()).toEqual([{ key: 'a' }]);
  });

  it('outlives a restart', async () => {
    for (let i = 0; i < 5; i++) await tryOnce('a', attemptRules.account);
    attempts = new Attempts({ state: await place.reopen(), clock: clock.now });
    expect(await tryOnce('a', attemptRules.account)).toBe(30);
    await expect(attempts.check(['b', 'a'])).rejects.toMatchObject({ code: 'rate_limited', retryAfter: 30 });
    await attempts.check(['b']);
  });

  it('forgets after a success, and takes back no more than one by a release', async () => {
    for (let i = 0; i < 5; i++) await tryOnce('a', attemptRules.account);
    await attempts.release('a', attemptRules.account);
    expect(await tryOnce('a', attemptRules.account)).toBeUndefined();
    expect(await tryOnce('a', attemptRules.account)).toBe(30);
    await attempts.succeed(['a']);
    for (let i = 0; i < 5; i++) expect(await tryOnce('a', attemptRules.account)).toBeUndefined();
    await attempts.release('never', attemptRules.peer);
  });

  it('counts failures that were judged elsewhere', async () => {
    const rule = { limit: 2, window: minute };
    await attempts.fail(['s', 't'], rule);
    await attempts.check(['s', 't']);
    await attempts.fail(['s'], rule);
    await expect(attempts.check(['s', 't'])).rejects.toMatchObject({ code: 'rate_limited', retryAfter: 60 });
    await attempts.check(['t']);
    await attempts.fail(['once'], { limit: 1, window: minute });
    await expect(attempts.check(['once'])).rejects.toMatchObject({ code: 'rate_limited' });
  });

  it('does not keep old rows', async () => {
    for (let i = 0; i < 10; i++) await tryOnce(`k${i}`, attemptRules.peer);
    clock.advance(25 * 60 * minute);
    await tryOnce('new', attemptRules.peer);
    expect(await place.state.db.selectFrom('attempt').select('key').execute()).toEqual([{ key: 'new' }]);
  });
});

describe('a peer', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:aaaa::1', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:bbbb:cccc:dddd:eeee', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', 'unknown'],
    ['unix socket', 'unknown'],
  ])('%s is %s', (address, peer) => {
    expect(peerOf(address)).toBe(peer);
  });

  it('is another one in another /64', () => {
    expect(peerOf('2001:db8:1:3::1')).not.toBe(peerOf('2001:db8:1:2::1'));
  });
});
