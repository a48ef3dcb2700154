/** What may stand in an event: one line of visible characters, short, and nothing that works merely because it is presented. */

const textLimit = 1024;
const valueLimit = 512;
const keyLimit = 40;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control and bidirectional characters are what is looked for
const unsafe = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu;

/** Escapes what a terminal or a log could take for something else, cuts at 1024 characters, and blanks tokens, tickets and queries. */
export function cleanText(text: string, limit = textLimit): string {
  const short = text.slice(0, limit * 2);
  const harmless = short
    .replace(/\b(p[rs]_)[A-Za-z0-9_-]{22,}/g, '$1…')
    .replace(/(\/s\/)[A-Za-z0-9_~-]{22,}/g, '$1…')
    .replace(/(https?:\/\/[^\s?#]*)[?#]\S*/gi, '$1?…')
    .replace(/(https?:\/\/)[^\s/@]*@/gi, '$1…@')
    .replace(unsafe, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
  return harmless.length > limit || text.length > short.length ? `${harmless.slice(0, limit - 1).toWellFormed()}…` : harmless;
}

/** At most 20 entries, each a short text, a finite number or a boolean; anything else is left out. */
export function cleanDetails(details: Readonly<Record<string, unknown>>): Record<string, string | number | boolean> {
  const kept: [string, string | number | boolean][] = [];
  for (const [key, value] of Object.entries(details).slice(0, 20)) {
    if (typeof value === 'string') kept.push([cleanText(key, keyLimit), cleanText(value, valueLimit)]);
    else if (typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value)))
      kept.push([cleanText(key, keyLimit), value]);
  }
  return Object.fromEntries(kept);
}
