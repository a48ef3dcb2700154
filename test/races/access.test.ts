/** People, names, credentials and keys: each race with the one outcome that it may have. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Idempotency } from '#access/idempotency.ts';
import { isError } from '#errors/error.ts';
import type { UserActor } from '#model/actor.ts';
import { type Key, parseKey } from '#model/key.ts';
import { type Name, parseName } from '#model/name.ts';
import { root } from '#model/path.ts';
import { Secret } from '#model/secret.ts';
import type { SignedObject } from '#model/temporary-url.ts';
import { parseReference } from '#packages/package.ts';
import { codeOf, codesOf, inAnyOrder, inAnyOrderOf } from '../support/races.ts';
import { address, type House, openHouse, system } from './house.ts';

let house: House;
let made = 0;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const fresh = (): string => `n${++made}`;
const password = Secret.parse('a long enough password');

describe('a name', () => {
  const takers = {
    user: (name: string) => house.access.users.create(system, { name }),
    namespace: (name: string) => house.access.namespaces.create(system, { name }),
    source: (name: string) => house.sources.add(system, { name: parseName(name), driver: 'memory', options: { versions: true } }),
    package: (name: string) => house.packages.create(house.alice, parseReference(`alice/${name}`)),
    group: (name: string) => house.access.groups.create(system, { name }),
  } as const;
  const rivals = fc.constantFrom<readonly [keyof typeof takers, keyof typeof takers]>(
    ['user', 'user'],
    ['user', 'namespace'],
    ['namespace', 'namespace'],
    ['source', 'source'],
    ['package', 'package'],
    ['group', 'group'],
  );

  it('is taken by one of two', () =>
    inAnyOrderOf(60, rivals, async (turns, [one, other]) => {
      const name = fresh();
      const codes = codesOf(
        await house.together(
          turns,
          () => takers[one](name),
          () => takers[other](name),
        ),
      );
      expect(codes.toSorted()).toEqual(['exists', 'ok']);
    }));
});

describe('an account', () => {
  it('keeps both of two changes', () =>
    inAnyOrder(40, async (turns) => {
      const name = fresh();
      await house.access.users.create(system, { name });
      const { users } = house.access;
      const codes = codesOf(
        await house.together(
          turns,
          () => users.update(system, name, { disabled: true }),
          () => users.update(system, name, { admin: true }),
        ),
      );
      expect(codes).toEqual(['ok', 'ok']);
      expect(await users.get(system, name)).toMatchObject({ disabled: true, admin: true });
      await users.delete(system, name);
    }));

  it('that is an administrator remains, whoever takes the right from whom', () =>
    inAnyOrder(40, async (turns) => {
      const [one, other] = [fresh(), fresh()];
      const { users } = house.access;
      for (const name of [one, other]) await users.create(system, { name, admin: true });
      await users.update(system, 'admin', { admin: false });
      const codes = codesOf(
        await house.together(
          turns,
          () => users.update(system, one, { admin: false }),
          () => users.delete(system, other),
        ),
      );
      await users.update(system, 'admin', { admin: true });
      for (const name of [one, other]) await users.delete(system, name).catch(() => undefined);
      expect(codes.toSorted()).toEqual(['last_admin', 'ok']);
    }));

  it('that goes takes its namespace with it, or stays with its packages', () =>
    inAnyOrder(60, async (turns) => {
      const name = fresh();
      await house.access.users.create(system, { name });
      const reference = parseReference(`${name}/p`);
      const [gone, created] = codesOf(
        await house.together(
          turns,
          () => house.access.users.delete(system, name),
          () => house.packages.create(system, reference),
        ),
      );
      expect([
        ['ok', 'not_found'],
        ['in_use', 'ok'],
      ]).toContainEqual([gone, created]);
      await expectNoOrphans();
    }));

  it('has no session that began with a password of before', () =>
    inAnyOrder(6, async (turns) => {
      const name = fresh();
      const { access } = house;
      await access.users.create(system, { name, password });
      const [login, changed] = await house.together(
        turns,
        () => access.login(name, password, { address }),
        () => access.users.setPassword(system, name, Secret.parse('another long password')),
      );
      expect(codeOf(changed)).toBe('ok');
      expect(['ok', 'login_failed']).toContain(codeOf(login));
      if (login?.status !== 'fulfilled') return;
      await expect(access.authenticate((login.value as { token: string }).token, { address })).rejects.toMatchObject({
        code: 'unauthenticated',
      });
    }));
});

async function expectNoOrphans(): Promise<void> {
  const spaces = house.state.db.selectFrom('namespace').select('id');
  const orphans = house.state.db.selectFrom('package').select('id').where('removed_at', 'is', null).where('namespace_id', 'not in', spaces);
  expect(await orphans.execute()).toEqual([]);
}

describe('a namespace', () => {
  it('goes, or takes one package more', () =>
    inAnyOrder(60, async (turns) => {
      const name = fresh();
      await house.access.namespaces.create(system, { name });
      const codes = codesOf(
        await house.together(
          turns,
          () => house.access.namespaces.delete(system, name),
          () => house.packages.create(system, parseReference(`${name}/p`)),
        ),
      );
      expect([
        ['ok', 'not_found'],
        ['in_use', 'ok'],
      ]).toContainEqual(codes);
      await expectNoOrphans();
    }));

  it('has no grant for who went meanwhile', () =>
    inAnyOrder(40, async (turns) => {
      const [name, group] = [fresh(), fresh()];
      const space = await house.access.namespaces.create(system, { name });
      await house.access.groups.create(system, { name: group });
      const [granted] = codesOf(
        await house.together(
          turns,
          () => house.access.namespaces.setMember(system, name, { kind: 'group', name: group }, 'editor'),
          () => house.access.groups.delete(system, group),
        ),
      );
      expect(['ok', 'not_found']).toContain(granted);
      expect(await house.access.grants.list(system, { target: { kind: 'namespace', id: space.id } })).toEqual([]);
    }));
});

describe('a session', () => {
  const endings = {
    revoke: (session: string) => house.access.sessions.revoke(system, session),
    disable: (_session: string, name: string) => house.access.users.update(system, name, { disabled: true }),
    'new password': (_session: string, name: string) => house.access.users.setPassword(system, name, Secret.parse('another long password')),
    delete: (_session: string, name: string) => house.access.users.delete(system, name),
    logout: (_session: string, _name: string, actor: UserActor) => house.access.logout(actor),
  } as const;

  it('that was ended answers nothing that is asked afterwards', async () => {
    const { access } = house;
    const stored = await access.users.create(system, { name: fresh(), password });
    const hash = await house.state.db.selectFrom('user').select('password').where('id', '=', stored.id).executeTakeFirstOrThrow();
    await inAnyOrderOf(30, fc.constantFrom(...(Object.keys(endings) as (keyof typeof endings)[])), async (turns, ending) => {
      const name = fresh();
      const { id } = await access.users.create(system, { name });
      await house.state.write({ query: house.state.db.updateTable('user').set(hash).where('id', '=', id) });
      const { token, actor } = await access.login(name, password, { address });
      let isTold = false;
      const late: string[] = [];
      await house.together(
        turns,
        async () => {
          await endings[ending](actor.credential ?? '', name, actor);
          isTold = true;
        },
        async () => {
          for (let times = 0; times < 4; times++) {
            const wasTold = isTold;
            const asked =
              times % 2 === 0
                ? access.authenticate(token, { address })
                : house.access.tokens.list(actor).then(() => house.packages.create(actor, parseReference(`${name}/q${times}`)));
            const [outcome] = await Promise.allSettled([asked]);
            if (wasTold) late.push(codeOf(outcome));
          }
        },
      );
      expect(isTold || ending === 'delete').toBe(true);
      expect(late).not.toContain('ok');
    });
  });
});

describe('an idempotency key', () => {
  it('lets one of many do the work', () =>
    inAnyOrder(
      60,
      async (turns) => {
        const idempotency = new Idempotency({ state: house.state, clock: house.clock.now });
        const claim = { actor: house.alice, key: fresh(), request: 'a'.repeat(64) };
        let works = 0;
        const ask = async (): Promise<string> => {
          const known = await idempotency.begin(claim);
          if (known !== undefined) return known.answer;
          works++;
          await house.packages.list(house.alice);
          await idempotency.finish(claim, { status: 201, answer: 'made' });
          return 'made';
        };
        const outcomes = await house.together(turns, ask, ask, ask, () => idempotency.begin({ ...claim, request: 'b'.repeat(64) }));
        // Whoever of the two requests was first keeps the key.
        const isOther = codeOf(outcomes[3]) === 'ok';
        expect(works).toBe(isOther ? 0 : 1);
        for (const outcome of outcomes.slice(0, 3)) {
          if (outcome.status === 'fulfilled') expect(outcome.value).toBe('made');
          else expect(isError(outcome.reason, 'idempotency_conflict')).toBe(true);
        }
        if (!isOther) expect(await ask()).toBe('made');
      },
      4,
    ));
});

describe('keys that sign', () => {
  const object = (): SignedObject => ({
    source: '1',
    key: parseKey('in/a.bin') as Key,
    method: 'GET',
    expiresAt: house.clock.now() + 60_000,
  });

  it('open nothing more that was signed before all of them were given up', () =>
    inAnyOrder(
      60,
      async (turns) => {
        const before = house.keys.sign(object());
        let isTold = false;
        const late: string[] = [];
        const verify = async () => {
          for (let times = 0; times < 4; times++) {
            const wasTold = isTold;
            house.clock.advance(6000);
            const [outcome] = await Promise.allSettled([
              house.keys.verify(times % 2 === 0 ? before : `${before.slice(0, before.indexOf('/o/'))}/o/unknown.${'A'.repeat(60)}/x`),
            ]);
            if (wasTold && times % 2 === 0) late.push(codeOf(outcome));
          }
        };
        const outcomes = await house.together(
          turns,
          async () => {
            await house.keys.rotate({ now: true });
            isTold = true;
          },
          verify,
          () => house.keys.rotate(),
        );
        expect(codesOf(outcomes)).toEqual(['ok', 'ok', 'ok']);
        expect(late).not.toContain('ok');
        await expect(house.keys.verify(before)).rejects.toMatchObject({ code: 'signature_invalid' });
        expect(await house.keys.verify(house.keys.sign(object()))).toMatchObject({ key: 'in/a.bin' });
        const newest = await house.state.db.selectFrom('signing_key').select('id').where('retires_at', 'is', null).execute();
        expect(newest).toHaveLength(1);
      },
      3,
    ));
});

describe('a source', () => {
  it('is shared, or removed without force, not both', () =>
    inAnyOrder(60, async (turns) => {
      const name: Name = parseName(fresh());
      const { owner, source } = await ownSource(name);
      const codes = codesOf(
        await house.together(
          turns,
          () => house.sources.remove(system, source.name),
          () => house.shares.create(owner, { target: `source:${name}/in` }),
        ),
      );
      expect([
        ['ok', 'not_found'],
        ['in_use', 'ok'],
      ]).toContainEqual(codes);
    }));

  it('that is removed by two is removed by one', () =>
    inAnyOrder(30, async (turns) => {
      const { source } = await ownSource(parseName(fresh()));
      const remove = () => house.sources.remove(system, source.name);
      expect(codesOf(await house.together(turns, remove, remove)).toSorted()).toEqual(['not_found', 'ok']);
      await expect(house.sources.openById(system, 'list', source.id, root)).rejects.toMatchObject({ code: 'not_found' });
    }));

  async function ownSource(name: Name) {
    const source = await house.sources.add(system, { name, driver: 'memory', options: { versions: true } });
    const actions = ['list', 'stat', 'download', 'share'] as const;
    await house.access.grants.set(system, { subject: { kind: 'user', name: 'alice' }, target: { kind: 'source', id: source.id }, actions });
    return { source, owner: house.alice };
  }
});
