/**
 * What a source, a namespace or a right is set to, changed while somebody makes use of it: what comes of it is what one of the two orders
 * gives, never some of the one and some of the other; and whoever asks when the change was told gets what is set now.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Driver } from '#drivers/driver.ts';
import { asError, PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';
import { Jobs } from '#jobs/jobs.ts';
import type { Key } from '#model/key.ts';
import { type Name, parseName } from '#model/name.ts';
import { parsePath, root } from '#model/path.ts';
import type { AnnexRequest } from '#packages/annex-request.ts';
import { type PackageReference, parseReference } from '#packages/package.ts';
import { Packages } from '#packages/packages.ts';
import { listObjects, statObject } from '#sources/presign.ts';
import { bodyOf } from '#testing/driver-subject.ts';
import { codeOf, inAnyOrderOf } from '../support/races.ts';
import { address, type House, openHouse, system } from './house.ts';

const p = parsePath;
const keys = ['mix/a/1.txt', 'mix/a/2.bin', 'mix/a/3.bin', 'mix/b/1.txt', 'mix/b/2.bin', 'mix/b/3.bin'];
/** What both stores hold under the same keys, and whose names tell the one from the other. */
const contents = { kept: 'kept', plain: 'plain' } as const;

let house: House;
let made = 0;
beforeAll(async () => {
  house = await openHouse({ wrap: turning, upstream: { retries: 0, failures: 1e9 } });
  for (const [name, content] of Object.entries(contents))
    for (const key of keys) await house.stores[name as keyof typeof contents].write?.(key as Key, bodyOf(content));
});
afterAll(() => house.close());

/** What happens in the middle of a call of a store, before and after it is done. */
let amid: (() => Promise<unknown>) | undefined;

/** A store whose calls are points of the schedule too, a few objects a page. */
function turning(store: Driver): Driver {
  const turn = async <T>(call: () => T | Promise<T>): Promise<T> => {
    await house.state.db.selectFrom('setting').select('key').limit(1).execute();
    await amid?.();
    const done = await call();
    await amid?.();
    return done;
  };
  return {
    ...store,
    list: (request) => turn(() => store.list({ ...request, limit: Math.min(request.limit ?? 1000, 2) })),
    stat: (key, options) => turn(() => store.stat(key, options)),
    read: (key, options) => turn(() => store.read(key, options)),
    write: (key, body, options) => turn(() => (store.write as NonNullable<Driver['write']>)(key, body, options)),
  };
}

/** `work`, with `act` at this moment of its calls of stores, counted from 0; false where it ended before. */
async function at(
  moment: number,
  act: () => Promise<unknown>,
  work: () => Promise<unknown>,
): Promise<[PromiseSettledResult<unknown>, boolean]> {
  let moments = 0;
  amid = async () => {
    if (moments++ === moment) await act();
  };
  try {
    const [outcome] = await Promise.allSettled([work()]);
    return [outcome, moments > moment];
  } finally {
    amid = undefined;
  }
}

const addSource = (versions = true) =>
  house.sources.add(system, { name: parseName(`x${++made}`), driver: 'memory', options: { versions } });
const toPlain = (name: Name) => house.sources.update(system, name, { options: { versions: false } });
const changed: readonly ErrorCode[] = ['source_unavailable', 'precondition_failed'];

async function annex(reference: PackageReference, source: Name, request: Pick<AnnexRequest, 'select' | 'copyTexts'>): Promise<void> {
  const job = await house.packages.annex(system, reference, { source, to: root, ...request } as AnnexRequest);
  const { state, error } = await house.jobs.wait(job.id);
  if (state !== 'done') throw new PackageRError(error?.code as ErrorCode, error?.message);
}

const annexes: Readonly<Record<string, Pick<AnnexRequest, 'select' | 'copyTexts'>>> = {
  'a folder': { select: { folder: p('mix') } },
  'two folders': { select: { paths: [p('mix/a'), p('mix/b')] } },
  'a list': { select: { list: keys.map((key) => ({ key })) } },
  'with texts': { select: { paths: [p('mix/a'), p('mix/b')] }, copyTexts: true },
};

/** A packageR beside the house, on the same state, that may be stopped. */
function process() {
  const jobs = new Jobs(house.parts);
  const { access, sources } = house;
  const inline = { extensions: ['.txt', '.md'], maxBytes: 1024 };
  return { jobs, packages: new Packages({ ...house.parts, access, sources, jobs, stat: statObject, list: listObjects, inline }) };
}

