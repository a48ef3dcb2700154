/** `package-r groups`. */
import type { Command } from 'commander';
import type { Group } from '#api/access.ts';
import type { CliContext } from '#cli/context.ts';
import { say, show, showList } from '#cli/show.ts';
import { apiPath } from '#client/client.ts';

export function addGroups(program: Command, context: CliContext): void {
  const groups = program.command('groups').description('groups of users, for grants and shares');
  groups
    .command('ls')
    .description('list groups')
    .action(async () => {
      const client = await context.client();
      await showList(context, client.pages<Group>('api/v1/groups', 'groups'), {
        name: (one) => one.name,
        members: (one) => one.members.join(' '),
      });
    });
  groups
    .command('add <name> [user...]')
    .description('make a group, or add users to it')
    .action(async (name: string, members: string[]) => {
      const client = await context.client();
      const known = await client.get<{ groups: Group[] }>('api/v1/groups');
      if (!known.groups.some((one) => one.name === name)) await client.post('api/v1/groups', { name });
      for (const user of members) await client.put(apiPath`api/v1/groups/${name}/members/${user}`, {});
      show(context, await client.get(apiPath`api/v1/groups/${name}`));
    });
  groups
    .command('rm <name> [user...]')
    .description('take users out of a group; without users, delete the group')
    .action(async (name: string, members: string[]) => {
      const client = await context.client();
      if (members.length === 0) await client.delete(apiPath`api/v1/groups/${name}`);
      for (const user of members) await client.delete(apiPath`api/v1/groups/${name}/members/${user}`);
      say(context, members.length === 0 ? `Deleted ${name}.` : `Took ${members.join(', ')} out of ${name}.`);
    });
}
