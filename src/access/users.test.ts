import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '#access/access.ts';
import type { ErrorCode } from '#errors/table.ts';
import type { Actor, UserActor } from '#model/actor.ts';
import { randomId } from '#model/clock.ts';
import { Secret } from '#model/secret.ts';
import { fakeClock } from '#testing/fake-clock.ts';
import { recorder } from '#testing/recorder.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

const boss: Actor = { kind: 'system', name: 'test' };
const password = Secret.parse('correct horse battery');

describe('users, groups, grants and namespaces', () => {
  let place: TemporaryState;
  let access: Access;
  let alice: UserActor;
  let bob: UserActor;
  const refused = (promise: Promise<unknown>, code: ErrorCode) => expect(promise).rejects.toMatchObject({ code });
  const actor = async (name: string): Promise<UserActor> => access.actorOf((await access.users.get(boss, name)).id);
  const addPackage = async (namespace: string) => {
    const row = {
      namespace_id: (await access.namespaces.idOf(namespace)) as string,
      name: 'p',
      head: 0,
      top: 0,
      frozen: 0,
      generation: 1,
      created_at: 0,
    };
    await place.state.write({ query: place.state.db.insertInto('package').values(row) });
  };
  beforeEach(async () => {
    place = await temporaryState();
    access = new Access({ state: place.state, clock: fakeClock().now, makeId: randomId, events: recorder() });
    await access.users.create(boss, { name: 'root', admin: true });
    await access.users.create(boss, { name: 'alice', password });
    await access.users.create(boss, { name: 'bob' });
    [alice, bob] = [await actor('alice'), await actor('bob')];
  });
  afterEach(() => place.close());

  it('a new user is an ordinary one, with a namespace of the name', async () => {
    expect(await access.users.get(boss, 'alice')).toMatchObject({ admin: false, disabled: false, hasPassword: true });
    expect(await access.namespaces.get(alice, 'alice')).toMatchObject({ name: 'alice', userId: alice.id });
    expect(JSON.stringify(await access.users.list(boss))).not.toContain('argon2');
  });

  it('the operator acts as the oldest administrator that is left, and as packageR itself where there is none', async () => {
    expect(await access.operator()).toMatchObject({ kind: 'user', name: 'root', admin: true });
    await access.users.update(boss, 'alice', { admin: true });
    await access.users.update(boss, 'root', { disabled: true });
    expect(await access.operator()).toMatchObject({ kind: 'user', name: 'alice' });
    await place.state.write({ query: place.state.db.updateTable('user').set({ disabled: 1 }) });
    expect(await access.operator()).toMatchObject({ kind: 'system' });
  });

  it('one name is one user, however many ask at once, and no namespace without its user', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => access.users.create(boss, { name: 'carol' })));
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    await access.namespaces.create(boss, { name: 'team' });
    await refused(access.users.create(boss, { name: 'team' }), 'exists');
    await refused(access.users.get(boss, 'team'), 'not_found');
    for (const name of ['Carol', 'a/b', '', '..', 'a..b', 'é', 'x'.repeat(64)])
      await refused(access.users.create(boss, { name }), 'name_invalid');
  });

  it('nobody raises themselves or touches others', async () => {
    for (const patch of [{ admin: true }, { disabled: false }, {}]) await refused(access.users.update(alice, 'alice', patch), 'forbidden');
    await refused(access.users.update(alice, 'bob', { disabled: true }), 'forbidden');
    await refused(access.users.setPassword(alice, 'root', password), 'forbidden');
    await refused(access.users.delete(alice, 'root'), 'forbidden');
    await refused(access.users.create(alice, { name: 'carol', admin: true }), 'forbidden');
    await refused(access.users.list(alice), 'forbidden');
    await refused(access.users.get(alice, 'bob'), 'not_found');
    expect((await access.users.get(alice, 'alice')).id).toBe(alice.id);
    expect(await access.users.resolve(alice, 'bob')).toEqual({ id: bob.id, name: 'bob' });
  });

  it.each([
    '{"id":"x"}',
    '{"name":"x"}',
    '{"generation":9}',
    '{"password":"x"}',
    '{"__proto__":{"admin":true}}',
    '{"constructor":{"prototype":{"admin":true}}}',
    '{"admin":"true"}',
    '{"admin":1}',
    '{"disabled":null}',
  ])('the change %s is refused whole', async (text) => {
    await refused(access.users.update(boss, 'alice', JSON.parse(text)), 'request_invalid');
    await refused(access.users.update(boss, 'alice', Object.create({ admin: true })), 'request_invalid');
    expect(await access.users.get(boss, 'alice')).toMatchObject({ admin: false, disabled: false });
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  it('the last administrator stays, also when all are taken away at once', async () => {
    await refused(access.users.update(boss, 'root', { admin: false }), 'last_admin');
    await refused(access.users.update(boss, 'root', { disabled: true }), 'last_admin');
    await refused(access.users.delete(boss, 'root'), 'last_admin');
    await access.users.update(boss, 'alice', { admin: true });
    const outcomes = await Promise.allSettled([access.users.delete(boss, 'root'), access.users.update(boss, 'alice', { admin: false })]);
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    expect((await access.users.list(boss)).filter((user) => user.admin && !user.disabled)).toHaveLength(1);
  });

  it('a password is changed with the present one, and guesses at it count', async () => {
    const next = Secret.parse('another password');
    await refused(access.users.changePassword(alice, password, Secret.parse('short')), 'password_weak');
    for (let i = 0; i < 4; i++) await refused(access.users.changePassword(alice, Secret.parse('wrong'), next), 'login_failed');
    await access.users.changePassword(alice, password, next);
    await refused(access.login('alice', password, { address: '::1' }), 'login_failed');
    expect((await access.login('alice', next, { address: '::1' })).actor.id).toBe(alice.id);
    for (let i = 0; i < 5; i++) await refused(access.users.changePassword(alice, Secret.parse('wrong'), next), 'login_failed');
    await refused(access.users.changePassword(alice, next, password), 'rate_limited');
    await access.users.setPassword(boss, 'alice', password);
    expect((await access.login('alice', password, { address: '::1' })).actor.id).toBe(alice.id);
  });

  it('a password is changed once by those who change it at once', async () => {
    const change = (text: string) => access.users.changePassword(alice, password, Secret.parse(text));
    const outcomes = await Promise.allSettled([change('another password'), change('a third password')]);
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
  });

  it('what was a deleted user’s does not pass to a namesake', async () => {
    await access.namespaces.create(boss, { name: 'team', owner: 'alice' });
    await access.groups.create(boss, { name: 'group' });
    await access.groups.addMember(boss, 'group', 'alice');
    const { token } = await access.login('alice', password, { address: '::1' });
    await access.users.delete(boss, 'alice');
    const again = await access.users.create(boss, { name: 'alice', password });
    expect(again.id).not.toBe(alice.id);
    await refused(access.authenticate(token, { address: '::1' }), 'unauthenticated');
    await refused(access.namespaces.get(await actor('alice'), 'team'), 'not_found');
    expect((await access.groups.get(boss, 'group')).members).toEqual([]);
    await refused(access.authorize(alice, 'list', { kind: 'system' }), 'unauthenticated');
  });

  it('a user whose namespace holds packages stays, untouched', async () => {
    await addPackage('alice');
    await refused(access.users.delete(boss, 'alice'), 'in_use');
    expect((await access.namespaces.get(alice, 'alice')).name).toBe('alice');
  });

  it('the first administrator is made once, with a password that is told once', async () => {
    expect(await access.ensureAdmin()).toBeUndefined();
    const empty = await temporaryState();
    const fresh = new Access({ state: empty.state, clock: Date.now, makeId: randomId, events: recorder() });
    const made = (await Promise.all([fresh.ensureAdmin(), fresh.ensureAdmin()])).filter((one) => one !== undefined);
    expect(made).toHaveLength(1);
    expect(made[0]?.password.reveal().length).toBeGreaterThanOrEqual(20);
    expect(JSON.stringify(made)).not.toContain(made[0]?.password.reveal());
    const { actor: admin } = await fresh.login('admin', made[0]?.password as Secret, { address: '::1' });
    expect(admin.admin).toBe(true);
    await empty.close();
  });

  it('groups are kept by administrators and known to their members', async () => {
    await access.groups.create(boss, { name: 'team' });
    await refused(access.groups.create(boss, { name: 'team' }), 'exists');
    await access.groups.addMember(boss, 'team', 'alice');
    await access.groups.addMember(boss, 'team', 'alice');
    expect((await access.groups.get(alice, 'team')).members).toEqual(['alice']);
    await refused(access.groups.get(bob, 'team'), 'not_found');
    for (const attempt of [access.groups.addMember(alice, 'team', 'bob'), access.groups.delete(alice, 'team'), access.groups.list(alice)])
      await refused(attempt, 'forbidden');
    expect(await access.groupsOf(alice.id)).toEqual(new Set([(await access.groups.resolve(alice, 'team')).id]));
    await access.groups.delete(boss, 'team');
    expect(await access.groupsOf(alice.id)).toEqual(new Set());
  });

  it('whoever may manage a namespace keeps its members, and nobody else', async () => {
    await access.namespaces.create(boss, { name: 'team', owner: 'alice' });
    const { id } = await access.namespaces.get(alice, 'team');
    await refused(access.namespaces.setMember(bob, 'team', { kind: 'user', name: 'bob' }, 'owner'), 'not_found');
    await access.namespaces.setMember(alice, 'team', { kind: 'user', name: 'bob' }, 'viewer');
    await refused(access.namespaces.setMember(bob, 'team', { kind: 'user', name: 'bob' }, 'owner'), 'forbidden');
    await refused(access.namespaces.members(bob, 'team'), 'forbidden');
    expect((await access.namespaces.list(bob)).map((one) => one.name)).toEqual(['bob', 'team']);
    expect((await access.namespaces.list({ ...bob, only: ['modify'] })).map((one) => one.name)).toEqual([]);
    const changed = await access.namespaces.setMember(alice, 'team', { kind: 'user', name: 'bob' }, 'editor');
    expect(await access.namespaces.members(alice, 'team')).toHaveLength(2);
    expect(changed).toMatchObject({
      role: 'editor',
      subject: { kind: 'user', name: 'bob', id: bob.id },
      target: { kind: 'namespace', id },
    });
    await access.namespaces.removeMember(alice, 'team', { kind: 'user', name: 'bob' });
    await refused(access.namespaces.get(bob, 'team'), 'not_found');
    await refused(access.namespaces.create(alice, { name: 'more' }), 'forbidden');
  });

  it('grants on sources are for administrators, and for what exists', async () => {
    const target = { kind: 'source', id: '1' } as const;
    const input = { subject: { kind: 'user', name: 'alice' }, target, actions: ['list'] } as const;
    await refused(access.grants.set(alice, input), 'forbidden');
    await refused(access.grants.set(boss, input), 'not_found');
    const row = { name: 'one', driver: 'memory', title: '', options: '{}', generation: 1, created_at: 0, updated_at: 0 };
    await place.state.write({ query: place.state.db.insertInto('source').values(row) });
    const made = await access.grants.set(boss, { ...input, path: 'a/b' });
    for (const path of ['/a', 'a//b', '../a', 'a/']) await refused(access.grants.set(boss, { ...input, path }), 'path_invalid');
    for (const bad of [[], ['all'], 'king', '__proto__'])
      await refused(access.grants.set(boss, { ...input, actions: bad as never }), 'request_invalid');
    await refused(access.grants.set(boss, { ...input, subject: { kind: 'user', name: 'nobody' } }), 'not_found');
    expect(await access.grants.list(boss, { subject: { kind: 'user', name: 'alice' } })).toMatchObject([{ id: made.id, path: 'a/b' }]);
    await refused(access.grants.list(alice, { target }), 'forbidden');
    await refused(access.grants.remove(alice, made.id), 'not_found');
    await access.grants.remove(boss, made.id);
    expect(await access.grants.list(boss, { target })).toEqual([]);
  });

  it('uploads of a namespace go only where its manager may create', async () => {
    const row = { name: 'one', driver: 'memory', title: '', options: '{}', generation: 1, created_at: 0, updated_at: 0 };
    await place.state.write({ query: place.state.db.insertInto('source').values(row) });
    const subject = { kind: 'user', name: 'alice' } as const;
    const target = { kind: 'source', id: '1' } as const;
    await refused(access.namespaces.update(alice, 'alice', { uploadSource: '1' }), 'not_found');
    await access.grants.set(boss, { subject, target, path: 'in', actions: 'editor' });
    await refused(access.namespaces.update(alice, 'alice', { uploadSource: '1', uploadPrefix: 'out' }), 'not_found');
    expect(await access.namespaces.update(alice, 'alice', { uploadSource: '1', uploadPrefix: 'in/alice' })).toMatchObject({
      uploadSource: '1',
      uploadPrefix: 'in/alice',
    });
    await refused(access.namespaces.update(alice, 'alice', { uploadPrefix: '' }), 'forbidden');
    await refused(access.namespaces.update(bob, 'alice', { uploadSource: null }), 'not_found');
    await access.namespaces.update(alice, 'alice', { uploadSource: null });
  });

  it('a namespace goes when it is empty and no user’s own, with its grants', async () => {
    await access.namespaces.create(boss, { name: 'team', owner: 'alice' });
    await addPackage('team');
    await refused(access.namespaces.delete(alice, 'team'), 'in_use');
    await refused(access.namespaces.delete(alice, 'alice'), 'in_use');
    await place.state.write({ query: place.state.db.updateTable('package').set({ removed_at: 1 }) });
    await access.namespaces.delete(alice, 'team');
    await refused(access.namespaces.get(alice, 'team'), 'not_found');
    expect(await place.state.db.selectFrom('grant').selectAll().execute()).toEqual([]);
  });
});
