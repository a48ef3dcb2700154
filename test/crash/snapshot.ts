/** What can be seen of a state, as values that are equal where nothing differs. */
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { writeManifestLine } from '#model/manifest.ts';
import { root } from '#model/path.ts';
import { verifyVersion } from '#packages/check.ts';
import { PackageTree } from '#packages/package-tree.ts';
import type { State } from '#state/state.ts';

/** Id of the source to which uploads go. */
export const uploadSource = 2;

/** All that people see of the packages: drafts, steps, versions. Equal texts, equal sights. */
export async function see(state: State): Promise<string> {
  const packages = await state.db.selectFrom('package').selectAll().orderBy('id').execute();
  const seen = packages
    .filter((row) => row.removed_at === null)
    .map(async ({ id, name, head, frozen }) => {
      const steps = await state.db
        .selectFrom('step')
        .selectAll()
        .where('package', '=', id)
        .where('step', '<=', head)
        .orderBy('step')
        .execute();
      return {
        name,
        frozen,
        tree: await hashTree(state, id, head),
        steps: steps.map(({ operation, summary }) => `${operation}: ${summary}`),
      };
    });
  const versions = await state.db.selectFrom('version').selectAll().orderBy('package').orderBy('number').execute();
  const isKept = new Set(packages.filter((row) => row.removed_at === null).map(({ id }) => id));
  const told = versions
    .filter((row) => isKept.has(row.package))
    .map(({ number, digest, message, entries, withdrawn_at }) => [number, digest, message, entries, withdrawn_at]);
  return JSON.stringify({ packages: await Promise.all(seen), versions: told }, null, 1);
}

async function hashTree(state: State, packageId: number, step: number): Promise<string> {
  const visible = state.db.selectFrom('entry').selectAll().where('package', '=', packageId);
  const rows = await visible.where('from_step', '<=', step).where('to_step', '>', step).orderBy('path').execute();
  const hash = createHash('sha256');
  for (const { package: _package, from_step: _from, to_step: _to, ...row } of rows) {
    // What is uploaded gets another name each time, and the date of its file.
    const kept = row.source === uploadSource ? { ...row, key: null, etag: null, modified_at: null } : row;
    hash.update(`${JSON.stringify(kept)}\n`);
  }
  return `${rows.length} ${hash.digest('hex').slice(0, 16)}`;
}

/** SHA-256 of the whole manifest of each version, withdrawn ones included. */
export async function manifestsOf(state: State): Promise<ReadonlyMap<string, string>> {
  const manifests = new Map<string, string>();
  const versions = state.db.selectFrom('version').innerJoin('package', 'package.id', 'version.package').selectAll('version');
  for (const version of await versions.where('removed_at', 'is', null).execute()) {
    const hash = createHash('sha256');
    const tree = new PackageTree({ state, package: version.package, step: version.step, frozen: true });
    for await (const leaf of tree.walk(root)) hash.update(writeManifestLine(leaf));
    manifests.set(`${version.package}@${version.number}`, `${version.digest} ${hash.digest('hex')}`);
  }
  return manifests;
}

/** What is wrong with a state, whatever was done to it: the file, the versions, and each that was there before. */
export async function findFaults(file: string, state: State, before: ReadonlyMap<string, string>): Promise<string[]> {
  const faults = checkIntegrity(file);
  const now = await manifestsOf(state);
  const removed = await state.db.selectFrom('package').select('id').where('removed_at', 'is not', null).execute();
  for (const [version, manifest] of before) {
    const isRemoved = removed.some(({ id }) => version.startsWith(`${id}@`));
    if (!isRemoved && now.get(version) !== manifest) faults.push(`the frozen version ${version} is not what it was`);
  }
  const versions = state.db.selectFrom('version').innerJoin('package', 'package.id', 'version.package').selectAll('version');
  for (const version of await versions.where('removed_at', 'is', null).execute()) {
    const signal = new AbortController().signal;
    await verifyVersion({ state, version, signal, progress: () => undefined }).catch((error: Error) => faults.push(error.message));
  }
  return faults;
}

function checkIntegrity(file: string): string[] {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = database.prepare('pragma integrity_check').all() as { integrity_check: string }[];
    return rows.map((row) => row.integrity_check).filter((line) => line !== 'ok');
  } finally {
    database.close();
  }
}
