/** Keys that an object store may hold and that something between it and its reader often spoils. */
export const awkwardKeys: readonly string[] = [
  ...['a b', 'a+b', 'a#b', 'a%b', 'a%20b', 'a=b', 'a[b]', 'a:b', 'a@b', 'a~b', 'a,b;c$d', "a'(b)*!", 'a?b&c', 'a"b<c>', 'a\\b', 'a\tb'],
  ...['\u00e9', 'e\u0301', '日本', '😀', '\u{10ffff}'],
  ...['a//b', '/lead', '..x', './x', 'a/./b', 'a/../b', 'dir/'],
  'x'.repeat(1024),
];

/** Its name in a report. */
export function nameKey(key: string): string {
  if (key.length > 40) return `${key.length} × ${key[0]}`;
  return `\`${key.replaceAll(/[^\x21-\x7e é日本😀]|\u0301/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)}\``;
}
