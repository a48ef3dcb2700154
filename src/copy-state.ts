/** `state copy`: moves what a packageR remembers from one engine to another, while no server runs, and proves the copy. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CopiedState, CopyStateRequest } from '#cli/context.ts';
import type { LoadedConfig } from '#config/config.ts';
import { PackageRError } from '#errors/error.ts';
import { Secret } from '#model/secret.ts';
import { verifyVersion } from '#packages/check.ts';
import { copyRows, type RowSource, type RowTarget, type TableCopy } from '#state/copy.ts';
import { lockData } from '#state/lock.ts';
import { stateFileOf } from '#state/open.ts';
import { openPostgresSource, openPostgresTarget } from '#state/postgres/postgres-rows.ts';
import { openPostgresState } from '#state/postgres/postgres-state.ts';
import { openSqliteSource, openSqliteTarget } from '#state/sqlite/sqlite-rows.ts';
import { openSqliteState } from '#state/sqlite/sqlite-state.ts';
import type { State } from '#state/state.ts';
import { finishRestore } from './restore.ts';

/** A SQLite file, or a database. */
type Place = { readonly path: string; readonly isOwn: boolean } | { readonly url: Secret };

/**
 * Both sides are locked, and the target must be empty. Errors: data_locked, exists, not_found, argument_invalid, verify_failed where the
 * copy differs (then there is none) or a version does not match its digest.
 */
export async function copyState(loaded: LoadedConfig, request: CopyStateRequest): Promise<CopiedState> {
  const { config } = loaded;
  const { signal, cwd } = request;
  const lock = lockData(config.dataDir);
  try {
    await finishRestore(config.dataDir);
    const [from, to] = [request.from, request.to].map((text) => placeOf(text, loaded, cwd)) as [Place, Place];
    await migrate(from);
    const source = await openSource(from);
    let tables: TableCopy[];
    try {
      if ('url' in to) await migrate(to);
      const target = await openTarget(to);
      try {
        tables = await copyRows(source, target, { signal, onProgress: request.onProgress });
      } finally {
        await target.close();
      }
    } finally {
      await source.close();
    }
    const versions = await verifyCopy(to, signal, request.onVersion);
    return { tables, versions, digest: digestOf(tables) };
  } finally {
    lock.release();
  }
}

/** The same for the same state, whatever the engine. */
function digestOf(tables: readonly TableCopy[]): string {
  const lines = tables.map(({ table, rows, sha256 }) => `${table} ${rows} ${sha256}\n`).sort();
  return `sha256:${createHash('sha256').update(lines.join('')).digest('hex')}`;
}

function placeOf(text: string, { config }: LoadedConfig, cwd: string): Place {
  if (text === 'sqlite') return { path: stateFileOf(config.dataDir), isOwn: true };
  if (text === 'postgres') {
    if (config.state !== undefined) return { url: config.state };
    throw new PackageRError('config_invalid', 'The setting state is not set: give the URL of the database in PACKAGE_R_STATE.');
  }
  if (!/^postgres(ql)?:/.test(text)) return { path: resolve(cwd, text), isOwn: false };
  // Command lines are seen by everybody on the machine.
  if (/^\w+:\/\/[^/?#]*:[^/?#]*@/.test(text) || /[?&]password=/.test(text))
    throw new PackageRError('argument_invalid', 'The URL holds a password: leave it out, and give it by PGPASSWORD or the pass file.');
  return { url: Secret.parse(text) };
}

/** To the newest schema, where it is there and a packageR runs on it; a file from elsewhere stays as it is. */
async function migrate(place: Place): Promise<void> {
  if ('url' in place || (place.isOwn && existsSync(place.path))) await (await openPlace(place)).close();
}

function openPlace(place: Place): Promise<State> {
  return 'url' in place ? openPostgresState(place.url) : openSqliteState(place.path);
}

async function openSource(place: Place): Promise<RowSource> {
  return 'url' in place ? openPostgresSource(place.url, { isAlone: true }) : openSqliteSource(place.path);
}

function openTarget(place: Place): Promise<RowTarget> {
  return 'url' in place ? openPostgresTarget(place.url) : openSqliteTarget(place.path);
}

/** Recomputes the digest of each version from the rows of the copy. */
async function verifyCopy(place: Place, signal: AbortSignal, onVersion: CopyStateRequest['onVersion']): Promise<number> {
  const state = await openPlace(place);
  try {
    const versions = await state.db.selectFrom('version').selectAll().orderBy('package').orderBy('number').execute();
    for (const [index, version] of versions.entries()) {
      await verifyVersion({ state, version, signal, progress: () => undefined });
      onVersion?.(index + 1, versions.length);
    }
    return versions.length;
  } finally {
    await state.close();
  }
}
