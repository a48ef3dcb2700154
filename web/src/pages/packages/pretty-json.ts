/** JSON with a line for each value, and every value as it was written: numbers keep all their digits. */

/** Deeper ones are indented no further: lines would grow with the depth. */
const deepest = 60;

/** Undefined for what is no JSON. */
export function prettyJson(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  let depth = 0;
  let last = '';
  const line = (): string => `\n${'  '.repeat(Math.min(depth, deepest))}`;
  return text.replaceAll(/"(?:[^"\\]|\\.)*"|[[\]{}]|[^\s[\]{},:"]+|[,:]|\s+/g, (part) => {
    if (part.trim() === '') return '';
    const before = last;
    last = part;
    if (part === ',') return `,${line()}`;
    if (part === ':') return ': ';
    if (part === ']' || part === '}') {
      depth -= 1;
      return before === '[' || before === '{' ? part : `${line()}${part}`;
    }
    const opened = before === '[' || before === '{' ? line() : '';
    if (part === '[' || part === '{') depth += 1;
    return `${opened}${part}`;
  });
}
