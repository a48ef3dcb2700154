/**
 * Names inside of the archive. Files of the package keep theirs; what packageR adds (pointer files, lists, README) makes way, also for
 * names that differ in case alone.
 */
import { createHash } from 'node:crypto';
import type { Selection } from '#exports/selection.ts';
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

/** Walks once for the names that stand in the way: few, as a rule, and all that is kept. */
export async function chooseNames(selection: Selection): Promise<MemberNames> {
  const taken = new Set<string>();
  for await (const { path } of selection.walk()) {
    for (const one of [...ancestorsOf(path), path]) {
      const folded = one.toLowerCase();
      if (folded.endsWith(suffix) || (!one.includes('/') && /^(readme|fetch|sha256sums|md5sums)/.test(folded))) taken.add(folded);
    }
  }
  const free = (name: string) => !taken.has(name.toLowerCase());
  const first = (names: (n: number) => string) => {
    for (let n = 1; ; n++) if (free(names(n))) return names(n);
  };
  const tagged = (name: string) => (n: number) => (n === 1 ? name : `${name}-packageR${n === 2 ? '' : n}`);
  return {
    placeFor,
    pointerFor: (given) => {
      const path = placeFor(given);
      const usual = `${path}${suffix}`;
      if (Buffer.byteLength(nameOf(path)) + suffix.length <= nameLimit && free(usual)) return usual;
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
