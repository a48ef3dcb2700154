/** `omissions.txt`: what each of the lists leaves out, and why. A line is `<list>⇥<path>⇥<reason>`. */

import { textBody } from '#exports/body.ts';
import type { Export } from '#exports/export.ts';
import { openSelection, type Selection } from '#exports/selection.ts';
import { findVouched, parseEvidence } from '#exports/vouched.ts';
import type { Evidence } from '#model/checksum.ts';
import type { Leaf } from '#model/entry.ts';
import { isAria2Name } from './aria2.ts';

export const omissionsExport: Export = {
  name: 'omissions.txt',
  title: 'What the lists leave out, and why',
  action: 'download',
  async open(request) {
    const selection = await openSelection(request);
    const least = parseEvidence(request.query);
    return textBody('omissions.txt', request, () => lines(selection, least));
  },
};

async function* lines(selection: Selection, least: Evidence): AsyncGenerator<string, void, undefined> {
  for await (const leaf of selection.walk()) {
    for (const [list, reason] of omissionsOf(leaf, least)) yield `${list}\t${leaf.path}\t${reason}\n`;
  }
}

function* omissionsOf(leaf: Leaf, least: Evidence): Generator<readonly [string, string]> {
  for (const [list, algorithm] of [
    ['SHA256SUMS', 'sha256'],
    ['MD5SUMS', 'md5'],
  ] as const) {
    if (findVouched(leaf, [algorithm], least) !== undefined) continue;
    const weaker = findVouched(leaf, [algorithm], 'stated');
    yield [list, weaker === undefined ? `no ${algorithm} is known` : `its ${algorithm} is only ${weaker.evidence}`];
  }
  if (!isAria2Name(leaf.path)) yield ['aria2.txt', 'aria2 drops white space at the end of a name'];
}
