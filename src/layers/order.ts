/**
 * The one place where listings are believed or not: every driver of a source goes through it. Pages rise in byte order, lie below what was
 * asked, begin behind what came before and lead on; what a store states once more at the border of two pages is left out. What is wrong for
 * once comes right when it is asked again, so it is told as temporary, and whoever lists gets all of it or an error.
 */
import { findStart } from '#drivers/cursor.ts';
import type { Driver, ListPage, ListRequest } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
import { compareKeys } from '#model/key.ts';

/** Errors of its listings also: store_response. Drivers that declare no order are checked for the rest. */
export function order(driver: Driver): Driver {
  const { ordered } = driver.capabilities;
  return {
    ...driver,
    list: async (request) => checkPage(await driver.list(request), request, ordered),
  };
}

function checkPage(page: ListPage, request: ListRequest, ordered: boolean): ListPage {
  const { prefix, delimiter, limit = 1000, cursor } = request;
  const after = findStart(request);
  const objects = ordered ? behind(page.objects, (info) => info.key, after, prefix) : page.objects;
  const prefixes = ordered ? behind(page.prefixes, (name) => name, beforePrefix(after, request), prefix) : page.prefixes;
  if (delimiter === undefined ? prefixes.length > 0 : objects.some(({ key }) => key.includes(delimiter, prefix.length)))
    throw odd('The store did not fold its listing as it was asked.');
  if (objects.length + prefixes.length > limit) throw odd('The store gave more than was asked.');
  if (page.cursor === undefined) return { ...page, objects, prefixes };
  const next = findStart({ ...request, cursor: page.cursor });
  const last = later(objects.at(-1)?.key, prefixes.at(-1));
  const isStuck = page.cursor === cursor || (next !== undefined && after !== undefined && compareKeys(next, after) <= 0);
  if (ordered && (isStuck || (next !== undefined && last !== undefined && compareKeys(next, last) < 0)))
    throw odd('The listing of the store does not lead on.');
  return { ...page, objects, prefixes };
}

/** Those behind `after`; one that is stated again there is left out. Errors: store_response. */
function behind<T>(items: readonly T[], nameOf: (item: T) => string, after: string | undefined, prefix: string): readonly T[] {
  let last = after;
  let repeated = 0;
  for (const item of items) {
    const name = nameOf(item);
    if (!name.startsWith(prefix)) throw odd('The store listed what lies outside of what was asked.');
    if (last !== undefined && !isBehind(last, name)) {
      if (name !== after || repeated > 0 || last !== after) throw odd('The store did not list its objects in byte order.');
      repeated = 1;
    }
    last = name;
  }
  return repeated === 0 ? items : items.slice(repeated);
}

/** A folded prefix that holds `startAfter` has more behind it. */
function beforePrefix(after: string | undefined, { cursor, prefix, delimiter }: ListRequest): string | undefined {
  if (after === undefined || cursor !== undefined || delimiter === undefined || !after.startsWith(prefix)) return after;
  const end = after.indexOf(delimiter, prefix.length);
  return end < 0 ? after : after.slice(0, end);
}

const wide = /[\ud800-\uffff]/;

/** Whether `b` lies behind `a`. */
function isBehind(a: string, b: string): boolean {
  return wide.test(a) || wide.test(b) ? compareKeys(a, b) < 0 : a < b;
}

function later(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareKeys(a, b) < 0 ? b : a;
}

function odd(message: string): PackageRError {
  return new PackageRError('store_response', message, { operation: 'driver.list', retry: 'temporary' });
}
