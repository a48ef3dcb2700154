/** The jobs that look at a package without editing it, and the one that clears what was deleted. */
import { sql } from 'kysely';
import type { Access } from '#access/access.ts';
import { PackageRError } from '#errors/error.ts';
import type { JobContext, JobView } from '#jobs/job.ts';
import type { Jobs } from '#jobs/jobs.ts';
import type { Clock } from '#model/clock.ts';
import { placeOfKey } from '#sources/place.ts';
import type { Sources } from '#sources/sources.ts';
import type { State, Write } from '#state/state.ts';
import { verifyVersion } from './check.ts';
import { actorOf } from './curator.ts';
import { type DriftCheckpoint, findDrift } from './drift.ts';
import type { ListObjects, StatObject } from './objects.ts';
import type { SearchIndex } from './search/search-index.ts';

export interface ChecksOptions {
  readonly state: State;
  readonly access: Access;
  readonly sources: Sources;
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly stat: StatObject;
  readonly list?: ListObjects | undefined;
  readonly search?: SearchIndex | undefined;
}

interface VersionInput {
  readonly package: number;
  readonly version: number;
}

interface DriftInput {
  readonly package: number;
  readonly step: number;
  /** Entries of the step, where that is known. */
  readonly entries?: number;
  /** Questions to the stores a second. */
  readonly rate: number;
}

/** What is cleared, in this order: rows of one statement, and the key of a row beside its package. */
const purged = [
  ['entry', 1000, 'path', 'from_step'],
  ['manifest_range', 1000, 'last_path', 'from_step'],
  ['text', 20, 'sha256'],
  ['step', 1000, 'step'],
  ['version_source', 1000, 'number', 'source'],
  ['version', 1000, 'number'],
] as const;

export class Checks {
  readonly #options: ChecksOptions;

  constructor(options: ChecksOptions) {
    this.#options = options;
    options.jobs.register<VersionInput>('package.verify', { run: (context) => this.#verify(context) });
    options.jobs.register<DriftInput>('package.drift', { run: (context) => this.#drift(context) });
    options.jobs.register<{ readonly package: number }>('package.purge', { run: (context) => this.#purge(context) });
  }

  verify(packageId: number, version: number, ownerId: string): Promise<JobView> {
    const input: VersionInput = { package: packageId, version };
    return this.#options.jobs.start({ kind: 'package.verify', subject: `package:${packageId}@${version}`, ownerId, input });
  }

  drift(input: DriftInput, version: number | undefined, ownerId: string): Promise<JobView> {
    return this.#options.jobs.start({ kind: 'package.drift', subject: subjectOf(input.package, version), ownerId, input });
  }

  /** The newest sweep of a version, or of the draft, that has ended. Errors: not_found. */
  async lastDrift(packageId: number, version: number | undefined): Promise<JobView> {
    const system = { kind: 'system', name: 'packages' } as const;
    let cursor: string | undefined;
    do {
      const page = await this.#options.jobs.list(system, { subject: subjectOf(packageId, version), state: 'done', cursor });
      const found = page.jobs.find(({ kind }) => kind === 'package.drift');
      if (found !== undefined) return found;
      cursor = page.cursor;
    } while (cursor !== undefined);
    throw new PackageRError('not_found', 'No sweep for drift has ended here yet.');
  }

  /** `removal` marks the package as removed, in the same unit. */
  purge(packageId: number, ownerId: string, removal: readonly Write[]): Promise<JobView> {
    const input = { package: packageId };
    return this.#options.jobs.start({
      kind: 'package.purge',
      subject: `package:${packageId}`,
      ownerId,
      input,
      alongside: () => removal,
    });
  }

  async #verify({ input, signal, progress }: JobContext<VersionInput>): Promise<Record<string, unknown>> {
    const { state } = this.#options;
    const query = state.db.selectFrom('version').selectAll().where('package', '=', input.package).where('number', '=', input.version);
    const version = await query.executeTakeFirst();
    if (version === undefined) throw new PackageRError('not_found', 'There is no such version any more.');
    const checked = await verifyVersion({ state, version, signal, progress: (done) => progress({ done, total: version.entries }) });
    return { ...checked, digest: version.digest };
  }

  async #drift(context: JobContext<DriftInput>): Promise<Record<string, unknown>> {
    const { state, access, sources, clock, stat, list } = this.#options;
    const { input, signal, ownerId } = context;
    const actor = await actorOf(access, ownerId);
    const result = await findDrift({
      state,
      package: input.package,
      step: input.step,
      rate: input.rate,
      clock,
      signal,
      resume: context.checkpoint as DriftCheckpoint | undefined,
      open: (action, source, path) => sources.openById(actor, action, source, path),
      stat,
      list,
      placeOf: placeOfKey,
      save: (checkpoint) => context.save(checkpoint),
      progress: (done) => context.progress({ done, ...(input.entries === undefined ? {} : { total: input.entries }) }),
    });
    return { ...result };
  }

  /** Only what belongs to a package that is marked as removed: the triggers of the state see to that. */
  async #purge({ input, signal, progress, saving }: JobContext<{ readonly package: number }>): Promise<Record<string, unknown>> {
    const { state } = this.#options;
    let done = 0;
    for (const [table, most, ...keys] of purged) {
      const columns = sql.join(keys.map((key) => sql.ref(key)));
      const remove = sql`delete from ${sql.table(table)} where (package, ${columns}) in (
        select package, ${columns} from ${sql.table(table)} where package = ${input.package} limit ${sql.lit(most)})`.compile(state.db);
      for (let rows: number = most; rows === most; ) {
        signal.throwIfAborted();
        const [swept] = await state.write({ query: remove, isBulk: true }, saving({ done }));
        rows = swept?.changes ?? 0;
        done += rows;
        progress({ done });
      }
    }
    this.#options.search?.refresh(input.package);
    return { rows: done };
  }
}

function subjectOf(packageId: number, version: number | undefined): string {
  return version === undefined ? `package:${packageId}` : `package:${packageId}@${version}`;
}
