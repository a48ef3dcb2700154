/**
 * A store that fails in every way, below every journey. What comes of it is the truth of the store or a clear error, with nothing half
 * visible; and tried again in calm, the truth. All of a source's drivers go through the same layers, so what is shown here holds for each.
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Driver } from '#drivers/driver.ts';
import { asError, PackageRError } from '#errors/error.ts';
import type { ErrorCode } from '#errors/table.ts';
import { serveSigned } from '#exchange/serve.ts';
import type { Key } from '#model/key.ts';
import { parseName } from '#model/name.ts';
import { parsePath, root } from '#model/path.ts';
import { readAll } from '#model/tree.ts';
import type { AnnexRequest } from '#packages/annex-request.ts';
import type { PackageReference } from '#packages/package.ts';
import { searchTree } from '#sources/search.ts';
import { type ChaosPlan, chaos } from '#testing/chaos-driver.ts';
import { bodyOf } from '#testing/driver-subject.ts';
import { type House, openHouse, system } from '../races/house.ts';
import { runsOf } from '../support/races.ts';

const p = parsePath;
const pageSize = 7;
const texts = new Map<string, string>();
for (let at = 0; at < 40; at++) texts.set(`in/${at % 3}/${at}.${at % 4 === 0 ? 'txt' : 'bin'}`, `content of ${at} `.repeat(10 + at));
const keys = [...texts.keys(), 'in/a.bin', 'in/b.bin', 'in/c.txt'].toSorted();

/** What the sources use now: the store itself, or one that fails. */
let through: (store: Driver) => Driver = (store) => store;
let house: House;
beforeAll(async () => {
  house = await openHouse({
    wrap: (store) => {
      const paged: Driver = { ...store, list: (request) => store.list({ ...request, limit: Math.min(request.limit ?? 1000, pageSize) }) };
      return {
        ...store,
        list: (request) => through(paged).list(request),
        stat: (key, options) => through(paged).stat(key, options),
        read: (key, options) => through(paged).read(key, options),
      };
    },
    upstream: { retries: 0, failures: 1e9 },
  });
  for (const store of Object.values(house.stores)) for (const [key, text] of texts) await store.write?.(key as Key, bodyOf(text));
});
afterAll(() => house.close());

/** In calm where there is no plan. */
async function under<T>(plan: ChaosPlan | undefined, work: () => Promise<T>): Promise<PromiseSettledResult<T>> {
  const rough = new Map<Driver['capabilities'], Driver>();
  through = (store) => {
    if (plan === undefined) return store;
    const known = rough.get(store.capabilities) ?? chaos(store, plan);
    rough.set(store.capabilities, known);
    return known;
  };
  try {
    const [outcome] = await Promise.allSettled([work()]);
    return outcome;
  } finally {
    through = (store) => store;
  }
}

const clear: readonly ErrorCode[] = ['store_response', 'source_unavailable', 'store_rate_limited', 'precondition_failed'];

function expectClear(reason: unknown): void {
  const { code, message } = asError(reason);
  expect(clear, `${code} ${message}`).toContain(code);
}

const chance = fc.constantFrom(0, 0, 0.2, 0.6);
const plans: fc.Arbitrary<ChaosPlan> = fc.record({
  seed: fc.nat(),
  errors: fc
    .constantFrom(0, 0, 0.1)
    .map((one) => [
      { code: 'source_unavailable', retry: 'temporary', chance: one } as const,
      { code: 'store_rate_limited', retry: 'temporary', chance: one } as const,
    ]),
  slow: fc.constantFrom(0, 0.3).map((one) => ({ chance: one, delay: 1 })),
  duplicates: chance,
  repeatedPages: chance,
  truncated: chance,
  resets: chance,
  wrongEtags: chance,
  wrongSizes: chance,
  outOfOrder: chance,
  olderCursors: chance,
  emptyPages: chance,
});

/** For texts, of which packageR checks the bytes; those of other objects never pass through it but as they come. */
const textPlans = fc.tuple(plans, chance).map(([plan, corrupted]): ChaosPlan => ({ ...plan, corrupted }));

const open = (source: string, action: 'list' | 'download' = 'download') => house.sources.open(house.alice, action, parseName(source), root);

