/** Writes docs/reference/cli.md from the verbs themselves. */
import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import type { CliContext } from '#cli/context.ts';
import { createProgram, exitCodes } from '#cli/program.ts';

export function writeCliReference(): string {
  const program = createProgram(silentContext());
  const kinds = Map.groupBy(Object.entries(exitCodes), ([, code]) => code);
  const codes = [...kinds].map(([code, rows]) => `| ${code} | ${rows.map(([kind]) => kind).join(', ')} |`);
  return [
    '# Commands',
    '',
    'Generated from `src/cli/`. Every verb takes the options of `package-r` itself and `--help`. With `--json` every answer is one JSON value a',
    'line, and errors are `{"error": {code, message, help}}` on stderr. Secrets are asked for, or read from stdin with `-`; never from arguments.',
    '',
    'Without `--server` a verb speaks to the server that runs on the data folder, through its socket; where none runs, it opens the folder itself.',
    '',
    '## Exit codes',
    '',
    '| code | when |',
    '|---|---|',
    '| 0 | all went well |',
    '| 1 | the verb did its work, but not all of it went well (files that failed, objects that drifted) |',
    ...codes,
    '',
    '## package-r',
    '',
    ...writeOptions(program),
    ...program.commands.filter(isShown).flatMap((command) => writeCommand(command, 'package-r', 2)),
  ].join('\n');
}

function isShown(command: Command): boolean {
  return command.name() !== 'help' && !(command as Command & { _hidden?: boolean })._hidden;
}

function writeCommand(command: Command, above: string, level: number): string[] {
  const name = `${above} ${command.name()}`;
  const children = command.commands.filter(isShown);
  return [
    `${'#'.repeat(level)} ${name}`,
    '',
    escapeMarkdown(command.description().replaceAll('\n', ' ')),
    '',
    ...(children.length > 0 ? [] : ['```', `${name} ${command.usage()}`, '```', '', ...writeOptions(command)]),
    ...children.flatMap((child) => writeCommand(child, name, Math.min(level + 1, 4))),
  ];
}

function writeOptions(command: Command): string[] {
  const rows = command.options
    .filter((option) => !option.hidden)
    .map((option) => {
      const preset = option.defaultValue === undefined || option.defaultValue === '' ? '' : ` (default ${String(option.defaultValue)})`;
      const choices = option.argChoices === undefined ? '' : ` One of ${option.argChoices.join(', ')}.`;
      return `| \`${option.flags.replaceAll('|', '\\|')}\` | ${escapeMarkdown(option.description)}${preset}${choices} |`;
    });
  return rows.length === 0 ? [] : ['| option | |', '|---|---|', ...rows, ''];
}

function escapeMarkdown(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('*', '\\*');
}

function silentContext(): CliContext {
  const none = (): never => {
    throw new TypeError('the reference runs no verb');
  };
  const terminal = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  return {
    terminal,
    env: {},
    signal: new AbortController().signal,
    isJson: false,
    isQuiet: false,
    print: none,
    json: none,
    fail: none,
    client: none,
    loadConfig: none,
    serve: none,
    copyState: none,
    restore: none,
    verifyFile: none,
  };
}
