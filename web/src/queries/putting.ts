/**
 * From the tray into a package: one annex per source, one after the other, since a draft takes one change at a time. It goes on while people
 * look at other pages; what fails or is cancelled keeps its items in the tray.
 */
import { reactive, shallowRef } from 'vue';
import type { Namespace } from '#api/access.ts';
import type { Job } from '#api/jobs.ts';
import type { Annex, Package } from '#api/packages.ts';
import { apiPath } from '#client/client.ts';
import { client, codeOf } from './client.ts';
import { cancelJob, followJob } from './jobs.ts';
import { annexParts, type TrayItem } from './tray-items.ts';

export interface PutPlan {
  readonly namespace: string;
  readonly name: string;
  readonly isNew: boolean;
  /** Folder of the package. */
  readonly to: string;
  readonly copyTexts: boolean;
  readonly onConflict: NonNullable<Annex['onConflict']>;
}

export interface PutPart {
  readonly source: string;
  readonly items: readonly TrayItem[];
  state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';
  job: Job | undefined;
  error: unknown;
}

export interface PutRun {
  readonly plan: PutPlan;
  readonly parts: PutPart[];
  state: 'running' | 'ended';
  isCancelling: boolean;
  /** Why nothing could begin. */
  error: unknown;
}

/** What it needs of the server; another one in tests. */
export interface PutServer {
  create(reference: string): Promise<unknown>;
  annex(plan: PutPlan, request: Annex): Promise<Job>;
  follow(id: string): AsyncIterable<Job>;
  cancel(id: string): Promise<unknown>;
}

const server: PutServer = {
  create: (reference) => client.post<Package>('api/v1/packages', { reference }),
  annex: ({ namespace, name }, request) => client.post<Job>(apiPath`api/v1/packages/${namespace}/${name}/annex`, request),
  follow: (id) => followJob(id, new AbortController().signal),
  cancel: cancelJob,
};

/** The one that runs, or that ran last. */
export const putting = shallowRef<PutRun>();

export function startPutting(plan: PutPlan, items: readonly TrayItem[]): PutRun {
  const run = newRun(plan, items);
  putting.value = run;
  void runPut(run, server);
  return run;
}

export function newRun(plan: PutPlan, items: readonly TrayItem[]): PutRun {
  const parts = annexParts(items).map((part): PutPart => ({ ...part, state: 'waiting', job: undefined, error: undefined }));
  return reactive({ plan, parts, state: 'running', isCancelling: false, error: undefined });
}

/** To its end, whatever comes: what went wrong stands in the run and in its parts. */
export async function runPut(run: PutRun, { create, annex, follow, cancel }: PutServer): Promise<void> {
  try {
    if (run.plan.isNew) await create(`${run.plan.namespace}/${run.plan.name}`);
    for (const part of run.parts) {
      if (run.isCancelling) part.state = 'cancelled';
      else await runPart(part, run, { create, annex, follow, cancel });
    }
  } catch (error) {
    run.error = error;
    for (const part of run.parts) part.state = 'failed';
  } finally {
    run.state = 'ended';
  }
}

async function runPart(part: PutPart, run: PutRun, { annex, follow, cancel }: PutServer): Promise<void> {
  part.state = 'running';
  try {
    const started = await annex(run.plan, annexRequest(run.plan, part));
    part.job = started;
    // Asked while the job was on its way.
    if (run.isCancelling) await cancel(started.id);
    for await (const job of follow(started.id)) part.job = job;
    part.state = part.job.state === 'done' ? 'done' : part.job.state === 'cancelled' ? 'cancelled' : 'failed';
  } catch (error) {
    part.state = 'failed';
    part.error = error;
  }
}

/** The part that runs ends as if it had not begun; those that wait do not begin; those that are done stay. */
export async function cancelPutting(run: PutRun, { cancel }: Pick<PutServer, 'cancel'> = server): Promise<void> {
  run.isCancelling = true;
  const id = run.parts.find(({ state }) => state === 'running')?.job?.id;
  if (id !== undefined) await cancel(id);
}

/** Errors where it is the package of that name that was there before. */
export function isTaken(run: PutRun): boolean {
  return run.plan.isNew && codeOf(run.error) === 'exists';
}

function annexRequest({ to, copyTexts, onConflict }: PutPlan, { source, items }: PutPart): Annex {
  // A whole source has no name to be put under: what it holds is put.
  const select = items[0]?.path === '' ? { folder: '' } : { paths: items.map(({ path }) => path) };
  return { source, select, to, copyTexts, onConflict };
}

/** Where new packages may go: those that one sees, the own one first. */
export async function listNamespaces(own: string): Promise<readonly string[]> {
  const { namespaces } = await client.get<{ readonly namespaces: readonly Namespace[] }>('api/v1/namespaces');
  const names = namespaces.map(({ name }) => name);
  return names.includes(own) ? [own, ...names.filter((name) => name !== own)] : names;
}

const mostPackages = 5000;

/** All that one sees, by name. */
export async function listPackageNames(): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { namespace, name } of client.pages<Package>('api/v1/packages', 'packages', { limit: 1000 })) {
    if (names.push(`${namespace}/${name}`) === mostPackages) break;
  }
  return names;
}
