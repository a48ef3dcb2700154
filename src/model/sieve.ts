/**
 * What a search looks for, told to a tree so that one with an index may pass over leaves that can be no hits. Terms are what every hit
 * must hold; whether something is a hit is decided by `matches` alone.
 */
import type { Path } from '#model/path.ts';

export interface Sieve {
  /** A hit holds all terms of at least one of these. None: there can be no hit. */
  readonly alternatives: readonly Terms[];
  /** Whether a leaf or folder at this path of the tree is a hit. */
  matches(path: Path): boolean;
  /** Whether a leaf that is there is shown to who asks; where left out, each is. */
  shows?(path: Path): boolean | Promise<boolean>;
}

/** Texts in lower case. A slash at their start or end stands for the border of a name: a term stands in `/name/`. */
export interface Terms {
  /** Each stands in the name of the hit. */
  readonly name: readonly string[];
  /** Each stands in the name of the hit, or of a folder that it lies in. */
  readonly path: readonly string[];
}

/** A glob with more alternatives in braces is not taken apart. */
const mostAlternatives = 32;

/** The sieve, further limited to what `shows` lets through. */
export function showing(sieve: Sieve, shows: (path: Path) => boolean | Promise<boolean>): Sieve {
  const { shows: before } = sieve;
  return { ...sieve, shows: before === undefined ? shows : async (path) => (await shows(path)) && (await before(path)) };
}

/** The sieve for a tree with other paths; `move` gives those that the sieve knows. */
export function moved(sieve: Sieve, move: (path: Path) => Path): Sieve {
  const { alternatives, shows } = sieve;
  const matches = (path: Path): boolean => sieve.matches(move(path));
  return shows === undefined ? { alternatives, matches } : { alternatives, matches, shows: (path) => shows(move(path)) };
}

/** What names that hold `text` (in lower case) must hold. */
export function termsOfText(text: string): readonly Terms[] {
  return text.includes('/') ? [] : [{ name: [text], path: [] }];
}

/**
 * What must stand in whatever a glob of `compileGlob` (in lower case) matches: a whole name, or with a slash anywhere in it a whole path.
 * Undefined where it asks for nothing in particular.
 */
export function termsOfGlob(glob: string): readonly Terms[] | undefined {
  const plain = expandBraces(glob);
  if (plain === undefined || !glob.isWellFormed()) return undefined;
  const alternatives = plain.map((one) => termsOf(one, glob.includes('/')));
  return alternatives.every(({ name, path }) => name.length + path.length > 0) ? alternatives : undefined;
}

/** One sign of a glob: a character as it is, a wildcard within a segment, `**`, the two stars with the slash that they swallow, a brace. */
type Sign = { readonly kind: 'literal' | 'one' | 'run' | 'deep' | 'folders' | 'brace'; readonly text: string };

function signAt(glob: string, at: number): Sign {
  const character = String.fromCodePoint(glob.codePointAt(at) as number);
  switch (character) {
    case '*':
      return starAt(glob, at);
    case '?':
      return { kind: 'one', text: character };
    case '[': {
      const first = at + 1 + (/^[!^]?\]/.exec(glob.slice(at + 1))?.[0].length ?? 0);
      const close = glob.indexOf(']', first);
      return { kind: 'one', text: glob.slice(at, close < 0 ? glob.length : close + 1) };
    }
    case '{':
      return { kind: 'brace', text: character };
    case '\\':
      return { kind: 'literal', text: glob.slice(at, at + 1 + String.fromCodePoint(glob.codePointAt(at + 1) ?? 0).length) };
    default:
      return { kind: 'literal', text: character };
  }
}

function starAt(glob: string, at: number): Sign {
  const text = /^\*+/.exec(glob.slice(at))?.[0] ?? '';
  if (text.length === 1) return { kind: 'run', text };
  const beginsSegment = at === 0 || glob[at - 1] === '/';
  return beginsSegment && glob[at + text.length] === '/' ? { kind: 'folders', text: `${text}/` } : { kind: 'deep', text };
}

/** Globs without braces that together match at least what the glob matches; undefined where there are too many. */
function expandBraces(glob: string): string[] | undefined {
  const plain: string[] = [];
  const open = [glob];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const at = braceIn(next);
    if (at < 0) plain.push(next);
    else {
      const { choices, end } = choicesAt(next, at + 1);
      for (const choice of choices) open.push(next.slice(0, at) + choice + next.slice(end));
    }
    if (plain.length + open.length > mostAlternatives) return undefined;
  }
  return plain.reverse();
}

/** Where the first brace stands that is one. */
function braceIn(glob: string): number {
  for (let at = 0; at < glob.length; ) {
    const { kind, text } = signAt(glob, at);
    if (kind === 'brace') return at;
    at += text.length;
  }
  return -1;
}

function choicesAt(glob: string, start: number): { choices: string[]; end: number } {
  const choices: string[] = [];
  let depth = 1;
  let from = start;
  for (let at = start; at < glob.length; ) {
    const sign = signAt(glob, at);
    if (sign.kind === 'brace') depth += 1;
    if (sign.text === '}') depth -= 1;
    if (depth === 0 || (depth === 1 && sign.text === ',')) {
      choices.push(glob.slice(from, at));
      from = at + 1;
    }
    at += sign.text.length;
    if (depth === 0) return { choices, end: at };
  }
  return { choices, end: glob.length };
}

/** `ofPath`: the glob is matched against a path and not a name, so that `**` crosses segments. */
function termsOf(glob: string, ofPath: boolean): Terms {
  const path: string[] = [];
  let name: string[] = [];
  let run = '/';
  const endRun = (next: string): void => {
    if (/[^/]/.test(run)) name.push(run);
    run = next;
  };
  const leaveSegment = (next: string): void => {
    endRun(next);
    path.push(...name);
    name = [];
  };
  for (let at = 0; at < glob.length; ) {
    const { kind, text } = signAt(glob, at);
    at += text.length;
    const literal = text.length > 1 && text.startsWith('\\') ? text.slice(1) : text;
    if (kind === 'folders') leaveSegment('/');
    else if (kind === 'deep' && ofPath) leaveSegment('');
    else if (kind !== 'literal') endRun('');
    else if (literal === '/') {
      run += '/';
      leaveSegment('/');
    } else run += literal;
  }
  run += '/';
  endRun('');
  return { name, path };
}
