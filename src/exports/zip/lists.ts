/** The lists that follow the items in an archive: a line for each item that has one. */

import { sumLine } from '#exports/lists/sums.ts';
import type { Packer } from '#exports/packer.ts';
import { findVouched } from '#exports/vouched.ts';
import type { Evidence } from '#model/checksum.ts';
import { fetchLineRoom, putFetchLine } from './fetch-script.ts';
import type { Item } from './items.ts';

export const listNames = ['list', 'sha256', 'md5'] as const;

/** list: what the script fetches · sha256, md5: checksums. Also the keys of their names in `ExtraNames`. */
export type ListName = (typeof listNames)[number];

/** Puts the line of an item in a list, with its end, into a packer; nothing where it has none. */
export type PutLine = (packer: Packer, item: Item) => void;

export function linePutters(least: Evidence): Readonly<Record<ListName, PutLine>> {
  return {
    list(packer, item) {
      if (!item.isPointer) return;
      const checksum = item.leaf.kind === 'text' || item.leaf.checksums.length > 0 ? findVouched(item.leaf, fetched, least) : undefined;
      packer.put(fetchLineRoom(item, checksum), (chunk, at) => putFetchLine(chunk, at, item, checksum));
    },
    sha256: (packer, item) => putSum(packer, item, 'sha256', least),
    md5: (packer, item) => putSum(packer, item, 'md5', least),
  };
}

const fetched = ['sha256', 'md5'] as const;

function putSum(packer: Packer, { leaf, place }: Item, algorithm: 'sha256' | 'md5', least: Evidence): void {
  if (leaf.kind === 'pointer' && leaf.checksums.length === 0) return;
  packer.text(sumLine(place === leaf.path ? leaf : { ...leaf, path: place }, algorithm, least));
}
