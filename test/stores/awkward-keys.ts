/** Keys that an object store may hold and that something between it and its reader often spoils. */
export const awkwardKeys: readonly string[] = [
  ...['a b', 'a+b', 'a#b', 'a%b', 'a%20b', 'a=b', 'a[b]', 'a:b', 'a@b', 'a~b', 'a,b;c$d', "a'(b)*!", 'a?b&c', 'a"b<c>', 'a\\b', 'a\tb'],
  ...['\u00e9', 'e\u0301', '日本', '😀', '\u{10ffff}'],
  ...['a//b', '/lead', '..x', './x', 'a/./b', 'a/../b', 'dir/'],
  'x'.repeat(1024),
];

/** Segments, and parts of keys with empty or dot segments, that the conformance suite puts at the end of a key of its own. */
const awkwardNames: readonly string[] = [
  ...['a b+c#d%e=f[1]@é日😀.txt', 'a%20b', 'a?b&c', 'a"b<c>', "a'(b)*!", '...', '..x', '-rf', '\n\t\u001b[2J', '\u2028', 'e\u0301', 'a\\b'],
  ...['x//y', '/lead', 'x/', './..', 'a/../b'],
];

/** What a store cannot hold of them. */
export interface Unheld {
  /** Empty segments, also at the ends. */
  readonly empty?: true;
  /** `.` and `..` as segments. */
  readonly dots?: true;
  readonly backslash?: true;
  /** Characters that listings spoil: of these names only a line break and a tab are left. */
  readonly escapes?: true;
}

/** Those that a store can hold. */
export function awkwardNamesBut({ empty, dots, backslash, escapes }: Unheld): readonly string[] {
  const held = awkwardNames.filter(
    (name) =>
      !(empty === true && /^\/|\/\/|\/$/.test(name)) &&
      !(dots === true && /(?:^|\/)\.{1,2}(?:\/|$)/.test(name)) &&
      !(backslash === true && name.includes('\\')),
  );
  return escapes === true ? held.map((name) => name.split('\u001b')[0] ?? name) : held;
}

/** Its name in a report. */
export function nameKey(key: string): string {
  if (key.length > 40) return `${key.length} × ${key[0]}`;
  return `\`${key.replaceAll(/[^\x21-\x7e é日本😀]|\u0301/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)}\``;
}
