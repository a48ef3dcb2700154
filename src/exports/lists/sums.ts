/** `SHA256SUMS` and `MD5SUMS`: for `sha256sum -c`, `md5sum -c`. The form has no comments; `omissions.txt` says what is left out. */
import { linesBody } from '#exports/body.ts';
import type { Export } from '#exports/export.ts';
import { openSelection } from '#exports/selection.ts';
import { findVouched, parseEvidence } from '#exports/vouched.ts';
import type { ChecksumAlgorithm, Evidence } from '#model/checksum.ts';
import type { Leaf } from '#model/entry.ts';

export const sha256SumsExport: Export = sumsExport('SHA256SUMS', 'sha256', 'SHA-256 of each file where known');
export const md5SumsExport: Export = sumsExport('MD5SUMS', 'md5', 'MD5 of each file where known');

function sumsExport(name: string, algorithm: ChecksumAlgorithm, title: string): Export {
  return {
    name,
    title,
    action: 'download',
    async open(request) {
      const selection = await openSelection(request);
      const least = parseEvidence(request.query);
      return linesBody(name, request, { selection, fields: 'sums', lineOf: (leaf) => sumLine(leaf, algorithm, least) });
    },
  };
}

/** The line of a leaf, '' where no checksum is known with such evidence. Source: GNU coreutils manual, md5sum invocation. */
export function sumLine(leaf: Leaf, algorithm: ChecksumAlgorithm, least: Evidence): string {
  const known = findVouched(leaf, [algorithm], least);
  if (known === undefined) return '';
  return leaf.path.includes('\\') ? `\\${known.value}  ${leaf.path.replaceAll('\\', '\\\\')}\n` : `${known.value}  ${leaf.path}\n`;
}
