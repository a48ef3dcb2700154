/** The nearest of some known names to one that is not known, for messages that help. */

/** Undefined where none is near: more than a third of the longer name would have to change. Equal ones: the first. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  const wanted = name.slice(0, 80).toLowerCase();
  for (const one of known) {
    const distance = distanceOf(wanted, one.toLowerCase());
    if (distance < least && distance <= Math.max(2, Math.ceil(Math.max(wanted.length, one.length) / 3))) [best, least] = [one, distance];
  }
  return best;
}

/** ` Did you mean “x”?`, or nothing. */
export function suggest(name: string, known: Iterable<string>): string {
  const near = nearest(name, known);
  return near === undefined ? '' : ` Did you mean ${JSON.stringify(near)}?`;
}

/** Optimal string alignment: letters added, left out, replaced, or swapped with their neighbour. */
function distanceOf(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const least = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + cost);
      row.push(isSwap ? Math.min(least, at(before, j - 2) + 1) : least);
    }
    [before, last] = [last, row];
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] as number;
}
