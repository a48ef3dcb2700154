/** Shares: the last use of a limit, changes against changes, guesses against their limit. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePath, root } from '#model/path.ts';
import { readAll } from '#model/tree.ts';
import type { NewShare, ShareChange } from '#shares/share.ts';
import type { Turns } from '#testing/scheduler.ts';
import { codeOf, codesOf, inAnyOrder, inAnyOrderOf } from '../support/races.ts';
import { address, type House, openHouse } from './house.ts';

let house: House;
let stage: Awaited<ReturnType<House['stage']>>;
beforeAll(async () => {
  house = await openHouse();
  stage = await house.stage();
});
afterAll(() => house.close());

const p = parsePath;
const share = (settings: Partial<NewShare>) => house.shares.create(stage.owner, { target: `${stage.name}/p@1`, ...settings });
const open = (id: string) => house.shares.open({ share: id, address }, 'download', root);

async function used(number: number): Promise<{ objects: number; bytes: number }> {
  const rows = await house.state.db.selectFrom('share_use').select(['objects', 'bytes']).where('share', '=', number).execute();
  return rows[0] ?? { objects: 0, bytes: 0 };
}

/** Ways to redeem one object; the sizes of the three files are 17, 17 and 4 bytes. */
const redeemings = {
  a: async (id: string) => void (await house.exchange.exchange(await open(id), p('in/a.bin'), { method: 'GET' })),
  b: async (id: string) => void (await house.exchange.exchange(await open(id), p('in/b.bin'), { method: 'GET' })),
  text: async (id: string) => void (await house.exchange.exchange(await open(id), p('t.txt'), { method: 'GET' })),
  read: async (id: string) => void (await readAll((await open(id)).tree.read(p('t.txt')), 100)),
  bulk: async (id: string) => {
    async function* body() {
      yield Buffer.from('"in/a.bin"\n');
    }
    for await (const line of house.exchange.bulk(await open(id), body(), { method: 'GET', link: (path) => path })) {
      if ('error' in line) throw Object.assign(new Error(line.error.message), { name: 'PackageRError', code: line.error.code });
    }
  },
} as const;
type Redeeming = keyof typeof redeemings;
const files: Record<Redeeming, { path: string; size: number }> = {
  a: { path: 'a', size: 17 },
  b: { path: 'b', size: 17 },
  text: { path: 't', size: 4 },
  read: { path: 't', size: 4 },
  bulk: { path: 'a', size: 17 },
};

async function redeem(turns: Turns, chosen: readonly Redeeming[], limits: { maxObjects?: number; maxBytes?: number }): Promise<void> {
  const { id, number } = await share(limits);
  const outcomes = await house.together(turns, ...chosen.map((one) => () => redeemings[one](id)));
  const redeemed = new Map<string, number>();
  for (const [index, one] of chosen.entries()) {
    const isOk = outcomes[index]?.status === 'fulfilled';
    if (isOk) redeemed.set(files[one].path, files[one].size);
    else expect((outcomes[index] as PromiseRejectedResult).reason).toMatchObject({ code: 'share_limit_reached' });
  }
  const bytes = [...redeemed.values()].reduce((sum, size) => sum + size, 0);
  expect(await used(number)).toEqual({ objects: redeemed.size, bytes });
  expect(redeemed.size).toBeLessThanOrEqual(limits.maxObjects ?? 9);
  expect(bytes).toBeLessThanOrEqual(limits.maxBytes ?? 99);
  // Nobody is refused for nothing: what was refused does not fit beside what was given.
  for (const [index, one] of chosen.entries()) {
    if (outcomes[index]?.status === 'fulfilled') continue;
    const isFull = redeemed.size + 1 > (limits.maxObjects ?? 9) || bytes + files[one].size > (limits.maxBytes ?? 99);
    expect(isFull && !redeemed.has(files[one].path)).toBe(true);
  }
}

const many = fc.array(fc.constantFrom(...(Object.keys(redeemings) as Redeeming[])), { minLength: 2, maxLength: 6 });

describe('the last use of a limit', () => {
  it('is redeemed by one of two', () =>
    inAnyOrder(60, async (turns) => {
      await redeem(turns, ['a', 'b'], { maxObjects: 1 });
    }));

  it('is redeemed once by many, in objects and in bytes', () =>
    inAnyOrderOf(
      60,
      fc.tuple(
        many,
        fc.constantFrom({ maxObjects: 1 }, { maxObjects: 2 }, { maxBytes: 17 }, { maxBytes: 21 }, { maxObjects: 2, maxBytes: 34 }),
      ),
      (turns, [chosen, limits]) => redeem(turns, chosen, limits),
      6,
    ));
});

