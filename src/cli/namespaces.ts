/** `package-r namespaces`: owners of packages, a user's own or a team's. */
import type { Command } from 'commander';
import type { Member, Namespace } from '#api/access.ts';
import type { CliContext } from '#cli/context.ts';
import { say, show, showList, writeTime } from '#cli/show.ts';
import { apiPath, type Client } from '#client/client.ts';

export function addNamespaces(program: Command, context: CliContext): void {
  const namespaces = program.command('namespaces').description('owners of packages: your own and those of teams');
  namespaces
    .command('ls')
    .description('list namespaces')
    .action(async () => {
      const client = await context.client();
      await showList(context, client.pages<Namespace>('api/v1/namespaces', 'namespaces'), {
        name: (one) => one.name,
        of: (one) => (one.personal ? 'one user' : 'a team'),
        since: (one) => writeTime(one.createdAt),
      });
    });
  namespaces
    .command('add <name>')
    .description('make a namespace for a team')
    .option('--upload-source <source>', 'source that takes uploads')
    .action(async (name: string, { uploadSource }: { uploadSource?: string }) => {
      const client = await context.client();
      await client.post('api/v1/namespaces', { name });
      if (uploadSource !== undefined) await client.patch(apiPath`api/v1/namespaces/${name}`, { uploadSource });
      show(context, await client.get(apiPath`api/v1/namespaces/${name}`));
    });
  namespaces
    .command('set <name>')
    .description('where uploads of its packages go')
    .option('--upload-source <source>', 'source that takes them; “none” for none')
    .option('--upload-prefix <folder>', 'folder in that source')
    .action(async (name: string, { uploadSource, uploadPrefix }: { uploadSource?: string; uploadPrefix?: string }) => {
      const client = await context.client();
      const path = apiPath`api/v1/namespaces/${name}`;
      await client.patch(path, { uploadSource: uploadSource === 'none' ? null : uploadSource, uploadPrefix });
      show(context, await client.get(path));
    });
  namespaces
    .command('show <name>')
    .description('one namespace and its members')
    .action(async (name: string) => {
      const client = await context.client();
      show(context, { ...(await client.get<Namespace>(apiPath`api/v1/namespaces/${name}`)), ...(await membersOf(client, name)) });
    });
  namespaces
    .command('grant <name> <member> <role>')
    .description('member: a user, or group:NAME, or everyone; role: viewer, editor, owner or none')
    .action(async (name: string, member: string, role: string) => {
      const client = await context.client();
      const subject = parseSubject(member);
      const path = apiPath`api/v1/namespaces/${name}/members`;
      if (role === 'none') await client.post(`${path}/remove`, { subject });
      else await client.put(path, { subject, role });
      show(context, await membersOf(client, name));
    });
  namespaces
    .command('rm <name>')
    .description('delete an empty namespace')
    .action(async (name: string) => {
      await (await context.client()).delete(apiPath`api/v1/namespaces/${name}`);
      say(context, `Deleted ${name}.`);
    });
}

function membersOf(client: Client, name: string): Promise<{ members: Member[] }> {
  return client.get(apiPath`api/v1/namespaces/${name}/members`);
}

/** `anna`, `group:lab`, `everyone`. */
export function parseSubject(text: string): Member['subject'] {
  if (text === 'everyone') return { kind: 'everyone' };
  return text.startsWith('group:') ? { kind: 'group', name: text.slice(6) } : { kind: 'user', name: text };
}
