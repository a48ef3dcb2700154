/** `package-r users`. */
import type { Command } from 'commander';
import type { User } from '#api/access.ts';
import type { CliContext } from '#cli/context.ts';
import { say, show, showList, writeTime } from '#cli/show.ts';
import { readSecret } from '#cli/terminal.ts';
import { apiPath } from '#client/client.ts';

interface UpdateOptions {
  readonly password?: string | true;
  readonly admin?: boolean;
  readonly disable?: true;
  readonly enable?: true;
}

export function addUsers(program: Command, context: CliContext): void {
  const users = program.command('users').description('people who sign in');
  users
    .command('ls')
    .description('list users')
    .action(async () => {
      const client = await context.client();
      await showList(context, client.pages<User>('api/v1/users', 'users'), {
        name: (one) => one.name,
        admin: (one) => (one.admin ? 'admin' : ''),
        state: (one) => (one.disabled ? 'disabled' : 'active'),
        since: (one) => writeTime(one.createdAt),
      });
    });
  users
    .command('add <name>')
    .description('make a user, with a namespace of that name')
    .option('--password <->', 'read the password from stdin (else it is asked for)')
    .option('--admin', 'may do everything')
    .action(async (name: string, { password, admin }: { password?: string; admin?: true }) => {
      const secret = await readSecret(context.terminal, password, `Password of ${name}: `);
      show(context, await (await context.client()).post('api/v1/users', { name, password: secret.reveal(), admin: admin === true }));
    });
  users
    .command('show <name>')
    .description('one user')
    .action(async (name: string) => show(context, await (await context.client()).get(apiPath`api/v1/users/${name}`)));
  users
    .command('update <name>')
    .description('change a user; sessions and tokens end where rights or the password change')
    .option('--password [-]', 'a new password: asked for, or read from stdin with “-”')
    .option('--admin', 'may do everything')
    .option('--no-admin', 'may not any more')
    .option('--disable', 'may not sign in; everything of theirs stops')
    .option('--enable', 'may sign in again')
    .action(async (name: string, options: UpdateOptions) => {
      const secret =
        options.password === undefined
          ? undefined
          : await readSecret(context.terminal, options.password === true ? undefined : options.password, `New password of ${name}: `);
      const disabled = options.disable === true ? true : options.enable === true ? false : undefined;
      const client = await context.client();
      if (secret !== undefined) await client.put(apiPath`api/v1/users/${name}/password`, { password: secret.reveal() });
      if (options.admin !== undefined || disabled !== undefined)
        await client.patch(apiPath`api/v1/users/${name}`, { admin: options.admin, disabled });
      show(context, await client.get(apiPath`api/v1/users/${name}`));
    });
  users
    .command('rm <name>')
    .description('delete a user')
    .action(async (name: string) => {
      await (await context.client()).delete(apiPath`api/v1/users/${name}`);
      say(context, `Deleted ${name}.`);
    });
}