const changes = {
  'only view': (number) => house.shares.update(stage.owner, number, { rights: ['view'] }),
  'one object': (number) => house.shares.update(stage.owner, number, { maxObjects: 1 }),
  title: (number) => house.shares.update(stage.owner, number, { title: 'Other' }),
  'not before': (number) => change(number, { notBefore: house.clock.now() + 7_200_000 }),
  'ends early': (number) => change(number, { expiresAt: house.clock.now() + 3_600_000 }),
  'for users': (number) => change(number, { audience: 'users' }),
  pause: (number) => house.shares.pause(stage.owner, number),
  resume: (number) => house.shares.resume(stage.owner, number),
  rotate: (number) => house.shares.rotate(stage.owner, number),
  revoke: (number) => house.shares.revoke(stage.owner, number),
} as const satisfies Record<string, (number: number) => Promise<unknown>>;
type Change = keyof typeof changes;

function change(number: number, settings: ShareChange) {
  return house.shares.update(stage.owner, number, settings);
}

async function look(number: number, id: string): Promise<string> {
  const { state, rights, maxObjects, title, notBefore, expiresAt, audience, ...view } = await house.shares.get(stage.owner, number);
  return JSON.stringify({ state, rights, maxObjects, title, notBefore, expiresAt, audience, isRotated: view.id !== id });
}

const known = new Map<string, Promise<string>>();

async function inTurn(order: readonly Change[]): Promise<string> {
  const tryIt = async () => {
    const { number, id } = await share({});
    const codes: string[] = [];
    for (const one of order) {
      const [outcome] = await Promise.allSettled([changes[one](number)]);
      codes.push(`${one}: ${codeOf(outcome)}`);
    }
    return `${codes.toSorted().join()} → ${await look(number, id)}`;
  };
  const found = known.get(order.join()) ?? tryIt();
  known.set(order.join(), found);
  return found;
}

describe('changes of one share', () => {
  it('are as one after the other, or refused; revoking never is', () =>
    inAnyOrderOf(
      150,
      fc.tuple(fc.constantFrom(...(Object.keys(changes) as Change[])), fc.constantFrom(...(Object.keys(changes) as Change[]))),
      async (turns, chosen) => {
        const { number, id } = await share({});
        const outcomes = await house.together(turns, ...chosen.map((one) => () => changes[one](number)));
        for (const [index, one] of chosen.entries()) if (one === 'revoke') expect(codeOf(outcomes[index])).toBe('ok');
        const done = chosen.filter((_, index) => codeOf(outcomes[index]) !== 'precondition_failed');
        expect(done.length).toBeGreaterThan(0);
        const told = chosen.map((one, index) => `${one}: ${codeOf(outcomes[index])}`).filter((one) => !one.endsWith('precondition_failed'));
        const seen = `${told.toSorted().join()} → ${await look(number, id)}`;
        const allowed = await Promise.all((done.length < 2 ? [done] : [done, done.toReversed()]).map(inTurn));
        expect(allowed, `${seen}\n${allowed.join('\n')}`).toContain(seen);
      },
    ));
});

describe('guesses at a password', () => {
  it('are no more than the limit, however many come at once', () =>
    inAnyOrder(
      3,
      async (turns) => {
        const { id } = await share({ audience: 'password', password: 'right horse battery' });
        const { limit } = house.access.attempts.rules.sharePeer;
        const guesses = Array.from({ length: limit + 4 }, () => () => house.shares.unlock(id, 'wrong horse battery', { address }));
        const codes = codesOf(await house.together(turns, ...guesses));
        expect(codes.filter((code) => code === 'share_password_wrong')).toHaveLength(limit);
        expect(codes.filter((code) => code === 'rate_limited')).toHaveLength(4);
        await expect(house.shares.unlock(id, 'right horse battery', { address })).rejects.toMatchObject({ code: 'rate_limited' });
      },
      14,
    ));

  it('give no ticket that outlives the password it was given for', () =>
    inAnyOrder(6, async (turns) => {
      const { id, number } = await share({ audience: 'password', password: 'right horse battery' });
      const [unlocked, changed] = await house.together(
        turns,
        () => house.shares.unlock(id, 'right horse battery', { address }),
        () => change(number, { password: 'other horse battery' }),
      );
      expect(codeOf(changed)).toBe('ok');
      expect(['ok', 'share_password_wrong']).toContain(codeOf(unlocked));
      if (unlocked?.status !== 'fulfilled') return;
      const { ticket, listTicket } = unlocked.value as { ticket: string; listTicket: string };
      for (const one of [ticket, listTicket]) await expect(open(`${id}~${one}`)).rejects.toMatchObject({ code: 'share_locked' });
    }));
});
