/** The README that packageR adds to an archive: what is in it, and how the pointers become files. */

import type { ExportAbout } from '#exports/export.ts';
import { pastedUnpackedLines } from '#exports/lines.ts';
import type { ExtraNames } from './names.ts';

export interface ReadmeFacts {
  readonly about: ExportAbout;
  /** Without a ticket. */
  readonly base: string;
  readonly names: ExtraNames;
  /** Files in the archive as bytes, and as pointers. */
  readonly files: number;
  readonly pointers: number;
  /** Bytes of the objects behind the pointers. */
  readonly bytes: number;
  readonly sums: readonly string[];
}

export function writeReadme({ about, base, names, files, pointers, bytes, sums }: ReadmeFacts): string {
  const version = about.version === undefined ? '' : `, version ${about.version}`;
  const parts = [
    `${oneLine(about.title)}${version}`,
    ...(about.digest === undefined ? [] : [`Digest: ${about.digest}`]),
    `From:   ${base}`,
    '',
    `This archive holds ${files} files, and pointers to ${pointers} more (${bytes} bytes), which are not copied into it.`,
  ];
  if (pointers > 0) {
    const lines = pastedUnpackedLines({ base, script: names.script }).map(({ line }) => `  ${line}`);
    parts.push(
      'Each is a small text file (its name ends in .pointer) that says where its file is, how large it is, and its checksums.',
      '',
      'To exchange all pointers for their files, in place, paste one of these lines in this folder:',
      '',
      ...lines,
      '',
      'It asks for nothing twice: run it again after an interruption. A pointer goes away once its file is there and checked;',
      'those that stay, failed. If the link has a password, open it in a browser, unlock it, and copy the lines that are shown',
      'there: they hold a ticket. This archive never does.',
      '',
      'For a single pointer, give the address in its line “url” to curl -L or wget.',
    );
  }
  if (sums.length > 0)
    parts.push('', `To check: ${sums.map((name) => `${name.startsWith('MD5') ? 'md5sum' : 'sha256sum'} -c ${name}`).join(' ; ')}`);
  return `${parts.join('\n')}\n`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}
