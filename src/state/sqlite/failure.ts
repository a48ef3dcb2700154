/** What result codes of SQLite mean to whoever runs packageR. Source: https://sqlite.org/rescode.html */
import { PackageRError } from '#errors/error.ts';

const damaged = 'The state is damaged: “package-r verify” tells what, “package-r restore” brings a backup back.';

/** By primary code. */
const meanings: Readonly<Record<number, string>> = {
  8: 'The data folder can only be read, not written.',
  10: 'The disk of the data folder fails to read or write.',
  11: damaged,
  13: 'The disk of the data folder is full.',
  14: 'A file of the state cannot be opened.',
  26: damaged,
};

/** A sentence for failures that are not of packageR; undefined for all others. */
export function meaningOf(errcode: number | undefined): string | undefined {
  return errcode === undefined ? undefined : meanings[errcode & 0xff];
}

/** state_failed with that sentence; everything else as it is. */
export function explainSqlite(error: unknown): unknown {
  const { errcode } = error as { readonly errcode?: unknown };
  const message = typeof errcode === 'number' ? meaningOf(errcode) : undefined;
  return message === undefined ? error : new PackageRError('state_failed', message, { operation: 'state', cause: error });
}
