/** Follows a job to its end: progress on stderr, cancel on Ctrl-C, its error as ours. */

import type { Job } from '#api/jobs.ts';
import type { CliContext } from '#cli/context.ts';
import { printable } from '#cli/terminal.ts';
import { apiPath } from '#client/client.ts';
import { PackageRError } from '#errors/error.ts';
import { type ErrorCode, errorTable } from '#errors/table.ts';

/** The result of the job. Errors: those of the job; cancelled after Ctrl-C, once the job has let go. */
export async function followJob(context: CliContext, id: string): Promise<Readonly<Record<string, unknown>>> {
  const client = await context.client();
  const onAbort = (): void => {
    client.call('POST', apiPath`api/v1/jobs/${id}/cancel`, { json: {}, signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
  };
  context.signal.addEventListener('abort', onAbort, { once: true });
  const isLive = context.terminal.stderr.isTTY === true && !context.isQuiet && !context.isJson;
  let last: Job | undefined;
  try {
    for await (const job of client.events<Job>(apiPath`api/v1/jobs/${id}/events`)) {
      last = job;
      if (isLive) context.terminal.stderr.write(`\r\u001b[K${writeProgress(job)}`);
    }
  } finally {
    context.signal.removeEventListener('abort', onAbort);
    if (isLive) context.terminal.stderr.write('\r\u001b[K');
  }
  const end = last?.finishedAt === undefined ? await client.get<Job>(apiPath`api/v1/jobs/${id}`) : last;
  if (end.state === 'done') return end.result ?? {};
  if (end.state === 'cancelled') throw new PackageRError('cancelled', 'It was cancelled; the draft is as it was.');
  const code = end.error?.code ?? 'internal';
  throw new PackageRError(
    Object.hasOwn(errorTable, code) ? (code as ErrorCode) : 'internal',
    end.error?.message ?? `The job ${id} is ${end.state}.`,
  );
}

function writeProgress({ kind, state, progress }: Job): string {
  const total = progress.total === undefined ? '' : ` of ${progress.total}`;
  const note = progress.note === undefined ? '' : `  ${printable(progress.note)}`;
  return `${kind}  ${state}  ${progress.done}${total}${note}`;
}
