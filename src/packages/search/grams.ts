/**
 * Grams: three bytes in a row of a name in lower case, between borders. A name is indexed as `/name//`, so that every part of it, also
 * its last byte, begins a gram, and so that what must begin or end a name is looked for with a slash. Imports nothing of ours: the thread
 * that builds an index loads it too.
 */

/** What a gram is of: the name of a leaf, of a folder where that begins, or of a folder in whatever block has rows of it. */
export const fields = { name: 0, folder: 1, within: 2 } as const;

export type Field = keyof typeof fields;

const gramSpace = 2 ** 24;

/** Codes are below it. */
export const codeSpace = 3 * gramSpace;

/** Grams of one term that are looked up; more would not make the candidates fewer than reading them costs. */
const mostGrams = 12;

/** Codes from `from` on and before `to`; of one gram where a term has three bytes or more. */
export interface CodeRange {
  readonly from: number;
  readonly to: number;
}

export function codeOf(field: Field, first: number, second: number, third: number): number {
  return fields[field] * gramSpace + ((first << 16) | (second << 8) | third);
}

/** The grams that a term (see `Terms`) stands for: a name that holds it has one of each range. */
export function rangesOf(field: Field, term: string): CodeRange[] {
  const bytes = Buffer.from(term);
  const [first = 0, second = 0] = bytes;
  if (bytes.length < 3) {
    const from = codeOf(field, first, second, 0);
    return [{ from, to: from + (bytes.length === 2 ? 2 ** 8 : 2 ** 16) }];
  }
  const last = bytes.length - 3;
  const count = Math.min(mostGrams, last + 1);
  return Array.from({ length: count }, (_, index) => {
    const at = count === 1 ? 0 : Math.round((index * last) / (count - 1));
    const from = codeOf(field, bytes[at] as number, bytes[at + 1] as number, bytes[at + 2] as number);
    return { from, to: from + 1 };
  });
}
