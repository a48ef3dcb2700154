import { describe, expect, it } from 'vitest';
import { writeCursor } from '#drivers/cursor.ts';
import type { Driver, ListPage, ListRequest } from '#drivers/driver.ts';
import { order } from '#layers/order.ts';
import type { Key } from '#model/key.ts';

const base: ListRequest = { prefix: 'in/', limit: 5 };
const behind = (last: string, request: ListRequest = base): ListRequest => ({ ...request, cursor: writeCursor(request, last) });

function told(
  page: { readonly objects?: string[]; readonly prefixes?: string[]; readonly next?: string },
  request: ListRequest,
  ordered = true,
) {
  const objects = (page.objects ?? []).map((key) => ({ key: key as Key, size: 1 }));
  const cursor = page.next === undefined ? {} : { cursor: page.next };
  const answer: ListPage = { objects, prefixes: page.prefixes ?? [], ...cursor };
  const driver = { capabilities: { ordered }, list: async () => answer } as unknown as Driver;
  return order(driver).list(request);
}

const refused = expect.objectContaining({ code: 'store_response', retry: 'temporary' });
const keysOf = (page: ListPage) => page.objects.map(({ key }) => key);

describe('a listing', () => {
  it('passes where it rises below what was asked, and leads on', async () => {
    const folded = { ...base, delimiter: '/' } as const;
    expect(keysOf(await told({ objects: ['in/a', 'in/b'], next: writeCursor(base, 'in/b') }, base))).toEqual(['in/a', 'in/b']);
    expect(keysOf(await told({ objects: ['in/\uffff', 'in/\u{1f600}'] }, behind('in/z')))).toHaveLength(2);
    expect((await told({ objects: ['in/a'], prefixes: ['in/b/'] }, folded)).prefixes).toEqual(['in/b/']);
    expect((await told({ prefixes: ['in/b/'] }, { ...folded, startAfter: 'in/b/x' })).prefixes).toEqual(['in/b/']);
    expect(keysOf(await told({ next: writeCursor(base, 'in/c') }, behind('in/b')))).toEqual([]);
  });

  it('leaves out what is stated once more at the border of two pages', async () => {
    expect(keysOf(await told({ objects: ['in/b', 'in/c'] }, behind('in/b')))).toEqual(['in/c']);
    const folded = { ...base, delimiter: '/' } as const;
    expect((await told({ prefixes: ['in/b/', 'in/c/'] }, behind('in/b/', folded))).prefixes).toEqual(['in/c/']);
  });

  it.each([
    ['goes back', { objects: ['in/b', 'in/a'] }, base],
    ['states a name twice', { objects: ['in/a', 'in/a'] }, base],
    ['begins before its cursor', { objects: ['in/a', 'in/c'] }, behind('in/b')],
    ['begins before what was asked', { objects: ['in/a'] }, { ...base, startAfter: 'in/b' }],
    ['lies outside', { objects: ['out/a'] }, base],
    ['is not folded', { objects: ['in/a/b'] }, { ...base, delimiter: '/' } as const],
    ['is folded unasked', { prefixes: ['in/a/'] }, base],
    ['is more than was asked', { objects: ['in/a', 'in/b'] }, { ...base, limit: 1 }],
    ['leads to itself', { next: writeCursor(base, 'in/b') }, behind('in/b')],
    ['leads back', { objects: ['in/c'], next: writeCursor(base, 'in/a') }, behind('in/b')],
    ['leads before its end', { objects: ['in/c', 'in/e'], next: writeCursor(base, 'in/d') }, behind('in/b')],
    ['leads to itself by a cursor of its own', { objects: ['in/c'], next: 'own' }, { ...base, cursor: 'own' }],
  ] as const)('is refused where it %s', async (_why, page, request) => {
    await expect(told({ ...page } as Parameters<typeof told>[0], request)).rejects.toEqual(refused);
  });

  it('without an order is held to all but its order', async () => {
    expect(keysOf(await told({ objects: ['in/b', 'in/a'] }, base, false))).toEqual(['in/b', 'in/a']);
    await expect(told({ objects: ['in/b', 'in/a'] }, { ...base, limit: 1 }, false)).rejects.toEqual(refused);
  });
});
