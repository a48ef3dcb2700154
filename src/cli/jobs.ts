/** `package-r jobs`: long work, what it does, and how to stop it. */
import type { Command } from 'commander';
import type { Job } from '#api/jobs.ts';
import type { CliContext } from '#cli/context.ts';
import { followJob } from '#cli/job.ts';
import { show, showList } from '#cli/show.ts';
import { apiPath } from '#client/client.ts';

export function addJobs(program: Command, context: CliContext): void {
  const jobs = program
    .command('jobs')
    .summary('long work: list, follow, cancel')
    .description('Long work: annexing, moving, verifying, looking for drift.');
  jobs
    .command('ls')
    .description('list jobs, newest first')
    .option('--state <state>', 'only those that are queued, running, done, failed or cancelled')
    .action(async ({ state }: { state?: string }) => {
      const client = await context.client();
      await showList(context, client.pages<Job>('api/v1/jobs', 'jobs', { state }), {
        id: (job) => job.id,
        kind: (job) => job.kind,
        subject: (job) => job.subject,
        state: (job) => job.state,
        done: (job) => job.progress.done,
        error: (job) => job.error?.code,
      });
    });
  jobs
    .command('show <id>')
    .description('all that is known of one job')
    .action(async (id: string) => show(context, await (await context.client()).get(apiPath`api/v1/jobs/${id}`)));
  jobs
    .command('watch <id>')
    .description('follow a job to its end')
    .action(async (id: string) => show(context, await followJob(context, id)));
  jobs
    .command('cancel <id>')
    .description('stop a job; what it had begun is undone')
    .action(async (id: string) => show(context, await (await context.client()).post(apiPath`api/v1/jobs/${id}/cancel`)));
}
