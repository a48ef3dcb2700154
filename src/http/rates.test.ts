import { describe, expect, it } from 'vitest';
import type { PackageRError } from '#errors/error.ts';
import { Rates, Slots } from './rates.ts';

const refusal = (work: () => unknown): PackageRError | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    return error as PackageRError;
  }
};

describe('Rates', () => {
  it('lets a burst through, then as many as the minute allows, and says when', () => {
    let now = 0;
    const rates = new Rates(() => now);
    const take = () => refusal(() => rates.take('peer', { perMinute: 60, burst: 3 }));
    expect([take(), take(), take()]).toEqual([undefined, undefined, undefined]);
    expect(take()).toMatchObject({ code: 'rate_limited', retryAfter: 1 });
    now = 1000;
    expect(take()).toBeUndefined();
    expect(take()?.code).toBe('rate_limited');
  });

  it('keeps keys apart', () => {
    const rates = new Rates(() => 0);
    rates.take('a', { perMinute: 1, burst: 1 });
    expect(refusal(() => rates.take('b', { perMinute: 1, burst: 1 }))).toBeUndefined();
  });
});

describe('Slots', () => {
  it('refuses what is over, and takes again when one was freed, once', () => {
    const slots = new Slots();
    const free = slots.take('share', 1);
    expect(refusal(() => slots.take('share', 1, 'source_unavailable'))?.code).toBe('source_unavailable');
    free();
    free();
    slots.take('share', 1);
    expect(slots.count('share')).toBe(1);
  });
});

it('gives back what was taken for nothing, and takes nothing where there is none', () => {
  const rates = new Rates(() => 0);
  const rate = { perMinute: 60, burst: 2 };
  expect([rates.tryTake('a', rate), rates.tryTake('a', rate), rates.tryTake('a', rate)]).toEqual([true, true, false]);
  rates.giveBack('a');
  expect([rates.tryTake('a', rate), rates.tryTake('a', rate)]).toEqual([true, false]);
});
