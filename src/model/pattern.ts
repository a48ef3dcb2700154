/**
 * Patterns that people write: globs and RE2 expressions. Both run in time linear in the text, whatever the pattern, because they are
 * matched by an automaton (re2js) and never by backtracking.
 */
import { RE2JS } from 're2js';
import { PackageRError } from '#errors/error.ts';

export const patternLimits = { characters: 256, braces: 8 } as const;

export interface Expression {
  /** Names of the groups, in their order. */
  readonly groups: readonly string[];
  /** What the named groups hold where the expression is found in `path`; undefined where it is not. A group that took no part is left out. */
  match(path: string): Readonly<Record<string, string>> | undefined;
}

/**
 * Tells whether a whole path matches: `*` any run within a segment, `?` one character of it, `**` any run over slashes (before a slash
 * also nothing), `[a-z]` and `[!a-z]` one character of a set, `{a,b}` either, `\` takes what follows as it is. `*.csv` is therefore a
 * file at the top, with two stars and a slash before it one anywhere.
 * Errors: pattern_invalid.
 */
export function compileGlob(text: string): (path: string) => boolean {
  checkLength(text, 'glob');
  const expression = compile(`(?s)${new GlobReader(text).read()}`, text, 'glob');
  return (path) => expression.testExact(path);
}

/**
 * An RE2 expression, found anywhere in a path unless anchored: `(?P<name>…)` or `(?<name>…)` names a group. No back-references, no
 * look-around.
 * Errors: pattern_invalid.
 * Source: https://github.com/google/re2/wiki/Syntax
 */
export function compileExpression(text: string): Expression {
  checkLength(text, 'expression');
  const expression = compile(text, text, 'expression');
  const groups = Object.entries(expression.namedGroups())
    .sort(([, a], [, b]) => a - b)
    .map(([name]) => name);
  return {
    groups,
    match(path) {
      const matcher = expression.matcher(path);
      if (!matcher.find()) return undefined;
      const found = groups.map((name) => [name, matcher.group(name)] as const).filter(([, value]) => typeof value === 'string');
      return Object.fromEntries(found) as Record<string, string>;
    },
  };
}

function compile(expression: string, text: string, what: string): RE2JS {
  try {
    return RE2JS.compile(expression);
  } catch (cause) {
    const fault = cause instanceof Error ? cause.message.replace(/[^\x20-\x7e]/g, '').slice(0, 120) : 'unreadable';
    throw new PackageRError('pattern_invalid', `The ${what} ${JSON.stringify(text)} is not valid: ${fault}.`, { cause });
  }
}

function checkLength(text: string, what: string): void {
  if (text === '') throw new PackageRError('pattern_invalid', `The ${what} is empty.`);
  if (text.length > patternLimits.characters)
    throw new PackageRError('pattern_invalid', `The ${what} is longer than ${patternLimits.characters} characters.`);
  if (!text.isWellFormed()) throw new PackageRError('pattern_invalid', `The ${what} is not valid Unicode.`);
}

/** Reads a glob and writes the RE2 expression that says the same. */
class GlobReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** All that is left, or up to one of the characters `ends`, which is not taken. */
  read(ends = '', depth = 0): string {
    let written = '';
    while (this.#at < this.#text.length) {
      const character = String.fromCodePoint(this.#text.codePointAt(this.#at) as number);
      if (ends.includes(character)) return written;
      this.#at += character.length;
      written += this.#writeOne(character, depth);
    }
    if (ends !== '') throw this.#refuse('a “{” is not closed');
    return written;
  }

  #writeOne(character: string, depth: number): string {
    switch (character) {
      case '*':
        return this.#writeStar();
      case '?':
        return '[^/]';
      case '[':
        return this.#writeSet();
      case '{':
        return this.#writeChoice(depth + 1);
      case '\\':
        return this.#writeEscaped();
      default:
        return RE2JS.quote(character);
    }
  }

  #writeStar(): string {
    if (this.#text[this.#at] !== '*') return '[^/]*';
    while (this.#text[this.#at] === '*') this.#at++;
    const beginsSegment = /(^|\/)\**$/.test(this.#text.slice(0, this.#at));
    if (!beginsSegment || this.#text[this.#at] !== '/') return '.*';
    this.#at++;
    return '(?:.*/)?';
  }

  #writeSet(): string {
    const close = this.#text.indexOf(']', this.#at + (/^[!^]?\]/.exec(this.#text.slice(this.#at))?.[0].length ?? 0));
    if (close < 0) throw this.#refuse('a “[” is not closed');
    const inside = this.#text.slice(this.#at, close);
    this.#at = close + 1;
    const isNegated = /^[!^]/.test(inside);
    const members = (isNegated ? inside.slice(1) : inside).replace(/[\\\][^&~]/g, '\\$&');
    if (members === '' || members.includes('/')) throw this.#refuse('a set needs members and holds no slash');
    return isNegated ? `[^/${members}]` : `[${members}]`;
  }

  #writeChoice(depth: number): string {
    if (depth > patternLimits.braces) throw this.#refuse(`braces are nested more than ${patternLimits.braces} deep`);
    const choices: string[] = [];
    do {
      choices.push(this.read(',}', depth));
    } while (this.#text[this.#at++] === ',');
    return `(?:${choices.join('|')})`;
  }

  #writeEscaped(): string {
    if (this.#at >= this.#text.length) throw this.#refuse('it ends in a backslash');
    const character = String.fromCodePoint(this.#text.codePointAt(this.#at) as number);
    this.#at += character.length;
    return RE2JS.quote(character);
  }

  #refuse(fault: string): PackageRError {
    return new PackageRError('pattern_invalid', `The glob ${JSON.stringify(this.#text)} is not valid: ${fault}.`);
  }
}
