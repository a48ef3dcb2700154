/** `aria2.txt`: the input file of aria2, with the place and the checksum of each file. */
import { linesBody } from '#exports/body.ts';
import type { Export } from '#exports/export.ts';
import { openSelection } from '#exports/selection.ts';
import { findVouched, parseEvidence } from '#exports/vouched.ts';
import type { ChecksumAlgorithm, Evidence } from '#model/checksum.ts';
import type { Leaf } from '#model/entry.ts';
import type { Path } from '#model/path.ts';

const names = { sha256: 'sha-256', sha512: 'sha-512', sha1: 'sha-1', md5: 'md5' } as const satisfies Partial<
  Record<ChecksumAlgorithm, string>
>;
const algorithms = Object.keys(names) as (keyof typeof names)[];

/** Source: aria2 manual, “Input File”. */
export const aria2Export: Export = {
  name: 'aria2.txt',
  title: 'List of URLs, names and checksums, for aria2',
  action: 'download',
  async open(request) {
    const selection = await openSelection(request);
    const least = parseEvidence(request.query);
    return linesBody('aria2.txt', request, {
      selection,
      fields: 'content',
      lineOf: (leaf) => writeFile(leaf, request.link(leaf.path), least),
    });
  },
};

function writeFile(leaf: Leaf, url: string, least: Evidence): string {
  if (!isAria2Name(leaf.path)) return `# left out, as aria2 drops white space at the end of a name: ${url}\n`;
  const known = findVouched(leaf, algorithms, least);
  const checksum = known === undefined ? '' : `  checksum=${names[known.algorithm as keyof typeof names]}=${known.value}\n`;
  const note = known === undefined ? '# no checksum is known of the next file\n' : '';
  return `${note}${url}\n  out=./${leaf.path}\n${checksum}`;
}

/** aria2 strips white space around a value; `./` keeps what leads, but nothing can keep what trails. */
export function isAria2Name(path: Path): boolean {
  return !/\s$/.test(path);
}