async function sizesOf(reference: PackageReference): Promise<number[]> {
  const { tree } = await house.packages.open(system, 'download', reference, root);
  const sizes: number[] = [];
  for await (const leaf of tree.walk(root)) sizes.push(leaf.size);
  return sizes;
}

describe('where a source points to', () => {
  const kinds = Object.keys(annexes);
  const run = (reference: PackageReference, source: Name, kind: string) =>
    annex(reference, source, annexes[kind] as (typeof annexes)[string]);

  async function expectOne(annexed: PromiseSettledResult<unknown> | undefined, reference: PackageReference, again: () => Promise<void>) {
    const sizes = await sizesOf(reference);
    if (codeOf(annexed) === 'ok') return expect([keys.map(() => 4), keys.map(() => 5)]).toContainEqual(sizes);
    expect(changed, String((annexed as PromiseRejectedResult).reason)).toContain(codeOf(annexed));
    expect(sizes).toEqual([]);
    await again();
    expect(await sizesOf(reference)).toEqual(keys.map(() => 5));
  }

  it('is for one annex one place, or the annex fails and leaves nothing', () =>
    inAnyOrderOf(60, fc.constantFrom(...kinds), async (turns, kind) => {
      const { name } = await addSource();
      const reference = await house.draft();
      const [updated, annexed] = await house.together(
        turns,
        () => toPlain(name),
        () => run(reference, name, kind),
      );
      expect(codeOf(updated)).toBe('ok');
      await expectOne(annexed, reference, () => run(reference, name, kind));
    }));

  it.each(kinds)('is so too where it changes in the middle of a call of the store: %s', async (kind) => {
    for (let moment = 0, isReached = true; isReached; moment++) {
      const { name } = await addSource();
      const reference = await house.draft();
      let annexed: PromiseSettledResult<unknown>;
      [annexed, isReached] = await at(
        moment,
        () => toPlain(name),
        () => run(reference, name, kind),
      );
      await expectOne(annexed, reference, () => run(reference, name, kind));
    }
  });

  it.each(kinds)('is so too where it changes while packageR is stopped: %s', async (kind) => {
    for (let moment = 0, isReached = true; isReached; moment++) {
      const { name } = await addSource();
      const reference = await house.draft();
      const { jobs, packages } = process();
      let id = '';
      let closing: Promise<void> | undefined;
      const stopped = Promise.withResolvers<void>();
      const stop = async () => {
        closing = jobs.close();
        stopped.resolve();
      };
      const begin = async () => {
        id = (await packages.annex(system, reference, { source: name, to: root, ...annexes[kind] } as AnnexRequest)).id;
        await Promise.race([jobs.wait(id), stopped.promise]);
        await closing;
      };
      [, isReached] = await at(moment, stop, begin);
      await toPlain(name);
      await jobs.close();
      await house.jobs.recover();
      const { state, error } = await house.jobs.wait(id);
      const [annexed] = await Promise.allSettled([
        state === 'done' ? Promise.resolve() : Promise.reject(new PackageRError(error?.code as ErrorCode, error?.message)),
      ]);
      await expectOne(annexed, reference, () => run(reference, name, kind));
    }
  });

  it('is where an exchange leads: to the pinned object version there, or to what is there now', () =>
    inAnyOrderOf(
      60,
      fc.boolean(),
      async (turns, isLive) => {
        const stage = await house.stage();
        const target = isLive ? `source:${stage.source.name}/in` : `${stage.name}/p@1`;
        const { id } = await house.shares.create(stage.owner, { target });
        const path = p(isLive ? 'a.bin' : 'in/a.bin');
        let isTold = false;
        const exchange = async (): Promise<string> => {
          const handle = await house.shares.open({ share: id, address }, 'download', root);
          const wasTold = isTold;
          const result = await house.exchange.exchange(handle, path, { method: 'GET' });
          if (result.kind !== 'redirect') throw new Error('a text');
          const { source, version } = await house.keys.verify(result.temporaryUrl.url);
          const found = `${source} ${version === undefined ? 'now' : 'pinned'}`;
          if (wasTold) expect(found).toBe('2 now');
          return found;
        };
        const outcomes = await house.together(
          turns,
          async () => {
            await toPlain(stage.source.name);
            isTold = true;
          },
          exchange,
          exchange,
        );
        expect(codeOf(outcomes[0])).toBe('ok');
        for (const outcome of outcomes.slice(1)) {
          if (outcome.status === 'fulfilled') expect(isLive ? ['1 now', '2 now'] : ['1 pinned', '2 now']).toContain(outcome.value);
          else expect(changed, String(outcome.reason)).toContain(codeOf(outcome));
        }
        isTold = true;
        expect(await exchange()).toBe('2 now');
      },
      3,
    ));
});

