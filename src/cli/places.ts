/** How places are written on the command line. */
import { PackageRError } from '#errors/error.ts';

/** `lab/stations/2024` → the source `lab`, the path `stations/2024`. One slash at the end is dropped. */
export function splitSourcePath(text: string): [name: string, path: string] {
  const slash = text.indexOf('/');
  return slash < 0 ? [text, ''] : [text.slice(0, slash), text.slice(slash + 1).replace(/\/$/, '')];
}

/** `root=/data` … → an object; numbers and true/false are read as such. Errors: argument_invalid. */
export function parseAssignments(texts: readonly string[] | undefined): Record<string, string | number | boolean> | undefined {
  if (texts === undefined) return undefined;
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf('=');
      if (equals < 1) throw new PackageRError('argument_invalid', `${JSON.stringify(text)} is not of the form key=value.`);
      return [text.slice(0, equals), parseValue(text.slice(equals + 1))];
    }),
  );
}

function parseValue(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?(0|[1-9]\d{0,14})(\.\d{1,9})?$/.test(text) ? Number(text) : text;
}
