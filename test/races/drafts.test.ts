/**
 * Two and three at one draft. The model is packageR itself, used by one after another: whatever the turns, those who were not told
 * `step_open` got what one of the orders gives, answers and draft alike.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePath } from '#model/path.ts';
import type { PackageReference } from '#packages/package.ts';
import type { Turns } from '#testing/scheduler.ts';
import { codeOf, inAnyOrderOf } from '../support/races.ts';
import { type House, openHouse } from './house.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const p = parsePath;
const text = (content: string) => Buffer.from(content);

type Operation = (reference: PackageReference) => Promise<unknown>;

const operations = {
  'put a one': (at) => house.packages.put(house.alice, at, p('a.txt'), text('one')),
  'put a two': (at) => house.packages.put(house.alice, at, p('a.txt'), text('two')),
  'put new if absent': (at) => house.packages.put(house.alice, at, p('new.txt'), text('new'), { ifMatch: 'absent' }),
  'put x': (at) => house.packages.put(house.alice, at, p('x'), text('x')),
  'mkdir x': (at) => house.packages.mkdir(house.alice, at, p('x')),
  'move d to x': (at) => house.packages.move(house.alice, at, [p('d')], p('x')),
  'move a to x': (at) => house.packages.move(house.alice, at, [p('a.txt')], p('x')),
  'copy d to x': (at) => house.packages.copy(house.alice, at, [p('d')], p('x')),
  'remove a': (at) => house.packages.remove(house.alice, at, [p('a.txt')]),
  'remove d': (at) => house.packages.remove(house.alice, at, [p('d')]),
  'meta of d': (at) => house.packages.setMeta(house.alice, at, { paths: [p('d')] }, { seen: 'yes' }),
  undo: (at) => house.packages.undo(house.alice, at),
  redo: (at) => house.packages.redo(house.alice, at),
  freeze: (at) => house.packages.freeze(house.alice, at),
  restore: (at) => house.packages.restore(house.alice, at, 1),
} as const satisfies Record<string, Operation>;
type Name = keyof typeof operations;

/** A version, a step behind it, and a step that was undone. */
async function makeDraft(): Promise<PackageReference> {
  const { packages, alice, draft } = house;
  const reference = await draft();
  await packages.put(alice, reference, p('a.txt'), text('a'));
  await packages.put(alice, reference, p('d/1.txt'), text('1'));
  await packages.freeze(alice, reference);
  await packages.put(alice, reference, p('b.txt'), text('b'));
  await packages.put(alice, reference, p('c.txt'), text('c'));
  await packages.undo(alice, reference);
  return reference;
}

/** All that can be seen of a package, without what names it. */
async function look(reference: PackageReference): Promise<string> {
  const { packages, alice } = house;
  const { canUndo, canRedo, isChanged, openJob } = await packages.get(alice, reference);
  const { tree } = await packages.open(alice, 'download', reference, p(''));
  const entries: unknown[] = [];
  for await (const leaf of tree.walk(p('')))
    entries.push([leaf.path, leaf.kind === 'text' ? leaf.sha256.slice(0, 6) : leaf.kind, leaf.meta]);
  const folders = (await tree.list(p(''))).entries
    .filter(({ kind }) => kind === 'folder')
    .map((entry) => (entry.kind === 'folder' ? entry.path : ''));
  const { versions } = await packages.versions(alice, reference);
  return JSON.stringify({
    canUndo,
    canRedo,
    isChanged,
    openJob,
    entries,
    folders,
    versions: versions.map(({ number, digest }) => [number, digest]),
  });
}

/** What one after another gives, told once for each order. */
const known = new Map<string, Promise<string>>();

function inTurn(order: readonly Name[]): Promise<string> {
  const key = order.join(', ');
  const found = known.get(key) ?? tryInTurn(order);
  known.set(key, found);
  return found;
}

async function tryInTurn(order: readonly Name[]): Promise<string> {
  const reference = await makeDraft();
  const codes: string[] = [];
  for (const name of order) {
    const [outcome] = await Promise.allSettled([operations[name](reference)]);
    codes.push(`${name}: ${codeOf(outcome)}`);
  }
  return `${codes.toSorted().join(', ')} → ${await look(reference)}`;
}

function ordersOf<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, index) => ordersOf(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}

const names = Object.keys(operations) as Name[];

async function race(turns: Turns, chosen: readonly Name[]): Promise<void> {
  const reference = await makeDraft();
  const outcomes = await house.together(turns, ...chosen.map((name) => () => operations[name](reference)));
  const codes = chosen.map((name, index) => `${name}: ${codeOf(outcomes[index])}`);
  const done = chosen.filter((_, index) => codeOf(outcomes[index]) !== 'step_open');
  expect(done.length, 'somebody gets on').toBeGreaterThan(0);
  const seen = `${codes
    .filter((one) => !one.endsWith('step_open'))
    .toSorted()
    .join(', ')} → ${await look(reference)}`;
  const allowed = await Promise.all(ordersOf(done).map(inTurn));
  expect(allowed, `one of these, not ${seen}\n${allowed.join('\n')}`).toContain(seen);
  await expect(house.packages.put(house.alice, reference, p('after.txt'), text('after')), 'the draft is free').resolves.toBeDefined();
}

describe('at one draft', () => {
  it('two get what one of them after the other gets', () =>
    inAnyOrderOf(150, fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names)), race));

  it('three do', () => inAnyOrderOf(30, fc.array(fc.constantFrom(...names), { minLength: 3, maxLength: 3 }), race, 3));

  // Where one waits from any point on, until the other has ended: what it read before then is old.
  it('two that freeze make one version of one step', () =>
    inAnyOrderOf(80, fc.integer({ min: 5, max: 25 }), (turns, point) =>
      race({ ...turns, naps: [{ operation: 0, point }] }, ['freeze', 'freeze']),
    ));
});
