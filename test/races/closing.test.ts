/**
 * Whatever ends a share, or a right of its owner, against whatever is done with it. The model: once it was told that it ended, nothing that
 * is asked for gets anything, by a new handle or by one that was opened before, be it kept for the lean way; what was asked for before
 * gets all of it or an error.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asError, PackageRError } from '#errors/error.ts';
import { parsePath, root } from '#model/path.ts';
import { readAll } from '#model/tree.ts';
import type { ShareHandle } from '#shares/share-handle.ts';
import { codeOf, inAnyOrderOf } from '../support/races.ts';
import { address, type House, openHouse, system } from './house.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const p = parsePath;
type Stage = Awaited<ReturnType<House['stage']>> & { readonly share: { readonly number: number; readonly id: string } };

const closings = {
  revoke: ({ owner, share }) => house.shares.revoke(owner, share.number),
  pause: ({ owner, share }) => house.shares.pause(owner, share.number),
  rotate: ({ owner, share }) => house.shares.rotate(owner, share.number),
  'new password': ({ owner, share }) => house.shares.update(owner, share.number, { audience: 'password', password: 'a new long password' }),
  'other audience': ({ owner, share }) => house.shares.update(owner, share.number, { audience: 'users' }),
  'no exchange': ({ owner, share }) => house.shares.update(owner, share.number, { rights: ['view'] }),
  'not before': ({ owner, share }) => house.shares.update(owner, share.number, { notBefore: house.clock.now() + 60_000 }),
  terms: ({ owner, share }) => house.shares.update(owner, share.number, { terms: 'You shall not.' }),
  'delete package': ({ owner, reference }) => house.packages.delete(owner, reference, { force: true }),
  'withdraw version': ({ owner, version }) => house.packages.withdraw(owner, version),
  'remove source': ({ source }) => house.sources.remove(system, source.name, { force: true }),
  'remove grant': ({ grant }) => house.access.grants.remove(system, grant.id),
  'disable user': ({ name }) => house.access.users.update(system, name, { disabled: true }),
} as const satisfies Record<string, (stage: Stage) => Promise<unknown>>;
type Closing = keyof typeof closings;

/** What is left of an open handle when the bytes behind pointers are out of reach: the package itself is still shared. */
const onlyObjects: readonly Closing[] = ['remove source', 'remove grant'];
/** What is frozen stays readable for handles that were opened while the version was there. */
const whole: readonly Closing[] = ['withdraw version'];

const visitor = ({ share }: Stage) => ({ share: share.id, address });
const open = (stage: Stage) => house.shares.open(visitor(stage), 'download', root);

async function exchange(handle: ShareHandle, path: string, method: 'GET' | 'HEAD'): Promise<void> {
  const result = await house.exchange.exchange(handle, p(path), { method });
  expect(result.kind === 'redirect' ? result.temporaryUrl.url : '').toContain('/o/');
}

async function lean(stage: Stage): Promise<void> {
  const handle = house.shares.openAgain(visitor(stage), 'download', p('in/a.bin'));
  const found = handle === undefined ? undefined : await house.exchange.redirect(handle, p('in/a.bin'), { method: 'GET' });
  if (found === undefined) await exchange(await open(stage), 'in/a.bin', 'GET');
}

async function bulk(handle: ShareHandle): Promise<void> {
  async function* body() {
    yield Buffer.from('"in/a.bin"\n"in/b.bin"\n');
  }
  const lines = house.exchange.bulk(handle, body(), { method: 'GET', link: (path) => `/o/${path}` });
  let given = 0;
  for await (const line of lines) if (!('error' in line)) given++;
  if (given === 0) throw new PackageRError('not_found', 'No line gave anything.');
}

async function walk(handle: ShareHandle): Promise<void> {
  const paths: string[] = [];
  for await (const leaf of handle.tree.walk(root)) paths.push(leaf.path);
  expect(paths).toEqual(['in/a.bin', 'in/b.bin', 't.txt']);
}

const uses = {
  'exchange anew': async (stage: Stage) => exchange(await open(stage), 'in/a.bin', 'GET'),
  exchange: (_stage: Stage, handle: ShareHandle) => exchange(handle, 'in/b.bin', 'GET'),
  head: (_stage: Stage, handle: ShareHandle) => exchange(handle, 'in/a.bin', 'HEAD'),
  lean,
  bulk: (_stage: Stage, handle: ShareHandle) => bulk(handle),
  walk: (_stage: Stage, handle: ShareHandle) => walk(handle),
  list: async (_stage: Stage, handle: ShareHandle) => void (await handle.tree.list(root)),
  read: async (_stage: Stage, handle: ShareHandle) => void (await readAll(handle.tree.read(p('t.txt')), 100)),
} as const;
type Use = keyof typeof uses;
const readings: readonly Use[] = ['walk', 'list', 'read'];

/** Whether the use must be refused once the closing was told. */
function isEnded(closing: Closing, use: Use): boolean {
  if (onlyObjects.includes(closing)) return !readings.includes(use);
  return !(whole.includes(closing) && use !== 'exchange anew' && use !== 'lean');
}

async function race(turns: Parameters<House['together']>[0], [closing, use]: readonly [Closing, Use]): Promise<void> {
  const made = await house.stage();
  const { id, number } = await house.shares.create(made.owner, { target: `${made.name}/p@1` });
  const stage: Stage = { ...made, share: { id, number } };
  const handle = await open(stage);
  await lean(stage);
  let isTold = false;
  const late: string[] = [];
  const outcomes = await house.together(
    turns,
    async () => {
      await closings[closing](stage);
      isTold = true;
    },
    async () => {
      for (let times = 0; times < 3; times++) {
        const wasTold = isTold;
        const [outcome] = await Promise.allSettled([uses[use](stage, handle)]);
        if (wasTold) late.push(codeOf(outcome));
        if (outcome.status === 'rejected') expect(asError(outcome.reason).kind, String(outcome.reason)).not.toBe('internal');
      }
    },
  );
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  const [after] = await Promise.allSettled([uses[use](stage, handle)]);
  if (isEnded(closing, use)) expect([...late, codeOf(after)], `${closing} against ${use}`).not.toContain('ok');
}

const pairs = fc.tuple(fc.constantFrom(...(Object.keys(closings) as Closing[])), fc.constantFrom(...(Object.keys(uses) as Use[])));

describe('what ends a share', () => {
  it('ends it for whoever asks afterwards, by every way', () => inAnyOrderOf(150, pairs, race));
});
