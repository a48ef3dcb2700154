/** `packages create, ls, show, fork, delete`. */
import type { Command } from 'commander';
import type { Package } from '#api/packages.ts';
import type { CliContext } from '#cli/context.ts';
import { entryPath, packagePath } from '#cli/packages/reference.ts';
import { say, show, showList, writeTime } from '#cli/show.ts';
import { showEntries, showFound } from '#cli/sources.ts';
import { apiPath } from '#client/client.ts';

export function addLifecycle(packages: Command, context: CliContext): void {
  packages
    .command('create <package>')
    .description('make an empty package')
    .action(async (reference: string) => show(context, await (await context.client()).post('api/v1/packages', { reference })));
  packages
    .command('ls [package] [path]')
    .description('list packages; with a package, the entries of a folder of its draft, or of a version with @3')
    .action(async (reference: string | undefined, path = '') => {
      if (reference !== undefined) return await showEntries(context, entryPath(reference, path));
      const client = await context.client();
      await showList(context, client.pages<Package>('api/v1/packages', 'packages'), {
        package: (one) => `${one.namespace}/${one.name}`,
        latest: (one) => (one.latest === undefined ? '–' : `@${one.latest}`),
        draft: (one) => (one.isChanged ? 'changed' : 'as frozen'),
        since: (one) => writeTime(one.createdAt),
      });
    });
  packages
    .command('search <package> <text>')
    .description('entries whose names hold the text, or match it as a glob')
    .option('--in <folder>', 'only below this folder', '')
    .action(async (reference: string, text: string, { in: folder }: { in: string }) => {
      const path = `${packagePath(reference)}/search/${apiPath`${folder.replace(/\/$/, '')}`}`;
      await showFound(context, path, text);
    });
  packages
    .command('show <package>')
    .description('a package, or with @3 a version')
    .action(async (reference: string) => show(context, await (await context.client()).get(packagePath(reference))));
  packages
    .command('fork <package> <to>')
    .description('make a new package from a draft, or from a version with @3')
    .action(async (reference: string, to: string) =>
      show(context, await (await context.client()).post(`${packagePath(reference)}/fork`, { to })),
    );
  packages
    .command('delete <package>')
    .description('delete a package with all its versions; refused while shares of it are live')
    .option('--force', 'even then: those shares end')
    .action(async (reference: string, { force }: { force?: true }) => {
      await (await context.client()).delete(packagePath(reference), { force });
      say(context, `Deleted ${reference}. What it pointed to is where it was.`);
    });
}
