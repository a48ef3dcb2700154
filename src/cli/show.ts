/** How answers are shown: as tables and lines for people, as JSON with `--json`. */
import type { CliContext } from '#cli/context.ts';
import { printable, writeTable } from '#cli/terminal.ts';

export type Columns<T> = Readonly<Record<string, (item: T) => string | number | undefined>>;

/** Rows as they come with --json; a table, a thousand rows at a time, for people. */
export async function showList<T>(context: CliContext, items: AsyncIterable<T> | Iterable<T>, columns: Columns<T>): Promise<void> {
  const names = Object.keys(columns);
  let rows: (string | number | undefined)[][] = [];
  let count = 0;
  const flush = (): void => {
    context.print(writeTable(rows, names));
    rows = [];
  };
  for await (const item of items) {
    count++;
    if (context.isJson) {
      context.json(item);
      continue;
    }
    rows.push(names.map((name) => columns[name]?.(item)));
    if (rows.length === 1000) flush();
  }
  if (context.isJson) return;
  flush();
  if (count === 0 && !context.isQuiet) context.terminal.stderr.write('nothing\n');
}

/** One thing: its fields, a line each. */
export function show(context: CliContext, value: unknown): void {
  if (context.isJson || typeof value !== 'object' || value === null) {
    context.json(value ?? null);
    return;
  }
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  const width = Math.max(0, ...fields.map(([name]) => name.length));
  for (const [name, field] of fields) context.print(`${name.padEnd(width)}  ${printable(writeField(name, field))}\n`);
}

function writeField(name: string, field: unknown): string {
  if (typeof field !== 'string') return JSON.stringify(field);
  return /At$/.test(name) ? writeTime(field) : field;
}

/** `2026-11-23 12:00:05Z`; a dash for never. */
export function writeTime(instant: string | undefined): string {
  return instant === undefined ? '–' : instant.replace('T', ' ').replace(/\.\d+Z$/, 'Z');
}

/** A sentence for people; nothing with --json or --quiet. */
export function say(context: CliContext, text: string): void {
  if (!context.isJson && !context.isQuiet) context.print(`${text}\n`);
}
