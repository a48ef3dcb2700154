/** `package-r verify [FILE]`: looks at every byte that is kept of packages, in the data folder or in a backup. */
import type { Command } from 'commander';
import type { VerifyLine } from '#api/system.ts';
import type { CliContext } from '#cli/context.ts';
import { say } from '#cli/show.ts';
import { printable } from '#cli/terminal.ts';
import { PackageRError } from '#errors/error.ts';

export function addVerify(program: Command, context: CliContext): void {
  program
    .command('verify [file]')
    .description('verify the state: the file, all versions and texts; or those of a backup. Exit code 1 where anything is wrong')
    .option('--rebuild', 'build damaged search indexes anew')
    .action(async (file: string | undefined, { rebuild = false }: { readonly rebuild?: boolean }) => {
      if (rebuild && file !== undefined)
        throw new PackageRError('request_invalid', 'A backup is only looked at: restoring drops what is damaged there.');
      const lines =
        file === undefined
          ? (await context.client()).lines<VerifyLine>('POST', `api/v1/verify${rebuild ? '?rebuild=true' : ''}`, { signal: context.signal })
          : context.verifyFile(file);
      for await (const line of lines) showVerifyLine(context, line);
    });
}

/** Progress on a terminal, faults as they are found, and the totals; faults make the exit code 1. */
export function showVerifyLine(context: CliContext, line: VerifyLine): void {
  const { stderr } = context.terminal;
  const isLive = stderr.isTTY === true && !context.isQuiet && !context.isJson;
  if (isLive) stderr.write('\r\u001b[K');
  if (line.kind === 'progress') {
    if (isLive) stderr.write(`verifying ${line.done} of ${line.total}  ${printable(line.note)}`);
    return;
  }
  if (context.isJson) context.json(line);
  else if (line.kind !== 'done')
    context.print(`${line.kind === 'wrong' ? '✗' : '↻'} ${printable(line.subject)}: ${printable(line.says)}\n`);
  if (line.kind !== 'done') return;
  const { packages, versions, entries, texts, wrong, derived } = line;
  say(context, `Verified ${packages} packages: ${versions} versions with ${entries} entries, and ${texts} texts.`);
  if (wrong === 0) return;
  const how = wrong === derived ? 'Build them anew: package-r verify --rebuild' : 'Restore a backup: package-r restore FILE';
  context.fail(`${wrong} ${wrong === 1 ? 'thing is' : 'things are'} not as they should be. ${how}`);
}
