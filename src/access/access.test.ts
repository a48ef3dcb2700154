import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '#access/access.ts';
import { Handle } from '#access/handle.ts';
import { type Place, type Proof, system } from '#access/place.ts';
import type { ErrorCode } from '#errors/table.ts';
import { type Action, type Actor, actions, type UserActor, type VisitorActor } from '#model/actor.ts';
import { randomId } from '#model/clock.ts';
import { parseKey } from '#model/key.ts';
import { parsePath, root } from '#model/path.ts';
import { readAll, type Tree } from '#model/tree.ts';
import { type FakeClock, fakeClock } from '#testing/fake-clock.ts';
import { memoryTree, textFile } from '#testing/memory-tree.ts';
import { recorder } from '#testing/recorder.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

const boss: Actor = { kind: 'system', name: 'test' };
const source = (path = ''): Place => ({ kind: 'source', id: '1', path: parsePath(path) });
const visitor: VisitorActor = { kind: 'visitor', share: 's', client: 'c' };

describe('access', () => {
  let place: TemporaryState;
  let clock: FakeClock;
  let access: Access;
  let alice: UserActor;
  let bob: UserActor;
  let root_: UserActor;
  const refused = (promise: Promise<unknown>, code: ErrorCode) => expect(promise).rejects.toMatchObject({ code });
  const grant = (name: string, list: readonly Action[], path = '') =>
    access.grants.set(boss, { subject: { kind: 'user', name }, target: { kind: 'source', id: '1' }, path, actions: list });
  const actor = async (name: string): Promise<UserActor> => access.actorOf((await access.users.get(boss, name)).id);
  beforeEach(async () => {
    place = await temporaryState();
    clock = fakeClock();
    access = new Access({ state: place.state, clock: clock.now, makeId: randomId, events: recorder() });
    const row = { name: 'one', driver: 'memory', title: '', options: '{}', generation: 1, created_at: 0, updated_at: 0 };
    await place.state.write({ query: place.state.db.insertInto('source').values(row) });
    for (const name of ['alice', 'bob']) await access.users.create(boss, { name });
    await access.users.create(boss, { name: 'root', admin: true });
    [alice, bob, root_] = [await actor('alice'), await actor('bob'), await actor('root')];
  });
  afterEach(() => place.close());

  describe('decides', () => {
    it('nothing for nobody, visitors, and those who hold nothing', async () => {
      await refused(access.authorize(undefined, 'list', source()), 'unauthenticated');
      for (const action of actions) {
        await refused(access.authorize(visitor, action, source()), 'not_found');
        await refused(access.authorize(alice, action, source('a/b')), 'not_found');
        await refused(access.authorize(alice, action, system), 'forbidden');
      }
    });

    it('all for administrators and the system, but what a token leaves out', async () => {
      const narrow: UserActor = { ...root_, only: ['list', 'download'] };
      for (const action of actions) {
        expect(await access.can(root_, action, source('a'))).toBe(true);
        expect(await access.can(boss, action, system)).toBe(true);
        expect(await access.can(narrow, action, source('a'))).toBe(action === 'list' || action === 'download');
        expect(await access.can(narrow, action, system)).toBe(action === 'list' || action === 'download');
      }
      await refused(access.users.create(narrow, { name: 'mallory', admin: true }), 'forbidden');
    });

    it('by what the row says, not by what the actor claims', async () => {
      await refused(access.authorize({ ...alice, admin: true }, 'manage', system), 'forbidden');
      await refused(access.authorize({ ...alice, id: 'nobody' }, 'list', source()), 'unauthenticated');
    });

    it('an unknown action or place never', async () => {
      expect(await access.can(root_, 'everything' as Action, source())).toBe(false);
      expect(await access.can(alice, 'list', { kind: 'galaxy', id: '1', path: root } as unknown as Place)).toBe(false);
    });

    it('by whole segments, at and below the granted path', async () => {
      await grant('alice', ['list', 'download'], 'a/b');
      for (const path of ['a/b', 'a/b/c', 'a/b/c/d']) expect(await access.can(alice, 'download', source(path))).toBe(true);
      for (const path of ['a/bc', 'a/b-', 'b', 'A/b']) await refused(access.authorize(alice, 'download', source(path)), 'not_found');
      for (const path of ['', 'a']) {
        expect(await access.can(alice, 'list', source(path))).toBe(true);
        await refused(access.authorize(alice, 'download', source(path)), 'forbidden');
      }
      await refused(access.authorize(alice, 'modify', source('a/b')), 'forbidden');
      await refused(access.authorize(alice, 'list', { kind: 'source', id: '11', path: parsePath('a/b') }), 'not_found');
      await refused(access.authorize(alice, 'list', { kind: 'namespace', id: '1', path: parsePath('a/b') }), 'not_found');
    });

    it('hides a place from those who may neither list nor look at it', async () => {
      await grant('alice', ['create']);
      await refused(access.authorize(alice, 'download', source('x')), 'not_found');
      expect(await access.can(alice, 'create', source('x'))).toBe(true);
      await grant('alice', ['stat']);
      await refused(access.authorize(alice, 'download', source('x')), 'forbidden');
    });

    it('by the union of grants to user, groups and everyone, cut by the token', async () => {
      await access.groups.create(boss, { name: 'team' });
      await access.groups.addMember(boss, 'team', 'alice');
      await grant('alice', ['list']);
      const target = { kind: 'source', id: '1' } as const;
      await access.grants.set(boss, { subject: { kind: 'group', name: 'team' }, target, actions: ['download'] });
      await access.grants.set(boss, { subject: { kind: 'everyone' }, target, actions: ['stat'] });
      for (const action of ['list', 'download', 'stat'] as const) expect(await access.can(alice, action, source())).toBe(true);
      expect(await access.can(bob, 'stat', source())).toBe(true);
      expect(await access.can(bob, 'list', source())).toBe(false);
      expect(await access.can({ ...alice, only: ['list', 'modify'] }, 'download', source())).toBe(false);
      expect(await access.can({ ...alice, only: ['list', 'modify'] }, 'modify', source())).toBe(false);
      await access.groups.removeMember(boss, 'team', 'alice');
      expect(await access.can(alice, 'download', source())).toBe(false);
    });

    it('all in one’s own namespace, nothing in that of another', async () => {
      const id = (await access.namespaces.idOf('alice')) as string;
      for (const action of actions) expect(await access.can(alice, action, { kind: 'namespace', id, path: parsePath('p/x') })).toBe(true);
      await refused(access.authorize(bob, 'list', { kind: 'namespace', id, path: root }), 'not_found');
    });

    it('anew at once, when rights, status or user change', async () => {
      const { id } = await grant('alice', ['list']);
      expect(await access.can(alice, 'list', source())).toBe(true);
      await access.grants.remove(boss, id);
      expect(await access.can(alice, 'list', source())).toBe(false);
      await access.users.update(boss, 'alice', { disabled: true });
      await refused(access.authorize(alice, 'list', source()), 'unauthenticated');
      await refused(access.actorOf(alice.id), 'not_found');
      await access.users.delete(boss, 'bob');
      await refused(access.authorize(bob, 'list', source()), 'unauthenticated');
      await access.users.update(boss, 'alice', { admin: true, disabled: false });
      await access.users.update(boss, 'root', { admin: false });
      await refused(access.authorize(root_, 'manage', system), 'forbidden');
    });
  });

  describe('a handle', () => {
    const options = (proof: Proof) => ({
      proof,
      tree: memoryTree([]),
      path: root,
      about: { title: 't', at: 0 },
      subject: 'source:1',
      curator: boss as never,
    });

    it('is for the actor, action and place that were decided on', async () => {
      await grant('alice', ['list']);
      const handle = new Handle(options(await access.authorize(alice, 'list', source('a'))));
      expect(handle).toMatchObject({ actor: alice, action: 'list', place: source('a'), onDrift: 'refuse', mayLocate: false });
      expect(() => Object.assign(handle.actor, { id: 'x' })).toThrow();
    });

    it('is not made from a forged, copied or changed proof', async () => {
      await grant('alice', ['list']);
      const proof = await access.authorize(alice, 'list', source('a'));
      const forged = { actor: alice, action: 'download', place: source() } as unknown as Proof;
      for (const fake of [forged, { ...proof }, structuredClone(proof), Object.create(proof) as Proof, undefined as never, 'x' as never])
        expect(() => new Handle(options(fake))).toThrow(expect.objectContaining({ code: 'internal' }));
      expect(() => Object.assign(proof, { action: 'download' })).toThrow();
      expect(() => Object.assign(proof.place, { id: '2' })).toThrow();
    });

    it('of a share needs that its owner may do it, now', async () => {
      const { id } = await grant('alice', ['list', 'download']);
      const proof = await access.authorizeShared(visitor, alice, 'download', source('a'));
      expect(new Handle(options(proof)).actor).toEqual(visitor);
      await access.grants.remove(boss, id);
      await refused(access.authorizeShared(visitor, alice, 'download', source('a')), 'not_found');
    });
  });

  describe('the guard', () => {
    const files = ['a/1', 'a/b/2', 'a/b/c/3', 'a/bc/4', 'd/5', 'z'];
    const tree = (): Tree => memoryTree(files.map((path) => textFile(path, `CANARY ${path}`)));
    const walk = async (guarded: Tree, folder = '') => {
      const paths: string[] = [];
      for await (const leaf of guarded.walk(parsePath(folder))) paths.push(leaf.path);
      return paths;
    };
    const list = async (guarded: Tree, folder = '', limit = 200) => {
      const paths: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await guarded.list(parsePath(folder), { cursor, limit });
        paths.push(...page.entries.map((entry) => (entry.kind === 'unnamable' ? '?' : entry.path)));
        cursor = page.cursor;
      } while (cursor !== undefined);
      return paths;
    };
    const read = async (guarded: Tree, path: string) => (await readAll(guarded.read(parsePath(path)), 1000)).toString();

    it('shows what grants reach, and the way there, by every verb', async () => {
      await grant('alice', ['list', 'download'], 'a/b');
      const guarded = access.guard(tree(), alice, source());
      expect(await walk(guarded)).toEqual(['a/b/2', 'a/b/c/3']);
      expect(await walk(guarded, 'a')).toEqual(['a/b/2', 'a/b/c/3']);
      expect(await walk(guarded, 'd')).toEqual([]);
      for (const limit of [1, 200]) {
        expect(await list(guarded, '', limit)).toEqual(['a']);
        expect(await list(guarded, 'a', limit)).toEqual(['a/b']);
        expect(await list(guarded, 'a/b', limit)).toEqual(['a/b/2', 'a/b/c']);
      }
      expect((await guarded.find(parsePath('a')))?.kind).toBe('folder');
      expect((await guarded.find(parsePath('a/b/2')))?.kind).toBe('text');
      for (const path of ['a/1', 'a/bc', 'a/bc/4', 'd', 'z']) {
        expect(await guarded.find(parsePath(path))).toBeUndefined();
        await refused(read(guarded, path), 'not_found');
        await refused(list(guarded, path), 'not_found');
      }
      expect(await read(guarded, 'a/b/2')).toBe('CANARY a/b/2');
    });

    it('compares absolute places, also below the root of a tree', async () => {
      await grant('alice', ['list', 'download'], 'top/a/b');
      expect(await walk(access.guard(tree(), alice, source('top')))).toEqual(['a/b/2', 'a/b/c/3']);
      expect(await walk(access.guard(tree(), alice, source('other')))).toEqual([]);
    });

    it('gives no bytes without the right to download', async () => {
      await grant('alice', ['list']);
      const guarded = access.guard(tree(), alice, source());
      expect(await walk(guarded)).toEqual(files);
      await refused(read(guarded, 'z'), 'forbidden');
    });

    it('lets what may only be looked at be found, and not listed', async () => {
      await grant('alice', ['stat'], 'a');
      const guarded = access.guard(tree(), alice, source());
      expect((await guarded.find(parsePath('a/b/2')))?.kind).toBe('text');
      expect(await guarded.find(parsePath('z'))).toBeUndefined();
      expect(await walk(guarded)).toEqual([]);
      await refused(list(guarded, 'a'), 'forbidden');
      await refused(list(guarded), 'not_found');
      await refused(read(guarded, 'a/1'), 'forbidden');
    });

    it('shows neither siblings nor unnamable keys on the way', async () => {
      await grant('alice', ['list'], 'a/b');
      const odd: Tree = {
        ...tree(),
        list: async () => ({
          entries: [
            { kind: 'unnamable', key: parseKey('a//x'), size: 1 },
            { kind: 'folder', path: parsePath('a') },
          ],
        }),
      };
      expect(await list(access.guard(odd, alice, source()))).toEqual(['a']);
      await grant('bob', ['list']);
      expect(await list(access.guard(odd, bob, source()))).toEqual(['?', 'a']);
    });

    it('does not take a file for a folder on the way', async () => {
      await grant('alice', ['list'], 'z/deeper');
      const guarded = access.guard(tree(), alice, source());
      expect(await guarded.find(parsePath('z'))).toBeUndefined();
      expect(await list(guarded)).toEqual([]);
    });

    it('passes all for administrators and the system, nothing for visitors and strangers', async () => {
      for (const one of [root_, boss]) expect(await walk(access.guard(tree(), one, source()))).toEqual(files);
      for (const one of [visitor, bob]) {
        const guarded = access.guard(tree(), one, source());
        expect(await walk(guarded)).toEqual([]);
        await refused(list(guarded), 'not_found');
        await refused(read(guarded, 'z'), 'not_found');
      }
    });

    it('stops showing in the middle of a walk when the right is taken away', async () => {
      const { id } = await grant('alice', ['list']);
      const seen: string[] = [];
      for await (const leaf of access.guard(tree(), alice, source()).walk(root)) {
        seen.push(leaf.path);
        if (seen.length === 2) await access.grants.remove(boss, id);
      }
      expect(seen).toEqual(files.slice(0, 2));
    });
  });
});
