/**
 * What the command line writes and asks. Every text of somebody else goes through `printable`: no control character, escape sequence or
 * change of writing direction reaches the terminal.
 */
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { PackageRError } from '#errors/error.ts';
import { Secret } from '#model/secret.ts';

export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(on: boolean): unknown };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const unprintable = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu;

/** Control and bidirectional characters as \u{…}; the rest as it is. */
export function printable(text: string): string {
  return text.replace(unprintable, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`);
}

const sizeUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** 1536 → `1.5 KiB`. */
export function writeSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < sizeUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${sizeUnits[unit]}`;
}

/** Columns, as wide as their widest cell; numbers to the right. An empty table writes nothing. */
export function writeTable(rows: readonly (readonly (string | number | undefined)[])[], head: readonly string[]): string {
  if (rows.length === 0) return '';
  const cells = [head, ...rows.map((row) => row.map((cell) => (cell === undefined ? '' : printable(String(cell)))))];
  const isNumber = head.map((_, column) => rows.every((row) => typeof row[column] === 'number'));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => widthOf(row[column] ?? ''))));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => {
        const gap = ' '.repeat((widths[column] ?? 0) - widthOf(cell));
        return isNumber[column] === true ? gap + cell : cell + gap;
      })
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

/** Columns on a terminal: wide characters (East Asian, emoji) take two. */
function widthOf(text: string): number {
  let width = 0;
  for (const character of text)
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u.test(
        character,
      )
        ? 2
        : 1;
  return width;
}

/** Asks for a secret without showing it. Errors: secret_invalid where nobody can be asked. */
async function askSecret(terminal: Terminal, question: string): Promise<Secret> {
  const { stdin, stderr } = terminal;
  if (stdin.isTTY !== true || stdin.setRawMode === undefined) {
    throw new PackageRError('secret_invalid', 'There is no terminal to ask at; give the secret on stdin with “-”.');
  }
  stderr.write(question);
  stdin.setRawMode(true);
  try {
    return Secret.parse(await readHidden(stdin));
  } finally {
    stdin.setRawMode(false);
    stderr.write('\n');
  }
}

async function readHidden(stdin: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stdin.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    for (const character of chunk.toString()) {
      if (character === '\r' || character === '\n' || character === '\u0004') return text;
      if (character === '\u0003') throw new PackageRError('cancelled');
      text = character === '\u007f' || character === '\b' ? [...text].slice(0, -1).join('') : text + character;
    }
  }
  return text;
}

/** All of stdin, for `-`. Errors: too_large. */
export async function readStdin(terminal: Terminal, limit = 1024 * 1024): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of terminal.stdin as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new PackageRError('too_large', `More than ${limit} bytes on stdin.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** `-` reads the secret from stdin; undefined asks for it. There is no other way: arguments are seen by everyone on the machine. */
export async function readSecret(terminal: Terminal, argument: string | undefined, question: string): Promise<Secret> {
  if (argument === undefined) return await askSecret(terminal, question);
  if (argument !== '-')
    throw new PackageRError('secret_invalid', 'A secret is not taken from the command line; write “-” and give it on stdin.');
  return Secret.parse((await readStdin(terminal, 64 * 1024)).toString());
}

/** Yes or no at the terminal; `otherwise` where nobody can be asked. */
export async function confirm(terminal: Terminal, question: string, otherwise: boolean): Promise<boolean> {
  if (terminal.stdin.isTTY !== true) return otherwise;
  const lines = createInterface({ input: terminal.stdin, output: terminal.stderr });
  try {
    return await new Promise<boolean>((resolve, reject) => {
      lines.once('SIGINT', () => reject(new PackageRError('cancelled')));
      lines.once('close', () => resolve(false));
      lines.question(`${question} [y/N] `, (answer) => resolve(/^y(es)?$/i.test(answer.trim())));
    });
  } finally {
    lines.close();
  }
}
