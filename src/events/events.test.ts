import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isError, PackageRError } from '#errors/error.ts';
import { Events } from '#events/events.ts';
import type { UserActor } from '#model/actor.ts';
import { parseName } from '#model/name.ts';
import { Secret } from '#model/secret.ts';
import type { State, Write } from '#state/state.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

describe('events', () => {
  let place: TemporaryState;
  let events: Events;
  let now = 1000;
  const user = (name: string, address = '192.0.2.1'): UserActor => ({
    kind: 'user',
    id: `id-${name}`,
    name: parseName(name),
    admin: false,
    address,
  });
  const alice = user('alice');
  /** The state, with a look at every write before it happens. */
  const watched = (look: () => void): State => ({
    ...place.state,
    async write(...unit: Write[]) {
      look();
      return place.state.write(...unit);
    },
  });
  beforeEach(async () => {
    place = await temporaryState();
    now = 1000;
    events = new Events({ state: place.state, clock: () => now });
  });
  afterEach(async () => {
    await events.close();
    await place.close();
  });

  it('remembers who, what, when and from where, newest first', async () => {
    events.record({ actor: alice, action: 'package.freeze', subject: 'package:1@2', details: { entries: 3, big: true } });
    now = 2000;
    events.record({ actor: { kind: 'system', name: 'start' }, action: 'user.create', subject: 'user:1', outcome: 'exists' });
    const { events: found } = await events.list();
    expect(found).toMatchObject([
      { at: 2000, actor: 'system:start', action: 'user.create', outcome: 'exists', address: '' },
      { at: 1000, actor: 'user:alice:id-alice', action: 'package.freeze', subject: 'package:1@2', outcome: 'ok', address: '192.0.2.1' },
    ]);
    expect(found[1]?.details).toEqual({ entries: 3, big: true });
  });

  it('writes many in one unit, by itself', async () => {
    let units = 0;
    const own = new Events({ state: watched(() => void units++), clock: () => now });
    for (let i = 0; i < 500; i++) own.record({ actor: alice, action: 'a.b', subject: `s:${i}` });
    expect(units).toBe(0);
    await expect.poll(() => units).toBe(1);
    await own.close();
    expect((await events.list({ limit: 1000 })).events).toHaveLength(500);
  });

  it('writes what is buffered when it closes, and nothing after', async () => {
    events.record({ actor: alice, action: 'a.b', subject: 's' });
    await events.close();
    events.record({ actor: alice, action: 'a.c', subject: 's' });
    expect((await new Events({ state: place.state, clock: () => now }).list()).events.map((event) => event.action)).toEqual(['a.b']);
  });

  it('keeps what could not be written and tries again', async () => {
    let fails = true;
    const failures: number[] = [];
    const state = watched(() => {
      if (fails) throw new PackageRError('state_failed');
    });
    const own = new Events({ state, clock: () => now, onFailure: (_, waiting) => failures.push(waiting) });
    own.record({ actor: alice, action: 'a.b', subject: 's' });
    await own.flush();
    expect(failures).toEqual([1]);
    fails = false;
    await own.close();
    expect((await events.list()).events).toHaveLength(1);
  });

  it('counts what is beyond the buffer instead of growing', async () => {
    for (let i = 0; i < 10_005; i++) events.record({ actor: alice, action: 'a.b', subject: 's' });
    await events.flush();
    events.record({ actor: alice, action: 'a.c', subject: 's' });
    const { events: found } = await events.list({ action: 'events.drop' });
    expect(found[0]?.details).toEqual({ count: 5 });
  });

  it('pages without gaps or repetitions while more is recorded', async () => {
    for (let i = 0; i < 25; i++) events.record({ actor: alice, action: 'a.b', subject: `s:${i}` });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await events.list({ limit: 10, cursor });
      seen.push(...page.events.map((event) => event.subject));
      cursor = page.cursor;
      events.record({ actor: alice, action: 'a.b', subject: 'new' });
    } while (cursor !== undefined);
    expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => `s:${24 - i}`));
  });

  it('filters by actor, action, subject and time', async () => {
    for (const [at, name, action] of [
      [1, 'alice', 'a.a'],
      [2, 'alice2', 'a.b'],
      [3, 'alice', 'a.b'],
    ] as const) {
      now = at;
      events.record({ actor: user(name), action, subject: `on:${at}` });
    }
    const subjects = async (query: Parameters<Events['list']>[0]) => (await events.list(query)).events.map((event) => event.subject);
    expect(await subjects({ actor: 'user:alice' })).toEqual(['on:3', 'on:1']);
    expect(await subjects({ actor: 'user:alice:id-alice', action: 'a.b' })).toEqual(['on:3']);
    expect(await subjects({ subject: 'on:2' })).toEqual(['on:2']);
    expect(await subjects({ since: 2, until: 3 })).toEqual(['on:2']);
    expect(await subjects({ actor: "x' or 1=1 --" })).toEqual([]);
  });

  it.each(['x', '0', '-1', '1e3', ' 1', '1;drop table event'])('refuses the cursor %j', async (cursor) => {
    await expect(events.list({ cursor })).rejects.toSatisfy((error) => isError(error, 'cursor_invalid'));
  });

  it.each([0, 1001, 1.5, Number.NaN])('refuses the limit %s', async (limit) => {
    await expect(events.list({ limit })).rejects.toSatisfy((error) => isError(error, 'request_invalid'));
  });

  it('never holds what works merely because it is presented', async () => {
    const token = `pr_${'A'.repeat(44)}`;
    const secret = Secret.parse('CANARY-SECRET');
    events.record({
      actor: { kind: 'visitor', share: 'CANARY-SHARE-IDENTITY0', client: 'CANARY-CLIENT', address: '2001:db8::1' },
      action: 'share.open',
      subject: 'share:4',
      details: {
        token,
        link: 'https://h.example/b/k?X-Amz-Signature=CANARY-SIG',
        login: 'https://u:CANARY-PW@h/',
        at: '/s/CANARYSHAREIDENTITY000~CANARYTICKET/',
        secret: secret as unknown as string,
      },
    });
    const { events: found } = await events.list();
    const text = JSON.stringify(found);
    expect(text).not.toContain('CANARY');
    expect(text).not.toContain('AAAA');
    expect(found[0]?.address).toBe('2001:db8::1');
  });

  it('is one line of visible characters, and short', async () => {
    const hostile = `a\nb\r\u001b[31m\u202e\u2028\u0000\ud800${'x'.repeat(5000)}`;
    events.record({ actor: user('alice', hostile), action: hostile, subject: hostile, details: { [hostile]: hostile } });
    const [event] = (await events.list()).events;
    const texts = [event?.subject, event?.action, event?.address, ...Object.entries(event?.details ?? {}).flat()].map(String);
    for (const text of texts) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
      expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
      expect(text.length).toBeLessThanOrEqual(1024);
      expect(text).toMatch(/^a\\u\{a\}b/);
    }
  });

  it('cannot set the prototype by a detail', async () => {
    events.record({ actor: alice, action: 'a.b', subject: 's', details: JSON.parse('{"__proto__":"x","n":1}') });
    expect(Object.entries((await events.list()).events[0]?.details ?? {})).toContainEqual(['n', 1]);
    expect(({} as Record<string, unknown>)['n']).toBeUndefined();
  });
});
