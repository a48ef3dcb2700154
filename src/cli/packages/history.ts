/** `packages undo, redo, log, freeze, versions, diff, restore, verify, drift, withdraw`. */
import type { Command } from 'commander';
import type { Job } from '#api/jobs.ts';
import type { Change, DriftedEntry, Package, PackageHead, Step, Version } from '#api/packages.ts';
import type { CliContext } from '#cli/context.ts';
import { followJob } from '#cli/job.ts';
import { parseInteger } from '#cli/options.ts';
import { packagePath } from '#cli/packages/reference.ts';
import { say, show, showList, writeTime } from '#cli/show.ts';
import { writeSize, writeTable } from '#cli/terminal.ts';
import { PackageRError } from '#errors/error.ts';

export function addHistory(packages: Command, context: CliContext): void {
  addSteps(packages, context);
  addVersions(packages, context);
  addChecks(packages, context);
}

function addSteps(packages: Command, context: CliContext): void {
  for (const verb of ['undo', 'redo'] as const) {
    packages
      .command(`${verb} <package>`)
      .description(verb === 'undo' ? 'go back one step; frozen versions are not undone' : 'go forward again')
      .action(async (reference: string) => {
        const answer = await (await context.client()).post<Package>(`${packagePath(reference)}/steps`, { operation: verb });
        if (context.isJson) context.json(answer);
        say(context, `The draft is at step ${answer.head}.`);
      });
  }
  packages
    .command('log <package>')
    .description('steps of the draft, newest first')
    .action(async (reference: string) => {
      const client = await context.client();
      await showList(context, client.pages<Step>(`${packagePath(reference)}/steps`, 'steps'), {
        step: (one) => one.step,
        version: (one) => (one.version === undefined ? '' : `@${one.version}`),
        at: (one) => writeTime(one.at),
        by: (one) => one.actor,
        added: (one) => one.added,
        removed: (one) => one.removed,
        what: (one) => `${one.summary}${one.undone ? ' (undone)' : ''}`,
      });
    });
}

function addVersions(packages: Command, context: CliContext): void {
  packages
    .command('freeze <package>')
    .description('make the draft a version that never changes')
    .option('-m, --message <text>', 'what is new', '')
    .action(async (reference: string, { message }: { message: string }) => {
      const client = await context.client();
      const answer = await client.post<Version | Job>(`${packagePath(reference)}/versions`, { message });
      const version = 'digest' in answer ? answer : await frozenBy(context, reference, answer);
      if (context.isJson) context.json(version);
      say(context, `${reference}@${version.number}  ${version.entries} files, ${writeSize(version.bytes)}\n${version.digest}`);
    });
  packages
    .command('versions <package>')
    .description('list versions, newest first')
    .action(async (reference: string) => {
      const client = await context.client();
      await showList(context, client.pages<Version>(`${packagePath(reference)}/versions`, 'versions'), {
        version: (one) => `@${one.number}`,
        frozen: (one) => writeTime(one.frozenAt),
        files: (one) => one.entries,
        size: (one) => writeSize(one.bytes),
        digest: (one) => one.digest,
        message: (one) => (one.withdrawn === undefined ? one.message : `withdrawn: ${one.withdrawn.reason}`),
      });
    });
  packages
    .command('diff <package> [from] [to]')
    .description('what was added, removed, changed, moved; from a version (default: the newest) to another (default: the draft)')
    .action(async (reference: string, from: string | undefined, to: string | undefined) => {
      const client = await context.client();
      const marks = { added: '+', removed: '−', changed: '~', moved: '→' } as const;
      const start = from ?? (await client.get<PackageHead>(packagePath(reference))).package.latest;
      if (start === undefined) throw new PackageRError('not_found', `${reference} has no version yet to compare with.`);
      const query = { from: String(start).replace(/^@/, ''), to: to?.replace(/^@/, '') };
      await showList(context, client.pages<Change>(`${packagePath(reference)}/diff`, 'changes', query), {
        '': (one) => marks[one.kind],
        path: (one) => (one.from === undefined ? one.path : `${one.from} → ${one.path}`),
        size: (one) =>
          one.entry.size === undefined ? (one.entries === undefined ? '' : `${one.entries} files`) : writeSize(one.entry.size),
      });
    });
  packages
    .command('restore <package> <version>')
    .description('make the draft what a version was, as a new step')
    .action(async (reference: string, version: string) => {
      const answer = await (await context.client()).post<{ id?: string; state?: string }>(`${packagePath(reference)}/steps`, {
        operation: 'restore',
        version: Number(version.replace(/^@/, '')),
      });
      show(context, answer.state === undefined || answer.id === undefined ? answer : await followJob(context, answer.id));
    });
  packages
    .command('withdraw <package>')
    .description('let a version (namespace/name@3) answer 410; its digest stays known')
    .option('--reason <text>', 'shown to whoever asks for it', '')
    .action(async (reference: string, { reason }: { reason: string }) =>
      show(context, await (await context.client()).post(`${packagePath(reference)}/withdraw`, { reason })),
    );
}

async function frozenBy(context: CliContext, reference: string, { id }: Job): Promise<Version> {
  const { version } = await followJob(context, id);
  return (await context.client()).get<Version>(`${packagePath(`${reference}@${version}`)}`);
}

function addChecks(packages: Command, context: CliContext): void {
  packages
    .command('verify <package>')
    .description('compute the digest of a version again from what is kept')
    .option('--detach', 'do not wait')
    .action(async (reference: string, { detach }: { detach?: true }) => {
      const job = await (await context.client()).post<Job>(`${packagePath(reference)}/verify`);
      show(context, detach === true ? job : await followJob(context, job.id));
    });
  packages
    .command('drift <package>')
    .description('ask the stores whether the objects are still what they were: intact, changed, gone, unreachable')
    .option('--rate <number>', 'questions to the stores a second (default and most: the setting drift.perSecond)', parseInteger(1, 9999))
    .option('--last', 'what the last sweep found; asks no store')
    .option('--detach', 'do not wait')
    .action((reference: string, options: DriftOptions) => drift(context, reference, options));
}

interface DriftOptions {
  readonly rate?: number;
  readonly last?: true;
  readonly detach?: true;
}

async function drift(context: CliContext, reference: string, { rate, last, detach }: DriftOptions): Promise<void> {
  const client = await context.client();
  if (last === true) return showDrift(context, (await client.get<Job>(`${packagePath(reference)}/drift`)).result ?? {});
  const job = await client.call<Job>('POST', `${packagePath(reference)}/drift`, { query: { rate } });
  if (detach === true) return show(context, job);
  showDrift(context, await followJob(context, job.id));
}

function showDrift(context: CliContext, result: Job['result'] & object): void {
  const { entries = [], ...counts } = result as { readonly entries?: readonly DriftedEntry[] } & Readonly<Record<string, number>>;
  const differ = (counts['changed'] ?? 0) + (counts['gone'] ?? 0);
  if (context.isJson) context.json(result);
  else {
    const rows = entries.map(({ found, size, now, code, path }) => {
      const sizes = now === undefined || now.size === size ? writeSize(size) : `${writeSize(size)} → ${writeSize(now.size)}`;
      return [found, sizes, code, path];
    });
    if (rows.length > 0) context.print(writeTable(rows, ['found', 'size', 'code', 'path']));
    show(context, counts);
  }
  if (differ > 0) context.fail(`${differ} objects are not what they were.`);
}
