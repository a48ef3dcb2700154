/**
 * Names inside of the archive. Files of the package keep theirs; what packageR adds (pointer files, lists, README) makes way, also for
 * names that differ in case alone.
 */
import { createHash } from 'node:crypto';
import { ancestorsOf, nameOf, type Path, parentOf, parsePath } from '#model/path.ts';

/** Longest file name that common file systems take, in bytes. */
const nameLimit = 255;
const suffix = '.pointer';

export interface ExtraNames {
  readonly readme: string;
  readonly script: string;
  readonly list: string;
  readonly sha256: string;
  readonly md5: string;
}

export interface MemberNames {
  /** Where the file lies once it is there: its path, save for one that would climb out of the folder on Windows. */
  placeFor(path: Path): Path;
  /** `<path>.pointer`, or a name with a part of a hash in it where that is taken or too long. */
  pointerFor(path: Path): string;
  readonly extras: ExtraNames;
}

/** Names that stand in the way, found while everything is walked: few, as a rule, and all that is kept. */
export class TakenNames {
  readonly names: Set<string> = new Set();

  see(path: Path): void {
    if (!mayBeTaken(path)) return;
    for (const one of [...ancestorsOf(path), path]) {
      const folded = one.toLowerCase();
      if (folded.endsWith(suffix) || (!one.includes('/') && extraLike.test(folded))) this.names.add(folded);
    }
  }
}

const extraLike = /^(readme|fetch|sha256sums|md5sums)/;

/** Cheap, true of all that is taken and of little else. */
function mayBeTaken(path: Path): boolean {
  return /^[rfsm]/i.test(path) || path.toLowerCase().includes(suffix);
}

export function chooseNames(taken: ReadonlySet<string>): MemberNames {
  const free = (name: string) => taken.size === 0 || !taken.has(name.toLowerCase());
  const first = (names: (n: number) => string) => {
    for (let n = 1; ; n++) if (free(names(n))) return names(n);
  };
  const tagged = (name: string) => (n: number) => (n === 1 ? name : `${name}-packageR${n === 2 ? '' : n}`);
  return {
    placeFor,
    pointerFor: (given) => {
      const path = placeFor(given);
      const usual = `${path}${suffix}`;
      if (isShort(path) && free(usual)) return usual;
      const folder = parentOf(path);
      return first((n) => `${folder === '' ? '' : `${folder}/`}${shortenName(path, n)}${suffix}`);
    },
    extras: {
      readme: first((n) => `README-packageR${n === 1 ? '' : n}.txt`),
      script: first((n) => `fetch-packageR${n === 1 ? '' : n}.sh`),
      list: first((n) => `fetch-packageR${n === 1 ? '' : n}.tsv`),
      sha256: first(tagged('SHA256SUMS')),
      md5: first(tagged('MD5SUMS')),
    },
  };
}

/** A pointer file of its name has a name that file systems take. */
function isShort(path: Path): boolean {
  return path.length * 3 + suffix.length <= nameLimit || Buffer.byteLength(nameOf(path)) + suffix.length <= nameLimit;
}

/** A backslash is part of a name here, but a separator elsewhere: `..\\x` and `\\x` become inert, marked by a part of a hash. */
function placeFor(path: Path): Path {
  if (!path.includes('\\') || !/(^|[\\/])\.\.([\\/]|$)|^\\/.test(path)) return path;
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 16);
  return parsePath(`${path.replaceAll('\\', '_')}~${hash}`);
}

function shortenName(path: Path, n: number): string {
  const hash = createHash('sha256').update(`${n} ${path}`).digest('hex').slice(0, 16);
  const bytes = Buffer.from(nameOf(path)).subarray(0, 200);
  return `${new TextDecoder().decode(bytes).replace(/\uFFFD+$/, '')}~${hash}`;
}
