/**
 * Names inside of the archive. Files of the package keep theirs; what packageR adds (pointer files, lists, README) makes way, also for
 * names that differ in case alone.
 */
import { createHash } from 'node:crypto';
import { ancestorsOf, nameOf, type Path, parentOf, parsePath } from '#model/path.ts';

/** Longest file name that common file systems take, in bytes. */
const nameLimit = 255;
export const pointerSuffix = '.pointer';

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
  /** `pointerFor` without `pointerSuffix`: the very place, as a rule. */
  stemFor(path: Path): string;
  readonly extras: ExtraNames;
}

/** Names that stand in the way, found while everything is walked: few, as a rule. Of many only bits are kept. */
export class TakenNames {
  readonly names: SeenNames;

  /** `exact`: so many are kept as they are. */
  constructor(exact?: number) {
    this.names = new SeenNames(exact);
  }

  see(path: Path): void {
    if (!mayBeTaken(path)) return;
    for (const one of [...ancestorsOf(path), path]) {
      const folded = one.toLowerCase();
      if (folded.endsWith(pointerSuffix) || (!one.includes('/') && extraLike.test(folded))) this.names.add(folded);
    }
  }
}

const exactNames = 20_000;
/** 8 MiB: of ten million names one in twenty-five others is taken for one of them. */
const bits = 2 ** 26;
const marks = 4;

/** Names in memory of a fixed size. It knows each that was added; beyond `exact` it also takes a few others for known, which then make way. */
export class SeenNames {
  readonly #exact: number;
  #names: Set<string> | undefined = new Set();
  #bits: Uint32Array | undefined;

  constructor(exact: number = exactNames) {
    this.#exact = exact;
  }

  get isEmpty(): boolean {
    return this.#names?.size === 0;
  }

  add(name: string): void {
    if (this.#names !== undefined) {
      this.#names.add(name);
      if (this.#names.size <= this.#exact) return;
      this.#bits = new Uint32Array(bits / 32);
      for (const one of this.#names) mark(this.#bits, one);
      this.#names = undefined;
    } else if (this.#bits !== undefined) mark(this.#bits, name);
  }

  has(name: string): boolean {
    if (this.#names !== undefined) return this.#names.has(name);
    return this.#bits !== undefined && placesOf(name).every((at) => ((this.#bits?.[at >>> 5] ?? 0) & (1 << (at & 31))) !== 0);
  }
}

function mark(into: Uint32Array, name: string): void {
  for (const at of placesOf(name)) into[at >>> 5] = (into[at >>> 5] ?? 0) | (1 << (at & 31));
}

/** Bits of a name, by two hashes of it (FNV-1a, and one with another start and factor). */
function placesOf(name: string): number[] {
  let [first, second] = [0x811c9dc5, 0x9747b28c];
  for (let at = 0; at < name.length; at++) {
    const unit = name.charCodeAt(at);
    first = Math.imul(first ^ unit, 0x01000193);
    second = Math.imul(second ^ unit, 0x85ebca6b) ^ (second >>> 13);
  }
  const stride = (second ^ (second >>> 15)) | 1;
  first ^= first >>> 16;
  return Array.from({ length: marks }, (_, turn) => (first + Math.imul(turn, stride)) & (bits - 1));
}

const extraLike = /^(readme|fetch|sha256sums|md5sums)/i;
const pointerLike = /\.pointer/i;

/** Cheap, true of all that is taken and of little else. */
function mayBeTaken(path: Path): boolean {
  return extraLike.test(path) || pointerLike.test(path);
}

export function chooseNames(taken: Pick<SeenNames, 'isEmpty' | 'has'>): MemberNames {
  const free = (name: string) => taken.isEmpty || !taken.has(name.toLowerCase());
  const first = (names: (n: number) => string) => {
    for (let n = 1; ; n++) if (free(names(n))) return names(n);
  };
  const tagged = (name: string) => (n: number) => (n === 1 ? name : `${name}-packageR${n === 2 ? '' : n}`);
  const stemFor = (given: Path): string => {
    const path = placeFor(given);
    if (isShort(path) && !isTagged(path) && (taken.isEmpty || free(`${path}${pointerSuffix}`))) return path;
    const folder = parentOf(path);
    return first((n) => `${folder === '' ? '' : `${folder}/`}${shortenName(path, n)}${pointerSuffix}`).slice(0, -pointerSuffix.length);
  };
  return {
    placeFor,
    stemFor,
    pointerFor: (path) => `${stemFor(path)}${pointerSuffix}`,
    extras: {
      readme: first((n) => `README-packageR${n === 1 ? '' : n}.txt`),
      script: first((n) => `fetch-packageR${n === 1 ? '' : n}.sh`),
      list: first((n) => `fetch-packageR${n === 1 ? '' : n}.tsv`),
      sha256: first(tagged('SHA256SUMS')),
      md5: first(tagged('MD5SUMS')),
    },
  };
}

/** Named as `shortenName` names: its pointer file would be called as that of another one may be. */
function isTagged(path: Path): boolean {
  return path.at(-17) === '~' && /~[0-9a-f]{16}$/i.test(path);
}

/** A pointer file of its name has a name that file systems take. */
function isShort(path: Path): boolean {
  return path.length * 3 + pointerSuffix.length <= nameLimit || Buffer.byteLength(nameOf(path)) + pointerSuffix.length <= nameLimit;
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
