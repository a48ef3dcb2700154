/**
 * A clock that is set hours and years forwards and back. Things are open exactly as long as it says, nobody is locked out by what a wrong
 * clock wrote, and work goes on.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Attempts, attemptRules } from '#access/attempts.ts';
import { isError } from '#errors/error.ts';
import type { UserActor } from '#model/actor.ts';
import { randomId } from '#model/clock.ts';
import { parseName } from '#model/name.ts';
import { parsePath, root } from '#model/path.ts';
import { Secret } from '#model/secret.ts';
import { Shares } from '#shares/shares.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { fastFolder } from './fast-folder.ts';
import { curator, ended, openWorld, prepare, reference, type World } from './world.ts';

const hour = 3_600_000;
const year = 8766 * hour;
/** Where the clock is set to, seen from the true time. */
const jumps = [0, 2 * hour, -2 * hour, 30 * year, -20 * year, hour / 2, 5 * year, -year, 0] as const;

const clock = fakeClock(Date.UTC(2026, 5, 1));
const now = clock.now();
let folder: string;
let world: World;
beforeAll(async () => {
  folder = await fastFolder();
  await mkdir(join(folder, 'data'));
  await prepare(join(folder, 'data'));
  world = await openWorld(join(folder, 'data'), { clock: clock.now });
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true });
});

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'open',
    (error: unknown) => (isError(error) ? error.code : String(error)),
  );

describe('a clock that jumps', () => {
  it('opens shares from their beginning to their end, and at no other time', async () => {
    const shares = new Shares({ ...world, clock: clock.now, makeId: randomId, hashKey: Buffer.alloc(32, 1) });
    const owner: UserActor = { kind: 'user', id: 'admin', name: parseName('admin'), admin: true };
    const bounds = { notBefore: now - hour, expiresAt: now + hour };
    const { id } = await shares.create(owner, { target: 'admin/p@1', ...bounds });
    for (const jump of jumps) {
      clock.set(now + jump);
      const isOpen = now + jump >= bounds.notBefore && now + jump < bounds.expiresAt;
      const answer = await codeOf(shares.open({ share: id, address: '192.0.2.1' }, 'list', root));
      expect(answer, `${jump / hour} h`).toBe(isOpen ? 'open' : 'share_not_found');
    }
    await shares.close();
  });

  it('ends sessions when it says so', async () => {
    clock.set(now);
    const password = Secret.parse('a long password of the test');
    await world.access.users.create(curator, { name: 'carol', password });
    const { token, expiresAt } = await world.access.login('carol', password, { address: '192.0.2.2', agent: 'test' });
    for (const jump of [0, hour / 4, -year, 0, 30 * year]) {
      clock.set(now + jump);
      const answer = await codeOf(world.access.authenticate(token, { address: '192.0.2.2' }));
      if (now + jump >= expiresAt) expect(answer).toBe('unauthenticated');
      else if (jump >= 0) expect(answer).toBe('open');
    }
  });

  it('locks nobody out for years', async () => {
    const attempts = new Attempts({ state: world.state, clock: clock.now });
    clock.set(now + 30 * year);
    for (let at = 0; at < 8; at++) await attempts.fail(['account:carol'], attemptRules.account);
    expect(await codeOf(attempts.check(['account:carol']))).toBe('rate_limited');
    clock.set(now);
    expect(await codeOf(attempts.check(['account:carol']))).toBe('open');
    for (let at = 0; at < attemptRules.account.limit; at++)
      expect(await codeOf(attempts.reserve(['account:carol', attemptRules.account]))).toBe('open');
    expect(await codeOf(attempts.reserve(['account:carol', attemptRules.account])), 'guessing is slowed down as ever').toBe('rate_limited');
  });

  it('lets steps, jobs and versions go on, in their order', async () => {
    const { packages } = world;
    for (const [index, jump] of jumps.entries()) {
      clock.set(now + jump);
      const request = { source: parseName('src'), select: { folder: parsePath('s/02') }, to: parsePath(`jump-${index}`) };
      await ended(world, await packages.annex(curator, reference, request));
      const { frozenAt } = await packages.freeze(curator, reference, { message: `After ${jump}` });
      expect(frozenAt).toBe(now + jump);
    }
    const { versions } = await packages.versions(curator, reference);
    expect(versions.map(({ number }) => number)).toEqual(Array.from({ length: versions.length }, (_, index) => versions.length - index));
    const { steps } = await packages.log(curator, reference);
    expect(steps.map(({ step }) => step)).toEqual([...steps.map(({ step }) => step)].sort((a, b) => b - a));
  });
});
