/** What the demo prints once it is ready. */
import type { PastedLine } from '#api/links.ts';
import type { Prepared } from './scene.ts';

export interface Welcome {
  readonly url: string;
  readonly admin: { readonly name: string; readonly password: string };
  readonly prepared: Prepared;
  readonly lines: readonly PastedLine[];
}

/** How people get a client that they do not have; curl is everywhere. */
const installs: Readonly<Record<PastedLine['client'], string>> = {
  curl: 'curl alone',
  wget: 'wget (apt install wget, brew install wget)',
  aria2: 'aria2 (apt install aria2, brew install aria2)',
  rclone: 'rclone (apt install rclone, brew install rclone)',
};

export function writeWelcome({ url, admin, prepared, lines }: Welcome): string {
  const { package: name, version, share, about, folder } = prepared;
  const pasted = lines.map(({ client, line }) => `  ${installs[client]}:\n    ${line}\n`);
  return `
packageR is at   ${url}
sign in as       ${admin.name}
password         ${admin.password}

The package ${name}@${version.number} is frozen:
${version.digest}

${about}

Its share, for whoever has the link:

    ${share.url}

Paste one of these into another terminal, in an empty folder.

${pasted.join('\n')}
  packageR’s own, which goes on where it stopped and checks every file:
    bin/package-r get ${share.url} -o ${folder}
${share.warning === undefined ? '' : `\n${share.warning}\n`}
Ctrl-C stops, and says whose bytes they were; a second start keeps everything.
`;
}
