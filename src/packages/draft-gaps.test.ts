/** Gaps of drafts that are carried over edits, against what is found anew. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Leaf } from '#model/entry.ts';
import type { Key } from '#model/key.ts';
import { compareBytes, parsePath, root } from '#model/path.ts';
import { DraftGaps } from '#packages/draft-gaps.ts';
import { DraftStep } from '#packages/draft-step.ts';
import { freeze } from '#packages/freeze.ts';
import { Gaps, GapView } from '#packages/gaps.ts';
import { sweepGone } from '#packages/gone-steps.ts';
import { redo, undo } from '#packages/history.ts';
import { abandonStep, claimStep, getPackageRow, stepRoom } from '#packages/open-step.ts';
import { PackageTree } from '#packages/package-tree.ts';
import { type TemporaryState, temporaryState } from '#testing/temporary-state.ts';

let temporary: TemporaryState;
let id: number;
let made = 0;
let gaps: DraftGaps;

async function makePackage(): Promise<void> {
  const { state } = temporary;
  const row = { namespace_id: 'n', name: `p${++made}`, head: 0, top: 0, frozen: 0, generation: 1, created_at: 0 };
  const [result] = await state.write({ query: state.db.insertInto('package').values(row).returning('id') });
  id = result?.rows[0]?.['id'] as number;
  gaps = new DraftGaps(state, new Gaps());
}

beforeEach(async () => {
  temporary = await temporaryState();
  const namespace = { id: 'n', name: 'n', user_id: null, upload_source: null, upload_prefix: '', created_at: 0 };
  await temporary.state.write({ query: temporary.state.db.insertInto('namespace').values(namespace) });
  await makePackage();
});
afterEach(() => temporary.close());

const pathOf = (number: number) => `f/${String(number).padStart(4, '0')}`;

async function edit(
  put: readonly number[],
  removed: readonly number[] = [],
  options: { room?: number; fails?: boolean } = {},
): Promise<void> {
  const { state } = temporary;
  const claim = { package: id, job: `job ${++made}` };
  await state.write(claimStep(state, claim, { room: options.room ?? 0 }));
  const step = await DraftStep.open(state, claim);
  const leaf = (number: number): Leaf => {
    const path = parsePath(pathOf(number));
    return { kind: 'pointer', path, source: '1', key: path as string as Key, size: made, checksums: [], inline: false };
  };
  await step.remove([...(await step.before.find(removed.filter((one) => !put.includes(one)).map(pathOf))).values()]);
  const sorted = [...put].sort((a, b) => a - b);
  for (let at = 0; at < sorted.length; at += 1000) await step.put(sorted.slice(at, at + 1000).map(leaf), 'replace');
  if (options.fails !== true) await step.commit({ operation: 'put', summary: '', actor: 'x', at: 0 });
  else {
    await step.settle();
    await abandonStep(state, claim);
  }
}

/** All files by the pages of the draft, which remember gaps; and without any. */
async function walked(view: GapView | undefined): Promise<string[]> {
  const { head } = await getPackageRow(temporary.state, id);
  const tree = new PackageTree({ state: temporary.state, package: id, step: head, frozen: false, gaps: view, windowRows: 2 });
  const found: string[] = [];
  for await (const leaf of tree.walk(root)) found.push(`${leaf.path} ${leaf.size}`);
  return found;
}

const viewNow = async () => gaps.of(await getPackageRow(temporary.state, id));
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

describe('gaps of a draft', () => {
  it('outlive edits outside of them and freezes, and end where something is put', async () => {
    await edit(range(0, 100));
    await edit([], range(10, 90));
    await walked(await viewNow());
    const known = (await viewNow()).endOf(pathOf(20));
    expect(known).toBe(pathOf(90));
    await edit([200]);
    await edit([], [95]);
    expect((await viewNow()).endOf(pathOf(20))).toBe(known);
    const work = { state: temporary.state, claim: { package: id, job: 'freeze' }, message: '', author: 'x', at: 0 };
    await freeze({ ...work, authorize: async () => undefined, placeOf: () => root });
    expect((await viewNow()).endOf(pathOf(20))).toBe(known);
    await edit([50]);
    const after = await viewNow();
    expect([after.endOf(pathOf(20)), after.endOf(pathOf(50)), after.endOf(pathOf(51))]).toEqual([pathOf(50), undefined, known]);
    await edit(range(300, 1400));
    expect((await viewNow()).endOf(pathOf(51))).toBe(known);
    expect(await walked(await viewNow())).toEqual(await walked(undefined));
  });

  it('that are forgotten in parts hold exactly the others', () => {
    const path = fc.constantFrom('', 'a', 'a/', 'a/b', 'b', 'é', '\uffee', '😀', 'z');
    const gap = fc.tuple(path, fc.option(path, { nil: null }));
    fc.assert(
      fc.property(
        fc.array(gap, { maxLength: 8 }),
        fc.array(fc.tuple(path, path), { maxLength: 3 }),
        path,
        (remembered, forgotten, asked) => {
          const view = new GapView();
          for (const [start, end] of remembered) view.remember(start, end);
          const wasIn = view.endOf(asked) !== undefined;
          const reaches = forgotten.map(
            ([one, other]) => (compareBytes(one, other) <= 0 ? [one, other] : [other, one]) as [string, string],
          );
          for (const [first, last] of reaches) view.forget(first, last);
          const isOut = reaches.some(([first, last]) => compareBytes(first, asked) <= 0 && compareBytes(asked, last) <= 0);
          expect(view.endOf(asked) !== undefined).toBe(wasIn && !isOut);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('carried over any history never hide a row: edits, failures, undo, redo, freezes and reused numbers, looked at or not', async () => {
    const some = fc.subarray(range(0, 30));
    const operation = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          do: fc.constant('edit' as const),
          put: fc.oneof(some, fc.subarray(range(0, 30), { maxLength: 1 })),
          removed: some,
          room: fc.constantFrom(0, 0, 3, stepRoom),
          fails: fc.nat(4),
        }),
      },
      { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('undo', 'undo', 'redo', 'freeze', 'clear') }) },
    );
    const history = fc.array(fc.tuple(operation, fc.nat(3)), { minLength: 8, maxLength: 24 });
    await fc.assert(
      fc.asyncProperty(history, async (operations) => {
        await makePackage();
        const { state } = temporary;
        await edit(range(0, 30));
        await edit([], range(5, 25));
        await walked(await viewNow());
        for (const [one, look] of operations) {
          if ('put' in one) await edit(one.put, one.removed, { room: one.room, fails: one.fails === 0 }).catch(() => sweepGone(state, id));
          else if (one.do === 'clear') await sweepGone(state, id);
          else if (one.do === 'freeze') {
            const work = { state, claim: { package: id, job: `job ${++made}` }, message: '', author: 'x', at: 0 };
            await freeze({ ...work, authorize: async () => undefined, placeOf: () => root }).catch(() => undefined);
          } else await (one.do === 'undo' ? undo : redo)(state, id).catch(() => undefined);
          if (look > 0) await viewNow();
          if (look > 1) expect(await walked(await viewNow())).toEqual(await walked(undefined));
        }
        expect(await walked(await viewNow())).toEqual(await walked(undefined));
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});
