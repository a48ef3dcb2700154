/** `package-r tokens`: API tokens, which can do less than their owner. */
import type { Command } from 'commander';
import type { CreatedToken, Token } from '#api/access.ts';
import type { CliContext } from '#cli/context.ts';
import { collect, parseSeconds } from '#cli/options.ts';
import { say, showList, writeTime } from '#cli/show.ts';
import { apiPath } from '#client/client.ts';
import { actions } from '#model/actor.ts';

export function addTokens(program: Command, context: CliContext): void {
  const tokens = program.command('tokens').description('API tokens of yours: narrower rights, an end, revocable');
  tokens
    .command('ls')
    .description('list your tokens')
    .action(async () => {
      const client = await context.client();
      await showList(context, client.pages<Token>('api/v1/tokens', 'tokens'), {
        id: (one) => one.id,
        name: (one) => one.name,
        actions: (one) => one.actions.join(' '),
        expires: (one) => writeTime(one.expiresAt),
        used: (one) => writeTime(one.usedAt),
      });
    });
  tokens
    .command('add <name>')
    .description('make a token; it is shown once')
    .option(
      '--action <action>',
      'list, stat, download, create, modify, delete, share or manage; repeat (default: all that you have)',
      collect,
    )
    .option('--expires <duration>', 'life: 12h, 30d', parseSeconds)
    .action(async (name: string, options: { action?: readonly string[]; expires?: number }) => {
      const wanted = { name, actions: options.action ?? actions, expiresIn: options.expires };
      const { token, details } = await (await context.client()).post<CreatedToken>('api/v1/tokens', wanted);
      if (context.isJson) context.json({ token, ...details });
      else context.print(`${token}\n`);
      say(context, `It is not shown again, and ends ${writeTime(details.expiresAt)}.`);
    });
  tokens
    .command('rm <id>')
    .description('revoke a token at once')
    .action(async (id: string) => {
      await (await context.client()).delete(apiPath`api/v1/tokens/${id}`);
      say(context, 'Revoked.');
    });
}