async function listAll(source: string): Promise<string[]> {
  const { tree } = await open(source, 'list');
  const paths: string[] = [];
  for (const folder of ['in', 'in/0', 'in/1', 'in/2']) {
    let cursor: string | undefined;
    for (let pages = 0; pages === 0 || cursor !== undefined; pages++) {
      expect(pages, 'the listing ends').toBeLessThan(100);
      const page = await tree.list(p(folder), { limit: 5, cursor });
      paths.push(...page.entries.flatMap((entry) => (entry.kind === 'pointer' ? [entry.path] : [])));
      cursor = page.cursor;
    }
  }
  return paths.toSorted();
}

async function walkAll(source: string): Promise<string[]> {
  const { tree } = await open(source, 'list');
  const paths: string[] = [];
  for await (const leaf of tree.walk(p('in'))) paths.push(leaf.path);
  return paths;
}

async function search(source: string): Promise<string[]> {
  const { tree } = await open(source, 'list');
  const paths: string[] = [];
  for await (const hit of searchTree(tree, root, { text: '*.bin', clock: house.clock.now })) paths.push(hit.path);
  return paths;
}

async function readTexts(source: string): Promise<string[]> {
  const { tree } = await open(source);
  const found: string[] = [];
  for (const [key, text] of texts) {
    if (key.endsWith('.txt') && text.length <= 1024)
      found.push((await readAll(tree.read(p(key)), 2048)).toString() === text ? key : `${key}: wrong`);
  }
  return found;
}

const journeys = {
  list: { run: listAll, truth: () => keys },
  walk: { run: walkAll, truth: () => keys },
  search: { run: search, truth: () => keys.filter((key) => key.endsWith('.bin')) },
  'read texts': {
    run: readTexts,
    truth: () => [...texts].flatMap(([key, text]) => (key.endsWith('.txt') && text.length <= 1024 ? [key] : [])),
  },
} as const;

describe('a source in chaos', () => {
  for (const [name, { run, truth }] of Object.entries(journeys)) {
    it(`gives the truth or a clear error: ${name}`, () =>
      fc.assert(
        fc.asyncProperty(textPlans, fc.constantFrom('kept', 'plain'), async (plan, source) => {
          const outcome = await under(plan, () => run(source));
          if (outcome.status === 'fulfilled') expect(outcome.value).toEqual(truth());
          else expectClear(outcome.reason);
          expect(await run(source)).toEqual(truth());
        }),
        { numRuns: runsOf(50), endOnFailure: true },
      ));
  }
});

async function look(reference: PackageReference): Promise<string[]> {
  const { tree } = await house.packages.open(house.alice, 'download', reference, root);
  const found: string[] = [];
  for await (const leaf of tree.walk(root)) {
    const text = texts.get(leaf.path) ?? `bytes of ${leaf.path}`;
    const sha256 = createHash('sha256').update(text).digest('hex');
    const isTrue = leaf.size === text.length && (leaf.kind === 'pointer' || leaf.sha256 === sha256);
    found.push(isTrue ? leaf.path : `${leaf.path}: wrong`);
  }
  return found;
}

async function annex(reference: PackageReference, request: Pick<AnnexRequest, 'select' | 'copyTexts'>, source: string): Promise<void> {
  const job = await house.packages.annex(house.alice, reference, {
    source: parseName(source),
    to: root,
    strip: root,
    ...request,
  } as AnnexRequest);
  const ended = await house.jobs.wait(job.id);
  if (ended.state === 'done') return;
  throw new PackageRError(ended.error?.code as ErrorCode, ended.error?.message);
}

const annexes: Readonly<Record<string, Pick<AnnexRequest, 'select' | 'copyTexts'>>> = {
  folder: { select: { folder: p('in') } },
  'with copied texts': { select: { folder: p('in') }, copyTexts: true },
};

describe('an annex in chaos', () => {
  for (const [name, request] of Object.entries(annexes)) {
    it(`takes all, or leaves the draft as it was: ${name}`, () =>
      fc.assert(
        fc.asyncProperty(textPlans, fc.constantFrom('kept', 'plain'), async (plan, source) => {
          const reference = await house.draft();
          const outcome = await under(plan, () => annex(reference, request, source));
          const seen = await look(reference);
          if (outcome.status === 'rejected') {
            expectClear(outcome.reason);
            expect(seen).toEqual([]);
            await annex(reference, request, source);
          }
          expect(await look(reference)).toEqual(keys);
        }),
        { numRuns: runsOf(40), endOnFailure: true },
      ));
  }

  it('of a list takes all of it', () =>
    fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        const reference = await house.draft();
        const list = { select: { list: keys.map((key) => ({ key })) } };
        const request = { source: parseName('plain'), to: root, ...list };
        const run = async () => {
          const ended = await house.jobs.wait((await house.packages.annex(house.alice, reference, request)).id);
          if (ended.state !== 'done') throw new PackageRError(ended.error?.code as ErrorCode, ended.error?.message);
        };
        const outcome = await under(plan, run);
        if (outcome.status === 'rejected') {
          expectClear(outcome.reason);
          expect(await look(reference)).toEqual([]);
          await run();
        }
        expect(await look(reference)).toEqual(keys);
      }),
      { numRuns: runsOf(30), endOnFailure: true },
    ));
});

