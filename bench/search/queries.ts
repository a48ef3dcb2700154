/** What is searched for: a hundred texts of each kind, made from the names of the entries, the same on every machine. */
import { folderSize, makePointer, type Shape } from '../size/entries.ts';

/**
 * rare: ten hex digits out of a name · three: three of them · common: in every name · glob: two parts of a name with wildcards around ·
 * anchored: how a name begins · nothing: what no name holds.
 */
export const kinds = ['rare', 'three', 'common', 'glob', 'anchored', 'nothing'] as const;

export type Kind = (typeof kinds)[number];

const queries = 100;

export function queriesOf(kind: Kind, count: number, shape: Shape): string[] {
  return Array.from({ length: queries }, (_, number) => {
    const index = (number * 7919 + 13) % count;
    const name = makePointer(index, shape).path.split('/').at(-1) ?? '';
    return makers[kind](name, number);
  });
}

const makers: Readonly<Record<Kind, (name: string, number: number) => string>> = {
  rare: (name, number) => middleOf(name, number).slice(0, 10).toUpperCase(),
  three: (name, number) => middleOf(name, number).slice(0, 3),
  common: (_name, number) => ['.tif', 'tif', '0', '-', '.t', 'a'][number % 6] ?? '',
  glob: (name, number) => `*${middleOf(name, number).slice(0, 5)}*${middleOf(name, number).slice(6, 11)}*.tif`,
  anchored: (name) => `${name.slice(0, 8)}-*`,
  nothing: (name, number) => `${middleOf(name, number).slice(0, 6)}-none`,
};

function middleOf(name: string, number: number): string {
  return name.slice(9 + (number % 18));
}

/** The names of all leaves and folders, a line each: what a search of ours is over. */
export function* namesOf(count: number, shape: Shape): Generator<string> {
  const folders = new Set<string>();
  for (let index = 0; index < count; index++) {
    const names = makePointer(index, shape).path.split('/');
    if (index % folderSize === 0) for (let end = 1; end < names.length; end++) folders.add(names.slice(0, end).join('/'));
    yield names.at(-1) ?? '';
  }
  for (const folder of folders) yield folder.split('/').at(-1) ?? '';
}

/** A glob as a regular expression of ripgrep and as a pattern of LIKE. */
export function toExpression(text: string): string {
  return isGlob(text) ? `^${text.replaceAll('.', '\\.').replaceAll('*', '.*')}$` : text;
}

export function toLike(text: string): string {
  return isGlob(text) ? text.replaceAll('*', '%') : `%${text}%`;
}

export function isGlob(text: string): boolean {
  return text.includes('*');
}
