/** `package-r packages`: what is curated. The verbs are in three files: the package itself, its contents, its history. */
import type { Command } from 'commander';
import type { CliContext } from '#cli/context.ts';
import { addContents } from '#cli/packages/contents.ts';
import { addHistory } from '#cli/packages/history.ts';
import { addLifecycle } from '#cli/packages/lifecycle.ts';

export function addPackages(program: Command, context: CliContext): void {
  const packages = program
    .command('packages')
    .summary('curate: add, move, freeze, compare')
    .description('Packages: named trees of pointers and texts. A package is written namespace/name; @3 or @latest names a version of it.');
  addLifecycle(packages, context);
  addContents(packages, context);
  addHistory(packages, context);
}
