/** An online copy of the SQLite file. Under its name it is whole and verified, or not there at all, whenever the process ends. */
import { existsSync } from 'node:fs';
import { link, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { backup as copyDatabase, DatabaseSync } from 'node:sqlite';
import { isError, PackageRError } from '#errors/error.ts';
import type { State } from '#state/state.ts';
import { openDatabase } from './database.ts';
import { removeState, syncPath } from './files.ts';
import { checkFile } from './integrity.ts';

type BackupOptions = NonNullable<Parameters<State['backup']>[1]>;

/** Pages that are copied before others get their turn. */
const pagesAtOnce = 1000;
const underWay = new Set<string>();

/** Errors: exists; file_failed where the copy cannot be written (a full disk), verify_failed; that of the signal. */
export async function backupTo(path: string, target: string, options: BackupOptions = {}): Promise<void> {
  if (existsSync(target) || underWay.has(target)) throw alreadyThere(target);
  underWay.add(target);
  const draft = `${target}.partial`;
  try {
    await removeState(draft);
    await (await open(draft, 'wx', 0o600)).close();
    await copyTo(path, draft, options);
    makeSingle(draft);
    const faults = await checkFile(draft, options.signal);
    if (faults.length > 0) throw new PackageRError('verify_failed', 'The backup does not pass its integrity check.');
    await syncPath(draft);
    await link(draft, target);
    await syncPath(dirname(target));
  } catch (error) {
    throw explain(error, target);
  } finally {
    await removeState(draft).catch(() => undefined);
    underWay.delete(target);
  }
}

/** All of it as it was at one instant: an open read transaction keeps SQLite from starting again whenever somebody writes meanwhile. */
async function copyTo(path: string, draft: string, { signal, onProgress }: BackupOptions): Promise<void> {
  const source = openDatabase(path, { readOnly: true });
  try {
    source.raw.exec('begin; select count(*) from sqlite_schema');
    await copyDatabase(source.raw, draft, {
      rate: pagesAtOnce,
      progress: ({ totalPages, remainingPages }) => {
        signal?.throwIfAborted();
        onProgress?.(totalPages - remainingPages, totalPages);
      },
    });
  } finally {
    source.close();
  }
}

/** No log beside it: the one file is all there is to carry away. */
function makeSingle(draft: string): void {
  const copy = new DatabaseSync(draft);
  try {
    copy.exec('pragma journal_mode = delete');
  } finally {
    copy.close();
  }
}

function alreadyThere(target: string): PackageRError {
  return new PackageRError('exists', `There is already a file ${JSON.stringify(target)}.`);
}

function explain(error: unknown, target: string): unknown {
  if (isError(error)) return error;
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown };
  if (code === 'EEXIST') return alreadyThere(target);
  const isFull = code === 'ENOSPC' || errcode === 13;
  const isFile = typeof errcode === 'number' || (typeof code === 'string' && /^E[A-Z]+$/.test(code));
  if (!isFile) return error;
  const why = isFull ? 'the disk is full' : 'the file or its folder cannot be written';
  return new PackageRError('file_failed', `The backup was not made: ${why}.`, { operation: 'state.backup', cause: error });
}
