/** A package against its end: what is read of it is whole or an error, and nothing is made of a part. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePath, root } from '#model/path.ts';
import { walkBatches } from '#model/tree.ts';
import { type PackageReference, parseReference } from '#packages/package.ts';
import { codeOf, codesOf, inAnyOrder, inAnyOrderOf } from '../support/races.ts';
import { type House, openHouse, system } from './house.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const p = parsePath;
let made = 0;

/** Version 1 with three texts, and a draft with two more, in one step each. */
async function makePackage(): Promise<PackageReference> {
  const { packages, alice } = house;
  const reference = await house.draft();
  for (const name of ['a', 'b', 'c']) await packages.put(alice, reference, p(name), Buffer.from(name));
  await packages.freeze(alice, reference);
  await packages.put(alice, reference, p('d'), Buffer.from('d'));
  await packages.put(alice, reference, p('b'), Buffer.from('other'));
  return reference;
}

async function pathsOf(reference: PackageReference): Promise<string[]> {
  const { tree } = await house.packages.open(house.alice, 'download', reference, root);
  const paths: string[] = [];
  for await (const leaf of tree.walk(root)) paths.push(leaf.kind === 'text' ? `${leaf.path} ${leaf.size}` : leaf.path);
  return paths;
}

async function batchesOf(reference: PackageReference): Promise<string[]> {
  const { tree } = await house.packages.open(house.alice, 'download', reference, root);
  const paths: string[] = [];
  for await (const leaves of walkBatches(tree, root))
    paths.push(...leaves.map((leaf) => (leaf.kind === 'text' ? `${leaf.path} ${leaf.size}` : leaf.path)));
  return paths;
}

async function listed(reference: PackageReference): Promise<string[]> {
  const { tree } = await house.packages.open(house.alice, 'download', reference, root);
  const { entries } = await tree.list(root);
  return entries.map((entry) => (entry.kind === 'text' ? `${entry.path} ${entry.size}` : entry.kind));
}

const frozen = ['a 1', 'b 1', 'c 1'];
const drafted = ['a 1', 'b 5', 'c 1', 'd 1'];
const readers = { walk: pathsOf, batches: batchesOf, list: listed } as const;

describe('a package that is deleted', () => {
  it('is read whole, or not', () =>
    inAnyOrderOf(60, fc.tuple(fc.constantFrom('walk', 'batches', 'list'), fc.boolean()), async (turns, [reader, isVersion]) => {
      const reference = await makePackage();
      const { packages, alice, jobs } = house;
      const outcomes = await house.together(
        turns,
        () => packages.delete(alice, reference).then((job) => jobs.wait(job.id)),
        () => readers[reader as keyof typeof readers](isVersion ? { ...reference, version: 1 } : reference),
      );
      expect(codeOf(outcomes[0])).toBe('ok');
      const [, read] = outcomes;
      if (read?.status === 'fulfilled') expect(read.value).toEqual(isVersion ? frozen : drafted);
      else expect(codeOf(read)).toBe('not_found');
    }));

  it('is edited, frozen, shared or forked before, or not at all', () => {
    const others = {
      put: (at: PackageReference) => house.packages.put(house.alice, at, p('new'), Buffer.from('new')),
      remove: (at: PackageReference) => house.packages.remove(house.alice, at, [p('a')]),
      freeze: (at: PackageReference) => house.packages.freeze(house.alice, at),
      undo: (at: PackageReference) => house.packages.undo(house.alice, at),
      delete: (at: PackageReference) => house.packages.delete(house.alice, at),
      share: (at: PackageReference) => house.shares.create(house.alice, { target: `${at.namespace}/${at.name}@1` }),
      fork: (at: PackageReference) => house.packages.fork(house.alice, at, parseReference(`alice/f${++made}`)),
    } as const;
    return inAnyOrderOf(100, fc.constantFrom(...(Object.keys(others) as (keyof typeof others)[])), async (turns, other) => {
      const reference = await makePackage();
      const [deleted, done] = await house.together(
        turns,
        () => house.packages.delete(house.alice, reference),
        () => others[other](reference),
      );
      expect(['ok', 'step_open', 'in_use', ...(other === 'delete' ? ['not_found'] : [])]).toContain(codeOf(deleted));
      expect(['ok', 'not_found', 'step_open']).toContain(codeOf(done));
      if (other === 'share')
        expect([
          ['in_use', 'ok'],
          ['ok', 'not_found'],
        ]).toContainEqual([codeOf(deleted), codeOf(done)]);
      if (other === 'delete')
        expect(codesOf([deleted, done].filter((one) => one !== undefined)).filter((code) => code === 'ok')).toHaveLength(1);
      if (other === 'fork' && codeOf(done) === 'ok') {
        const fork = parseReference(`alice/f${made}`);
        expect(await pathsOf(fork)).toEqual(drafted);
      }
      const isThere = codeOf((await Promise.allSettled([house.packages.get(house.alice, reference)]))[0]);
      expect(isThere).toBe([codeOf(deleted), other === 'delete' ? codeOf(done) : ''].includes('ok') ? 'not_found' : 'ok');
    });
  });
});

describe('a draft that goes back and elsewhere', () => {
  it('is read and forked as it was, as it is, or not', () =>
    inAnyOrderOf(80, fc.constantFrom('walk', 'fork', 'list'), async (turns, reading) => {
      const reference = await makePackage();
      const { packages, alice } = house;
      const outcomes = await house.together(
        turns,
        async () => {
          await packages.undo(alice, reference);
          await packages.remove(alice, reference, [p('a')]);
        },
        async () => {
          if (reading !== 'fork') return readers[reading as 'walk' | 'list'](reference);
          const fork = parseReference(`alice/f${++made}`);
          await packages.fork(alice, reference, fork);
          return pathsOf(fork);
        },
      );
      const [edited, read] = outcomes;
      expect(['ok', 'step_open']).toContain(codeOf(edited));
      if (read?.status === 'fulfilled') expect([drafted, ['a 1', 'b 1', 'c 1', 'd 1'], ['b 1', 'c 1', 'd 1']]).toContainEqual(read.value);
      else expect(codeOf(read)).toBe('precondition_failed');
    }));
});

describe('the bytes of a version', () => {
  it('are what its digest says, whoever edits while it is frozen', () =>
    inAnyOrder(
      40,
      async (turns) => {
        const { packages, alice, jobs } = house;
        const reference = await makePackage();
        const outcomes = await house.together(
          turns,
          () => packages.freeze(alice, reference),
          () => packages.put(alice, reference, p('e'), Buffer.from('e')),
          () => packages.withdraw(alice, { ...reference, version: 1 }),
        );
        expect(codeOf(outcomes[2])).toBe('ok');
        for (const code of codesOf(outcomes).slice(0, 2)) expect(['ok', 'step_open']).toContain(code);
        const { versions } = await packages.versions(alice, reference);
        for (const { number } of versions) {
          const { state } = await jobs.wait((await packages.verify(system, { ...reference, version: number })).id);
          expect(state).toBe('done');
        }
      },
      3,
    ));
});