describe('a version in chaos', () => {
  let reference: PackageReference;
  let share: string;
  beforeAll(async () => {
    reference = await house.draft();
    await annex(reference, { select: { folder: p('in') } }, 'plain');
    await house.packages.freeze(house.alice, reference);
    share = (await house.shares.create(house.alice, { target: `${reference.namespace}/${reference.name}@1` })).id;
  });

  it('is never said to have drifted where it has not', () =>
    fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        const sweep = async () => house.jobs.wait((await house.packages.drift(system, { ...reference, version: 1 }, { rate: 100 })).id);
        const outcome = await under(plan, sweep);
        if (outcome.status === 'rejected') throw outcome.reason;
        const { state, result, error } = outcome.value;
        if (state !== 'done') return expectClear(new PackageRError(error?.code as ErrorCode));
        const { changed, gone, intact, unreachable } = result as Record<string, number>;
        expect([changed, gone, Number(intact) + Number(unreachable)]).toEqual([0, 0, keys.length]);
      }),
      { numRuns: runsOf(4), endOnFailure: true },
    ));

  it('is exchanged for its own objects, and what is served ends whole or broken', () =>
    fc.assert(
      fc.asyncProperty(plans, fc.constantFrom(...keys), async (plan, key) => {
        const get = async () => {
          const handle = await house.shares.open({ share, address: '192.0.2.1' }, 'download', root);
          house.clock.advance(6000);
          const result = await house.exchange.exchange(handle, p(key), { method: 'GET' });
          if (result.kind !== 'redirect') throw new Error('a pointer was annexed');
          expect(result.drift).toBeUndefined();
          const { status, headers, body } = await serveSigned(
            { method: 'GET', url: result.temporaryUrl.url, headers: {} },
            { keys: house.keys, sources: house.sources },
          );
          const chunks: Uint8Array[] = [];
          for await (const chunk of body ?? []) chunks.push(chunk);
          expect([status, headers['content-length']]).toEqual([200, String(Buffer.concat(chunks).length)]);
          return Buffer.concat(chunks).toString();
        };
        const outcome = await under(plan, get);
        if (outcome.status === 'fulfilled') expect(outcome.value).toBe(texts.get(key) ?? `bytes of ${key}`);
        else if (!isWrongObject(outcome.reason)) expectClear(outcome.reason);
        expect(await get()).toBe(texts.get(key) ?? `bytes of ${key}`);
      }),
      { numRuns: runsOf(80), endOnFailure: true },
    ));

  it('with objects that a stale listing named is refused for those, and what it left out is found', async () => {
    const made = await house.draft();
    const outcome = await under({ seed: 5, ghosts: 0.5 }, () => annex(made, { select: { folder: p('in') } }, 'plain'));
    const handleOf = async () => await house.packages.open(house.alice, 'download', { ...made, version: 1 }, root);
    if (outcome.status === 'rejected') return expectClear(outcome.reason);
    await house.packages.freeze(house.alice, made);
    const handle = await handleOf();
    let ghosts = 0;
    for await (const leaf of handle.tree.walk(root)) {
      const asked = house.exchange.exchange(handle, leaf.path, { method: 'GET' });
      if (keys.includes(leaf.path)) await expect(asked).resolves.toMatchObject({ kind: 'redirect' });
      else {
        ghosts++;
        await expect(asked).rejects.toMatchObject({ code: 'object_gone' });
      }
    }
    expect(ghosts).toBeGreaterThan(0);
    const swept = await under({ seed: 6, missing: 0.9 }, async () =>
      house.jobs.wait((await house.packages.drift(system, { ...reference, version: 1 })).id),
    );
    expect(swept).toMatchObject({ value: { state: 'done', result: { intact: keys.length, gone: 0, changed: 0 } } });
  });
});

/** What is served is another object than the signed one, as far as the store says. */
function isWrongObject(reason: unknown): boolean {
  return asError(reason).code === 'drifted';
}