describe('where uploads of a namespace go', () => {
  let stores: { from: Awaited<ReturnType<typeof addSource>>; to: Awaited<ReturnType<typeof addSource>> };
  beforeEach(async () => {
    stores = { from: await addSource(true), to: await addSource(false) };
  });

  const objectsIn = async (store: Driver, prefix: string): Promise<string[]> =>
    (await store.list({ prefix })).objects.map(({ key }) => key);

  it('is for one file one place, in which it is, and nowhere else', () =>
    inAnyOrderOf(60, fc.constant(undefined), async (turns) => {
      const name = `ns${++made}`;
      await house.access.namespaces.create(system, { name });
      const [from, to] = [`from-${made}`, `to-${made}`];
      await house.access.namespaces.update(system, name, { uploadSource: stores.from.id, uploadPrefix: from });
      const reference = parseReference(`${name}/p`);
      await house.packages.create(system, reference);
      const outcomes = await house.together(
        turns,
        () => house.access.namespaces.update(system, name, { uploadSource: stores.to.id, uploadPrefix: to }),
        () => house.packages.putFile(system, reference, p('x.bin'), bodyOf('\0binary')),
      );
      expect(outcomes.map(codeOf)).toEqual(['ok', 'ok']);
      const { tree } = await house.packages.open(system, 'download', reference, root);
      const leaf = await tree.find(p('x.bin'));
      if (leaf?.kind !== 'pointer') throw new Error('no pointer');
      const there = await objectsIn(house.stores.kept, `${from}/`);
      const here = await objectsIn(house.stores.plain, `${to}/`);
      expect([
        { source: stores.from.id, there: [leaf.key], here: [] },
        { source: stores.to.id, there: [], here: [leaf.key] },
      ]).toContainEqual({ source: leaf.source, there, here });
      expect([await objectsIn(house.stores.kept, `${to}/`), await objectsIn(house.stores.plain, `${from}/`)]).toEqual([[], []]);
    }));
});

/** A member of a namespace who may all, with a package in it, and a source of which they may take. */
async function member() {
  const name = `m${++made}`;
  const { id } = await house.access.users.create(system, { name });
  const space = await house.access.namespaces.create(system, { name: `t${made}` });
  const source = await addSource();
  const grant = await house.access.grants.set(system, {
    subject: { kind: 'user', name },
    target: { kind: 'source', id: source.id },
    actions: ['list', 'stat', 'download', 'share'],
  });
  await house.access.namespaces.setMember(system, space.name, { kind: 'user', name }, 'owner');
  const actor = await house.access.actorOf(id);
  const reference = parseReference(`${space.name}/p`);
  await house.packages.create(actor, reference);
  const list = { select: { list: [{ key: keys[1] as string, to: p('in.bin') }] } };
  const job = await house.packages.annex(actor, reference, { source: source.name, to: root, ...list } as AnnexRequest);
  await house.jobs.wait(job.id);
  await house.packages.freeze(actor, reference);
  await house.packages.put(actor, reference, p('draft.txt'), Buffer.from('draft'));
  return { name, actor, space, source, grant, reference };
}
type Member = Awaited<ReturnType<typeof member>>;

const losses = {
  'the right to the source': ({ grant }) => house.access.grants.remove(system, grant.id),
  'less of the source': ({ name, source }) =>
    house.access.grants.set(system, { subject: { kind: 'user', name }, target: { kind: 'source', id: source.id }, actions: ['share'] }),
  'the role': ({ name, space }) => house.access.namespaces.setMember(system, space.name, { kind: 'user', name }, 'viewer'),
  'the account': ({ name }) => house.access.users.update(system, name, { disabled: true }),
} as const satisfies Record<string, (member: Member) => Promise<unknown>>;
type Loss = keyof typeof losses;

const uses = {
  annex: ({ actor, reference, source }: Member) =>
    annexAs(actor, reference, { source: source.name, to: p(`more-${++made}`), select: { folder: p('mix') } } as AnnexRequest),
  'annex a list': ({ actor, reference, source }: Member) =>
    annexAs(actor, reference, {
      source: source.name,
      to: p(`more-${++made}`),
      select: { list: keys.map((key) => ({ key })) },
    } as AnnexRequest),
  freeze: ({ actor, reference }: Member) => house.packages.freeze(actor, reference),
  'share the version': ({ actor, reference }: Member) =>
    house.shares.create(actor, { target: `${reference.namespace}/${reference.name}@1` }).then(({ id }) => redeem(id, 'in.bin')),
  'share the source': ({ actor, source }: Member) =>
    house.shares.create(actor, { target: `source:${source.name}/mix` }).then(({ id }) => redeem(id, 'a/2.bin')),
} as const;
type Use = keyof typeof uses;

