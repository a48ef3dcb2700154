import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '#access/access.ts';
import { system } from '#access/place.ts';
import { isError, PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';
import { type Action, type Actor, actions } from '#model/actor.ts';
import { randomId } from '#model/clock.ts';
import { Secret } from '#model/secret.ts';
import { type FakeClock, fakeClock } from '#testing/fake-clock.ts';
import { recorder } from '#testing/recorder.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

const boss: Actor = { kind: 'system', name: 'test' };
const minute = 60_000;
const hour = 60 * minute;
const password = 'correct horse battery';

describe('signing in', () => {
  let place: TemporaryState;
  let clock: FakeClock;
  let access: Access;
  let log: ReturnType<typeof recorder>;
  const refused = (promise: Promise<unknown>, code: ErrorCode) => expect(promise).rejects.toMatchObject({ code });
  const login = (name: string, text = password, address = '192.0.2.1') => access.login(name, text, { address, agent: 'test\u001b[31m' });
  const who = (token: string) => access.authenticate(token, { address: '192.0.2.1' });
  beforeEach(async () => {
    place = await temporaryState();
    clock = fakeClock();
    log = recorder();
    access = new Access({ state: place.state, clock: clock.now, makeId: randomId, events: log });
    await access.users.create(boss, { name: 'alice', password: Secret.parse(password) });
    await access.users.create(boss, { name: 'root', password: Secret.parse(password), admin: true });
  });
  afterEach(() => place.close());

  it('gives a session whose token is kept nowhere', async () => {
    const { token, actor, expiresAt } = await login('alice');
    expect(token).toMatch(/^ps_[A-Za-z0-9_-]{44}$/);
    expect(expiresAt).toBe(clock.now() + 12 * hour);
    expect(await who(token)).toEqual(actor);
    expect(actor).toMatchObject({ kind: 'user', name: 'alice', admin: false, address: '192.0.2.1' });
    const rows = JSON.stringify([await place.state.db.selectFrom('session').selectAll().execute(), log.events]);
    expect(rows).not.toContain(token.slice(3));
    expect(rows).not.toContain('\\u001b');
  });

  it.each([
    ['alice', 'wrong password'],
    ['alice', ''],
    ['alice', `${password}\0`],
    ['nobody', password],
    ['Alice', password],
    ["' or 1=1 --", password],
    ['', ''],
  ])('fails alike for %j with %j', async (name, text) => {
    const error: unknown = await login(name, text).catch((caught: unknown) => caught);
    expect(isError(error, 'login_failed') && error.message).toBe(new PackageRError('login_failed').message);
  });

  it('fails alike for users who are disabled or have no password', async () => {
    await access.users.create(boss, { name: 'none' });
    await access.users.update(boss, 'alice', { disabled: true });
    await refused(login('alice'), 'login_failed');
    for (const text of ['', 'null', 'undefined']) await refused(login('none', text), 'login_failed');
  });

  it('refuses a password of a megabyte before any work', async () => {
    await refused(login('alice', 'x'.repeat(1_000_000)), 'too_large');
    expect(await place.state.db.selectFrom('attempt').selectAll().execute()).toEqual([]);
  });

  it('is slowed down by account, wherever the guesses come from, and not for good', async () => {
    for (let i = 0; i < 5; i++) await refused(login('alice', 'wrong', `198.51.100.${i}`), 'login_failed');
    await expect(login('alice')).rejects.toMatchObject({ code: 'rate_limited', retryAfter: 30 });
    expect((await login('root')).actor.name).toBe('root');
    clock.advance(30_000);
    expect((await login('alice')).actor.name).toBe('alice');
    await refused(login('alice', 'wrong'), 'login_failed');
  });

  it('is slowed down by peer, whatever the account, and a success does not wipe that out', async () => {
    for (let i = 0; i < 29; i++) await refused(login(`user${i}`, 'wrong', `2001:db8::${i + 1}`), 'login_failed');
    await login('alice', password, '2001:db8::a');
    await refused(login('user30', 'wrong', '2001:db8::b'), 'login_failed');
    await refused(login('alice', password, '2001:db8:0:0:ffff::c'), 'rate_limited');
    await login('alice', password, '2001:db8:0:1::c');
  });

  it('judges no more than five of fifty guesses at once', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, (_, i) => login('alice', `guess ${i}`, `198.51.100.${i}`)));
    const codes = outcomes.map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as PackageRError).code : 'ok'));
    expect(codes.filter((code) => code === 'login_failed')).toHaveLength(5);
    expect(codes.filter((code) => code === 'rate_limited')).toHaveLength(45);
  });

  it('records who, never what was typed', async () => {
    await refused(login('hunter2-typed-into-the-name', 'CANARY-PASSWORD'), 'login_failed');
    await refused(login('Not A Name CANARY', 'x'), 'login_failed');
    await refused(login('alice', 'CANARY-PASSWORD'), 'login_failed');
    await login('alice');
    const { id } = await access.users.get(boss, 'alice');
    const recorded = log.events.filter((event) => event.action.startsWith('user.login'));
    expect(recorded.map((event) => [event.action, event.subject])).toEqual([
      ['user.login_failed', 'user:unknown'],
      ['user.login_failed', 'user:unknown'],
      ['user.login_failed', `user:${id}`],
      ['user.login', `user:${id}`],
    ]);
    expect(JSON.stringify(log.events)).not.toMatch(/CANARY|hunter2/);
    expect(JSON.stringify(await place.state.db.selectFrom('attempt').selectAll().execute())).not.toContain('CANARY');
  });

  describe('a session', () => {
    it.each([
      '',
      'a.b.c',
      'null',
      'undefined',
      'ps_',
      'pr_null',
      `ps_${'A'.repeat(44)}`,
      `pr_${'A'.repeat(44)}`,
      `ps_${'A'.repeat(4000)}`,
      "ps_' or 1=1 --aaaaaaaaaaaaaaaaaaa",
      'eyJhbGciOiJub25lIn0.eyJhZG1pbiI6dHJ1ZX0.',
    ])('is not %j', (token) => refused(who(token), 'unauthenticated'));

    it('does not open by its id, cut, lengthened, or as the other kind', async () => {
      const { token, actor } = await login('alice');
      for (const other of [
        `ps_${actor.credential}`,
        token.slice(0, -1),
        `${token}A`,
        token.replace('ps_', 'pr_'),
        ` ${token}`,
        `${token}\n`,
        token.toUpperCase(),
      ])
        await refused(who(other), 'unauthenticated');
    });

    it('ends at once by signing out', async () => {
      const { token, actor } = await login('alice');
      const other = await login('alice');
      await access.logout(actor);
      await refused(who(token), 'unauthenticated');
      await refused(access.authorize(actor, 'list', system), 'unauthenticated');
      expect((await who(other.token)).name).toBe('alice');
    });

    it('ends when idle for two hours, an administrator’s after 30 minutes', async () => {
      const [mine, admins] = [await login('alice'), await login('root')];
      clock.advance(30 * minute - 1);
      await who(admins.token);
      clock.advance(30 * minute);
      await refused(who(admins.token), 'unauthenticated');
      clock.advance(hour);
      expect((await who(mine.token)).name).toBe('alice');
      clock.advance(2 * hour);
      await refused(who(mine.token), 'unauthenticated');
    });

    it('ends after its whole life however busy', async () => {
      const { token, actor } = await login('alice');
      for (let i = 0; i < 11; i++) {
        clock.advance(hour);
        await who(token);
      }
      clock.advance(hour);
      await refused(who(token), 'unauthenticated');
      await refused(access.authorize(actor, 'list', system), 'unauthenticated');
    });

    it('is noted as used at most once a minute', async () => {
      const { token } = await login('alice');
      const before = place.state.generation;
      await Promise.all(Array.from({ length: 20 }, () => who(token)));
      expect(place.state.generation).toBe(before);
      clock.advance(minute);
      await Promise.all(Array.from({ length: 20 }, () => who(token)));
      expect(place.state.generation).toBe(before + 1);
    });

    it.each(['password', 'admin', 'disabled', 'deleted'])('is dead at once when its user changes: %s', async (what) => {
      const { token, actor } = await login('alice');
      const api = await access.tokens.create(actor, { name: 't', actions: ['list'] });
      if (what === 'password') await access.users.setPassword(boss, 'alice', Secret.parse('another password'));
      if (what === 'admin') await access.users.update(boss, 'alice', { admin: true });
      if (what === 'disabled') await access.users.update(boss, 'alice', { disabled: true });
      if (what === 'deleted') await access.users.delete(boss, 'alice');
      for (const one of [token, api.token]) await refused(who(one), 'unauthenticated');
      await refused(access.authorize(actor, 'list', system), 'unauthenticated');
      if (what === 'disabled') await access.users.update(boss, 'alice', { disabled: false });
      await refused(who(token), 'unauthenticated');
    });

    it('is listed and ended by its user, not by another', async () => {
      const [mine, hers] = [await login('alice'), await login('alice')];
      await access.users.create(boss, { name: 'bob', password: Secret.parse(password) });
      const bob = (await login('bob')).actor;
      const [root_] = [(await login('root')).actor];
      expect(await access.sessions.list(bob)).toHaveLength(1);
      await refused(access.sessions.list(bob, { all: true }), 'forbidden');
      await refused(access.sessions.revoke(bob, mine.actor.credential as string), 'not_found');
      expect(await access.sessions.list(root_, { all: true })).toHaveLength(4);
      const sessions = await access.sessions.list(hers.actor);
      expect(sessions.filter((session) => session.current).map((session) => session.id)).toEqual([hers.actor.credential]);
      await access.sessions.revoke(hers.actor, mine.actor.credential as string);
      await refused(who(mine.token), 'unauthenticated');
      await access.sessions.revoke(root_, hers.actor.credential as string);
      await refused(who(hers.token), 'unauthenticated');
    });
  });

  describe('an API token', () => {
    it('carries its user’s rights, narrowed, until it ends', async () => {
      const { actor } = await login('root');
      const made = await access.tokens.create(actor, { name: 'ci', actions: ['list', 'download'] });
      expect(made.expiresAt).toBe(clock.now() + 90 * 24 * hour);
      const presented = await who(made.token);
      expect(presented).toMatchObject({ name: 'root', admin: true, only: ['list', 'download'], credential: made.id });
      await refused(access.authorize(presented, 'manage', system), 'forbidden');
      expect(JSON.stringify(await access.tokens.list(actor))).not.toContain(made.token.slice(3));
      expect((await access.tokens.list(actor))[0]).toMatchObject({ name: 'ci', usedAt: clock.now() });
      clock.advance(90 * 24 * hour);
      await refused(who(made.token), 'unauthenticated');
      await refused(access.authorize(presented, 'list', system), 'unauthenticated');
    });

    it('without manage tends nothing of the account, and none makes tokens or passwords', async () => {
      const { actor } = await login('alice');
      const narrow = await who((await access.tokens.create(actor, { name: 'n', actions: ['list'] })).token);
      const wide = await who((await access.tokens.create(actor, { name: 'w', actions: [...actions] })).token);
      await refused(access.tokens.list(narrow), 'forbidden');
      await refused(access.sessions.list(narrow), 'forbidden');
      await refused(access.sessions.revoke(narrow, actor.credential as string), 'forbidden');
      for (const token of [narrow, wide]) {
        await refused(access.tokens.create(token, { name: 'x', actions: ['list'] }), 'forbidden');
        await refused(access.users.changePassword(token, Secret.parse(password), Secret.parse('another password')), 'forbidden');
        await refused(access.logout(token), 'unsupported');
      }
      expect(await access.tokens.list(wide)).toHaveLength(2);
    });

    it.each([
      { name: 'x', actions: [] },
      { name: 'x', actions: ['everything'] },
      { name: '', actions: ['list'] },
      { name: 'a\nb', actions: ['list'] },
      { name: 'x', actions: ['list'], expiresIn: 366 * 24 * hour },
      { name: 'x', actions: ['list'], expiresIn: 0 },
      { name: 'x', actions: ['list'], expiresIn: Number.NaN },
      { name: 'x', actions: ['list'], userId: 'root' },
    ])('is not made from %j', async (input) => {
      const { actor } = await login('alice');
      await refused(access.tokens.create(actor, input as { name: string; actions: Action[] }), 'request_invalid');
    });

    it('is revoked by its user or an administrator, and unknown to others', async () => {
      const { actor } = await login('alice');
      const one = await access.tokens.create(actor, { name: 'x', actions: ['list'] });
      const presented = await who(one.token);
      await access.users.create(boss, { name: 'bob', password: Secret.parse(password) });
      const bob = (await login('bob')).actor;
      await refused(access.tokens.revoke(bob, one.id), 'not_found');
      await access.tokens.revoke(actor, one.id);
      await refused(who(one.token), 'unauthenticated');
      await refused(access.authorize(presented, 'list', system), 'unauthenticated');
      await refused(access.tokens.revoke(actor, one.id), 'not_found');
    });
  });
});
