/** The lists that follow the items in an archive: a line for each item that has one. */
import { sumLine } from '#exports/lists/sums.ts';
import { findVouched } from '#exports/vouched.ts';
import type { Evidence } from '#model/checksum.ts';
import { writeFetchLine } from './fetch-script.ts';
import type { Item } from './items.ts';

export const listNames = ['list', 'sha256', 'md5'] as const;

/** list: what the script fetches · sha256, md5: checksums. Also the keys of their names in `ExtraNames`. */
export type ListName = (typeof listNames)[number];

/** The line of an item in each list, with its end; '' where it has none. */
export function lineWriters(least: Evidence): Readonly<Record<ListName, (item: Item) => string>> {
  return {
    list({ leaf, place, name, isPointer }) {
      if (!isPointer) return '';
      return writeFetchLine(leaf.size, findVouched(leaf, ['sha256', 'md5'], least), leaf.path, { place, pointer: name });
    },
    sha256: (item) => itemSum(item, 'sha256', least),
    md5: (item) => itemSum(item, 'md5', least),
  };
}

function itemSum({ leaf, place }: Item, algorithm: 'sha256' | 'md5', least: Evidence): string {
  return sumLine(place === leaf.path ? leaf : { ...leaf, path: place }, algorithm, least);
}
