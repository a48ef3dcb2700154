/**
 * Restoring: a backup becomes the state of a data folder. It is copied beside the state, brought to the present schema and verified as a
 * whole; only then it takes the place of what is there, which is kept aside. Whenever the process ends, the folder holds either the one or
 * the other, and the next start finishes what was decided.
 */
import { constants, existsSync, statSync } from 'node:fs';
import { chmod, copyFile, link, mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { VerifyLine } from '#api/system.ts';
import type { RestoreDone, RestoreRequest } from '#cli/context.ts';
import type { LoadedConfig } from '#config/config.ts';
import { isError, PackageRError } from '#errors/error.ts';
import { dropIndex } from '#packages/search/verify-index.ts';
import { verifyState } from '#packages/verify-state.ts';
import { lockData } from '#state/lock.ts';
import { stateFileOf } from '#state/open.ts';
import { companions, removeState, syncPath } from '#state/sqlite/files.ts';
import { openSqliteReader } from '#state/sqlite/sqlite-reader.ts';
import { openSqliteState } from '#state/sqlite/sqlite-state.ts';
import type { State } from '#state/state.ts';
import { Vault } from '#state/vault.ts';

/** Errors: not_found, state_newer, verify_failed for what is no state at all. */
export async function* verifyFile(file: string, signal: AbortSignal): AsyncGenerator<VerifyLine, void> {
  requireFile(file);
  const state = await openSqliteReader(file);
  try {
    yield* verifyState(state, signal);
  } finally {
    await state.close();
  }
}

/** Errors: data_locked, not_found, state_newer, verify_failed, unsupported where the state is not a file; file_failed. */
export async function restore({ config }: LoadedConfig, { file, name, signal, onLine }: RestoreRequest): Promise<RestoreDone> {
  if (config.state !== undefined)
    throw new PackageRError('unsupported', 'The state of this packageR is in PostgreSQL: restore it with the tools of the database.');
  const { dataDir } = config;
  const from = existsSync(file) ? file : join(dataDir, 'backups', basename(name));
  requireFile(from);
  const lock = lockData(dataDir);
  try {
    await finishRestore(dataDir);
    const draft = draftOf(dataDir);
    try {
      const { totals, key } = await prepare(from, draft, { config, signal, onLine });
      signal.throwIfAborted();
      await rename(draft, readyFileOf(dataDir));
      await syncPath(dataDir);
      const replaced = await finishRestore(dataDir);
      return { path: stateFileOf(dataDir), ...(replaced === undefined ? {} : { replaced }), ...totals, key };
    } finally {
      await removeState(draft);
    }
  } catch (error) {
    throw explain(error);
  } finally {
    lock.release();
  }
}

/**
 * Puts a verified state that lies ready in the place of the present one, and clears what an attempt left that was not decided. May run again
 * and again: what is there already is left. The caller holds the lock of the folder. Gives the folder in which the state lies that was
 * there before.
 */
export async function finishRestore(dataDir: string): Promise<string | undefined> {
  await removeState(draftOf(dataDir));
  const ready = readyFileOf(dataDir);
  if (!existsSync(ready)) return undefined;
  const state = stateFileOf(dataDir);
  let aside: string | undefined;
  if (existsSync(state)) {
    aside = join(dataDir, 'replaced', new Date(statSync(ready).mtimeMs).toISOString().replaceAll(':', '-'));
    await mkdir(aside, { recursive: true, mode: 0o700 });
    for (const end of ['', ...companions])
      if (existsSync(`${state}${end}`)) await keep(`${state}${end}`, join(aside, `${basename(state)}${end}`));
    await syncPath(aside);
  }
  // A log that stayed would be taken for one of the new file.
  for (const end of companions) await rm(`${state}${end}`, { force: true });
  await syncPath(dataDir);
  await rename(ready, state);
  await syncPath(dataDir);
  return aside;
}

interface Preparation {
  readonly config: LoadedConfig['config'];
  readonly signal: AbortSignal;
  readonly onLine: (line: VerifyLine) => void;
}

/** Copies, checks, migrates, and checks again what the migration made of it. */
async function prepare(from: string, draft: string, { config, signal, onLine }: Preparation) {
  // With its log, where somebody copied the file of a state that was not closed.
  for (const end of ['', '-wal']) {
    if (!existsSync(`${from}${end}`)) continue;
    await copyFile(`${from}${end}`, `${draft}${end}`, constants.COPYFILE_FICLONE);
    await chmod(`${draft}${end}`, 0o600);
  }
  const asKept = await openSqliteReader(draft);
  try {
    const faults = (await asKept.check?.(signal)) ?? [];
    if (faults.length > 0) throw damaged(faults.length);
  } finally {
    await asKept.close();
  }
  const state = await openSqliteState(draft);
  try {
    let totals = { packages: 0, versions: 0 };
    for await (const line of verifyState(state, signal, { rebuild: (id) => dropIndex(state, id) })) {
      onLine(line);
      if (line.kind !== 'done') continue;
      if (line.wrong > 0) throw damaged(line.wrong);
      totals = { packages: line.packages, versions: line.versions };
    }
    return { totals, key: await describeKey(state, config) };
  } finally {
    await state.close();
    for (const end of companions) await rm(`${draft}${end}`, { force: true });
    await syncPath(draft);
  }
}

/** The key is made where it is missing, so it is only asked where there is one. */
async function describeKey(state: State, { dataDir, key }: LoadedConfig['config']): Promise<string> {
  if (key === undefined && !existsSync(join(dataDir, 'key')))
    return `There is no key in ${dataDir}: put the one that belongs to this backup to ${join(dataDir, 'key')} before the next start, or enter sealed credentials again.`;
  const vault = await Vault.open({ state, folder: dataDir, envKey: key });
  return (await vault.status()).message;
}

function draftOf(dataDir: string): string {
  return join(dataDir, 'restore.partial');
}

function readyFileOf(dataDir: string): string {
  return join(dataDir, 'restore.ready');
}

function requireFile(file: string): void {
  if (!existsSync(file) || !statSync(file).isFile()) throw new PackageRError('not_found', `There is no file ${JSON.stringify(file)}.`);
}

/** Whole under its name, or not there: on a disk without links it is a copy. */
async function keep(from: string, to: string): Promise<void> {
  if (existsSync(to)) return;
  const draft = `${to}.partial`;
  await rm(draft, { force: true });
  await link(from, to).catch(async () => {
    await copyFile(from, draft);
    await syncPath(draft);
    await rename(draft, to);
  });
}

function damaged(faults: number): PackageRError {
  const what = faults === 1 ? 'One thing in it is' : `${faults} things in it are`;
  return new PackageRError(
    'verify_failed',
    `The backup is damaged and was not restored: ${what} not as they should be. The data folder is as it was.`,
  );
}

function explain(error: unknown): unknown {
  if (isError(error)) return error;
  const { code } = error as { readonly code?: unknown };
  if (typeof code !== 'string' || !/^E[A-Z]+$/.test(code)) return error;
  const why = code === 'ENOSPC' ? 'the disk is full' : 'a file of the data folder cannot be written';
  return new PackageRError('file_failed', `The backup was not restored: ${why}.`, { operation: 'restore', cause: error });
}
