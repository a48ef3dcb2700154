/** The freeze of much, as a job: it shows how far it is, can be cancelled, and begins again where packageR stopped meanwhile. */
import type { Access } from '#access/access.ts';
import { PackageRError } from '#errors/error.ts';
import type { Events } from '#events/events.ts';
import type { JobContext, JobView } from '#jobs/job.ts';
import type { Jobs } from '#jobs/jobs.ts';
import type { Actor } from '#model/actor.ts';
import type { Clock } from '#model/clock.ts';
import { placeOfKey } from '#sources/place.ts';
import type { Sources } from '#sources/sources.ts';
import type { VersionRow } from '#state/schema.ts';
import type { State } from '#state/state.ts';
import { actorOf, writeActorId } from './curator.ts';
import { freezeClaimed } from './freeze.ts';
import { claimHead, getPackageRow, trimRanges } from './open-step.ts';

export interface FreezeJobsOptions {
  readonly state: State;
  readonly access: Access;
  readonly sources: Sources;
  readonly jobs: Jobs;
  readonly events: Events;
  readonly clock: Clock;
}

interface FreezeInput {
  readonly package: number;
  readonly message: string;
  /** The step that is frozen. */
  readonly step: number;
}

export class FreezeJobs {
  readonly #options: FreezeJobsOptions;

  constructor(options: FreezeJobsOptions) {
    this.#options = options;
    options.jobs.register<FreezeInput>('package.freeze', { run: (context) => this.#run(context) });
  }

  /** A job has all rights of its owner: an actor whose own are narrower in what a freeze asks for must wait for it instead. */
  static mayStart(actor: Actor): boolean {
    return actor.kind !== 'user' || actor.only === undefined || actor.only.includes('download');
  }

  /** The draft is held from now on. Errors: step_open. */
  start(input: FreezeInput, actor: Actor): Promise<JobView> {
    const { state, jobs } = this.#options;
    return jobs.start({
      kind: 'package.freeze',
      subject: `package:${input.package}`,
      ownerId: writeActorId(actor),
      input,
      alongside: (job) => [claimHead(state, { package: input.package, job }, input.step)],
    });
  }

  async #run(context: JobContext<FreezeInput>): Promise<Record<string, unknown>> {
    const { state, access, sources, events, clock } = this.#options;
    const { input, signal, ownerId, progress } = context;
    const claim = { package: input.package, job: context.id, lease: context.lease };
    const row = await getPackageRow(state, input.package);
    if (row.open_job !== context.id) return told(await this.#frozen(input));
    const actor = await actorOf(access, ownerId);
    await trimRanges(state, claim, row.frozen);
    const version = await freezeClaimed({
      state,
      claim,
      message: input.message,
      author: ownerId,
      at: clock(),
      signal,
      authorize: async (source, path) => void (await sources.openById(actor, 'download', source, path)),
      placeOf: placeOfKey,
      progress: (done) => progress({ done }),
      keepsClaim: () => signal.aborted && !context.isCancelled(),
    });
    const { number, digest } = version;
    events.record({ actor, action: 'package.freeze', subject: `package:${input.package}`, details: { version: number, digest } });
    return told(version);
  }

  /** What this job froze before its end was written. Errors: cancelled where the claim was taken away. */
  async #frozen({ package: id, step }: FreezeInput): Promise<VersionRow> {
    const query = this.#options.state.db.selectFrom('version').selectAll().where('package', '=', id).where('step', '=', step);
    const version = await query.orderBy('number', 'desc').limit(1).executeTakeFirst();
    if (version === undefined) throw new PackageRError('cancelled', 'This freeze was given up meanwhile.');
    return version;
  }
}

function told({ number, digest, entries, bytes }: VersionRow): Record<string, unknown> {
  return { version: number, digest, entries, bytes };
}
