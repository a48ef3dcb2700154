/** `package-r events`: who did what, when, from where. */
import type { Command } from 'commander';
import type { EventAnswer } from '#api/jobs.ts';
import type { CliContext } from '#cli/context.ts';
import { parseInteger, parseWhen } from '#cli/options.ts';
import { showList, writeTime } from '#cli/show.ts';

export function addEvents(program: Command, context: CliContext): void {
  const events = program.command('events').description('what happened: an append-only log');
  events
    .command('ls')
    .description('newest first')
    .option('--subject <subject>', 'only of this thing: share:4, package:2@1')
    .option('--action <action>', 'only of this kind: share.exchange, user.login')
    .option('--since <instant>', 'from this instant on', parseWhen)
    .option('--limit <n>', 'at most so many', parseInteger(1, 1_000_000), 100)
    .action(async ({ limit, since, ...filter }: { limit: number; subject?: string; action?: string; since?: number }) => {
      const query = { ...filter, since: since === undefined ? undefined : new Date(since).toISOString() };
      const client = await context.client();
      await showList(context, take(client.pages<EventAnswer>('api/v1/events', 'events', query), limit), {
        at: (one) => writeTime(one.at),
        actor: (one) => one.actor,
        action: (one) => one.action,
        subject: (one) => one.subject,
        outcome: (one) => one.outcome,
        address: (one) => one.address,
      });
    });
}

async function* take<T>(items: AsyncIterable<T>, limit: number): AsyncIterable<T> {
  let count = 0;
  for await (const item of items) {
    yield item;
    if (++count >= limit) return;
  }
}