async function annexAs(actor: Member['actor'], reference: PackageReference, request: AnnexRequest): Promise<void> {
  const { state, error } = await house.jobs.wait((await house.packages.annex(actor, reference, request)).id);
  if (state !== 'done') throw new PackageRError(error?.code as ErrorCode, error?.message);
}

async function redeem(share: string, path: string): Promise<void> {
  const handle = await house.shares.open({ share, address }, 'download', root);
  await house.exchange.exchange(handle, p(path), { method: 'GET' });
}

/** What the loss of it does not touch: shares of what is frozen need the objects, edits of a package need the role. */
function isLost(loss: Loss, use: Use): boolean {
  if (loss === 'the account') return true;
  return loss === 'the role' ? use !== 'share the source' : true;
}

describe('a right that is taken away', () => {
  it('is there for all of what is done, or for nothing of it, and for nobody who asks afterwards', () =>
    inAnyOrderOf(
      120,
      fc.tuple(fc.constantFrom(...(Object.keys(losses) as Loss[])), fc.constantFrom(...(Object.keys(uses) as Use[]))),
      async (turns, [loss, use]) => {
        const someone = await member();
        const { reference } = someone;
        const before = await sizesOf(reference);
        let isTold = false;
        const late: string[] = [];
        const [lost, used] = await house.together(
          turns,
          async () => {
            await losses[loss](someone);
            isTold = true;
          },
          async () => {
            const wasTold = isTold;
            const [outcome] = await Promise.allSettled([uses[use](someone)]);
            if (wasTold) late.push(codeOf(outcome));
            if (outcome.status === 'rejected') throw outcome.reason;
          },
        );
        expect(codeOf(lost)).toBe('ok');
        if (used?.status === 'rejected') expect(asError(used.reason).kind, String(used.reason)).not.toBe('internal');
        const added = (await sizesOf(reference)).length - before.length;
        expect(added, `${loss} against ${use}`).toBe(use.startsWith('annex') && codeOf(used) === 'ok' ? keys.length : 0);
        const { versions } = await house.packages.versions(system, reference);
        expect(versions).toHaveLength(use === 'freeze' && codeOf(used) === 'ok' ? 2 : 1);
        const actor = await house.access.actorOf(someone.actor.id).catch(() => someone.actor);
        const [after] = await Promise.allSettled([uses[use]({ ...someone, actor })]);
        if (isLost(loss, use)) expect([...late, codeOf(after)], `${loss} against ${use}`).not.toContain('ok');
        expect((await house.packages.get(system, reference)).openJob).toBeUndefined();
      },
    ));
});

describe('a key that signs', () => {
  it('signs what is exchanged with what is valid then: after all were given up, nothing of before is, and all of later is', () =>
    inAnyOrderOf(30, fc.boolean(), async (turns, now) => {
      const stage = await house.stage();
      const { id } = await house.shares.create(stage.owner, { target: `${stage.name}/p@1` });
      let isTold = false;
      const given: { url: string; isLate: boolean }[] = [];
      const exchange = async (): Promise<void> => {
        const isLate = isTold;
        const handle = await house.shares.open({ share: id, address }, 'download', root);
        const result = await house.exchange.exchange(handle, p('in/a.bin'), { method: 'GET' });
        if (result.kind === 'redirect') given.push({ url: result.temporaryUrl.url, isLate });
      };
      await exchange();
      const outcomes = await house.together(
        turns,
        async () => {
          await house.keys.rotate({ now });
          isTold = true;
        },
        async () => {
          for (let times = 0; times < 3; times++) await exchange();
        },
      );
      expect(outcomes.map(codeOf)).toEqual(['ok', 'ok']);
      isTold = true;
      await exchange();
      const valid = await Promise.all(
        given.map(async ({ url }) => codeOf((await Promise.allSettled([house.keys.verify(url)]))[0]) === 'ok'),
      );
      if (!now) expect(valid).not.toContain(false);
      else {
        expect(valid[0]).toBe(false);
        // In the order in which they were given: those of before, then those of now.
        expect(valid).toEqual([...valid].sort((a, b) => Number(a) - Number(b)));
        for (const [index, { isLate }] of given.entries()) if (isLate) expect(valid[index]).toBe(true);
      }
    }));
});
