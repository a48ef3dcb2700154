/** `omissions.txt`: what each of the lists leaves out, and why. A line is `<list>⇥<path>⇥<reason>`. */
import { linesBody } from '#exports/body.ts';
import type { Export } from '#exports/export.ts';
import { openSelection } from '#exports/selection.ts';
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
    return linesBody('omissions.txt', request, { selection, fields: 'content', lineOf: (leaf) => [...omissionsOf(leaf, least)].join('') });
  },
};

function* omissionsOf(leaf: Leaf, least: Evidence): Generator<string> {
  const line = (list: string, reason: string) => `${list}\t${leaf.path}\t${reason}\n`;
  for (const [list, algorithm] of [
    ['SHA256SUMS', 'sha256'],
    ['MD5SUMS', 'md5'],
  ] as const) {
    if (findVouched(leaf, [algorithm], least) !== undefined) continue;
    const weaker = findVouched(leaf, [algorithm], 'stated');
    yield line(list, weaker === undefined ? `no ${algorithm} is known` : `its ${algorithm} is only ${weaker.evidence}`);
  }
  if (!isAria2Name(leaf.path)) yield line('aria2.txt', 'aria2 drops white space at the end of a name');
}
