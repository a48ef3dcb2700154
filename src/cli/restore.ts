/** `package-r restore FILE`: a verified backup takes the place of the state, which is kept aside. */
import type { Command } from 'commander';
import type { CliContext } from '#cli/context.ts';
import { say, show } from '#cli/show.ts';
import { showVerifyLine } from '#cli/verify.ts';

export function addRestore(program: Command, context: CliContext): void {
  program
    .command('restore <file>')
    .description(
      'restore the data folder from a backup (a file, or a name in backups/), while no server runs; what was there is kept aside',
    )
    .action(async (file: string) => {
      const done = await context.restore(file, (line) => {
        if (line.kind !== 'done') showVerifyLine(context, line);
      });
      if (context.isJson) show(context, done);
      say(context, `Restored ${done.packages} packages with ${done.versions} versions, all verified, to ${done.path}.`);
      if (done.replaced !== undefined) say(context, `What was there before lies in ${done.replaced}.`);
      say(
        context,
        'Links, rights and sign-ins are those of the time of the backup: what was revoked since then holds again until you revoke it.',
      );
      say(context, done.key);
    });
}
