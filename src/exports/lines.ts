/**
 * The lines that a collaborator pastes, for the share page, the command line and the README of an archive. Only the base differs
 * between shares: that of a locked share holds its ticket, which all of these clients carry and none leaks.
 */
import { PackageRError } from '#errors/error.ts';
import type { SumAlgorithm } from './vouched.ts';

export interface PastedLine {
  readonly client: 'curl' | 'wget' | 'aria2' | 'rclone';
  /** For a POSIX shell, in the folder that is to be filled. */
  readonly line: string;
  /** Programs that must be there, in the words of Debian’s packages. */
  readonly needs: readonly string[];
  /** What this client cannot do, in a sentence; undefined where it can do all. */
  readonly note?: string;
}

export interface PastedLinesRequest {
  /** The base of the link, ending in `/`, with the ticket of a locked share. */
  readonly base: string;
  /** Query of the lists without `?`: a folder or selection. Not for rclone, which crawls. */
  readonly query?: string | undefined;
  /** The checksum lists that hold something; both may be asked for. SHA256SUMS where left out. */
  readonly verify?: readonly SumAlgorithm[] | undefined;
  /** Folder that rclone fills. */
  readonly destination?: string | undefined;
}

/**
 * curl asks again for what failed, except where asking helps nothing: 416 is said of what is complete, 404, 409 and 410 of what will not
 * come. wget cannot tell these apart. Each round asks the stable URLs, so that it has new signatures.
 */
const rounds = 'for round in 1 2 3 4 5 6 7 8 9; do';
const again = `awk '/^(0|22 416) /{next} {print} !/^22 4(04|09|10) /{again=1} END{exit !again}'`;
const pause = '|| break; sleep 2; done';

/** curl first. All may be pasted again: what is there is resumed. Errors: internal for a base that is none. */
export function pastedLines({ base, query, verify = ['sha256'], destination = '.' }: PastedLinesRequest): PastedLine[] {
  const cut = cutDirsOf(base);
  const url = (name: string) => quote(`${base}${name}${query === undefined || query === '' ? '' : `?${query}`}`);
  const check = (get: string) => {
    const checks = verify.map((one) => `${get} ${url(`${one.toUpperCase()}SUMS`)} | ${one}sum -c --quiet -`);
    return checks.length === 0 ? '' : ` ; ${checks.join(' && ')}`;
  };
  const sums = verify.length > 0 ? ['coreutils'] : [];
  return [
    {
      client: 'curl',
      line: `curl -sSf -o curl.cfg ${url('curl.cfg')} && ${rounds} curl -s -L -f --create-dirs -Z --parallel-max 8 -C - -w '%{exitcode} %{http_code} %{filename_effective}\\n' -K curl.cfg | ${again} ${pause}${check('curl -sSf')}`,
      needs: ['curl', ...sums],
    },
    {
      client: 'wget',
      line: `${rounds} wget -qO- ${url('urls.txt')} | wget -nv -c --tries=5 --read-timeout=60 -x -nH --cut-dirs=${cut} -i - && break; sleep 2; done${check('wget -qO-')}`,
      needs: ['wget', ...sums],
      note: 'wget saves names that hold a percent sign and two hex digits (“%20”) under another name: take curl or aria2 for these.',
    },
    {
      client: 'aria2',
      line: `curl -sSf -o aria2.txt ${url('aria2.txt')} && aria2c -j8 -c -V --auto-save-interval=5 --file-allocation=none --auto-file-renaming=false -i aria2.txt`,
      needs: ['curl', 'aria2'],
      note: 'aria2 drops white space at the end of a name; such files are left out.',
    },
    {
      client: 'rclone',
      line: `rclone copy --http-url ${quote(`${base}o/`)} :http: ${quote(destination)}`,
      needs: ['rclone'],
      note: 'rclone compares sizes, not checksums, begins an interrupted file again, and misses names with a colon at the top of the tree.',
    },
  ];
}

export interface UnpackedLinesRequest {
  /** With the ticket of a locked share. Left out, the script takes the link of the archive. */
  readonly base?: string | undefined;
  /** Name of the script in the archive; another one only if the package holds a file of that name. */
  readonly script?: string | undefined;
}

/** For an unpacked package.zip, in its folder: exchange all pointers in place, then check. */
export function pastedUnpackedLines({ base, script = 'fetch-packageR.sh' }: UnpackedLinesRequest): PastedLine[] {
  const link = base === undefined ? '' : ` ${quote(base)}`;
  return (['curl', 'wget'] as const).map((client) => ({ client, line: `sh ${script} ${client}${link}`, needs: [client] }));
}

/** Path parts before the path of an entry: 3 for `https://host/s/ID/`, more behind a deployment prefix. */
export function cutDirsOf(base: string): number {
  if (!URL.canParse(base) || !base.endsWith('/')) throw new PackageRError('internal', 'The base of a link ends in a slash.');
  return new URL(base).pathname.split('/').length - 1;
}

/** For a POSIX shell; plain words stay as they are. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,~-]+$/.test(word) && !word.startsWith('~') ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
