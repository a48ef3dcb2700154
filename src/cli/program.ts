/** The command line: one file a verb. This one holds the options that all verbs share, and the way from an error to an exit code. */
import { Command, CommanderError } from 'commander';
import { addBackup } from '#cli/backup.ts';
import { addCompletion } from '#cli/completion.ts';
import { addConfig } from '#cli/config.ts';
import type { CliContext } from '#cli/context.ts';
import { addDemo } from '#cli/demo/demo.ts';
import { addEvents } from '#cli/events.ts';
import { addExchange } from '#cli/exchange.ts';
import { addGet } from '#cli/get/get.ts';
import { addGroups } from '#cli/groups.ts';
import { addJobs } from '#cli/jobs.ts';
import { addKeys } from '#cli/keys.ts';
import { addLogin } from '#cli/login.ts';
import { addNamespaces } from '#cli/namespaces.ts';
import { addPackages } from '#cli/packages/packages.ts';
import { addPresign } from '#cli/presign.ts';
import { addRestore } from '#cli/restore.ts';
import { addServe } from '#cli/serve.ts';
import { addShares } from '#cli/shares.ts';
import { addSources } from '#cli/sources.ts';
import { addState } from '#cli/state.ts';
import { printable } from '#cli/terminal.ts';
import { addTokens } from '#cli/tokens.ts';
import { addUsers } from '#cli/users.ts';
import { addVerify } from '#cli/verify.ts';
import { addVersion } from '#cli/version.ts';
import { ClientError } from '#client/error.ts';
import { asError } from '#errors/error.ts';
import { type ErrorCode, type ErrorKind, errorTable } from '#errors/table.ts';

export interface GlobalOptions {
  readonly server?: string;
  readonly dataDir?: string;
  readonly config?: string;
  readonly json?: true;
  readonly quiet?: true;
}

/** What a shell can tell apart. Documented in docs/reference/cli.md. */
export const exitCodes = {
  invalid: 2,
  too_large: 2,
  unsupported: 2,
  range: 2,
  unauthenticated: 3,
  locked: 3,
  forbidden: 4,
  not_found: 5,
  gone: 5,
  conflict: 6,
  rate_limited: 7,
  unavailable: 7,
  timeout: 7,
  internal: 70,
  cancelled: 130,
} as const satisfies Record<ErrorKind, number>;

/** The whole command line. `context` is asked for when a verb runs, with the shared options as given. */
export function createProgram(context: CliContext): Command {
  const program = new Command('package-r')
    .description('Browse the storage you have, curate a part of it into a package, share it by one link.')
    .option('--server <url>', 'speak to this server, after `package-r login URL` (default: the one of the data folder)')
    .option('--data-dir <folder>', 'data folder of a local packageR')
    .option('--config <file>', 'configuration file')
    .option('--json', 'answers as JSON, one value a line')
    .option('-q, --quiet', 'no progress')
    .helpOption('-h, --help', 'show help')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.print(text),
      writeErr: (text) => context.terminal.stderr.write(text),
    })
    .addHelpText('after', examples);
  for (const add of verbs) add(program, context);
  for (const command of everyCommand(program)) command.exitOverride().configureOutput(program.configureOutput());
  return program;
}

const verbs: readonly ((program: Command, context: CliContext) => void)[] = [
  addServe,
  addDemo,
  addSources,
  addPackages,
  addShares,
  addGet,
  addExchange,
  addPresign,
  addLogin,
  addUsers,
  addGroups,
  addNamespaces,
  addTokens,
  addJobs,
  addEvents,
  addConfig,
  addBackup,
  addState,
  addRestore,
  addVerify,
  addKeys,
  addVersion,
  addCompletion,
];

const examples = `
Examples:
  package-r serve                                              start, on http://127.0.0.1:8080
  package-r sources add lab folder --set root=/data/lab        connect a folder
  package-r packages create admin/snow
  package-r packages add admin/snow lab --glob '**/*.csv'      curate; nothing is copied
  package-r packages freeze admin/snow --message 'First'
  package-r shares add admin/snow@1                            prints the link
  package-r get https://host/s/ID -o data                      fetch what a link holds
`;

function* everyCommand(command: Command): Iterable<Command> {
  for (const child of command.commands) {
    yield child;
    yield* everyCommand(child);
  }
}

/** Says what went wrong on stderr (as JSON with --json) and gives the exit code. */
export function explainFailure(error: unknown, context: Pick<CliContext, 'terminal' | 'isJson'>): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const { code, message, help } = describe(error);
  const known = Object.hasOwn(errorTable, code) ? (code as ErrorCode) : 'source_unavailable';
  const text = context.isJson ? JSON.stringify({ error: { code, message, help } }) : `package-r: ${printable(message)}\n${indent(help)}`;
  context.terminal.stderr.write(`${text.trimEnd()}\n`);
  return exitCodes[errorTable[known].kind];
}

function indent(help: string | undefined): string {
  return help === undefined ? '' : `  ${printable(help)}`;
}

function describe(error: unknown): { code: string; message: string; help: string | undefined } {
  if (error instanceof ClientError) return { code: error.code, message: error.message, help: error.help };
  const ours = asError(error);
  const cause = ours.code === 'internal' && ours.cause instanceof Error ? ` ${ours.cause.message}` : '';
  return { code: ours.code, message: `${ours.message}${cause}`, help: ours.help };
}
